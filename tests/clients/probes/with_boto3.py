"""boto3, with the transfers of its own and, asked for by TRANSFER=crt, those of the AWS CRT."""

import os

import boto3
from boto3.s3.transfer import TransferConfig

from probe import BIG, FIRST, KEY, LAST, OUT, PAGES, PART, step, version

s3 = boto3.client("s3")


def pages():
    found = s3.get_paginator("list_objects_v2").paginate(Bucket="traces", Prefix=PAGES)
    return [(item["Size"], item["Key"]) for page in found for item in page["Contents"]]


def big():
    transfer = os.environ.get("TRANSFER", "classic")
    config = TransferConfig(PART, multipart_chunksize=PART, max_concurrency=4, preferred_transfer_client=transfer)
    s3.download_file("traces", BIG, str(OUT / "big.part"), Config=config)
    return (OUT / "big.part").read_bytes()


version("boto3")
step("list", pages)
step("get", lambda: s3.get_object(Bucket="traces", Key=KEY)["Body"].read())
step("range", lambda: s3.get_object(Bucket="traces", Key=KEY, Range=f"bytes={FIRST}-{LAST}")["Body"].read())
step("big", big)
