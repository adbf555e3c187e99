"""What can break when something changes: who uses it, directly or through others, and which tests reach it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from code_insight.errors import InvalidArgument
from code_insight.model import FileRole, HistoryEnd, ReferenceKind, SkipReason, SourceFile, Symbol, SymbolKind
from code_insight.queries.changed import Changed, changed_by
from code_insight.queries.files import normal_path, unknown_path
from code_insight.queries.gone import Gone, Known, still_used
from code_insight.queries.graph import Certainty
from code_insight.queries.imports import imports
from code_insight.queries.reaching import Inwards, Reached
from code_insight.queries.resolving import resolving
from code_insight.queries.symbols import find_symbols, overridden_by, overriding
from code_insight.queries.together import Together, followed, together
from code_insight.queries.tracing import trace
from code_insight.store import IndexedCommit, Past, Reader, short

_MOST_OVERRIDING = 40  # methods of which it is looked up what overrides them, and what they override
_MOST_CENTRAL = 200
_MOST_FILES = 100  # of which it is looked up what changes with them
_FUNCTIONS = frozenset({SymbolKind.FUNCTION, SymbolKind.METHOD, SymbolKind.CONSTRUCTOR})
_PARTS = frozenset({SymbolKind.FIELD, SymbolKind.VARIABLE, SymbolKind.CONSTANT})


@dataclass(frozen=True, slots=True)
class Unseen:
    """What could not be told, or was not looked at."""

    by_name: int  # lines that use a name of what changes, and nothing tells what they mean
    not_followed: int  # symbols, what changes among them, whose users were not looked for
    without_symbols: int  # files that are too large, or that the parser failed at
    history: HistoryEnd  # why the history goes no further back


@dataclass(frozen=True, slots=True)
class Impact:
    """What a change can reach."""

    seeds: tuple[Symbol, ...]  # what changes; of a symbol: itself, then its methods; of a folder: the most used first
    paths: tuple[str, ...]  # the files that change
    changed: Changed | None  # when commits were asked about
    gone: Gone  # what these commits took away; its users are not among the users and tests below
    users: tuple[Reached, ...]  # the nearest first, then the surest, then source before what lies aside
    tests: tuple[Reached, ...]  # in the same order
    together: tuple[Together, ...]  # files that history changes with it, most often first
    unseen: Unseen


def impact(
    indexed: IndexedCommit, symbol: str = "", path: str = "", commits: str = "", known: Known = MappingProxyType({})
) -> Impact:
    """What can break when a symbol (`path` then says where it is defined), a file, a folder or commits change.

    `commits` is "base..head", what the second has and the first has not, or one commit; `known` are symbols of blobs
    that were there before them, and that the index does not have (see `unread_before`). Raises NotFound with what is
    near, and InvalidArgument when nothing, or more than one thing, is asked about.
    """
    if bool(symbol) + bool(commits) + bool(path and not symbol) != 1:
        raise InvalidArgument("Ask about one thing.", "Give symbol (and path, where it is defined), path, or commits.")
    path = normal_path(path)
    with Reader(indexed) as reader, resolving(reader) as names:
        past = reader.past()
        changed = changed_by(reader, past, commits) if commits else None
        if changed:
            paths, ages = changed.files, _ages_of(past, changed.files) - changed.ages
            seeds = [s for s in changed.symbols if s.role is FileRole.SOURCE]
        elif symbol:
            seed = find_symbols(reader, symbol, path)[0]
            paths, ages = (seed.path,), _ages_of_symbol(reader, past, seed)
            seeds = [seed, *_members(reader, seed)]
        else:
            paths, seeds = _inside(reader, path)
            ages = _ages_of(past, paths) if paths == (path,) else {age for age, *_ in past.counts_under(path)}
        walk = Inwards(reader, names, frozenset() if changed or symbol else frozenset(paths))
        first = seeds[:_MOST_OVERRIDING]
        # Who calls the method of a base may reach the one that overrides it.
        bases = [base for seed in first for base in overridden_by(reader, seed)]
        gone = still_used(reader, past, changed.ages, names, known) if changed else Gone()
        walk.go(seeds, bases, [*gone.users, *(user for seed in first for user in _overriding(reader, seed))])
        if path and not symbol and not changed:
            _add_importers(reader, walk, frozenset(paths))
        broken = {(user.path, user.symbol) for user in gone.users}
        users = [user for user in walk.ranked() if (user.path, user.symbol) not in broken]
        return Impact(
            seeds=tuple(seeds),
            paths=paths,
            changed=changed,
            gone=gone,
            users=tuple(user for user in users if user.role is not FileRole.TEST),
            tests=tuple(user for user in users if user.role is FileRole.TEST),
            together=together(reader, past, ages, frozenset(paths)),
            unseen=Unseen(
                walk.by_name,
                walk.not_followed + walk.further + gone.not_followed,
                sum(map(_is_without_symbols, reader.files())),
                past.end,
            ),
        )


def _inside(reader: Reader, path: str) -> tuple[tuple[str, ...], list[Symbol]]:
    """The files of a file or folder, and their symbols: of a folder with source, those of its source."""
    files = [file for file in reader.files() if file.path == path or file.path.startswith(f"{path}/")]
    if not files:
        raise unknown_path(reader, path)
    code = [file for file in files if file.role is FileRole.SOURCE] or files
    symbols = [s for file in code for s in reader.symbols_in(file.path)]
    inner = {(s.path, s.position) for s in symbols if s.kind in _FUNCTIONS}
    seeds = [
        s
        for s in symbols
        if (s.path, s.parent) not in inner
        and s.kind is not SymbolKind.HEADING
        and (s.parent < 0 or s.kind not in _PARTS)
    ]
    places = {(s.path, s.position): place for place, (s, _) in enumerate(reader.central(_MOST_CENTRAL))}

    def key(symbol: Symbol) -> tuple[int, int]:
        return places.get((symbol.path, symbol.position), _MOST_CENTRAL), len(symbol.qualified_name.split("."))

    return tuple(file.path for file in files), sorted(seeds, key=key)


def _ages_of(past: Past, paths: Sequence[str]) -> set[int]:
    """The commits that changed these files, under whatever name, by their place in the history."""
    return {change.age for path in paths[:_MOST_FILES] for change in followed(past, path)[0]}


def _ages_of_symbol(reader: Reader, past: Past, symbol: Symbol) -> set[int]:
    file = reader.file(symbol.path)
    return set(trace(past, symbol.path, short(file.oid), symbol.start_line, symbol.end_line).lines) if file else set()


def _members(reader: Reader, symbol: Symbol) -> list[Symbol]:
    """The functions that a type contains: who changes it may change any of them."""
    if symbol.kind in _FUNCTIONS:
        return []
    return [s for s in reader.symbols_in(symbol.path) if s.parent == symbol.position and s.kind in _FUNCTIONS]


def _is_without_symbols(file: SourceFile) -> bool:
    reason = file.skip_reason
    return reason is not None and (reason.text_is_indexed or reason in (SkipReason.TOO_LARGE, SkipReason.MINIFIED))


def _overriding(reader: Reader, seed: Symbol) -> Iterator[Reached]:
    for method in overriding(reader, seed):
        yield Reached(method, method.path, method.role, method.name_line, None, 1, Certainty.LIKELY, seed)


def _add_importers(reader: Reader, walk: Inwards, paths: frozenset[str]) -> None:
    """Who imports one of these files, and is not found already, uses something of it."""
    known = {user.path for user in walk.found.values()} | paths
    roles = {file.path: file.role for file in reader.files()}
    for one in imports(reader):
        if one.path not in known and not paths.isdisjoint(one.target.paths):
            line, role = one.fact.line, roles[one.path]
            user = Reached(None, one.path, role, line, ReferenceKind.IMPORT, 1, Certainty.EXACT, None)
            walk.found.setdefault((one.path, ""), user)
