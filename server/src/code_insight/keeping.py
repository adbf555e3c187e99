"""How much is kept on disk: when it is more than allowed, what was asked about longest ago goes first."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

_SECONDS_IN_USE = 60  # after a question about it, nothing is taken away


def note_use(home: Path, oid: str) -> None:
    """A commit of a repository was asked about just now; where nothing can be written, nobody knows."""
    mark = home / "used" / oid
    with contextlib.suppress(OSError):
        if time.time() - _time_of(mark) > _SECONDS_IN_USE / 2:
            mark.parent.mkdir(exist_ok=True)
            mark.touch()


def last_used(home: Path) -> dict[str, float]:
    """Commit → when it was asked about last, in seconds since 1970, to half a minute; 0 when that is not known."""
    with contextlib.suppress(OSError):
        return {mark.name: _time_of(mark) for mark in (home / "used").iterdir()}
    return {}


def forget_uses(home: Path, of_others_than: Collection[str]) -> None:
    """Only of these commits it is known when they were used."""
    for oid in last_used(home).keys() - set(of_others_than):
        (home / "used" / oid).unlink(missing_ok=True)


def make_room(folder: Path, most_bytes: int, busy: Path, at_last: Iterable[Path]) -> Iterator[str]:
    """The repositories below a folder take no more than allowed; the names of those that had to go, as they go.

    The least recently used go first, those of `at_last` after all others. Never one goes that is `busy`, that somebody
    indexes, or that was asked about just now: then the rest is more than allowed, until next time.
    """
    sizes = {home: _bytes_of(home) for home in (folder / "repositories").iterdir()}
    uses = {home: max(last_used(home).values(), default=0.0) for home in sizes}
    spared = set(at_last)
    total = sum(sizes.values())
    for home in sorted(sizes, key=lambda home: (home in spared, uses[home], home.name)):
        if total <= most_bytes:
            return
        if home != busy and time.time() - uses[home] > _SECONDS_IN_USE and _take_away(folder, home):
            total -= sizes[home]
            yield home.name


def _take_away(folder: Path, home: Path) -> bool:
    """Whether the repository is gone, at once as a whole; not while somebody indexes it."""
    with (folder / "locks" / home.name).open("w") as lock:
        try:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        gone = folder / "gone" / home.name
        gone.parent.mkdir(exist_ok=True)
        shutil.rmtree(gone, ignore_errors=True)
        home.rename(gone)  # who reads its index goes on reading
        shutil.rmtree(gone, ignore_errors=True)
        return True


def _bytes_of(home: Path) -> int:
    total = 0
    for path in home.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.lstat().st_size
    return total


def _time_of(mark: Path) -> float:
    """When a mark was made, 0 for one that is to come: the clock was set back since, and nobody has asked since."""
    with contextlib.suppress(OSError):
        made = mark.stat().st_mtime
        return made if made <= time.time() + _SECONDS_IN_USE else 0.0
    return 0.0
