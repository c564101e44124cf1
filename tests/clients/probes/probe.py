"""What the probes in Python share; ../probe.rs says what is in the environment."""

import importlib.metadata
import os
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ENDPOINT, CA, OUT = os.environ["ENDPOINT"], os.environ["CA"], Path(os.environ["OUT"])
TLS = ENDPOINT.startswith("https:")
HOST = ENDPOINT.split("//")[1]
PAGES, KEY, BIG = os.environ["PAGES"], os.environ["KEY"], os.environ["BIG"]
SIX, LARGE, TO = os.environ["SIX"], os.environ["LARGE"], os.environ["TO"]
FIRST, LAST = int(os.environ["FIRST"]), int(os.environ["LAST"])
PART = 5 << 20


def step(name, act):
    """What `act` answers (bytes, a text, or pairs of size and key) is the file `name`; else `name.error` says why."""
    try:
        answer = act()
        if isinstance(answer, list):
            answer = "".join(f"{size}\t{key}\n" for size, key in answer)
        answer = answer or ""  # what only acts answers nothing
        (OUT / name).write_bytes(answer.encode() if isinstance(answer, str) else answer)
    except BaseException:  # a panic of a Rust extension is no Exception
        (OUT / f"{name}.error").write_text(traceback.format_exc())


def version(package):
    step("version", lambda: importlib.metadata.version(package))


def in_parts(size, read):
    """`read(first, last)` for each part of an object, four side by side, put together."""
    starts = range(0, size, PART)
    with ThreadPoolExecutor(4) as pool:
        return b"".join(pool.map(lambda first: read(first, min(first + PART, size) - 1), starts))
