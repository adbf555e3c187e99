"""A treemap: rectangles in rectangles, each as large as what it stands for, and as square as can be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

WIDTH, HEIGHT = 1200.0, 640.0  # of the whole, in units; a unit is a pixel on a wide screen
_HEADER = 19.0  # of a folder that is open: where its name stands
_GAP = 2.0  # between a folder's edge and what is in it
_OPEN_WIDTH, _OPEN_HEIGHT = 64.0, 44.0  # what a folder must have to be opened
_SMALLEST = 200.0  # square units: what is smaller is drawn together


@dataclass(slots=True)
class Node:
    """A folder or a file, and what is in it."""

    name: str
    path: str
    weight: float = 0.0  # of a folder: of all that is in it
    children: list[Node] = field(default_factory=list)  # empty for a file


@dataclass(frozen=True, slots=True)
class Cell:
    """One rectangle; a folder that is open stands before what is in it."""

    node: Node
    x: float
    y: float
    width: float
    height: float
    depth: int
    is_open: bool = False
    more: int = 0  # of the smallest in `node` that are drawn as this one rectangle; 0 for the node itself


@dataclass(frozen=True, slots=True)
class _Rectangle:
    x: float
    y: float
    width: float
    height: float


def treemap(root: Node) -> list[Cell]:
    """The cells of everything below `root`, in the order in which they are to be drawn; empty without weight."""
    whole = _Rectangle(0, 0, WIDTH, HEIGHT)
    return list(_inside(root, whole, 0)) if root.weight > 0 else []


def _inside(node: Node, place: _Rectangle, depth: int) -> Iterator[Cell]:
    """The cells of a node's children in its place; the small ones together."""
    children = sorted((c for c in node.children if c.weight > 0), key=lambda c: (-c.weight, c.path))
    per_unit = place.width * place.height / node.weight
    shown = [child for child in children if child.weight * per_unit >= _SMALLEST]
    small = children[len(shown) :]
    if len(small) == 1:
        shown, small = children, []
    weights = [child.weight for child in shown] + ([sum(child.weight for child in small)] if small else [])
    for at, where in enumerate(_squarified([weight * per_unit for weight in weights], place)):
        if at == len(shown):
            yield Cell(node, where.x, where.y, where.width, where.height, depth, more=len(small))
        else:
            yield from _cell(shown[at], where, depth)


def _cell(node: Node, place: _Rectangle, depth: int) -> Iterator[Cell]:
    is_open = bool(node.children) and place.width >= _OPEN_WIDTH and place.height >= _OPEN_HEIGHT
    yield Cell(node, place.x, place.y, place.width, place.height, depth, is_open)
    if is_open:
        inner = _Rectangle(
            place.x + _GAP, place.y + _HEADER, place.width - 2 * _GAP - 1, place.height - _HEADER - _GAP - 1
        )
        yield from _inside(node, inner, depth + 1)


def _squarified(areas: Sequence[float], place: _Rectangle) -> Iterator[_Rectangle]:
    """A rectangle for each area, the largest first: rows along the shorter side, each ended where one more area
    would make it less square (Bruls, Huizing, van Wijk: Squarified Treemaps, 2000)."""
    at = 0
    while at < len(areas):
        side = min(place.width, place.height)
        end, total = at + 1, areas[at]
        worst = _worst(areas[at], areas[at], total, side)
        while end < len(areas):
            longer = _worst(areas[at], areas[end], total + areas[end], side)
            if longer > worst:
                break
            worst, total, end = longer, total + areas[end], end + 1
        yield from _row(areas[at:end], total, place)
        place = _rest(place, total)
        at = end


def _worst(largest: float, smallest: float, total: float, side: float) -> float:
    """The worst of the aspect ratios in a row of that total area along a side."""
    square = total * total
    return max(side * side * largest / square, square / (side * side * smallest))


def _row(areas: Sequence[float], total: float, place: _Rectangle) -> Iterator[_Rectangle]:
    offset = 0.0
    if place.width >= place.height:
        thickness = total / place.height
        for area in areas:
            yield _Rectangle(place.x, place.y + offset, thickness, area / thickness)
            offset += area / thickness
    else:
        thickness = total / place.width
        for area in areas:
            yield _Rectangle(place.x + offset, place.y, area / thickness, thickness)
            offset += area / thickness


def _rest(place: _Rectangle, total: float) -> _Rectangle:
    """What a row of that total area leaves."""
    if place.width >= place.height:
        used = total / place.height
        return _Rectangle(place.x + used, place.y, max(place.width - used, 1e-9), place.height)
    used = total / place.width
    return _Rectangle(place.x, place.y + used, place.width, max(place.height - used, 1e-9))
