"""Which symbols some commits changed, as they are in the indexed commit: by the lines that they touched."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from code_insight.errors import InvalidArgument, NotFound
from code_insight.model import Symbol, SymbolKind
from code_insight.queries.files import text_lines
from code_insight.queries.together import present_path
from code_insight.queries.tracing import Changes, trace
from code_insight.store import Past, PastEntry, Reader, commits, short

_MOST_FILES = 200  # whose symbols are looked at: those that most of the commits changed
_REVISION = re.compile(r"([^~^]*)((?:~[0-9]{1,5}|\^)*)")
_OID = re.compile(r"[0-9a-f]{4,40}")
_FUNCTIONS = frozenset({SymbolKind.FUNCTION, SymbolKind.METHOD, SymbolKind.CONSTRUCTOR})


@dataclass(frozen=True, slots=True)
class Changed:
    """What some commits changed, as far as it is still there."""

    commits: tuple[PastEntry, ...]  # the newest first
    ages: frozenset[int]  # of these commits
    files: tuple[str, ...]  # where they are now; those that most of the commits changed first
    gone: tuple[str, ...]  # files that are not there any more, by path
    symbols: tuple[Symbol, ...]  # file by file, in order of place; a type only when its own first lines changed
    unread: int  # files whose symbols were not looked at


def changed_by(reader: Reader, past: Past, asked: str) -> Changed:
    """What the commits of "base..head", which head has and base has not, or one commit, changed.

    Raises NotFound when one of them is not in the history that the index holds, InvalidArgument when they are none.
    """
    ages = ages_of(reader, past, asked)
    here = {file.path for file in reader.files()}
    renames = past.renames()
    counts: Counter[str] = Counter()
    gone = set()
    for _, path in past.paths_with(sorted(ages)):
        if now := present_path(path, renames, here):
            counts[now] += 1
        elif path not in renames:
            gone.add(path)
    files = sorted(counts, key=lambda path: (-counts[path], path))
    symbols = [symbol for path in files[:_MOST_FILES] for symbol in _symbols(reader, past, path, ages)]
    entries = tuple(past.entries(sorted(ages)).values())
    unread = max(0, len(files) - _MOST_FILES)
    return Changed(entries, frozenset(ages), tuple(files), tuple(sorted(gone)), tuple(symbols), unread)


def ages_of(reader: Reader, past: Past, asked: str) -> set[int]:
    """The commits that are meant, by their place in the history; raises what `changed_by` raises."""
    parents = past.parents()
    base, dots, head = asked.strip().partition("..")
    if not dots:
        return {_age(reader, past, parents, base)}
    last, first = (_age(reader, past, parents, name.strip()) for name in (head.lstrip("."), base))
    found = _reached(parents, last) - _reached(parents, first)
    if not found:
        raise InvalidArgument(f"{base or 'HEAD'} has every commit of {head or 'HEAD'}.", "Give base..head.")
    return found


def _reached(parents: list[tuple[int, ...]], age: int) -> set[int]:
    found: set[int] = set()
    waiting = [age]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting += parents[current]
    return found


def _age(reader: Reader, past: Past, parents: list[tuple[int, ...]], revision: str) -> int:
    """The place of a commit in the history: "HEAD" for the indexed one, digits, a ref that is indexed, "…~2", "…^"."""
    match = _REVISION.fullmatch(revision)
    age = _named(reader, past, match[1]) if match else None
    for step in re.findall(r"~[0-9]+|\^", match[2]) if match else ():
        for _ in range(int(step[1:] or 1)):
            age = next(iter(parents[age]), None) if age is not None else None
    if age is None:
        raise NotFound(
            f"No commit '{revision[:100]}' is in the history that is known of {reader.indexed.commit.oid[:12]}.",
            "Give digits as history lists them, or HEAD~2.",
        )
    return age


def _named(reader: Reader, past: Past, name: str) -> int | None:
    if name in ("", "@", "HEAD"):
        return 0 if len(past) else None
    indexed = reader.indexed
    for known in commits(indexed.repository, indexed.index):
        if name in known.refs:
            return past.age_of(known.commit.oid)
    return past.age_of(name) if _OID.fullmatch(name) else None


def _symbols(reader: Reader, past: Past, path: str, ages: set[int]) -> Iterator[Symbol]:
    """The symbols of a file of which the commits touched a line; none that stand in a function."""
    file = reader.file(path)
    symbols = reader.symbols_in(path)
    if file is None or not symbols:
        return
    lines = text_lines(reader.text(file.blob))
    inner: set[int] = set()
    changes: Changes = {}
    for symbol in symbols:
        if symbol.parent in inner or symbol.kind in _FUNCTIONS:
            inner.add(symbol.position)
        if symbol.parent in inner or symbol.kind is SymbolKind.HEADING:
            continue
        last = symbol.end_line if symbol.position in inner else _end_of_head(symbols, symbol, lines)
        traced = trace(past, path, short(file.oid), symbol.start_line, last, oldest=max(ages), changes=changes)
        if not ages.isdisjoint(traced.lines):
            yield symbol


def _end_of_head(symbols: list[Symbol], symbol: Symbol, lines: list[str]) -> int:
    """The last line of a type before what it contains, which is looked at by itself."""
    following = symbol.position + 1
    if following >= len(symbols) or symbols[following].parent != symbol.position:
        return symbol.end_line
    last = max(symbol.start_line, symbols[following].start_line - 1)
    while last > symbol.start_line and not lines[last - 1].strip():
        last -= 1
    return last
