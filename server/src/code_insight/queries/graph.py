"""Who uses a symbol, and whom it uses; each with how sure that is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from code_insight.model import FileRole, Occurrence, ReferenceKind, Symbol, SymbolKind, family_of
from code_insight.queries import place_order
from code_insight.queries.resolving import COMMON, Defined, Meaning, Outside, Resolver, knows, knows_calls, resolving
from code_insight.queries.symbols import DECLARING, TYPES, find_symbols, rank
from code_insight.store import IndexedCommit, Reader

_KIND_ORDER = {kind: place for place, kind in enumerate(ReferenceKind)}
_MENTIONS = (ReferenceKind.IMPORT, ReferenceKind.NAME)
_RESOLVED_KINDS = TYPES | {SymbolKind.FUNCTION, SymbolKind.METHOD, SymbolKind.CONSTRUCTOR}
NAMES_ARE_IMPORTED = frozenset({"python", "javascript", "rust", "php"})
_RESOLVED_AT_MOST = 2_000  # uses of one name, those that may mean it best first; the rest stays by name
_RESOLVED_OF_EVERYDAY_NAMES = 600  # the same of a name that many things have: most of its uses mean something else
_MANY = 4


class Certainty(StrEnum):
    """How sure it is that a use means a symbol; the surest first."""

    EXACT = "exact"  # scopes, imports and types leave this one definition
    LIKELY = "likely"  # nothing tells, but no other definition here has the name, and it is not an everyday one
    NAME = "name"  # only the name matches


CERTAINTY_ORDER = {certainty: place for place, certainty in enumerate(Certainty)}


@dataclass(frozen=True, slots=True)
class Use:
    """One line where a name is used."""

    occurrence: Occurrence  # the most telling one of the line
    text: str  # the line, without white space around it
    inside: Symbol | None  # what it stands in
    certainty: Certainty


@dataclass(frozen=True, slots=True)
class Users:
    """Who uses a symbol: lines, of files of its language family."""

    symbol: Symbol
    homonyms: tuple[Symbol, ...]  # other definitions of the same name and family: a use may mean any of them
    uses: tuple[Use, ...]  # those that were asked for; see `users` for their order
    by_role: dict[FileRole, int]  # how many lines there are in all
    files: int
    others: dict[str, int]  # language → uses of the same name that cannot mean the symbol
    by_certainty: dict[Certainty, int]  # how many lines there are in all
    elsewhere: int  # uses of the same name that mean something else
    is_resolved: bool  # whether it was looked into what each use means

    @property
    def total(self) -> int:
        return sum(self.by_role.values())


@dataclass(frozen=True, slots=True)
class Used:
    """One name that a symbol uses."""

    name: str
    kind: ReferenceKind
    lines: tuple[int, ...]
    definitions: tuple[Symbol, ...]  # in this repository, best first; empty when the name is from outside, or local
    certainty: Certainty  # that the first of them is meant


def users(indexed: IndexedCommit, name: str, path: str = "", first: int = 0, most: int = 2_000) -> Users:
    """Who uses the symbol that `name` means best; `most` lines from the `first` (from 0) on.

    The surest first; then source before tests; in each, the symbol's own file first, then files that import the name,
    then the others; in a file calls before mentions. Raises NotFound with the nearest names.
    """
    with Reader(indexed) as reader, resolving(reader) as names:
        symbol = find_symbols(reader, name, path)[0]
        resolver = names if is_resolved(symbol) else None
        sure, elsewhere, others = uses_of(reader, resolver, symbol)
        lines = _ranked(_lines(list(sure)), symbol, sure)
        family = family_of(symbol.language)
        same = [s for s in reader.symbols_named(symbol.name) if s != symbol and family_of(s.language) == family]
        return Users(
            symbol,
            tuple(sorted((s for s in same if not _is_declaration_of(s, symbol)), key=rank)),
            tuple(_uses(reader, resolver, lines[first : first + most], sure)),
            dict(Counter(occurrence.role for occurrence in lines)),
            len({occurrence.path for occurrence in lines}),
            dict(others.most_common()),
            dict(Counter(sure[occurrence] for occurrence in lines)),
            elsewhere,
            resolver is not None,
        )


def uses_of(
    reader: Reader, resolver: Resolver | None, symbol: Symbol, most: int = _RESOLVED_AT_MOST
) -> tuple[dict[Occurrence, Certainty], int, Counter[str]]:
    """The uses that may mean a symbol, with how sure each is; how many of its name mean something else; and language →
    how many cannot mean it, being of another family.

    `most` are looked into, those that may mean it best; the others match by name, and all do without a resolver.
    """
    family = family_of(symbol.language)
    mine, others = [], Counter[str]()
    for use in reader.occurrences(symbol.name):
        language = reader.language_at(use.path)
        if family_of(language) == family:
            mine.append(use)
        else:
            others[language or "text"] += 1
    if resolver is None:
        return dict.fromkeys(mine, Certainty.NAME), 0, others
    if symbol.kind is SymbolKind.CONSTRUCTOR:
        mine += _calls_of_class(reader, symbol)
    sure, elsewhere = _certainties(reader, resolver, symbol, mine, most)
    return sure | dict.fromkeys(_renamed(reader, resolver, symbol), Certainty.EXACT), elsewhere, others


def _calls_of_class(reader: Reader, constructor: Symbol) -> list[Occurrence]:
    """The calls that make a value with a constructor which is not named like its class."""
    name = constructor.container.rpartition(".")[2]
    calls = [use for use in reader.occurrences(name) if use.kind is ReferenceKind.CALL]
    return [use for use in calls if family_of(reader.language_at(use.path)) == family_of(constructor.language)]


def _renamed(reader: Reader, resolver: Resolver, symbol: Symbol) -> list[Occurrence]:
    """The uses of a symbol under a name that an import or a re-export gives it: `from flask import Flask as F`."""
    aliases = sorted({alias for _, alias in reader.aliases_of(symbol.name)})
    uses = islice((use for alias in aliases for use in reader.occurrences(alias)), _RESOLVED_AT_MOST)
    return [use for use in uses if (meaning := resolver.meaning(use)) and _means(meaning, symbol)]


def is_resolved(symbol: Symbol) -> bool:
    """Whether it can be looked into what each use of a symbol means."""
    is_known = knows if symbol.kind in TYPES else knows_calls
    return symbol.kind in _RESOLVED_KINDS and is_known(symbol.language)


def _certainties(
    reader: Reader, resolver: Resolver, symbol: Symbol, occurrences: list[Occurrence], most: int
) -> tuple[dict[Occurrence, Certainty], int]:
    """How sure each use is, and how many mean something else; those are left out."""
    same = {(s.path, s.qualified_name) for s in reader.symbols_named(symbol.name)}
    is_everyday = symbol.kind not in TYPES and (symbol.name in COMMON or len(same) > _MANY)
    most = min(most, _RESOLVED_OF_EVERYDAY_NAMES if is_everyday else _RESOLVED_AT_MOST)
    likely = Certainty.LIKELY if is_the_only_one(reader, symbol) else Certainty.NAME
    sure: dict[Occurrence, Certainty] = {}
    elsewhere = 0
    near = _paths_near(reader, symbol)
    nearest = sorted(occurrences, key=lambda o: (o.path not in near, place_order(o.role, o.path), o.path))  # stable
    for occurrence in nearest[:most]:
        meaning = resolver.meaning(occurrence)
        if meaning is None:
            sure[occurrence] = likely
        elif _means(meaning, symbol):
            sure[occurrence] = Certainty.EXACT
        else:
            elsewhere += 1
    return sure | dict.fromkeys(nearest[most:], Certainty.NAME), elsewhere


def _paths_near(reader: Reader, symbol: Symbol) -> set[str]:
    """The files that name the type whose member a symbol is: it is used there if anywhere."""
    owner = symbol.container.rpartition(".")[2]
    named = reader.paths_with(owner) if owner and symbol.kind is not SymbolKind.FUNCTION else frozenset()
    return {symbol.path, *named}


def _means(meaning: Meaning, symbol: Symbol) -> bool:
    if not isinstance(meaning, Defined):
        return False
    found = meaning.symbol
    if (found.path, found.qualified_name, found.kind) == (symbol.path, symbol.qualified_name, symbol.kind):
        return True  # an overload of it, if not itself
    return symbol.kind is SymbolKind.CONSTRUCTOR and (found.path, found.position) == (symbol.path, symbol.parent)


def is_the_only_one(reader: Reader, symbol: Symbol) -> bool:
    """Whether nothing else of its family has the symbol's name, which is not an everyday one."""
    same = [s for s in reader.symbols_named(symbol.name) if family_of(s.language) == family_of(symbol.language)]
    defining = [s for s in same if not s.path.endswith(DECLARING)] or same
    is_alone = len({(s.path, s.qualified_name) for s in defining}) == 1 == len({s.qualified_name for s in same})
    return is_alone and symbol.name not in COMMON and not symbol.name.startswith("__")


def _is_declaration_of(other: Symbol, symbol: Symbol) -> bool:
    """Whether two symbols are one thing: declared and defined, typed again and again, or made by it."""
    if other.kind is SymbolKind.CONSTRUCTOR and other.container == symbol.qualified_name:
        return True
    same = other.qualified_name == symbol.qualified_name and other.kind == symbol.kind
    return same and (other.path == symbol.path or family_of(symbol.language) == "cpp")


def _lines(occurrences: list[Occurrence]) -> list[Occurrence]:
    """One occurrence for each line, the most telling one."""
    best: dict[tuple[str, int], Occurrence] = {}
    for occurrence in occurrences:
        known = best.setdefault((occurrence.path, occurrence.line), occurrence)
        if _KIND_ORDER[occurrence.kind] < _KIND_ORDER[known.kind]:
            best[occurrence.path, occurrence.line] = occurrence
    return list(best.values())


def _ranked(lines: list[Occurrence], symbol: Symbol, sure: dict[Occurrence, Certainty]) -> list[Occurrence]:
    importing = {o.path for o in lines if o.kind in (ReferenceKind.IMPORT, ReferenceKind.INHERIT)}
    telling = {o.path for o in lines if o.kind not in _MENTIONS}

    def key(occurrence: Occurrence) -> tuple[object, ...]:
        at = occurrence.path
        nearness = 0 if at == symbol.path else (1 if at in importing and at in telling else 3 - (at in telling))
        is_mention = occurrence.kind in _MENTIONS
        certainty = CERTAINTY_ORDER[sure[occurrence]]
        return certainty, place_order(occurrence.role, at), nearness, at, is_mention, occurrence.line

    return sorted(lines, key=key)


def _uses(
    reader: Reader, resolver: Resolver | None, occurrences: list[Occurrence], sure: dict[Occurrence, Certainty]
) -> list[Use]:
    lines: dict[int, list[bytes]] = {}
    found = []
    for occurrence in occurrences:
        at = occurrence.symbol
        if occurrence.blob not in lines:
            lines[occurrence.blob] = reader.data(occurrence.blob).split(b"\n")
        here = lines[occurrence.blob]
        text = here[occurrence.line - 1].decode().strip() if occurrence.line <= len(here) else ""
        around = resolver.symbols_of(occurrence.path) if resolver else None
        inside = around[at] if around and at >= 0 else reader.symbol_at(occurrence.path, at)
        found.append(Use(occurrence, text, inside, sure[occurrence]))
    return found


def used(indexed: IndexedCommit, name: str, path: str = "") -> tuple[Symbol, list[Used]]:
    """The symbol that `name` means best, and the names that it uses: those defined here first, in order of line.

    Raises NotFound with the nearest names.
    """
    with Reader(indexed) as reader, resolving(reader) as names:
        symbol = find_symbols(reader, name, path)[0]
        return symbol, used_by(reader, names, symbol)[0]


def used_by(
    reader: Reader, resolver: Resolver, symbol: Symbol, most: int = _RESOLVED_AT_MOST
) -> tuple[list[Used], int]:
    """The names that a symbol's text uses, in that order, of the first `most` uses; and how many uses those are."""
    inside = [o for o in reader.occurrences_in(symbol.blob) if symbol.start_line <= o.line <= symbol.end_line][:most]
    kinds: dict[str, ReferenceKind] = {}
    lines: dict[str, list[int]] = {}
    for occurrence in inside:
        best = kinds.setdefault(occurrence.name, occurrence.kind)
        kinds[occurrence.name] = min(best, occurrence.kind, key=_KIND_ORDER.__getitem__)
        lines.setdefault(occurrence.name, []).append(occurrence.line)
    imports = {fact.alias or fact.name: fact.module for fact in reader.imports_of(symbol.blob)}
    meant = _meant(reader, resolver, symbol, inside)
    found = []
    for n, kind in kinds.items():
        exact = meant.get(n)
        named = exact if exact is not None else _definitions(reader, n, kind, symbol, imports)
        certainty = Certainty.NAME if exact is None else Certainty.EXACT
        found.append(Used(n, kind, tuple(dict.fromkeys(lines[n])), named, certainty))
    found.sort(key=lambda u: (not u.definitions, _KIND_ORDER[u.kind], u.lines[0], u.name))
    return found, len(inside)


def _meant(reader: Reader, resolver: Resolver, user: Symbol, inside: list[Occurrence]) -> dict[str, tuple[Symbol, ...]]:
    """Name → the definitions that all its uses mean by evidence, none for what is from outside; for as many as tell."""
    if not knows_calls(user.language):
        return {}
    here = {symbol.name for symbol in reader.symbols_in(user.path)}  # a variable may hold what is from outside
    meanings: dict[str, list[Meaning | None]] = {}
    for occurrence in inside:
        meanings.setdefault(occurrence.name, []).append(resolver.meaning(occurrence._replace(path=user.path)))
    found = {}
    for name, group in meanings.items():
        symbols = [m.symbol for m in group if isinstance(m, Defined)]
        if len(symbols) == len(group):
            found[name] = tuple(dict.fromkeys(symbol for symbol in symbols if symbol != user))
        elif all(isinstance(m, Outside) for m in group) and name not in here:
            found[name] = ()
    return found


def _definitions(
    reader: Reader, name: str, kind: ReferenceKind, user: Symbol, imports: dict[str, str]
) -> tuple[Symbol, ...]:
    """What a name may mean in the text of `user`: its own file first, then the module of its import."""
    family = family_of(user.language)
    named = [s for s in reader.symbols_named(name) if family_of(s.language) == family and s != user]
    here = [s for s in named if s.path == user.path]
    if kind is ReferenceKind.NAME and family in NAMES_ARE_IMPORTED and name not in imports:
        named = here
    module = [part for part in imports.get(name, "").replace("::", ".").replace("/", ".").split(".") if part]

    def key(symbol: Symbol) -> tuple[object, ...]:
        is_imported = bool(module) and module[-1] in symbol.path.rpartition(".")[0].split("/")
        is_inner = symbol.container != "" and symbol.kind not in TYPES and kind is not ReferenceKind.CALL
        return symbol.path != user.path, not is_imported, is_inner, rank(symbol)

    return tuple(sorted(named, key=key))
