"""Which commits shaped a file, a folder or a symbol; who knows it, how often it changes, and with what."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from code_insight.model import HistoryEnd, Symbol
from code_insight.queries.files import normal_path, unknown_path
from code_insight.queries.symbols import find_symbols
from code_insight.queries.together import MOST_TOGETHER, Together, followed, present_path, together
from code_insight.queries.tracing import trace
from code_insight.store import IndexedCommit, Past, PastChange, PastEntry, Reader, short

_HALF_LIFE_SECONDS = 365 * 86_400  # after which a change counts half as much for who knows something


@dataclass(frozen=True, slots=True)
class Touch:
    """One commit that shaped what was asked about."""

    commit: PastEntry
    added: int | None  # lines of it; None when they are not known
    removed: int | None
    path: str  # of the file then; "" for a folder


@dataclass(frozen=True, slots=True)
class Author:
    """Somebody who shaped it."""

    name: str
    share: float  # of all that was changed, 0 to 1; a change counts half as much for each year of its age
    commits: int
    last: int  # seconds since 1970 (UTC)


@dataclass(frozen=True, slots=True)
class Year:
    """What happened in one year."""

    year: int
    commits: int
    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class History:
    """The past of a file, a folder or a symbol."""

    path: str  # "" for the whole repository
    symbol: Symbol | None
    is_folder: bool
    is_gone: bool  # the file is not in this commit any more
    moved_to: str  # where it went, if it was renamed
    touches: tuple[Touch, ...]  # the newest first
    authors: tuple[Author, ...]  # who knows it best first
    together: tuple[Together, ...]  # what changes with it; in a folder, what changes most
    years: tuple[Year, ...]  # the newest first
    earlier_paths: tuple[str, ...]  # which the file had, the newest first
    lost_at: PastEntry | None  # the commit before which a symbol's lines could not be followed
    is_edge: bool  # it is older than the history that is known
    commits: int  # in the whole history that is known
    oldest: PastEntry | None  # of them
    end: HistoryEnd


def history(indexed: IndexedCommit, path: str = "", symbol: str = "") -> History:
    """The past of a symbol (`path` then says where it is defined), else of a file or folder, "" for the whole.

    Raises NotFound with the nearest names when there is no such symbol, and never was such a path.
    """
    with Reader(indexed) as reader:
        past = reader.past()
        if symbol:
            return _of_symbol(reader, past, find_symbols(reader, symbol, path)[0])
        wanted = normal_path(path)
        if reader.file(wanted) is None and any(
            not wanted or file.path.startswith(f"{wanted}/") for file in reader.files()
        ):
            return _of_folder(reader, past, wanted)
        return _of_file(reader, past, wanted)


def _of_symbol(reader: Reader, past: Past, symbol: Symbol) -> History:
    file = reader.file(symbol.path)
    assert file is not None
    traced = trace(past, symbol.path, short(file.oid), symbol.start_line, symbol.end_line)
    ages = sorted(traced.lines)
    entries = past.entries(ages)
    counts = {age: traced.lines[age] or (None, None) for age in ages}
    touches = [Touch(entries[age], counts[age][0], counts[age][1], symbol.path) for age in ages]
    lost_at = past.entries([traced.lost_at])[traced.lost_at] if traced.lost_at is not None else None
    return _history(
        past,
        path=symbol.path,
        symbol=symbol,
        touches=touches,
        together=together(reader, past, ages, {symbol.path, *traced.paths}),
        earlier_paths=tuple(other for other in traced.paths if other != symbol.path),
        lost_at=lost_at,
        is_edge=traced.is_edge,
    )


def _of_file(reader: Reader, past: Past, path: str) -> History:
    changes, names = followed(past, path)
    if not changes and reader.file(path) is None:
        raise unknown_path(reader, path)
    is_gone = reader.file(path) is None
    moved = past.changes_from(path) if is_gone else []
    lines: dict[int, PastChange] = {}
    for change in changes:
        lines.setdefault(change.age, change)
    entries = past.entries(lines)
    touches = [Touch(entries[age], change.added, change.removed, change.path) for age, change in lines.items()]
    return _history(
        past,
        path=path,
        is_gone=is_gone,
        moved_to=moved[0].path if moved else "",
        touches=touches,
        together=together(reader, past, list(lines), set(names)),
        earlier_paths=tuple(names[1:]),
        is_edge=not any(change.source == "" for change in changes),
    )


def _of_folder(reader: Reader, past: Past, folder: str) -> History:
    here = {file.path for file in reader.files()}
    renames = past.renames()
    lines: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    commits: Counter[str] = Counter()
    for age, path, added, removed in past.counts_under(folder):
        lines[age][0] += added
        lines[age][1] += removed
        if now := present_path(path, renames, here):
            commits[now] += 1
    entries = past.all_entries() if len(lines) > len(past) // 4 else past.entries(lines).values()
    known = {entry.age: entry for entry in entries}
    ages = sorted(lines)
    touches = [Touch(known[age], lines[age][0], lines[age][1], "") for age in ages]
    most = [Together(path, count, count / len(ages)) for path, count in commits.most_common(MOST_TOGETHER)]
    return _history(past, path=folder, is_folder=True, touches=touches, together=tuple(most))


def _history(
    past: Past,
    *,
    path: str,
    touches: list[Touch],
    together: tuple[Together, ...],
    symbol: Symbol | None = None,
    is_folder: bool = False,
    is_gone: bool = False,
    moved_to: str = "",
    earlier_paths: tuple[str, ...] = (),
    lost_at: PastEntry | None = None,
    is_edge: bool = False,
) -> History:
    oldest = past.entries([len(past) - 1])[len(past) - 1] if len(past) else None
    return History(
        path=path,
        symbol=symbol,
        is_folder=is_folder,
        is_gone=is_gone,
        moved_to=moved_to,
        touches=tuple(touches),
        authors=_authors(touches),
        together=together,
        years=_years(touches),
        earlier_paths=earlier_paths,
        lost_at=lost_at,
        is_edge=is_edge,
        commits=len(past),
        oldest=oldest,
        end=past.end,
    )


def _authors(touches: Sequence[Touch]) -> tuple[Author, ...]:
    """Those of one address, or of one name, are one."""
    by_author: dict[str, list[Touch]] = defaultdict(list)
    same: dict[str, str] = {}
    for touch in touches:
        commit = touch.commit
        key = same.get(f"@{commit.email}") or same.get(commit.author) or commit.author or commit.email
        same[f"@{commit.email}" if commit.email else commit.author] = same[commit.author] = key
        by_author[key].append(touch)
    newest = max((touch.commit.authored for touch in touches), default=0)
    weights = {key: sum(_weight(touch, newest) for touch in group) for key, group in by_author.items()}
    total = sum(weights.values()) or 1
    found = [
        Author(
            group[0].commit.author or "(no name)",
            weights[key] / total,
            len(group),
            max(touch.commit.authored for touch in group),
        )
        for key, group in by_author.items()
    ]
    return tuple(sorted(found, key=lambda author: (-author.share, -author.commits, author.name)))


def _weight(touch: Touch, newest: int) -> float:
    lines = (touch.added or 0) + (touch.removed or 0)
    return math.log2(2 + lines) * math.exp2((touch.commit.authored - newest) / _HALF_LIFE_SECONDS)


def _years(touches: Iterable[Touch]) -> tuple[Year, ...]:
    found: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for touch in touches:
        counts = found[time.gmtime(touch.commit.authored).tm_year]
        counts[0] += 1
        counts[1] += touch.added or 0
        counts[2] += touch.removed or 0
    return tuple(Year(year, *found[year]) for year in sorted(found, reverse=True))
