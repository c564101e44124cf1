"""deltalake (delta-rs): the Rust crate object_store, and a log of JSON files that must be read whole."""

from deltalake import DeltaTable, QueryBuilder, write_deltalake
from pyarrow.json import read_json

from probe import ENDPOINT, LARGE, OUT, SIX, TLS, TO, step, version

OPTIONS = {"aws_endpoint_url": ENDPOINT, "aws_region": "tracegate", "aws_allow_http": str(not TLS).lower()}


def column():
    # By its own engine: pyarrow, over its file system, now and then aborts when the process ends.
    query = QueryBuilder().register("runs", DeltaTable("s3://plain/table", storage_options=OPTIONS))
    return str(query.execute("select sum(tokens) as tokens from runs").read_all()["tokens"][0].as_py())


def append(file, table):
    """The same records to a table in the bucket and to one on the disk: their data files must be the same."""
    data, told = read_json(file).combine_chunks(), []
    for place, options in ((f"s3://plain/{TO}/{table}", OPTIONS), (str(OUT / table), None)):
        write_deltalake(place, data, mode="append", storage_options=options)
        told.append(sorted(DeltaTable(place, storage_options=options).file_uris()))
    lines = [f"{there.removeprefix('s3://plain/')}\t{here}" for there, here in zip(*told, strict=True)]
    return "".join(f"{line}\n" for line in lines)


version("deltalake")
step("columns", column)
step("put 6 MiB", lambda: append(SIX, "six"))
step("multipart", lambda: append(LARGE, "large"))
