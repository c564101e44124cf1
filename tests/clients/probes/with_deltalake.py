"""deltalake (delta-rs): the Rust crate object_store, and a log of JSON files that must be read whole."""

from deltalake import DeltaTable

from probe import ENDPOINT, TLS, step, version

OPTIONS = {"aws_endpoint_url": ENDPOINT, "aws_region": "tracegate", "aws_allow_http": str(not TLS).lower()}


def column():
    table = DeltaTable("s3://plain/table", storage_options=OPTIONS)
    return str(sum(table.to_pyarrow_table(columns=["tokens"])["tokens"].to_pylist()))


version("deltalake")
step("columns", column)
