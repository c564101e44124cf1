"""obstore: the Rust crate object_store, from Python."""

import obstore
from obstore.store import S3Store

from probe import BIG, ENDPOINT, FIRST, KEY, LAST, PAGES, TLS, in_parts, step, version

store = S3Store("traces", endpoint=ENDPOINT, region="tracegate", client_options={"allow_http": not TLS})


def pages():
    return [(item["size"], item["path"]) for page in obstore.list(store, PAGES) for item in page]


def big():
    # `get_ranges` would merge ranges that lie side by side.
    size = obstore.head(store, BIG)["size"]
    return in_parts(size, lambda first, last: bytes(obstore.get_range(store, BIG, start=first, end=last + 1)))


version("obstore")
step("list", pages)
step("get", lambda: bytes(obstore.get(store, KEY).bytes()))
step("range", lambda: bytes(obstore.get_range(store, KEY, start=FIRST, end=LAST + 1)))
step("big", big)
