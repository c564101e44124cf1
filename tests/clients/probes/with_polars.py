"""polars: the Rust crate object_store, as polars sets it up."""

import polars

from probe import BIG, ENDPOINT, KEY, LARGE, PAGES, SIX, TLS, TO, step, version

OPTIONS = {"aws_endpoint_url": ENDPOINT, "aws_region": "tracegate", "aws_allow_http": str(not TLS).lower()}


def lines(key):
    """A file as it lies there: polars counts and fetches its lines in parts."""
    return "".join(f"{line}\n" for line in polars.scan_lines(f"s3://traces/{key}", storage_options=OPTIONS).collect().to_series())


def pages():
    scan = polars.scan_ndjson(f"s3://traces/{PAGES}*.jsonl", include_file_paths="path", storage_options=OPTIONS)
    return "".join(f"{path.removeprefix('s3://traces/')}\n" for path in scan.select("path").collect()["path"])


def column():
    scan = polars.scan_parquet("s3://plain/table/*.parquet", storage_options=OPTIONS)
    return str(scan.select(polars.col("tokens").sum()).collect().item())


def put(file, key):
    """Read and written as records."""
    polars.scan_ndjson(file).sink_ndjson(f"s3://plain/{TO}/{key}", storage_options=OPTIONS)


version("polars")
step("list", pages)
step("get", lambda: lines(KEY))
step("big", lambda: lines(BIG))
step("columns", column)
step("put 6 MiB", lambda: put(SIX, "six.jsonl"))
step("multipart", lambda: put(LARGE, "large.jsonl"))
