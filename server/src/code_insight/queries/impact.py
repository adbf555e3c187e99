"""What can break when something changes: who uses it, directly or through others, and which tests reach it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from code_insight.errors import InvalidArgument
from code_insight.model import (
    FileRole,
    HistoryEnd,
    Occurrence,
    ReferenceKind,
    SkipReason,
    SourceFile,
    Symbol,
    SymbolKind,
    family_of,
)
from code_insight.queries import place_order
from code_insight.queries.changed import Changed, changed_by
from code_insight.queries.files import normal_path, unknown_path
from code_insight.queries.graph import (
    CERTAINTY_ORDER,
    NAMES_ARE_IMPORTED,
    Certainty,
    is_resolved,
    is_the_only_one,
    uses_of,
)
from code_insight.queries.imports import imports
from code_insight.queries.resolving import Resolver, resolving
from code_insight.queries.symbols import TYPES, find_symbols, overridden_by, overriding
from code_insight.queries.together import Together, followed, together
from code_insight.queries.tracing import trace
from code_insight.store import IndexedCommit, Past, Reader, short

DEEPEST = 5  # steps from what changes to a user
_MOST_USERS = 2_000
_MOST_FOLLOWED = 300  # symbols whose users are looked for
_MOST_USES = 5_000  # lines that are looked into
_LEAST_USES = 50  # of each symbol, while there are any left
_MOST_OVERRIDING = 40  # methods of which it is looked up what overrides them, and what they override
_MOST_CENTRAL = 200
_MOST_FILES = 100  # of which it is looked up what changes with them
_FUNCTIONS = frozenset({SymbolKind.FUNCTION, SymbolKind.METHOD, SymbolKind.CONSTRUCTOR})
_PARTS = frozenset({SymbolKind.FIELD, SymbolKind.VARIABLE, SymbolKind.CONSTANT})


@dataclass(frozen=True, slots=True)
class User:
    """Something that uses what changes, directly or through others."""

    symbol: Symbol | None  # None for the top of a file
    path: str
    role: FileRole
    line: int  # of its first use
    kind: ReferenceKind | None  # of that use; None for a method that overrides what changes
    distance: int  # steps from what changes, from 1
    certainty: Certainty  # of the least sure step on the way
    through: Symbol | None  # whose use it is; None for an import of the whole file


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
    users: tuple[User, ...]  # the nearest first, then the surest, then source before what lies aside
    tests: tuple[User, ...]  # in the same order
    together: tuple[Together, ...]  # files that history changes with it, most often first
    unseen: Unseen


def impact(indexed: IndexedCommit, symbol: str = "", path: str = "", commits: str = "") -> Impact:
    """What can break when a symbol (`path` then says where it is defined), a file, a folder or commits change.

    `commits` is "base..head", what the second has and the first has not, or one commit. Raises NotFound with what is
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
        walk = _Walk(reader, names, frozenset() if changed or symbol else frozenset(paths))
        walk.go(seeds)
        if path and not symbol and not changed:
            walk.add_importers(frozenset(paths))
        users = sorted(walk.found.values(), key=_rank)
        return Impact(
            seeds=tuple(seeds),
            paths=paths,
            changed=changed,
            users=tuple(user for user in users if user.role is not FileRole.TEST),
            tests=tuple(user for user in users if user.role is FileRole.TEST),
            together=together(reader, past, ages, frozenset(paths)),
            unseen=Unseen(walk.by_name, walk.not_followed, sum(map(_is_without_symbols, reader.files())), past.end),
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


def _rank(user: User) -> tuple[object, ...]:
    return user.distance, CERTAINTY_ORDER[user.certainty], place_order(user.role, user.path), user.path, user.line


def _is_around(outer: Symbol, symbol: Symbol) -> bool:
    """Whether one symbol stands in another, whose text may name it without using it: `save.alters_data = True`."""
    return outer.path == symbol.path and outer.start_line <= symbol.start_line and symbol.end_line <= outer.end_line


def _likely(symbol: Symbol, uses: Iterable[Occurrence]) -> frozenset[Occurrence]:
    """The uses of a name that nothing else has which mean it most likely, and no variable or attribute of that name."""
    if symbol.container:
        return frozenset(use for use in uses if use.kind is not ReferenceKind.NAME)
    if family_of(symbol.language) not in NAMES_ARE_IMPORTED:
        return frozenset(uses)
    home = {symbol.path, *(use.path for use in uses if use.kind is ReferenceKind.IMPORT)}
    return frozenset(use for use in uses if use.path in home)


def _passes_on(user: User) -> bool:
    """Whether who uses it depends on what it uses: not of a test, nor of a type that only has something of a type."""
    if user.symbol is None or (user.role is FileRole.TEST and user.symbol.name.lower().startswith("test")):
        return False
    return user.symbol.kind not in TYPES or user.kind is ReferenceKind.INHERIT


_Key = tuple[str, str]  # path, qualified name of a symbol; "" for the top of the file


class _Walk:
    """From what changes to its users, to theirs, and so on; the nearest first, the surest first among them."""

    def __init__(self, reader: Reader, resolver: Resolver, inside: frozenset[str]) -> None:
        """`inside` are files whose own use of what changes is of no interest."""
        self._reader, self._resolver, self._inside = reader, resolver, inside
        self._symbols: dict[str, list[Symbol]] = {}
        self._seeds: set[_Key] = set()
        self._followed = self._looked_into = self._may_follow = 0
        self.found: dict[_Key, User] = {}
        self.by_name = 0
        self.not_followed = 0

    def go(self, seeds: Sequence[Symbol]) -> None:
        """All users are found, as far as the bounds allow."""
        self._seeds = {(seed.path, seed.qualified_name) for seed in seeds}
        waiting = [(seed, Certainty.EXACT) for seed in seeds]
        # Who calls the method of a base may reach the one that overrides it.
        first = seeds[:_MOST_OVERRIDING]
        waiting += [(base, Certainty.LIKELY) for seed in first for base in overridden_by(self._reader, seed)]
        new = [user for seed in first for user in self._overriding(seed)]
        for distance in range(1, DEEPEST + 1):
            level = (self._looked_into + _MOST_USES) // 2  # half of what is left is for those further away
            self._may_follow = (self._followed + 3 * _MOST_FOLLOWED) // 4
            for place, (symbol, certainty) in enumerate(waiting):
                share = (level - self._looked_into) // (len(waiting) - place)
                new += self._users(symbol, certainty, distance, share)
            waiting = [(user.symbol, user.certainty) for user in self._kept(new) if user.symbol and _passes_on(user)]
            new = []
        self.not_followed += len(waiting)

    def add_importers(self, paths: frozenset[str]) -> None:
        """Who imports one of these files, and is not found already, uses something of it."""
        known = {user.path for user in self.found.values()} | paths
        roles = {file.path: file.role for file in self._reader.files()}
        for one in imports(self._reader):
            if one.path not in known and not paths.isdisjoint(one.target.paths):
                line, role = one.fact.line, roles[one.path]
                user = User(None, one.path, role, line, ReferenceKind.IMPORT, 1, Certainty.EXACT, None)
                self.found.setdefault((one.path, ""), user)

    def _kept(self, new: list[User]) -> list[User]:
        """Those that were not known: each once, by its surest use, and no more in all than allowed."""
        best: dict[_Key, User] = {}
        for user in sorted(new, key=_rank):
            key = user.path, user.symbol.qualified_name if user.symbol else ""
            if key not in self.found and key not in self._seeds and user.path not in self._inside:
                best.setdefault(key, user)
        room = _MOST_USERS - len(self.found)
        self.not_followed += max(0, len(best) - room)
        kept = dict(list(best.items())[:room])
        self.found |= kept
        return list(kept.values())

    def _users(self, symbol: Symbol, certainty: Certainty, distance: int, share: int) -> Iterator[User]:
        """Who uses a symbol, as sure as the way to it and the use are; a use by name alone is only counted."""
        if self._followed >= self._may_follow or self._looked_into >= _MOST_USES:
            self.not_followed += 1
            return
        resolver = self._resolver if is_resolved(symbol) else None
        most = max(_LEAST_USES, share)
        uses, elsewhere, _ = uses_of(self._reader, resolver, symbol, most)
        self._followed += 1
        self._looked_into += min(most, len(uses) + elsewhere)
        telling = {use.path for use in uses if use.kind is not ReferenceKind.IMPORT}
        likely = _likely(symbol, uses) if is_the_only_one(self._reader, symbol) else frozenset()
        for use, sure in uses.items():
            if use.kind is ReferenceKind.IMPORT and use.path in telling:
                continue
            if sure is not Certainty.EXACT and use not in likely:
                self.by_name += distance == 1
                continue
            step = Certainty.EXACT if sure is Certainty.EXACT else Certainty.LIKELY
            surest = max(certainty, step, key=CERTAINTY_ORDER.__getitem__)
            inside = self._inside_of(use)
            if inside and _is_around(inside, symbol):
                continue
            yield User(inside, use.path, use.role, use.line, use.kind, distance, surest, symbol)

    def _inside_of(self, use: Occurrence) -> Symbol | None:
        """What a use stands in: a function or type, or what has its value; None at the top of a file."""
        if use.path not in self._symbols:
            self._symbols[use.path] = self._reader.symbols_in(use.path)
        symbols = self._symbols[use.path]
        at = use.symbol
        while 0 <= at < len(symbols) and symbols[at].kind in _PARTS and symbols[at].parent >= 0:
            at = symbols[at].parent
        return symbols[at] if 0 <= at < len(symbols) and symbols[at].kind is not SymbolKind.HEADING else None

    def _overriding(self, seed: Symbol) -> Iterator[User]:
        for method in overriding(self._reader, seed):
            yield User(method, method.path, method.role, method.name_line, None, 1, Certainty.LIKELY, seed)
