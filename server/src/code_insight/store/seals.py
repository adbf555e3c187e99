"""The seal of an index file: the SHA-256 of each of its segments, as its last writer left them.

SQLite notices a damaged page only where the damage makes no sense; most flipped bits are read as if they had been
written. So nothing is answered from a file before its seal has been compared, once for each state of the file in each
process. While somebody writes, and after a writer was killed, there is no seal: then SQLite alone vouches for the file.

A writer that began with a seal hashes only what it wrote: SQLite's write-ahead log names the pages. What was damaged
elsewhere meanwhile does not get a seal by that.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from code_insight.errors import IndexDamaged

_SEGMENT_BYTES = 1 << 14
_FEW_SEGMENTS = 200  # that are not worth a second thread
_DIGEST_BYTES = hashlib.sha256().digest_size
_LOG_HEADER = struct.Struct(">8xI4x8s8x")  # "WAL Header Format" of sqlite.org/fileformat2.html: page size, salts
_FRAME_HEADER = struct.Struct(">I4x8s8x")  # "WAL Frame Header Format": page number, salts

_State = tuple[int, ...]
_compared: dict[Path, _State] = {}  # the state of each file whose seal was right
_comparing: dict[Path, threading.Lock] = {}


def check(index: Path) -> None:
    """Raises IndexDamaged when the file is not what its writer left."""
    with _comparing.setdefault(index, threading.Lock()):  # who else asks waits, and knows then
        try:
            now = _state(index)
            if _compared.get(index) == now:
                return
            seal = _place(index).read_bytes()
            found = _digests(index)
        except OSError:
            return  # there is no seal, or the file is gone, or cannot be read: whoever opens it says so
        if not seal or found == seal:
            _compared[index] = now
        elif _is_still(index, seal):  # otherwise a writer has begun meanwhile
            raise IndexDamaged("The index of that repository is damaged.", "It is made anew; try again in a minute.")


def state(index: Path) -> tuple[int, ...] | None:
    """What tells the file from what it was before and will be; None while it has no seal that was compared."""
    with contextlib.suppress(OSError):
        if (now := _state(index)) == _compared.get(index):
            return now
    return None


def seal(index: Path, before: bytes = b"", written: Collection[int] = ()) -> None:
    """The file has a seal, unless there is more of it in its log.

    `before` is the seal that it had; what changed since is in the segments that were `written`, or is new at its end.
    """
    log = log_of(index)
    if log.exists() and log.stat().st_size:
        return
    part = index.with_name(index.name + ".part")
    part.write_bytes(_digests(index, before, written))
    part.replace(_place(index))
    _compared[index] = _state(index)


def unseal(index: Path) -> bytes:
    """The file has no seal: it will be written. The seal that it had, b"" for none."""
    try:
        before = _place(index).read_bytes()
    except OSError:
        before = b""
    _place(index).unlink(missing_ok=True)
    return before


def log_of(index: Path) -> Path:
    """SQLite's write-ahead log of the file."""
    return index.with_name(index.name + "-wal")


def segments_in(log: Path) -> set[int]:
    """The segments of which there are pages in a log, for who has kept everybody from beginning it anew.

    Raises OSError when it cannot be read, or when there is none.
    """
    segments: set[int] = set()
    with log.open("rb") as file, contextlib.suppress(struct.error):  # its end, in the middle of a header
        page_bytes, salts = _LOG_HEADER.unpack(file.read(_LOG_HEADER.size))
        for at in range(_LOG_HEADER.size, os.fstat(file.fileno()).st_size, _FRAME_HEADER.size + page_bytes):
            page, of_frame = _FRAME_HEADER.unpack(os.pread(file.fileno(), _FRAME_HEADER.size, at))
            if of_frame != salts:  # what a log that was longer has left
                break
            begin, end = (page - 1) * page_bytes, page * page_bytes
            segments.update(range(begin // _SEGMENT_BYTES, (end - 1) // _SEGMENT_BYTES + 1))
    return segments


def _place(index: Path) -> Path:
    return index.with_name(index.name + ".seal")


def _is_still(index: Path, seal: bytes) -> bool:
    try:
        return _place(index).read_bytes() == seal
    except OSError:
        return False


def _state(index: Path) -> _State:
    files = index.stat(), _place(index).stat()
    return tuple(part for file in files for part in (file.st_ino, file.st_size, file.st_mtime_ns))


def _digests(index: Path, before: bytes = b"", written: Collection[int] = ()) -> bytes:
    """The digests of all segments, one after the other; of those that were not written and were full, as before."""
    with index.open("rb") as file:
        count = -(-os.fstat(file.fileno()).st_size // _SEGMENT_BYTES)
        full = max(0, len(before) // _DIGEST_BYTES - 1)  # the last one may have been shorter
        digests = bytearray(before[: count * _DIGEST_BYTES].ljust(count * _DIGEST_BYTES))
        wanted = sorted({*range(full, count), *(segment for segment in written if segment < count)})
        halves = wanted[: len(wanted) // 2], wanted[len(wanted) // 2 :]

        def read(segments: list[int]) -> None:
            for segment in segments:
                data = os.pread(file.fileno(), _SEGMENT_BYTES, segment * _SEGMENT_BYTES)
                at = segment * _DIGEST_BYTES
                digests[at : at + _DIGEST_BYTES] = hashlib.sha256(data).digest()

        if len(wanted) < _FEW_SEGMENTS:
            read(wanted)
        else:  # another core takes half of it
            with ThreadPoolExecutor(1) as pool:
                other = pool.submit(read, halves[1])
                read(halves[0])
                other.result()
        return bytes(digests)
