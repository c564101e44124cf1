"""deltalake (delta-rs): the Rust crate object_store, and a log of JSON files that must be read whole."""

from deltalake import DeltaTable, QueryBuilder

from probe import ENDPOINT, TLS, step, version

OPTIONS = {"aws_endpoint_url": ENDPOINT, "aws_region": "tracegate", "aws_allow_http": str(not TLS).lower()}


def column():
    # By its own engine: pyarrow, over its file system, now and then aborts when the process ends.
    query = QueryBuilder().register("runs", DeltaTable("s3://plain/table", storage_options=OPTIONS))
    return str(query.execute("select sum(tokens) as tokens from runs").read_all()["tokens"][0].as_py())


version("deltalake")
step("columns", column)
