"""Zstandard: smaller than zlib, in a third of its time, and read back in half of it."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Damaged = zstd.ZstdError  # what `decompressed` and `beginning` raise of bytes that are not what was written
_CHECKED: dict[int, int] = {zstd.CompressionParameter.checksum_flag: 1}


def compressed(data: bytes) -> bytes:
    """The same in fewer bytes, with a checksum."""
    return zstd.compress(data, options=_CHECKED)


def decompressed(data: bytes) -> bytes:
    """What was compressed."""
    return zstd.decompress(data)


def beginning(data: bytes, most: int) -> bytes:
    """The first bytes of what was compressed, at most so many."""
    return zstd.ZstdDecompressor().decompress(data, most)
