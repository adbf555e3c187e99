"""The pages of a file and of a symbol: source to be read, with every name leading on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from code_insight.errors import NotFound
from code_insight.model import FileRole, ReferenceKind, SourceFile, Symbol, SymbolKind
from code_insight.queries import graph, modules, symbols
from code_insight.queries.files import reason_of, unknown_path
from code_insight.queries.history import history
from code_insight.queries.names import meant_at, names_that_lead
from code_insight.queries.symbols import TYPES, Definition
from code_insight.store import Reader
from code_insight.web.highlighting import highlighted
from code_insight.web.pages.addresses import LINES_PER_PAGE
from code_insight.web.pages.places import Place
from code_insight.web.pages.serving import Moved, Page

_LINES_OF_A_SYMBOL = 400  # of its source on its page
_USES = 200  # on one page
_MOST_PAGES = 1_000
_OUTLINED = frozenset(SymbolKind) - {SymbolKind.FIELD, SymbolKind.VARIABLE}
_MOST_OUTLINED = 800
_NEIGHBOURS = 40  # files that import it, or that it imports


@dataclass(frozen=True, slots=True)
class Outlined:
    """A line of an outline."""

    symbol: Symbol
    depth: int  # 0 to 3


def file(place: Place) -> Page | Moved:
    """A file's text, or why there is none."""
    if at := place.query.get("at"):
        return _where_it_leads(place, at)
    with Reader(place.indexed) as reader:
        found = reader.file(place.path)
        if found is None and any(f.path.startswith(f"{place.path}/") for f in reader.files()):
            return Moved(place.at.tree(place.path))
        if found is None:
            raise unknown_path(reader, place.path)
        if not found.blob:
            return Page("file.html", {**place.values, "file": found, "reason": reason_of(found), "lines": None})
        return Page("file.html", {**place.values, **_text(place, reader, found)})


def _text(place: Place, reader: Reader, found: SourceFile) -> dict[str, object]:
    inside = reader.symbols_in(found.path)
    last = -(-found.lines // LINES_PER_PAGE)
    number = place.page_number(last)
    first = (number - 1) * LINES_PER_PAGE + 1
    lines = _linked(reader, found, inside, first, first + LINES_PER_PAGE - 1, "")
    neighbours = modules.file_imports(place.indexed)
    return {
        "file": found,
        "reason": reason_of(found) if found.skip_reason else "",
        "lines": list(enumerate(lines, first)),
        "outline": _outlined(inside),
        "error_lines": reader.error_lines(found.blob),
        "imports": sorted(neighbours.targets.get(found.path, ()))[:_NEIGHBOURS],
        "imported_by": _importers(reader, neighbours.sources.get(found.path, ())),
        "number": number,
        "last": last,
        "history": history(place.indexed, found.path),
    }


def _importers(reader: Reader, paths: Sequence[str]) -> list[str]:
    """Source first, then tests."""
    roles = {file.path: file.role for file in reader.files()} if paths else {}
    return sorted(paths, key=lambda path: (roles.get(path, FileRole.SOURCE) is not FileRole.SOURCE, path))[:_NEIGHBOURS]


def _linked(
    reader: Reader, found: SourceFile, inside: Sequence[Symbol], first: int, last: int, page: str
) -> list[Markup]:
    """Lines of a file as HTML; `page` is the URL of the file's page, "" on that page itself."""
    text = reader.text(found.blob).replace("\r\n", "\n")
    links = {
        (use.line, use.column): _link(page, use.line, use.column, use.kind)
        for use in names_that_lead(reader, found.blob)
        if first <= use.line <= last
    }
    for symbol in inside:
        if first <= symbol.name_line <= last and symbol.kind is not SymbolKind.HEADING:
            kind = "type" if symbol.kind in TYPES else "defined"
            at = f"{page}?at={symbol.name_line}:{symbol.name_column}"
            links[symbol.name_line, symbol.name_column] = Markup('<a class="{}" href="{}">').format(kind, at)
    lines = highlighted(text, found.language, first, last, links)
    return lines[: found.lines - first + 1]


_SHOWN_KINDS = {ReferenceKind.CALL: "call", ReferenceKind.TYPE: "type", ReferenceKind.INHERIT: "type"}


def _link(page: str, line: int, column: int, kind: ReferenceKind) -> Markup:
    return Markup('<a class="{}" href="{}?at={}:{}">').format(_SHOWN_KINDS.get(kind, "name"), page, line, column)


def _outlined(inside: Sequence[Symbol]) -> list[Outlined]:
    depths: dict[int, int] = {}
    rows = []
    for symbol in inside:
        if symbol.kind in _OUTLINED:
            depth = depths[symbol.position] = min(depths.get(symbol.parent, -1) + 1, 3)
            rows.append(Outlined(symbol, depth))
    return rows[:_MOST_OUTLINED]


def _where_it_leads(place: Place, at: str) -> Moved:
    """The page of the symbol whose name, used or defined, stands at "line:column"."""
    line, _, column = at.partition(":")
    if not (at.isascii() and line.isdigit() and column.isdigit() and len(at) < 20):
        raise NotFound(f"'{at[:40]}' is no place in a file.", "Give line:column, such as 12:4.")
    where = int(line), int(column)
    with Reader(place.indexed) as reader:
        for symbol in reader.symbols_in(place.path):
            if (symbol.name_line, symbol.name_column) == where:
                return Moved(place.at.symbol(symbol))
    return Moved(place.at.symbol(meant_at(place.indexed, place.path, *where)))


def symbol(place: Place) -> Page | Moved:
    """A symbol: what it is, its source, what belongs to it, who uses it."""
    name = place.query.get("name", "").strip()[:400]
    if not name:
        raise NotFound("No symbol is named.", "Give a name, such as ?name=Flask.route, or search for it.")
    with Reader(place.indexed) as reader:
        same = [s for s in reader.symbols_in(place.path) if s.qualified_name == name] if place.path else []
    if not same:
        return Moved(place.at.symbol(symbols.find(place.indexed, name, place.path)[0]))
    chosen = next((s for s in same if str(s.start_line) == place.query.get("line")), same[0])
    definition = symbols.definition(place.indexed, chosen)
    values = {
        "symbol": chosen,
        "definition": definition,
        "also": [other for other in same if other != chosen],
        "source": _source(place, definition),
        **_used(place, chosen),
        "history": history(place.indexed, chosen.path, chosen.qualified_name),
    }
    return Page("symbol.html", {**place.values, **values})


def _used(place: Place, symbol: Symbol) -> dict[str, object]:
    """Who uses it; of a heading nobody."""
    if symbol.kind is SymbolKind.HEADING:
        return {"users": None, "groups": [], "number": 1, "last": 1}
    number = place.page_number(_MOST_PAGES)
    users = graph.users(place.indexed, symbol.qualified_name, symbol.path, (number - 1) * _USES, _USES)
    groups = [(path, list(uses)) for path, uses in groupby(users.uses, key=lambda use: use.occurrence.path)]
    return {"users": users, "groups": groups, "number": number, "last": -(-users.total // _USES)}


def _source(place: Place, definition: Definition) -> list[tuple[int, Markup]]:
    symbol = definition.symbol
    last = min(symbol.end_line, symbol.start_line + _LINES_OF_A_SYMBOL - 1)
    with Reader(place.indexed) as reader:
        file = reader.file(symbol.path)
        if file is None:
            return []
        page = place.at.file(symbol.path)
        lines = _linked(reader, file, reader.symbols_in(symbol.path), symbol.start_line, last, page)
    return list(enumerate(lines, symbol.start_line))
