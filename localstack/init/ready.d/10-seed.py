"""Fills the bucket `traces` of a fresh LocalStack with the sample traces of the seed folder.

LocalStack runs this once it is up, in the image of docker-compose.yml and in the tests alike. SEED_DIR names the
folder; an object's key is its file's path below it. One trace is stored gzipped too, as a nightly export would be.
"""

import gzip
import os
from pathlib import Path

import boto3

BUCKET = "traces"
SEED = Path(os.environ.get("SEED_DIR", "/seed"))
GZIPPED = "model-B/2026/11/15/run-004398.jsonl"
CONTENT_TYPES = {".jsonl": "application/x-ndjson", ".json": "application/json", ".txt": "text/plain; charset=utf-8"}

s3 = boto3.client("s3")
s3.create_bucket(Bucket=BUCKET)
s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
for file in sorted(path for path in SEED.rglob("*") if path.is_file()):
    key = file.relative_to(SEED).as_posix()
    s3.put_object(Bucket=BUCKET, Key=key, Body=file.read_bytes(), ContentType=CONTENT_TYPES[file.suffix])
packed = gzip.compress((SEED / GZIPPED).read_bytes(), mtime=0)
s3.put_object(Bucket=BUCKET, Key=f"{GZIPPED}.gz", Body=packed, ContentType="application/gzip")
