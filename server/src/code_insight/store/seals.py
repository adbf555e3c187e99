"""The seal of an index file: the SHA-256 that it had when its last writer was done with it.

SQLite notices a damaged page only where the damage makes no sense; most flipped bits are read as if they had been
written. So nothing is answered from a file before its seal has been compared, once for each state of the file in each
process. While somebody writes, and after a writer was killed, there is no seal: then SQLite alone vouches for the file.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from code_insight.errors import IndexDamaged

_compared: dict[Path, tuple[int, int, int, str]] = {}  # the state of each file whose seal was right


def check(index: Path) -> None:
    """Raises IndexDamaged when the file is not what its writer left."""
    seal = _read(index)
    if not seal:
        return
    try:
        state = _state(index, seal)
        if _compared.get(index) == state:
            return
        found = _digest(index)
    except OSError:
        return  # it is gone, or cannot be read: whoever opens it says so
    if found == seal:
        _compared[index] = state
    elif _read(index) == seal:  # otherwise a writer has begun meanwhile
        raise IndexDamaged("The index of that repository is damaged.", "It is made anew; try again in a minute.")


def seal(index: Path) -> None:
    """The file has a seal, unless there is more of it in its log."""
    log = index.with_name(index.name + "-wal")
    if log.exists() and log.stat().st_size:
        return
    digest = _digest(index)
    part = index.with_name(index.name + ".part")
    part.write_text(digest, "ascii")
    part.replace(_place(index))
    _compared[index] = _state(index, digest)


def unseal(index: Path) -> None:
    """The file has no seal: it will be written."""
    _place(index).unlink(missing_ok=True)


def _place(index: Path) -> Path:
    return index.with_name(index.name + ".sha256")


def _read(index: Path) -> str:
    try:
        return _place(index).read_text("ascii", "replace")[:100]
    except OSError:
        return ""


def _state(index: Path, seal: str) -> tuple[int, int, int, str]:
    about = index.stat()
    return about.st_ino, about.st_size, about.st_mtime_ns, seal


def _digest(index: Path) -> str:
    with index.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
