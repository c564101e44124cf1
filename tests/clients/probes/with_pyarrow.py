"""pyarrow: the AWS SDK for C++."""

from pathlib import Path

from pyarrow import parquet
from pyarrow.fs import FileSelector, FileType, S3FileSystem

from probe import BIG, CA, ENDPOINT, FIRST, KEY, LARGE, LAST, PAGES, SIX, TLS, TO, in_parts, step, version

fs = S3FileSystem(endpoint_override=ENDPOINT, region="tracegate", tls_ca_file_path=CA if TLS else None)


def pages():
    found = fs.get_file_info(FileSelector(f"traces/{PAGES}", recursive=True))
    return [(item.size, item.path.removeprefix("traces/")) for item in found if item.type == FileType.File]


def big():
    file = fs.open_input_file(f"traces/{BIG}")
    return in_parts(file.size(), lambda first, last: file.read_at(last + 1 - first, first))


def put(file, key):
    with fs.open_output_stream(f"plain/{TO}/{key}") as stream:
        stream.write(Path(file).read_bytes())


version("pyarrow")
step("list", pages)
step("get", lambda: fs.open_input_stream(f"traces/{KEY}").read())
step("range", lambda: fs.open_input_file(f"traces/{KEY}").read_at(LAST + 1 - FIRST, FIRST))
step("big", big)
step("columns", lambda: str(sum(parquet.read_table("plain/table", filesystem=fs, columns=["tokens"])["tokens"].to_pylist())))
step("put 6 MiB", lambda: put(SIX, "six.jsonl"))
step("multipart", lambda: put(LARGE, "large.jsonl"))
