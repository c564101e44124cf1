"""DuckDB with httpfs, and with the extension aws for the SDK's chain of credentials (the AWS SDK for C++)."""

import os

import duckdb
from duckdb_extensions import import_extension

from probe import BIG, CA, HOST, KEY, LARGE, PAGES, SIX, TLS, TO, step, version

# A process is asked only where the chain names it.
CHAIN = ", chain 'process'" if os.environ["AWS_CONFIG_FILE"] != "/dev/null" else ""
for name in ("httpfs", "aws"):
    import_extension(name)
db = duckdb.connect(config={"autoinstall_known_extensions": "false"})
db.execute("load httpfs; load aws")
if TLS:
    db.execute(f"set ca_cert_file = '{CA}'")
db.execute(f"""
    create secret (type s3, provider credential_chain{CHAIN},
        endpoint '{HOST}', url_style 'path', use_ssl {str(TLS).lower()}, region 'tracegate')
""")


def one(query):
    return db.execute(query).fetchone()[0]


def pages():
    found = db.execute(f"select file from glob('s3://traces/{PAGES}*')").fetchall()
    return "".join(f"{file.removeprefix('s3://traces/')}\n" for (file,) in found)


def put(file, key):
    """Read and written as records. Parts are as small as S3 allows only if the largest object is said to be small."""
    db.execute("set s3_uploader_max_filesize = '50GB'")
    db.execute(f"copy (from read_json('{file}')) to 's3://plain/{TO}/{key}' (format json)")


version("duckdb")
step("list", pages)
step("get", lambda: one(f"select content from read_blob('s3://traces/{KEY}')"))
step("big", lambda: one(f"select content from read_blob('s3://traces/{BIG}')"))
step("columns", lambda: str(one("select sum(tokens) from 's3://plain/table/*.parquet'")))
step("put 6 MiB", lambda: put(SIX, "six.jsonl"))
step("multipart", lambda: put(LARGE, "large.jsonl"))
