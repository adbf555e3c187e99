"""Where a name is defined, and what a file or folder contains."""

from __future__ import annotations

import re
from dataclasses import dataclass

from code_insight.errors import NotFound
from code_insight.model import SourceFile, Symbol, SymbolKind
from code_insight.queries import role_order
from code_insight.queries.files import file_at, normal_path, text_lines, unknown_path
from code_insight.queries.nearest import nearest
from code_insight.store import IndexedCommit, Reader, last_name

_SEPARATORS = re.compile(r"::|[.#\\/]|->")
_KIND_ORDER = {kind: place for place, kind in enumerate(SymbolKind)}


@dataclass(frozen=True, slots=True)
class Definition:
    """One symbol with what belongs to it."""

    symbol: Symbol
    source: tuple[str, ...]  # its lines
    members: tuple[Symbol, ...]  # what it directly contains
    bases: tuple[tuple[str, Symbol | None], ...]  # each with its definition here, None when it is from outside
    derived: tuple[Symbol, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """What is in one file."""

    file: SourceFile
    symbols: tuple[Symbol, ...]  # in the order in which they begin


def find(indexed: IndexedCommit, name: str, path: str = "") -> list[Symbol]:
    """The definitions that a name, plain or qualified ("Flask.route", "flask.app.Flask"), may mean; best first.

    Raises NotFound with the nearest names.
    """
    with Reader(indexed) as reader:
        return find_symbols(reader, name, path)


def find_symbols(reader: Reader, name: str, path: str = "") -> list[Symbol]:
    """The same, of a commit that is open already."""
    wanted = name.strip().removesuffix("()")
    found = _matching(reader, wanted)
    folder = normal_path(path)
    kept = [s for s in found if not folder or s.path == folder or s.path.startswith(f"{folder}/")]
    if kept:
        return sorted(kept, key=_rank)
    if found:
        where = ", ".join(dict.fromkeys(symbol.path for symbol in sorted(found, key=_rank)[:5]))
        raise NotFound(f"'{wanted[:200]}' is not defined in {folder}.", f"It is defined in {where}.")
    raise _unknown_symbol(reader, wanted)


def _matching(reader: Reader, wanted: str) -> list[Symbol]:
    exact = reader.symbols_named(wanted)
    if exact:
        return exact
    *qualifiers, last = [part for part in _SEPARATORS.split(wanted) if part] or [wanted]
    return [symbol for symbol in reader.symbols_named(last) if _is_qualified_by(symbol, qualifiers)]


def _is_qualified_by(symbol: Symbol, qualifiers: list[str]) -> bool:
    """Whether the qualifiers are the end of: the path's parts without suffix, then the container's parts."""
    module = re.sub(r"(/__init__|/index|/mod)?\.[^./]*$", "", symbol.path)
    around = [*module.split("/"), *filter(None, symbol.container.split("."))]
    if symbol.container and qualifiers == symbol.container.split(".")[-len(qualifiers) :]:
        return True
    return around[len(around) - len(qualifiers) :] == qualifiers


def _rank(symbol: Symbol) -> tuple[int, int, int, str, int]:
    return role_order(symbol.role), symbol.parent >= 0, _KIND_ORDER[symbol.kind], symbol.path, symbol.start_line


def _unknown_symbol(reader: Reader, wanted: str) -> NotFound:
    names = reader.symbol_names()
    last = [part for part in _SEPARATORS.split(wanted) if part][-1:] or [wanted]
    same = [name for name in names if name.lower() == last[0].lower()]
    near = list(dict.fromkeys([*same, *nearest(last[0], names)]))[:5]
    places = [_place(reader.symbols_named(name)[0]) for name in near]
    step = f"The nearest: {', '.join(places)}." if places else "Try search."
    return NotFound(f"No symbol '{wanted[:200]}' is defined here.", step)


def _place(symbol: Symbol) -> str:
    return f"{symbol.qualified_name} ({symbol.path}:{symbol.start_line})"


def definition(indexed: IndexedCommit, symbol: Symbol) -> Definition:
    """A symbol with its source, members, bases and derived types."""
    with Reader(indexed) as reader:
        lines = text_lines(reader.text(symbol.blob))[symbol.start_line - 1 : symbol.end_line]
        members = [s for s in reader.symbols_in(symbol.path) if s.parent == symbol.position]
        if not members and symbol.kind is not SymbolKind.HEADING:
            members = _members_elsewhere(reader, symbol)
        bases = [(base, _defined(reader, last_name(base), symbol)) for base in symbol.bases]
        derived = sorted(reader.derived_from(symbol.name), key=_rank) if _is_type(symbol) else []
        return Definition(symbol, tuple(lines), tuple(members), tuple(bases), tuple(derived))


def _is_type(symbol: Symbol) -> bool:
    return symbol.kind in {
        SymbolKind.CLASS,
        SymbolKind.INTERFACE,
        SymbolKind.STRUCT,
        SymbolKind.ENUM,
        SymbolKind.TRAIT,
        SymbolKind.TYPE,
    }


def _members_elsewhere(reader: Reader, symbol: Symbol) -> list[Symbol]:
    """Methods of a type that stand outside of it: Go's, Rust's, C++'s; of the same folder only."""
    if not _is_type(symbol):
        return []
    folder = symbol.path.rpartition("/")[0]
    around = reader.symbols_under(folder, most=5_000)
    return [s for s in around if s.container == symbol.qualified_name and s.path.rpartition("/")[0] == folder]


def _defined(reader: Reader, name: str, near: Symbol) -> Symbol | None:
    found = [symbol for symbol in reader.symbols_named(name) if _is_type(symbol)]
    return min(found, key=lambda s: (s.path != near.path, s.language != near.language, *_rank(s)), default=None)


def outline(indexed: IndexedCommit, path: str) -> tuple[Outline, ...]:
    """What is in a file: one outline; in a folder ("" for the whole): one for each file, the outermost symbols only.

    Raises NotFound, with the nearest paths, when there is neither a file nor a folder of that path.
    """
    wanted = normal_path(path)
    with Reader(indexed) as reader:
        if reader.file(wanted) is not None:
            return (Outline(file_at(reader, wanted), tuple(reader.symbols_in(wanted))),)
        files = [file for file in reader.files() if not wanted or file.path.startswith(f"{wanted}/")]
        if not files:
            raise unknown_path(reader, wanted)
        symbols: dict[str, list[Symbol]] = {}
        for symbol in reader.symbols_under(wanted, most=20_000):
            symbols.setdefault(symbol.path, []).append(symbol)
        files.sort(key=lambda file: (role_order(file.role), file.path.count("/"), file.path))
        return tuple(Outline(file, tuple(symbols.get(file.path, ()))) for file in files if file.blob)
