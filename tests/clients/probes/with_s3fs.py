"""s3fs, on aiobotocore."""

import s3fs

from probe import BIG, FIRST, KEY, LARGE, LAST, PAGES, PART, SIX, TO, step, version

fs = s3fs.S3FileSystem()


def pages():
    found = fs.find(f"traces/{PAGES}", detail=True)
    return [(item["size"], key.removeprefix("traces/")) for key, item in found.items()]


def big():
    size = fs.info(f"traces/{BIG}")["size"]
    starts = list(range(0, size, PART))
    ends = [min(start + PART, size) for start in starts]
    return b"".join(fs.cat_ranges([f"traces/{BIG}"] * len(starts), starts, ends))


version("s3fs")
step("list", pages)
step("get", lambda: fs.cat_file(f"traces/{KEY}"))
step("range", lambda: fs.cat_file(f"traces/{KEY}", start=FIRST, end=LAST + 1))
step("big", big)
step("put 6 MiB", lambda: fs.put_file(SIX, f"plain/{TO}/six.jsonl"))
step("multipart", lambda: fs.put_file(LARGE, f"plain/{TO}/large.jsonl", chunksize=PART))
