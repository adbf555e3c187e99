"""Who uses a symbol, and whom it uses, directly or through others: step by step, the nearest and surest first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from code_insight.model import FileRole, Occurrence, ReferenceKind, Symbol, SymbolKind, family_of
from code_insight.queries import place_order
from code_insight.queries.graph import (
    CERTAINTY_ORDER,
    NAMES_ARE_IMPORTED,
    Certainty,
    is_resolved,
    is_the_only_one,
    used_by,
    uses_of,
)
from code_insight.queries.resolving import Resolver, resolving
from code_insight.queries.symbols import TYPES, find_symbols, overridden_by
from code_insight.store import IndexedCommit, Reader

DEEPEST = 5  # steps
_MOST_REACHED = 2_000
_MOST_FOLLOWED = 300  # symbols from which a step is taken
_MOST_USES = 5_000  # lines that are looked into
_LEAST_USES = 50  # of each symbol, while there are any left
_PARTS = frozenset({SymbolKind.FIELD, SymbolKind.VARIABLE, SymbolKind.CONSTANT})


@dataclass(frozen=True, slots=True)
class Reached:
    """Something that uses a symbol, or that a symbol uses, directly or through others."""

    symbol: Symbol | None  # None for the top of a file
    path: str
    role: FileRole
    line: int  # of a user: its first use; of what is used: where that is defined
    kind: ReferenceKind | None  # of that use; None for a method that overrides another
    distance: int  # steps, from 1
    certainty: Certainty  # of the least sure step on the way
    through: Symbol | None  # from which the last step was taken; None for an import of the whole file


@dataclass(frozen=True, slots=True)
class Reach:
    """All that is reached from one symbol, in one direction."""

    symbol: Symbol
    reached: tuple[Reached, ...]  # the nearest first, then the surest, then source before what lies aside
    by_name: int  # direct uses of which only the name matches: they are not among the reached
    not_followed: int  # symbols from which no step was taken, though one may lead on


def reach(indexed: IndexedCommit, name: str, path: str = "", *, is_out: bool = False, depth: int = DEEPEST) -> Reach:
    """Who uses the symbol that `name` means best, or (`is_out`) whom it uses, through at most `depth` steps.

    Each once, by its nearest and then surest way. Raises NotFound with the nearest names.
    """
    with Reader(indexed) as reader, resolving(reader) as names:
        symbol = find_symbols(reader, name, path)[0]
        walk: Walk = Outwards(reader, names) if is_out else Inwards(reader, names)
        # Who calls the method of a base may reach the one that overrides it.
        walk.go([symbol], [] if is_out else overridden_by(reader, symbol), depth=depth)
        return Reach(symbol, tuple(walk.ranked()), walk.by_name, walk.not_followed + walk.further)


def nearness(one: Reached) -> tuple[object, ...]:
    """The order of what is reached: the nearest first, then the surest, then source before what lies aside."""
    return one.distance, CERTAINTY_ORDER[one.certainty], place_order(one.role, one.path), one.path, one.line


def _is_around(outer: Symbol, symbol: Symbol) -> bool:
    """Whether one symbol stands in another, whose text may name it without using it: `save.alters_data = True`."""
    return outer.path == symbol.path and outer.start_line <= symbol.start_line and symbol.end_line <= outer.end_line


def _likely(symbol: Symbol, uses: Iterable[Occurrence]) -> frozenset[Occurrence]:
    """The uses of a name that nothing else has which mean it most likely, and no variable or attribute of that name."""
    if symbol.container and symbol.kind in _PARTS:
        return frozenset()
    if symbol.container:
        return frozenset(use for use in uses if use.kind is not ReferenceKind.NAME)
    if family_of(symbol.language) not in NAMES_ARE_IMPORTED:
        return frozenset(uses)
    home = {symbol.path, *(use.path for use in uses if use.kind is ReferenceKind.IMPORT)}
    return frozenset(use for use in uses if use.path in home)


def _surest(way: Certainty, step: Certainty) -> Certainty:
    """How sure a way is that goes on by a step: as sure as the weaker of both."""
    return max(way, step, key=CERTAINTY_ORDER.__getitem__)


_Key = tuple[str, str]  # path, qualified name of a symbol; "" for the top of the file


class Walk(ABC):
    """From some symbols to others, from those to others again; the nearest first, the surest first among them."""

    def __init__(self, reader: Reader, resolver: Resolver, inside: frozenset[str] = frozenset()) -> None:
        """`inside` are files of which nothing is to be reached."""
        self._reader, self._resolver, self._inside = reader, resolver, inside
        self._seeds: set[_Key] = set()
        self._followed = self._looked_into = self._may_follow = 0
        self.found: dict[_Key, Reached] = {}
        self.by_name = 0
        self.not_followed = 0  # symbols from which a step was to be taken, and one too many for the bounds
        self.further = 0  # symbols from which one more step might lead on

    def go(
        self, seeds: Sequence[Symbol], like: Sequence[Symbol] = (), new: Iterable[Reached] = (), depth: int = DEEPEST
    ) -> None:
        """All is found that so many steps reach, as far as the bounds allow; `like` are symbols whose users are likely
        those of a seed, `new` are one step away already.
        """
        self._seeds = {(seed.path, seed.qualified_name) for seed in seeds}
        waiting = [*((seed, Certainty.EXACT) for seed in seeds), *((one, Certainty.LIKELY) for one in like)]
        reached = list(new)
        for distance in range(1, depth + 1):
            level = (self._looked_into + _MOST_USES) // 2  # half of what is left is for those further away
            self._may_follow = (self._followed + 3 * _MOST_FOLLOWED) // 4
            for place, (symbol, certainty) in enumerate(waiting):
                if self._followed >= self._may_follow or self._looked_into >= _MOST_USES:
                    self.not_followed += 1
                    continue
                self._followed += 1
                most = max(_LEAST_USES, (level - self._looked_into) // (len(waiting) - place))
                reached += self._step(symbol, certainty, distance, most)
            kept = self._kept(reached)
            waiting = [(onward, one.certainty) for one in kept if (onward := self._onward(one))]
            reached = []
        self.further = len(waiting)

    def ranked(self) -> list[Reached]:
        """All that was found, the nearest first."""
        return sorted(self.found.values(), key=nearness)

    def _kept(self, new: list[Reached]) -> list[Reached]:
        """Those that were not known: each once, by its surest use, and no more in all than allowed."""
        best: dict[_Key, Reached] = {}
        for one in sorted(new, key=nearness):
            key = one.path, one.symbol.qualified_name if one.symbol else ""
            if key not in self.found and key not in self._seeds and one.path not in self._inside:
                best.setdefault(key, one)
        room = _MOST_REACHED - len(self.found)
        self.not_followed += max(0, len(best) - room)
        kept = dict(list(best.items())[:room])
        self.found |= kept
        return list(kept.values())

    @abstractmethod
    def _step(self, symbol: Symbol, certainty: Certainty, distance: int, most: int) -> Iterable[Reached]:
        """What one step from a symbol reaches, as sure as the way to it and the step are; `most` uses looked into."""

    @abstractmethod
    def _onward(self, one: Reached) -> Symbol | None:
        """The symbol from which the next step is to be taken, None for none."""


class Inwards(Walk):
    """From symbols to their users; a use by name alone is only counted."""

    def __init__(self, reader: Reader, resolver: Resolver, inside: frozenset[str] = frozenset()) -> None:
        super().__init__(reader, resolver, inside)
        self._symbols: dict[str, list[Symbol]] = {}

    def _step(self, symbol: Symbol, certainty: Certainty, distance: int, most: int) -> Iterator[Reached]:
        uses, elsewhere = self._uses(symbol, most)
        self._looked_into += min(most, len(uses) + elsewhere)
        telling = {use.path for use in uses if use.kind is not ReferenceKind.IMPORT}
        likely = _likely(symbol, uses) if is_the_only_one(self._reader, symbol) else frozenset()
        for use, sure in uses.items():
            if use.kind is ReferenceKind.IMPORT and use.path in telling:
                continue
            if sure is not Certainty.EXACT and use not in likely:
                self.by_name += distance == 1
                continue
            inside = self._inside_of(use)
            if inside and _is_around(inside, symbol):
                continue
            step = Certainty.EXACT if sure is Certainty.EXACT else Certainty.LIKELY
            yield Reached(inside, use.path, use.role, use.line, use.kind, distance, _surest(certainty, step), symbol)

    def _uses(self, symbol: Symbol, most: int) -> tuple[dict[Occurrence, Certainty], int]:
        """The uses that may mean a symbol, and how many of its name do not; `most` are looked into."""
        resolver = self._resolver if is_resolved(symbol) else None
        uses, elsewhere, _ = uses_of(self._reader, resolver, symbol, most)
        return uses, elsewhere

    def _inside_of(self, use: Occurrence) -> Symbol | None:
        """What a use stands in: a function or type, or what has its value; None at the top of a file."""
        if use.path not in self._symbols:
            self._symbols[use.path] = self._reader.symbols_in(use.path)
        symbols = self._symbols[use.path]
        at = use.symbol
        while 0 <= at < len(symbols) and symbols[at].kind in _PARTS and symbols[at].parent >= 0:
            at = symbols[at].parent
        return symbols[at] if 0 <= at < len(symbols) and symbols[at].kind is not SymbolKind.HEADING else None

    def _onward(self, one: Reached) -> Symbol | None:
        """Nothing depends on a test, nor what uses a type on what that type only has something of the type of."""
        if one.symbol is None or (one.role is FileRole.TEST and one.symbol.name.lower().startswith("test")):
            return None
        return one.symbol if one.symbol.kind not in TYPES or one.kind is ReferenceKind.INHERIT else None


class Outwards(Walk):
    """From symbols to those that their text uses; what is from outside is left out, a name alone only counted."""

    def _step(self, symbol: Symbol, certainty: Certainty, distance: int, most: int) -> Iterator[Reached]:
        names, looked_into = used_by(self._reader, self._resolver, symbol, most)
        self._looked_into += looked_into
        for name in names:
            sure = name.certainty
            meant = name.definitions if sure is Certainty.EXACT else name.definitions[:1]
            if sure is not Certainty.EXACT and meant:
                if name.kind is ReferenceKind.NAME or not is_the_only_one(self._reader, meant[0]):
                    self.by_name += distance == 1
                    continue
                sure = Certainty.LIKELY
            for one in meant:
                if not _is_around(symbol, one):
                    way = _surest(certainty, sure)
                    yield Reached(one, one.path, one.role, one.start_line, name.kind, distance, way, symbol)

    def _onward(self, one: Reached) -> Symbol | None:
        """Of a type that is called, the constructor; other uses of a type run nothing of it."""
        assert one.symbol
        if one.symbol.kind not in TYPES:
            return None if one.symbol.kind in _PARTS else one.symbol
        members = self._reader.members_of(one.symbol) if one.kind is ReferenceKind.CALL else []
        return next((member for member in members if member.kind is SymbolKind.CONSTRUCTOR), None)
