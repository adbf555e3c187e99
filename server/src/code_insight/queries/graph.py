"""Who uses a symbol, and whom it uses; by name."""

from __future__ import annotations

from dataclasses import dataclass

from code_insight.model import FileRole, Occurrence, ReferenceKind, Symbol
from code_insight.queries import role_order
from code_insight.queries.files import text_lines
from code_insight.queries.symbols import find_symbols
from code_insight.store import IndexedCommit, Reader

_KIND_ORDER = {kind: place for place, kind in enumerate(ReferenceKind)}


@dataclass(frozen=True, slots=True)
class Use:
    """One place where a name is used."""

    occurrence: Occurrence
    text: str  # the line, without white space around it
    inside: Symbol | None  # what it stands in


@dataclass(frozen=True, slots=True)
class Users:
    """Who uses a symbol."""

    symbol: Symbol
    homonyms: tuple[Symbol, ...]  # other definitions of the same name: a use by name may mean any of them
    uses: tuple[Use, ...]  # source before tests, calls before mentions; then by path and line
    by_role: dict[FileRole, int]  # how many uses there are in all


@dataclass(frozen=True, slots=True)
class Used:
    """One name that a symbol uses."""

    name: str
    kind: ReferenceKind
    lines: tuple[int, ...]
    definitions: tuple[Symbol, ...]  # in this repository, best first; empty when the name is from outside


def users(indexed: IndexedCommit, name: str, path: str = "", most: int = 500) -> Users:
    """Who uses the symbol that `name` means best; `most` uses carry their line of text.

    Raises NotFound with the nearest names.
    """
    with Reader(indexed) as reader:
        symbol, *homonyms = find_symbols(reader, name, path)
        every = [s for s in reader.symbols_named(symbol.name) if s != symbol]
        homonyms += [s for s in every if s not in homonyms]
        occurrences = sorted(reader.occurrences(symbol.name), key=lambda o: _rank(o, symbol))
        counts: dict[FileRole, int] = {}
        for occurrence in occurrences:
            counts[occurrence.role] = counts.get(occurrence.role, 0) + 1
        return Users(symbol, tuple(homonyms), tuple(_uses(reader, occurrences[:most])), counts)


def _rank(occurrence: Occurrence, symbol: Symbol) -> tuple[int, bool, int, str, int, int]:
    is_mention = occurrence.kind in (ReferenceKind.NAME, ReferenceKind.IMPORT)
    return (
        role_order(occurrence.role),
        is_mention,
        0 if occurrence.path == symbol.path else 1,
        occurrence.path,
        occurrence.line,
        occurrence.column,
    )


def _uses(reader: Reader, occurrences: list[Occurrence]) -> list[Use]:
    lines: dict[int, list[str]] = {}
    symbols: dict[str, list[Symbol]] = {}
    found = []
    for occurrence in occurrences:
        if occurrence.blob not in lines:
            lines[occurrence.blob] = text_lines(reader.text(occurrence.blob))
        if occurrence.path not in symbols:
            symbols[occurrence.path] = reader.symbols_in(occurrence.path)
        here = lines[occurrence.blob]
        text = here[occurrence.line - 1].strip() if occurrence.line <= len(here) else ""
        around = symbols.get(occurrence.path, [])
        inside = around[occurrence.symbol] if 0 <= occurrence.symbol < len(around) else None
        found.append(Use(occurrence, text, inside))
    return found


def used(indexed: IndexedCommit, name: str, path: str = "") -> tuple[Symbol, list[Used]]:
    """The symbol that `name` means best, and the names that it uses: those defined here first, calls first.

    Raises NotFound with the nearest names.
    """
    with Reader(indexed) as reader:
        symbol = find_symbols(reader, name, path)[0]
        inside = [o for o in reader.occurrences_in(symbol.blob) if symbol.start_line <= o.line <= symbol.end_line]
        kinds: dict[str, ReferenceKind] = {}
        lines: dict[str, list[int]] = {}
        for occurrence in inside:
            best = kinds.setdefault(occurrence.name, occurrence.kind)
            kinds[occurrence.name] = min(best, occurrence.kind, key=_KIND_ORDER.__getitem__)
            lines.setdefault(occurrence.name, []).append(occurrence.line)
        found = [Used(n, kinds[n], tuple(lines[n]), _definitions(reader, n, symbol)) for n in kinds]
        return symbol, sorted(found, key=lambda u: (not u.definitions, _KIND_ORDER[u.kind], u.lines[0], u.name))


def _definitions(reader: Reader, name: str, user: Symbol) -> tuple[Symbol, ...]:
    found = [s for s in reader.symbols_named(name) if s.language == user.language and s != user]
    near = sorted(found, key=lambda s: (s.path != user.path, role_order(s.role), s.path, s.start_line))
    return tuple(near)
