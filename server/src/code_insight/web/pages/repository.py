"""A repository as a whole: its own page, its map, who imports whom, what was skipped, what a search finds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from code_insight.errors import InsightError, NotFound
from code_insight.model import SourceFile
from code_insight.queries import overview, search, spots
from code_insight.queries.files import reason_of, unknown_path
from code_insight.queries.history import history
from code_insight.store import Reader
from code_insight.web.pages.pictures import CHANGE, LANGUAGE, picture_of_files, picture_of_imports
from code_insight.web.pages.places import Place
from code_insight.web.pages.serving import Moved, Page

_CENTRAL = 16  # symbols on the repository's page
_ROWS = 1_000  # of a list on one page
_FOUND = 200
_TOUCHES = 100


def repository(place: Place) -> Page:
    """A repository at a glance."""
    found = overview.overview(place.indexed)
    with Reader(place.indexed) as reader:
        files = reader.files()
    paths = {file.path for file in files}
    values = {
        "overview": found,
        "lines": sum(language.lines for language in found.languages),
        "central": found.central[:_CENTRAL],
        "starts": [(point, _where(place, point.target, paths)) for point in found.entry_points],
        "map": picture_of_files(place, files, ""),
        "changes": spots.changes(place.indexed),
        "graph": picture_of_imports(place, ""),
    }
    return Page("repository.html", {**place.values, **values})


_OBJECT = re.compile(r"[\w.]+:[\w.]+")


def _where(place: Place, target: str, paths: set[str]) -> str:
    """The page of what an entry point runs: "src/app.py", "main.go:12", "flask.cli:main"; "" for anything else."""
    path, _, line = target.rpartition(":")
    if target in paths:
        return place.at.file(target)
    if path in paths and line.isdigit():
        return place.at.file(path, int(line))
    return place.at.named(target.replace(":", ".")) if _OBJECT.fullmatch(target) else ""


def tree(place: Place) -> Page | Moved:
    """One folder: its map, and a list of what is directly in it."""
    with Reader(place.indexed) as reader:
        if place.path and reader.file(place.path):
            return Moved(place.at.file(place.path))
        files = [f for f in reader.files() if not place.path or f.path.startswith(f"{place.path}/")]
        if not files:
            raise unknown_path(reader, place.path)
    entries = _entries(files, place.path)
    last = -(-len(entries) // _ROWS)
    number = place.page_number(last)
    shown = entries[(number - 1) * _ROWS : number * _ROWS]
    changes = spots.changes(place.indexed)
    colour = CHANGE if place.query.get("colour") == CHANGE and changes.commits else LANGUAGE
    values = {
        "map": picture_of_files(place, files, place.path, colour, changes.commits),
        "entries": shown,
        "count": len(entries),
        "changes": changes,
        "number": number,
        "last": last,
    }
    return Page("tree.html", {**place.values, **values})


def dependencies(place: Place) -> Page | Moved:
    """Who imports whom, in a folder or the whole."""
    with Reader(place.indexed) as reader:
        if place.path and reader.file(place.path):
            return Moved(place.at.file(place.path))
    return Page("dependencies.html", {**place.values, "graph": picture_of_imports(place, place.path)})


def skipped(place: Place) -> Page:
    """Every file that is not, or not fully, in the index, with the reason."""
    with Reader(place.indexed) as reader:
        files = sorted((f for f in reader.files() if f.skip_reason), key=lambda f: (str(f.skip_reason), f.path))
    last = -(-len(files) // _ROWS)
    number = place.page_number(last)
    shown = [(file, reason_of(file)) for file in files[(number - 1) * _ROWS : number * _ROWS]]
    return Page("skipped.html", {**place.values, "files": shown, "count": len(files), "number": number, "last": last})


def commits(place: Place) -> Page:
    """The commits that shaped a file, a folder or the whole, as far as the index knows."""
    found = history(place.indexed, place.path, place.query.get("symbol", "").strip()[:400])
    last = -(-len(found.touches) // _TOUCHES)
    number = place.page_number(last)
    shown = found.touches[(number - 1) * _TOUCHES : number * _TOUCHES]
    return Page("commits.html", {**place.values, "history": found, "shown": shown, "number": number, "last": last})


def found(place: Place) -> Page:
    """What a search finds."""
    query, kind = place.query.get("q", "")[:1_000], place.query.get("kind", "auto")
    values: dict[str, Any] = {"query": query, "kind": kind, "kinds": list(search.SearchKind)}
    values |= {"found": None, "problem": ""}
    if query.strip():
        try:
            wanted = search.SearchKind(kind) if kind in [*search.SearchKind] else search.SearchKind.AUTO
            result = search.search(place.indexed, query, wanted, search.Filter())
            values |= {"found": result, "most": _FOUND}
        except InsightError as error:
            values["problem"] = str(error)
    return Page("search.html", {**place.values, **values})


@dataclass(frozen=True, slots=True)
class Entry:
    """A folder or file that stands directly in a folder."""

    path: str
    name: str
    is_folder: bool
    files: int
    lines: int
    language: str  # of most lines
    file: SourceFile | None


def _entries(files: Iterable[SourceFile], folder: str) -> list[Entry]:
    """Folders first, each in alphabetical order."""
    start = len(folder) + 1 if folder else 0
    folders: dict[str, list[SourceFile]] = {}
    own = []
    for file in files:
        name, slash, _ = file.path[start:].partition("/")
        if slash:
            folders.setdefault(name, []).append(file)
        else:
            own.append(Entry(file.path, name, False, 1, file.lines, file.language, file))
    prefix = f"{folder}/" if folder else ""
    return [_folder_entry(prefix + name, name, inside) for name, inside in sorted(folders.items())] + own


def _folder_entry(path: str, name: str, inside: list[SourceFile]) -> Entry:
    lines: dict[str, int] = {}
    for file in inside:
        lines[file.language] = lines.get(file.language, 0) + file.lines
    language = max(lines, key=lambda one: (bool(one), lines[one], one))
    return Entry(path, name, True, len(inside), sum(lines.values()), language, None)


def no_such_view(view: str) -> NotFound:
    """That a repository has no page of this kind."""
    return NotFound(f"A repository has no page '{view[:40]}'.", "Begin at the repository's own page.")
