"""boto3, with the transfers of its own and, asked for by TRANSFER=crt, those of the AWS CRT."""

import os

import boto3
from boto3.s3.transfer import TransferConfig

from probe import BIG, FIRST, KEY, LARGE, LAST, OUT, PAGES, PART, SIX, TO, step, version

s3 = boto3.client("s3")


def pages():
    found = s3.get_paginator("list_objects_v2").paginate(Bucket="traces", Prefix=PAGES)
    return [(item["Size"], item["Key"]) for page in found for item in page["Contents"]]


TRANSFER = os.environ.get("TRANSFER", "classic")
WHOLE = TransferConfig(2 * PART, preferred_transfer_client=TRANSFER)
PARTS = TransferConfig(PART, multipart_chunksize=PART, max_concurrency=4, preferred_transfer_client=TRANSFER)


def big():
    s3.download_file("traces", BIG, str(OUT / "big.part"), Config=PARTS)
    return (OUT / "big.part").read_bytes()


version("boto3")
step("list", pages)
step("get", lambda: s3.get_object(Bucket="traces", Key=KEY)["Body"].read())
step("range", lambda: s3.get_object(Bucket="traces", Key=KEY, Range=f"bytes={FIRST}-{LAST}")["Body"].read())
step("big", big)
step("put 6 MiB", lambda: s3.upload_file(SIX, "plain", f"{TO}/six.jsonl", Config=WHOLE))
step("multipart", lambda: s3.upload_file(LARGE, "plain", f"{TO}/large.jsonl", Config=PARTS))
