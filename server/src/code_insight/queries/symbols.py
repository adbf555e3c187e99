"""Where a name is defined, and what a file or folder contains."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from code_insight.errors import NotFound
from code_insight.model import FileRole, SourceFile, Symbol, SymbolKind, family_of
from code_insight.queries import place_order
from code_insight.queries.files import file_at, normal_path, text_lines, unknown_path
from code_insight.queries.nearest import nearest
from code_insight.store import IndexedCommit, Reader, last_name

TYPES = frozenset(
    {
        SymbolKind.CLASS,
        SymbolKind.INTERFACE,
        SymbolKind.STRUCT,
        SymbolKind.ENUM,
        SymbolKind.TRAIT,
        SymbolKind.TYPE,
    }
)
_SEPARATORS = re.compile(r"::|[.#\\/]|->")
_TIERS = dict.fromkeys(TYPES, 0) | {
    SymbolKind.FUNCTION: 1,
    SymbolKind.MACRO: 1,
    SymbolKind.METHOD: 1,  # how deep they stand decides: a function inside of another is nobody else's
    SymbolKind.CONSTANT: 3,
    SymbolKind.VARIABLE: 3,
    SymbolKind.CONSTRUCTOR: 4,
    SymbolKind.HEADING: 6,
}
DECLARING = (".h", ".hh", ".hpp", ".hxx", ".pyi", ".d.ts", ".d.mts", ".d.cts")
_OPEN_TYPES = frozenset({"go", "rust", "csharp", "ruby"})  # whose members may stand outside of the type's own text
_DEEPEST_BASE = 12
_MOST_BASES = 50  # of one type, theirs included
_MOST_OVERRIDING = 100  # methods of one name of which it is looked up what they override


@dataclass(frozen=True, slots=True)
class Definition:
    """One symbol with what belongs to it."""

    symbol: Symbol
    source: tuple[str, ...]  # its lines
    members: tuple[Symbol, ...]  # what it directly contains, in order of place
    bases: tuple[tuple[str, Symbol | None], ...]  # each with its definition here, None when it is from outside
    derived: tuple[Symbol, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """What is in one file."""

    file: SourceFile
    symbols: tuple[Symbol, ...]  # in the order in which they begin


def find(indexed: IndexedCommit, name: str, path: str = "") -> list[Symbol]:
    """The definitions that a name, plain or qualified ("Flask.route", "flask.app.Flask"), may mean; best first.

    A member that a type only inherits is found where it is defined. Raises NotFound with the nearest names.
    """
    with Reader(indexed) as reader:
        return find_symbols(reader, name, path)


def find_symbols(reader: Reader, name: str, path: str = "") -> list[Symbol]:
    """The same, of a commit that is open already."""
    wanted = name.strip().removesuffix("()")
    found = matching(reader, wanted)
    folder = normal_path(path)
    kept = [s for s in found if not folder or s.path == folder or s.path.startswith(f"{folder}/")]
    if kept:
        return sorted(kept, key=rank)
    if found:
        where = ", ".join(dict.fromkeys(symbol.path for symbol in sorted(found, key=rank)[:5]))
        raise NotFound(f"'{wanted[:200]}' is not defined in {folder}.", f"It is defined in {where}.")
    raise _unknown_symbol(reader, wanted)


def matching(reader: Reader, wanted: str) -> list[Symbol]:
    """The symbols of a plain or qualified name, in no special order; empty when there is none."""
    exact = reader.symbols_named(wanted)
    if exact:
        return exact
    *qualifiers, last = [part for part in _SEPARATORS.split(wanted) if part] or [wanted]
    if not qualifiers:
        return reader.symbols_named(last) if last != wanted else []
    named = reader.symbols_named(last)
    return [s for s in named if _is_qualified_by(s, qualifiers)] or _inherited(reader, qualifiers, named)


def _is_qualified_by(symbol: Symbol, qualifiers: list[str]) -> bool:
    """Whether the qualifiers are the end of: the path's parts without suffix, then the container's parts."""
    module = re.sub(r"(/__init__|/index|/mod)?\.[^./]*$", "", symbol.path)
    around = [*module.split("/"), *filter(None, symbol.container.split("."))]
    if symbol.container and qualifiers == symbol.container.split(".")[-len(qualifiers) :]:
        return True
    return around[len(around) - len(qualifiers) :] == qualifiers


def _inherited(reader: Reader, qualifiers: list[str], named: list[Symbol]) -> list[Symbol]:
    """The members of these that a type of that name gets from its bases: of the nearest base that has one."""
    types = [t for t in reader.symbols_named(qualifiers[-1]) if t.kind in TYPES]
    queue = deque((t, 0) for t in types if len(qualifiers) == 1 or _is_qualified_by(t, qualifiers[:-1]))
    seen: set[tuple[str, str]] = set()
    while named and queue:
        current, depth = queue.popleft()
        if depth and (found := [s for s in named if s.container == current.qualified_name]):
            return [s for s in found if s.path == current.path] or found
        if depth < _DEEPEST_BASE and (current.path, current.qualified_name) not in seen:
            seen.add((current.path, current.qualified_name))
            queue.extend((base, depth + 1) for _, base in _bases(reader, current) if base)
    return []


def rank(symbol: Symbol) -> tuple[object, ...]:
    """The order of definitions of one name: source first, types before functions before members, bodies first."""
    return (
        place_order(symbol.role, symbol.path),
        _TIERS.get(symbol.kind, 5),
        symbol.kind not in TYPES and symbol.path.endswith(DECLARING),
        symbol.container.count(".") + bool(symbol.container),
        symbol.path.count("/"),
        symbol.path,
        symbol.start_line - symbol.end_line,
        symbol.start_line,
    )


def _unknown_symbol(reader: Reader, wanted: str) -> NotFound:
    names = reader.symbol_names()
    last = [part for part in _SEPARATORS.split(wanted) if part][-1:] or [wanted]
    same = [name for name in names if name.lower() == last[0].lower()]
    near = list(dict.fromkeys([*same, *nearest(last[0], names)]))[:5]
    places = [_place(min(reader.symbols_named(name), key=rank)) for name in near]
    step = f"The nearest: {', '.join(places)}." if places else "Try search: it also finds what is no definition."
    return NotFound(f"No symbol '{wanted[:200]}' is defined here.", step)


def _place(symbol: Symbol) -> str:
    return f"{symbol.qualified_name} ({symbol.path}:{symbol.start_line})"


def definition(indexed: IndexedCommit, symbol: Symbol) -> Definition:
    """A symbol with its source, members, bases and derived types."""
    with Reader(indexed) as reader:
        lines = text_lines(reader.text(symbol.blob))[symbol.start_line - 1 : symbol.end_line]
        derived = _derived(reader, symbol) if symbol.kind in TYPES else ()
        members = tuple(_members(reader, symbol))
        return Definition(symbol, tuple(lines), members, tuple(_bases(reader, symbol)), tuple(derived))


def _members(reader: Reader, symbol: Symbol) -> list[Symbol]:
    inside = reader.members_of(symbol)
    if symbol.kind not in TYPES or symbol.language not in _OPEN_TYPES:
        return inside
    folder = symbol.path.rpartition("/")[0]
    known = {(s.path, s.position) for s in inside}
    others = [s for s in reader.symbols_inside(symbol.qualified_name) if (s.path, s.position) not in known]
    near = [s for s in others if s.language == symbol.language and s.path.rpartition("/")[0] == folder]
    return inside + sorted(near, key=lambda s: (s.path != symbol.path, s.path, s.position))


def _bases(reader: Reader, symbol: Symbol) -> Iterator[tuple[str, Symbol | None]]:
    """Each base with its definition; a name that was imported under another one is followed."""
    aliases = {fact.alias: fact.name for fact in reader.imports_of(symbol.blob) if fact.alias and fact.name}
    for base in symbol.bases:
        name = last_name(base)
        yield base, _defined(reader, aliases.get(name, name), symbol)


def overridden_by(reader: Reader, method: Symbol) -> list[Symbol]:
    """The methods of that name in the bases of a method's type, and in theirs: the nearest first."""
    same = [s for s in reader.symbols_named(method.name) if s.kind is SymbolKind.METHOD and s.parent >= 0]
    if method not in same or len(same) == 1:
        return []
    owners = {(s.path, s.parent): s for s in same}
    waiting = deque([reader.symbols_in(method.path)[method.parent]])
    seen: set[tuple[str, int]] = set()
    found = []
    while waiting and len(seen) < _MOST_BASES:
        current = waiting.popleft()
        place = (current.path, current.position)
        if place not in seen:
            seen.add(place)
            found += [owners[place]] if place in owners and owners[place] != method else []
            waiting += [base for _, base in _bases(reader, current) if base]
    return found


def overriding(reader: Reader, method: Symbol) -> list[Symbol]:
    """The methods of that name in the types that are derived from a method's type, best first."""
    same = [s for s in reader.symbols_named(method.name) if s.kind is SymbolKind.METHOD and s.parent >= 0]
    near = sorted((s for s in same if family_of(s.language) == family_of(method.language)), key=rank)
    return [s for s in near[:_MOST_OVERRIDING] if s != method and method in overridden_by(reader, s)]


def _defined(reader: Reader, name: str, near: Symbol) -> Symbol | None:
    family = family_of(near.language)
    kinds = TYPES | {SymbolKind.MODULE} if family == "ruby" else TYPES  # a mixin is a base
    named = [s for s in reader.symbols_named(name) if s.kind in kinds and family_of(s.language) == family]
    others = [s for s in named if (s.path, s.position) != (near.path, near.position)]
    return min(others, key=lambda s: (s.path != near.path, rank(s)), default=None)


def _derived(reader: Reader, symbol: Symbol) -> list[Symbol]:
    """The types that name this one as their base; where several types have its name, those that mean it most likely."""
    family = family_of(symbol.language)
    homonyms = [s for s in reader.symbols_named(symbol.name) if s.kind in TYPES and family_of(s.language) == family]
    found = {(s.path, s.position): (s, symbol.name) for s in reader.derived_from(symbol.name)}
    for path, alias in reader.aliases_of(symbol.name):
        found |= {(s.path, s.position): (s, alias) for s in reader.derived_from(alias) if s.path == path}
    same_family = [(s, name) for s, name in found.values() if family_of(s.language) == family and s != symbol]
    kept = [s for s, name in same_family if _meant(reader, s, name, homonyms, symbol) == symbol]
    return sorted(kept, key=rank)


def _meant(reader: Reader, derived: Symbol, name: str, homonyms: list[Symbol], wanted: Symbol) -> Symbol:
    """Which of several types of one name is most likely the base: of its own file, else of the module that it names."""
    own = [s for s in homonyms if s.path == derived.path and s != derived]
    others = own or [s for s in homonyms if s.role is FileRole.SOURCE and s != derived] or [wanted]
    if len(others) == 1:
        return others[0]
    written = next((base for base in derived.bases if last_name(base) == name), name)
    *qualifiers, _ = _SEPARATORS.split(written)
    modules = [f.module for f in reader.imports_of(derived.blob) if name in (f.name, f.alias) or f.alias in qualifiers]
    said = {part for text in (*qualifiers, *modules) for part in _SEPARATORS.split(text) if part}
    return min(others, key=lambda s: (-len(said & set(_SEPARATORS.split(s.path))), rank(s)))


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
        return tuple(_of_folder(files, reader.symbols_under(wanted, most=20_000)))


def _of_folder(files: list[SourceFile], outermost: Iterable[Symbol]) -> Iterator[Outline]:
    symbols: dict[str, list[Symbol]] = {}
    for symbol in outermost:
        symbols.setdefault(symbol.path, []).append(symbol)
    with_text = [file for file in files if file.blob]
    for file in sorted(with_text, key=lambda f: (place_order(f.role, f.path), f.path.count("/"), f.path)):
        yield Outline(file, tuple(symbols.get(file.path, ())))
