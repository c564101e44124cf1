#!/usr/bin/env python3
"""Checks a log of tracegate without tracegate: python3 verify_log.py FOLDER VERIFIER-KEY

FOLDER is what `tracegate audit export` wrote, or any other log of C2SP tlog-tiles. Needs Python 3.10 and the package
`cryptography`. Reads the checkpoint, checks its signature, hashes every entry (RFC 6962), and compares with every tile and
with the root that was signed. Meant to be read: it holds the whole log's hashes in memory.
"""

import base64
import hashlib
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def leaf(entry):
    return hashlib.sha256(b"\x00" + entry).digest()


def root(hashes):
    if len(hashes) < 2:
        return hashes[0] if hashes else hashlib.sha256(b"").digest()
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + root(hashes[:split]) + root(hashes[split:])).digest()


def signed_text(note, key):
    """The text of a note (C2SP signed-note) that this key signed."""
    name, key_id, public = key.split("+", 2)
    public = base64.b64decode(public)[1:]  # behind the type, 0x01 for Ed25519
    text, signatures = note.rsplit("\n\n", 1)
    text += "\n"
    for line in signatures.splitlines():
        _, signer, signature = line.split(" ")
        signature = base64.b64decode(signature)
        if signer == name and signature[:4].hex() == key_id:
            try:
                Ed25519PublicKey.from_public_bytes(public).verify(signature[4:], text.encode())
            except InvalidSignature:
                sys.exit("the checkpoint was changed after it was signed")
            return text
    sys.exit(f"the checkpoint is not signed by {name}+{key_id}")


def path(kind, index, width):
    """Where C2SP tlog-tiles puts a tile or a bundle."""
    parts = [f"{index % 1000:03}"]
    while index := index // 1000:
        parts.insert(0, f"x{index % 1000:03}")
    return f"tile/{kind}/" + "/".join(parts) + (f".p/{width}" if width < 256 else "")


def entries(folder, size):
    for index in range(0, size, 256):
        bundle = (folder / path("entries", index // 256, min(256, size - index))).read_bytes()
        while bundle:
            length = int.from_bytes(bundle[:2], "big")
            yield bundle[2 : 2 + length]
            bundle = bundle[2 + length :]


def main(folder, key):
    origin, size, signed_root = signed_text((folder / "checkpoint").read_text(), key).splitlines()[:3]
    size = int(size)
    hashes = [leaf(entry) for entry in entries(folder, size)]
    if len(hashes) != size or base64.b64encode(root(hashes)).decode() != signed_root:
        sys.exit("the entries are not those that were signed")
    level, row = 0, hashes
    while row:
        for index in range(0, len(row), 256):
            tile = row[index : index + 256]
            name = path(level, index // 256, len(tile))
            if (folder / name).read_bytes() != b"".join(tile):
                sys.exit(f"{name} is not of this tree")
        row = [root(row[index : index + 256]) for index in range(0, len(row) // 256 * 256, 256)]
        level += 1
    print(f"{origin}: every one of {size} entries is what was signed")


main(Path(sys.argv[1]), sys.argv[2])
