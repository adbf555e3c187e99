"""Which symbols of a commit matter most, judged by what the uses of their names mean."""

from __future__ import annotations

import zlib
from collections import defaultdict
from dataclasses import dataclass, field

from code_insight.model import FileRole, Occurrence, ReferenceKind, SourceFile, Symbol, SymbolKind, family_of, is_aside
from code_insight.queries.resolving import COMMON, Defined, Resolver, knows
from code_insight.queries.symbols import TYPES
from code_insight.store import Reader

_CANDIDATES = 80  # names that are looked into
_SAMPLES = {FileRole.SOURCE: 8, FileRole.TEST: 3}  # files of one name that are looked into; the others as these
_TEST_WEIGHT = 0.25
_ENTRIES = ("__init__.py", "/index.ts", "/index.js", "/lib.rs", "/mod.rs")
_FAULTS = ("Error", "Exception", "Warning")  # everybody raises them, and nobody begins to read there


@dataclass(slots=True)
class _Users:
    """The files that use one symbol, as far as samples tell."""

    files: float = 0
    weight: float = 0  # of the files, by what they are and how they use it


@dataclass(slots=True)
class _Counts:
    """Users by symbol; overloads, and what is declared again, are one."""

    symbols: dict[tuple[str, str], Symbol] = field(default_factory=dict)
    users: dict[tuple[str, str], _Users] = field(default_factory=lambda: defaultdict(_Users))

    def add(self, symbol: Symbol, files: float, weight: float) -> None:
        key = symbol.path, symbol.qualified_name
        self.symbols.setdefault(key, symbol)
        self.users[key].files += files
        self.users[key].weight += weight


def central(reader: Reader, most: int = 200) -> list[tuple[Symbol, int]]:
    """The symbols that matter most, best first, each with about the number of other files that use it.

    Whose uses they are is worked out for some files of each name, always the same ones, and taken to hold for all.
    """
    candidates = reader.ranked_by_name(most)
    resolver, counts = Resolver(reader), _Counts()
    for symbol, _ in candidates[:_CANDIDATES]:
        resolver.trim()
        _count(reader, resolver, symbol, counts)
    scores = {key: counts.users[key].weight * _weight(symbol) for key, symbol in counts.symbols.items()}
    best = sorted(scores, key=lambda key: (-scores[key], key))
    found = [(counts.symbols[key], max(1, round(counts.users[key].files))) for key in best if scores[key] > 0]
    rest = [one for one in candidates[_CANDIDATES:] if (one[0].path, one[0].qualified_name) not in scores]
    return (found + rest)[:most]


def _count(reader: Reader, resolver: Resolver, candidate: Symbol, counts: _Counts) -> None:
    """Who uses the name of a candidate, and which symbol of that name each of them means."""
    family = family_of(candidate.language)
    same = [one for one in reader.symbols_named(candidate.name) if family_of(one.language) == family]
    homes = {one.path for one in same}
    is_alone = len({(one.path, one.qualified_name) for one in same}) == 1 and candidate.name not in COMMON
    users = [file for file in reader.files_with(candidate.name) if family_of(file.language) == family]
    users.sort(key=_at_random)
    for role, most in _SAMPLES.items():
        files = [file for file in users if file.role is role]
        sample = files[:most]
        for file in sample:
            uses = [use for use in reader.occurrences_of(candidate.name, file) if use.kind is not ReferenceKind.NAME]
            if not knows(candidate.language):
                meant = candidate if file.path not in homes else None
            else:
                meant = _meant(resolver, uses, candidate if is_alone else None)
            if meant and meant.path != file.path and meant.role is FileRole.SOURCE:
                share = len(files) / len(sample) / (1 if knows(candidate.language) else len(homes))
                counts.add(meant, share, share * _evidence(file, uses))


def _at_random(file: SourceFile) -> int:
    return zlib.crc32(file.path.encode())


def _meant(resolver: Resolver, uses: list[Occurrence], otherwise: Symbol | None) -> Symbol | None:
    """What the first use means that tells; where none does, what there is only one of."""
    for use in uses:
        meaning = resolver.meaning(use)
        if meaning is not None:
            return meaning.symbol if isinstance(meaning, Defined) else None
    return otherwise


def _evidence(file: SourceFile, uses: list[Occurrence]) -> float:
    """How much one file's uses of a name say."""
    kinds = {use.kind for use in uses}
    weight = (_TEST_WEIGHT if file.role is FileRole.TEST else 1) * (0.3 if is_aside(file.path) else 1)
    if ReferenceKind.INHERIT in kinds or (ReferenceKind.IMPORT in kinds and f"/{file.path}".endswith(_ENTRIES)):
        weight *= 1.5
    return weight


def _weight(symbol: Symbol) -> float:
    """How much a symbol is of itself: types before functions, these before methods; not what is hidden, or beside."""
    if symbol.name.startswith(("_", "$", "#")):
        return 0
    weight = 0.2 if is_aside(symbol.path) else 1.0
    if symbol.kind in TYPES:
        return weight * (0.4 if symbol.name.endswith(_FAULTS) else 1)
    return weight * (0.15 if symbol.kind in (SymbolKind.METHOD, SymbolKind.CONSTRUCTOR) else 0.8)
