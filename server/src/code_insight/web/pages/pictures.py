"""Maps and graphs of a repository, in the words of a template: where a rectangle is, how it looks, where it leads."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from code_insight.model import FileRole, SourceFile
from code_insight.queries import modules
from code_insight.tools.answers import shorten
from code_insight.web.drawing.layers import Picture, layered
from code_insight.web.drawing.treemap import HEIGHT, WIDTH, Cell, Node, treemap
from code_insight.web.pages.filters import counted, hue
from code_insight.web.pages.places import Place

_NAMED_WIDTH, _NAMED_HEIGHT = 46.0, 15.0  # units that a cell must have for its name
_LETTER, _BOLD_LETTER, _MARGIN = 6.6, 7.4, 8.0  # units that a name takes
_NARROW = 150.0  # units below which a cell has no room for its name on a phone
LANGUAGE, CHANGE = "language", "change"  # what the colours of a map mean
_HOTTEST = 5  # classes h0 to h5
_NOT_OURS = (FileRole.VENDORED, FileRole.GENERATED)
_LABEL = 22  # characters of a module's name


@dataclass(frozen=True, slots=True)
class Drawn:
    """A cell of a map, as the template writes it."""

    href: str
    name: str  # "" where there is no room
    title: str
    css: str
    x: str  # in percent, as all measures here
    y: str
    width: str
    height: str
    is_top: bool  # reached with the tabulator key; the others with arrows


@dataclass(frozen=True, slots=True)
class Map:
    """A folder as a picture."""

    folder: str
    cells: tuple[Drawn, ...]
    colour: str  # LANGUAGE or CHANGE
    languages: tuple[str, ...]  # that are in it, most lines first
    left_out: int  # files without lines


def picture_of_files(
    place: Place, files: list[SourceFile], folder: str, colour: str = LANGUAGE, commits: Mapping[str, int] | None = None
) -> Map:
    """The files below a folder as a treemap; without cells when none of them has lines.

    A file has the colour of its language, or of how many commits changed it, beside the file that changed most.
    """
    lines: dict[str, int] = {}
    for file in files:
        lines[file.language] = lines.get(file.language, 0) + file.lines
    by_path = {file.path: file for file in files}
    cells = treemap(_node(files, folder))
    paint = _by_language(by_path) if colour == LANGUAGE else _by_change(by_path, commits or {})
    drawn = tuple(_drawn(place, cell, by_path, paint, colour) for cell in cells)
    languages = sorted((name for name, count in lines.items() if name and count), key=lambda name: -lines[name])
    return Map(folder, drawn, colour, tuple(languages[:8]), sum(not file.lines for file in files))


def _node(files: Iterable[SourceFile], folder: str) -> Node:
    nodes = {folder: Node(folder, folder)}

    def node(path: str) -> Node:
        if path not in nodes:
            above, _, name = path.rpartition("/")
            nodes[path] = Node(name, path)
            node(above).children.append(nodes[path])
        return nodes[path]

    for file in files:
        if file.lines:
            node(file.path).weight = file.lines
    root = nodes[folder]
    _add_up(root)
    return root


def _add_up(root: Node) -> None:
    """Folders weigh what is in them; one that holds a single folder is one with it. Without recursion: a path may have
    a thousand parts."""
    order, stack = [], [root]
    while stack:
        node = stack.pop()
        order.append(node)
        stack += node.children
    for node in reversed(order):
        if node.children:
            node.weight = sum(child.weight for child in node.children)
            node.children = [_merged(child) for child in node.children]


def _merged(node: Node) -> Node:
    if len(node.children) == 1 and node.children[0].children:
        only = node.children[0]
        return Node(f"{node.name}/{only.name}", only.path, only.weight, only.children)
    return node


@dataclass(frozen=True, slots=True)
class _Paint:
    """What a cell's colour says, as a CSS class, and in words."""

    css: Callable[[Node], str]
    words: Callable[[str], str]  # of the file at a path


def _by_language(files: Mapping[str, SourceFile]) -> _Paint:
    def css(node: Node) -> str:
        weights: dict[str, float] = {}
        for leaf in _leaves(node):
            file = files[leaf.path]
            name = hue(file.language) + (" pale" if file.role in _NOT_OURS else "")
            weights[name] = weights.get(name, 0) + leaf.weight
        return max(weights, key=lambda name: weights[name])

    return _Paint(css, lambda path: files[path].language or "text")


def _by_change(files: Mapping[str, SourceFile], commits: Mapping[str, int]) -> _Paint:
    most = max((commits.get(path, 0) for path in files), default=0)

    def css(node: Node) -> str:
        leaves = _leaves(node)
        mean = sum(commits.get(leaf.path, 0) * leaf.weight for leaf in leaves) / sum(leaf.weight for leaf in leaves)
        heat = math.log1p(mean) / math.log1p(most) if most else 0
        return f"h{round(_HOTTEST * heat)}"

    return _Paint(css, lambda path: f"changed by {counted(commits.get(path, 0), 'commit')}")


def _leaves(node: Node) -> list[Node]:
    found, stack = [], [node]
    while stack:
        one = stack.pop()
        stack += one.children
        if not one.children:
            found.append(one)
    return found


def _drawn(place: Place, cell: Cell, files: dict[str, SourceFile], paint: _Paint, colour: str) -> Drawn:
    node = cell.node
    folder = place.at.tree(node.path, "" if colour == LANGUAGE else colour)
    has_room = cell.width >= _NAMED_WIDTH and cell.height >= _NAMED_HEIGHT
    lines = f"{round(node.weight):,} lines"
    if cell.more:
        href, name, title, kind = folder, f"{cell.more:,} more", f"{cell.more:,} small ones", "more"
    elif node.path in files:
        href, name, kind = place.at.file(node.path), node.name, f"file {paint.css(node)}"
        title = f"{node.path}: {lines}, {paint.words(node.path)}"
    else:
        href, name, title = folder, f"{node.name}/", f"{node.path}/: {lines}"
        kind = "folder" if cell.is_open else f"closed {paint.css(node)}"
    narrow = " narrow" if cell.width < _NARROW else ""
    letters = int((cell.width - _MARGIN) / (_BOLD_LETTER if cell.is_open else _LETTER))
    return Drawn(
        href,
        shorten(name, letters) if has_room else "",
        title,
        kind + narrow,
        _percent(cell.x, WIDTH),
        _percent(cell.y, HEIGHT),
        _percent(cell.width, WIDTH),
        _percent(cell.height, HEIGHT),
        cell.depth == 0,
    )


def _percent(value: float, of: float) -> str:
    return f"{100 * value / of:.2f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class DrawnModule:
    """A box of the graph."""

    module: modules.Module
    href: str
    label: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class DrawnArrow:
    """An arrow of the graph."""

    source: int
    target: int
    title: str
    path: str  # of the SVG; "" where other arrows lead the same way
    is_back: bool
    is_both: bool  # the other way, too
    weight: int  # 1 to 4: how thick


@dataclass(frozen=True, slots=True)
class Graph:
    """The modules of a folder as a picture."""

    about: modules.ModuleGraph
    width: int
    height: int
    boxes: tuple[DrawnModule, ...]
    arrows: tuple[DrawnArrow, ...]


def picture_of_imports(place: Place, folder: str) -> Graph:
    """The modules below a folder in layers; without boxes when nothing there imports."""
    about = modules.module_graph(place.indexed, folder)
    labels = [_label(module) for module in about.modules]
    widths = [max(64.0, 7.3 * len(label) + 22) for label in labels]
    picture = layered(widths, {(arrow.source, arrow.target): arrow.imports for arrow in about.arrows})
    boxes = tuple(
        DrawnModule(module, _module_href(place, module), label, *(round(v, 1) for v in (b.x, b.y, b.width, b.height)))
        for module, label, b in zip(about.modules, labels, picture.boxes, strict=True)
    )
    arrows = tuple(_arrows(about, picture))
    return Graph(about, round(picture.width), round(picture.height), boxes, arrows)


def _label(module: modules.Module) -> str:
    """As many of the last parts of its name as there is room for."""
    name = module.name if module.is_file else f"{module.name}/"
    while len(name) > _LABEL and "/" in name.rstrip("/").removeprefix("…/"):
        name = f"…/{name.removeprefix('…/').partition('/')[2]}"
    return shorten(name, _LABEL + 4)


def _module_href(place: Place, module: modules.Module) -> str:
    return place.at.file(module.path) if module.is_file else place.at.dependencies(module.path)


def _arrows(about: modules.ModuleGraph, picture: Picture) -> Iterable[DrawnArrow]:
    pairs = {(arrow.source, arrow.target) for arrow in about.arrows}
    for arrow, points, is_back in zip(about.arrows, picture.curves, picture.is_back, strict=True):
        source, target = about.modules[arrow.source], about.modules[arrow.target]
        title = f"{source.name} → {target.name}: {arrow.imports:,} imports"
        weight = 1 + (arrow.imports > 2) + (arrow.imports > 8) + (arrow.imports > 30)
        is_both = (arrow.target, arrow.source) in pairs
        yield DrawnArrow(arrow.source, arrow.target, title, _curve(points), is_back, is_both, weight)


def _curve(points: tuple[tuple[float, float], ...]) -> str:
    """A smooth line through the points, upright at each of them; straight through a layer that it only passes."""
    if not points:
        return ""
    (x, y), *rest = points
    parts = [f"M{x:.0f} {y:.0f}"]
    for next_x, next_y in rest:
        bend = (next_y - y) / 2
        parts.append(f"C{x:.0f} {y + bend:.0f} {next_x:.0f} {next_y - bend:.0f} {next_x:.0f} {next_y:.0f}")
        x, y = next_x, next_y
    return "".join(parts)
