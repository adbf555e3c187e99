"""How often each file changes, and where much that changes often is large: the hot spots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from code_insight.model import FileRole, HistoryEnd
from code_insight.queries.together import present_path
from code_insight.store import IndexedCommit, PastEntry, Reader

_COMMITS_KEPT = 8
_RECENT = 12
_SPOTS = 16
_LEAST_CHANGES = 2  # a file that was only made has not changed
_WRITTEN = (FileRole.SOURCE, FileRole.TEST)


@dataclass(frozen=True, slots=True)
class Seen:
    """How far back the history of a commit is known."""

    commits: int
    end: HistoryEnd


@dataclass(frozen=True, slots=True)
class Spot:
    """A file in which much changes."""

    path: str
    commits: int  # that changed it
    lines: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What the known history of a commit says of its files."""

    seen: Seen
    commits: Mapping[str, int]  # path → commits that changed it, under all the names that it had
    spots: tuple[Spot, ...]  # source and tests, most commits times lines first
    recent: tuple[PastEntry, ...]  # the newest first


def seen(indexed: IndexedCommit) -> Seen:
    """How far back its history is known now: it grows after the commit was indexed."""
    with Reader(indexed) as reader:
        past = reader.past()
        return Seen(len(past), past.end)


def changes(indexed: IndexedCommit) -> Changes:
    """How often each file of a commit has changed, as far as its history is known now; worked out once."""
    return _changes(indexed, seen(indexed))


@lru_cache(maxsize=_COMMITS_KEPT)
def _changes(indexed: IndexedCommit, seen: Seen) -> Changes:
    with Reader(indexed) as reader:
        past, files = reader.past(), reader.files()
        here, renames = {file.path for file in files}, past.renames()
        commits: Counter[str] = Counter()
        for _, path, _, _ in past.counts_under(""):
            commits[present_path(path, renames, here)] += 1
        recent = past.entries(range(min(_RECENT, len(past))))
    del commits[""]
    spots = [
        Spot(file.path, commits[file.path], file.lines)
        for file in files
        if file.role in _WRITTEN and file.lines and commits[file.path] >= _LEAST_CHANGES
    ]
    spots.sort(key=lambda spot: (-spot.commits * spot.lines, spot.path))
    return Changes(seen, commits, tuple(spots[:_SPOTS]), tuple(recent.values()))
