"""minio-py: its own signer and its own providers of credentials."""

import os

from minio import Minio
from minio.credentials import AWSConfigProvider, ChainedProvider, EnvAWSProvider, IamAwsProvider

from probe import BIG, ENDPOINT, FIRST, HOST, KEY, LARGE, LAST, PAGES, PART, SIX, TLS, TO, in_parts, step, version

providers = [EnvAWSProvider(), AWSConfigProvider()]
# Of what the environment names, it must be told where the token service is. Without either it would ask for a cloud
# machine's own credentials.
if "AWS_WEB_IDENTITY_TOKEN_FILE" in os.environ:
    providers.append(IamAwsProvider(custom_endpoint=ENDPOINT))
elif "AWS_CONTAINER_CREDENTIALS_FULL_URI" in os.environ:
    providers.append(IamAwsProvider())
s3 = Minio(HOST, secure=TLS, region="tracegate", credentials=ChainedProvider(providers))


def pages():
    return [(item.size, item.object_name) for item in s3.list_objects("traces", PAGES, recursive=True)]


def read(key, first=0, length=0):
    answer = s3.get_object("traces", key, offset=first, length=length)
    try:
        return answer.read()
    finally:
        answer.close()


def big():
    return in_parts(s3.stat_object("traces", BIG).size, lambda first, last: read(BIG, first, last + 1 - first))


version("minio")
step("list", pages)
step("get", lambda: read(KEY))
step("range", lambda: read(KEY, FIRST, LAST + 1 - FIRST))
step("big", big)
step("put 6 MiB", lambda: s3.fput_object("plain", f"{TO}/six.jsonl", SIX, part_size=2 * PART) and None)
step("multipart", lambda: s3.fput_object("plain", f"{TO}/large.jsonl", LARGE, part_size=PART) and None)
