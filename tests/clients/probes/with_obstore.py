"""obstore: the Rust crate object_store, from Python."""

from pathlib import Path

import obstore
from obstore.store import S3Store

from probe import BIG, ENDPOINT, FIRST, KEY, LARGE, LAST, PAGES, PART, SIX, TLS, TO, in_parts, step, version

SETTINGS = {"endpoint": ENDPOINT, "region": "tracegate", "client_options": {"allow_http": not TLS}}
store, plain = S3Store("traces", **SETTINGS), S3Store("plain", **SETTINGS)


def pages():
    return [(item["size"], item["path"]) for page in obstore.list(store, PAGES) for item in page]


def big():
    # `get_ranges` would merge ranges that lie side by side.
    size = obstore.head(store, BIG)["size"]
    return in_parts(size, lambda first, last: bytes(obstore.get_range(store, BIG, start=first, end=last + 1)))


def put(file, key, **how):
    obstore.put(plain, f"{TO}/{key}", Path(file), **how)


version("obstore")
step("list", pages)
step("get", lambda: bytes(obstore.get(store, KEY).bytes()))
step("range", lambda: bytes(obstore.get_range(store, KEY, start=FIRST, end=LAST + 1)))
step("big", big)
step("put 6 MiB", lambda: put(SIX, "six.jsonl", use_multipart=False))
step("multipart", lambda: put(LARGE, "large.jsonl", use_multipart=True, chunk_size=PART, max_concurrency=4))
