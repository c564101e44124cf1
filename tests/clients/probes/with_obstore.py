"""obstore: the Rust crate object_store, from Python."""

import obstore
from obstore.store import S3Store

from probe import BIG, ENDPOINT, FIRST, KEY, LAST, PAGES, PART, TLS, step, version

store = S3Store("traces", endpoint=ENDPOINT, region="tracegate", client_options={"allow_http": not TLS})


def pages():
    return [(item["size"], item["path"]) for page in obstore.list(store, PAGES) for item in page]


def parallel():
    size = obstore.head(store, BIG)["size"]
    starts = list(range(0, size, PART))
    ends = [min(start + PART, size) for start in starts]
    return b"".join(bytes(part) for part in obstore.get_ranges(store, BIG, starts=starts, ends=ends, coalesce=0))


version("obstore")
step("list", pages)
step("get", lambda: bytes(obstore.get(store, KEY).bytes()))
step("range", lambda: bytes(obstore.get_range(store, KEY, start=FIRST, end=LAST + 1)))
step("parallel", parallel)
