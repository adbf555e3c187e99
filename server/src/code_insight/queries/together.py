"""Which files history changes together, and where a file of the past is now."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from code_insight.store import Past, PastChange, Reader

_TOGETHER_FILES = 50  # a commit of more files says nothing about any two of them
_TOGETHER_COMMITS = 400  # the newest that are looked at
_LEAST_SUPPORT = 2
MOST_TOGETHER = 30


@dataclass(frozen=True, slots=True)
class Together:
    """A file that was changed by the same commits."""

    path: str
    support: int  # commits that changed both
    confidence: float  # the part of the commits of what was asked about, 0 to 1


def followed(past: Past, path: str) -> tuple[list[PastChange], list[str]]:
    """The changes of a file under all the names that it had, the newest first; those names, the newest first."""
    found: list[PastChange] = []
    names = [path]
    waiting = [(path, -1)]
    while waiting:
        name, age = waiting.pop()
        older = [change for change in past.changes_at(name) if change.age > age]
        found += older
        for change in older:
            if change.source not in ("", *names):
                names.append(change.source)
                waiting.append((change.source, change.age))
    return sorted(found, key=lambda change: (change.age, change.parent)), names


def together(reader: Reader, past: Past, ages: Iterable[int], own: Collection[str]) -> tuple[Together, ...]:
    """The files of this commit that the same commits changed, most often first."""
    entries = past.entries(sorted(ages)[:_TOGETHER_COMMITS])
    telling = {age: entry.files for age, entry in entries.items() if entry.files <= _TOGETHER_FILES}
    here = {file.path for file in reader.files()}
    renames = past.renames()
    support: Counter[str] = Counter()
    weight: dict[str, float] = defaultdict(float)
    for age, path in past.paths_with(telling):
        now = present_path(path, renames, here)
        if now and now not in own:
            support[now] += 1
            weight[now] += 1 / max(1, telling[age] - 1)
    found = [Together(path, count, count / len(telling)) for path, count in support.items() if count >= _LEAST_SUPPORT]
    return tuple(sorted(found, key=lambda one: (-one.support, -weight[one.path], one.path))[:MOST_TOGETHER])


def changed_with(reader: Reader, path: str) -> tuple[Together, ...]:
    """The files of this commit that the commits which shaped a file changed, too; most often first."""
    past = reader.past()
    changes, names = followed(past, path)
    return together(reader, past, {change.age for change in changes}, set(names))


def present_path(path: str, renames: dict[str, str], here: Collection[str]) -> str:
    """Where the file of the past is in this commit; "" when it is nowhere."""
    for _ in range(20):
        if path in here:
            return path
        path = renames.get(path, "")
    return ""
