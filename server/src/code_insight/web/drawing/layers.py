"""A directed graph in layers: arrows point down, as few of them as can be cross or point up.

The steps are those of Sugiyama, Tagawa and Toda (1981): circles are cut, nodes get layers, long arrows get a place in
every layer that they pass, layers are put in order, and each node is moved as near to its neighbours as its
layer allows.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

_LAYER_HEIGHT, _NODE_HEIGHT = 92.0, 44.0
_BETWEEN_NODES, _BETWEEN_ARROWS = 22.0, 12.0
_MARGIN = 12.0
_SWEEPS = 12
_MOST_IN_LAYER = 7  # nodes, where the graph allows it: more make the picture too wide to read

Arrow = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Box:
    """Where a node stands."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Picture:
    """Where everything stands; the order is that of the nodes and arrows that were given."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    # Points of each arrow, from the edge of a box to another; none where other arrows, or one that points back, are
    # there in its place.
    curves: tuple[tuple[tuple[float, float], ...], ...]
    is_back: tuple[bool, ...]  # whether an arrow points up: it closes a circle


def layered(widths: Sequence[float], arrows: Mapping[Arrow, float]) -> Picture:
    """The picture of nodes as wide as given, and of arrows between two different ones of them with their weight."""
    order = _order(len(widths), arrows)
    back = {arrow for arrow in arrows if order[arrow[0]] > order[arrow[1]]}
    forward = {arrow for arrow in arrows if arrow not in back}
    drawn = (forward - _implied(forward)) | {(b, a) for a, b in back}
    grid = _Grid(list(widths), _layers(len(widths), drawn, order))
    chains = {arrow: grid.chain(*arrow) for arrow in sorted(drawn)}
    grid.order(chains.values())
    middles = grid.places(chains.values())
    return _picture(grid, chains, middles, list(arrows), back)


def _order(count: int, arrows: Mapping[Arrow, float]) -> list[int]:
    """A place for each node, so that little weight points backwards (Eades, Lin, Smyth 1993)."""
    outgoing: dict[int, dict[int, float]] = {node: {} for node in range(count)}
    incoming: dict[int, dict[int, float]] = {node: {} for node in range(count)}
    for (a, b), weight in arrows.items():
        outgoing[a][b] = incoming[b][a] = weight
    first: list[int] = []
    last: list[int] = []
    rest = set(range(count))
    while rest:
        node, is_sink = _next(rest, outgoing, incoming)
        (last if is_sink else first).append(node)
        rest.discard(node)
        for other in outgoing.pop(node):
            del incoming[other][node]
        for other in incoming.pop(node):
            del outgoing[other][node]
    places = {node: at for at, node in enumerate([*first, *reversed(last)])}
    return [places[node] for node in range(count)]


def _implied(forward: set[Arrow]) -> set[Arrow]:
    """The arrows whose ends a way of several arrows joins, too: without them the picture says the same."""
    below: dict[int, set[int]] = defaultdict(set)
    for a, b in forward:
        below[a].add(b)
    reached: dict[int, set[int]] = {}

    def reach(node: int) -> set[int]:
        if node not in reached:
            reached[node] = set(below[node]).union(*(reach(other) for other in sorted(below[node])))
        return reached[node]

    return {(a, b) for a, b in forward if any(b in reach(other) for other in below[a] if other != b)}


def _next(
    rest: Iterable[int], outgoing: Mapping[int, Mapping[int, float]], incoming: Mapping[int, Mapping[int, float]]
) -> tuple[int, bool]:
    """The node to be placed next, and whether at the end: a sink, else a source, else what sends most, gets least."""
    nodes = sorted(rest)
    for node in nodes:
        if not outgoing[node]:
            return node, True
    for node in nodes:
        if not incoming[node]:
            return node, False
    return max(nodes, key=lambda node: sum(outgoing[node].values()) - sum(incoming[node].values())), False


def _layers(count: int, down: set[Arrow], order: Sequence[int]) -> list[int]:
    """The layer of each node, 0 at the bottom: above all it points to, in the lowest layer that has room."""
    below: dict[int, list[int]] = defaultdict(list)
    for a, b in down:
        below[a].append(b)
    layers = [0] * count
    used: dict[int, int] = defaultdict(int)
    for node in sorted(range(count), key=lambda node: -order[node]):
        layer = max((layers[other] + 1 for other in below[node]), default=0)
        while used[layer] >= _MOST_IN_LAYER:
            layer += 1
        layers[node] = layer
        used[layer] += 1
    return layers


class _Grid:
    """The layers with everything that stands in them: nodes, and a point for each arrow that passes."""

    def __init__(self, widths: list[float], layers: list[int]) -> None:
        self.nodes = len(widths)
        self.widths, self.layer_of = widths, layers
        self.layers: list[list[int]] = [[] for _ in range(max(layers, default=-1) + 1)]
        for node, layer in enumerate(layers):
            self.layers[layer].append(node)

    def chain(self, a: int, b: int) -> list[int]:
        """The members of the layers from a, above, down to b."""
        passed = [self._point(layer) for layer in range(self.layer_of[a] - 1, self.layer_of[b], -1)]
        return [a, *passed, b]

    def _point(self, layer: int) -> int:
        self.widths.append(0.0)
        self.layer_of.append(layer)
        self.layers[layer].append(len(self.widths) - 1)
        return len(self.widths) - 1

    def order(self, chains: Iterable[list[int]]) -> None:
        """The order in each layer has few crossings: each member goes where its neighbours are on average."""
        above, below = _neighbours(chains)
        best, fewest = self._copy(), self._crossings(below)
        for sweep in range(_SWEEPS):
            downwards = sweep % 2 == 0
            for layer in reversed(self.layers) if downwards else self.layers:
                self._sort(layer, above if downwards else below)
            if (crossings := self._crossings(below)) < fewest:
                best, fewest = self._copy(), crossings
        self.layers = best

    def _copy(self) -> list[list[int]]:
        return [list(layer) for layer in self.layers]

    def _sort(self, layer: list[int], neighbours: Mapping[int, list[int]]) -> None:
        place = {member: at for one in self.layers for at, member in enumerate(one)}

        def average(member: int) -> float:
            others = neighbours[member]
            return sum(place[other] for other in others) / len(others) if others else place[member]

        layer.sort(key=lambda member: (average(member), place[member]))

    def _crossings(self, below: Mapping[int, list[int]]) -> int:
        count = 0
        for layer, under in pairwise(reversed(self.layers)):
            place = {member: at for at, member in enumerate(under)}
            seen: list[int] = []
            for end in (end for member in layer for end in sorted(place[other] for other in below[member])):
                count += len(seen) - bisect.bisect_right(seen, end)
                bisect.insort(seen, end)
        return count

    def places(self, chains: Iterable[list[int]]) -> list[float]:
        """The middle of each member: near its neighbours, in the order of its layer, apart from the next one."""
        above, below = _neighbours(chains)
        middles = [0.0] * len(self.widths)
        for layer in self.layers:
            self._spread(layer, middles, [0.0] * len(layer))
        for sweep in range(_SWEEPS):
            for layer in self.layers if sweep % 2 else reversed(self.layers):
                self._spread(layer, middles, [_wanted(m, middles, above[m] + below[m]) for m in layer])
        leftmost = min((middles[m] - self.widths[m] / 2 for m in range(len(middles))), default=0.0)
        return [middle - leftmost + _MARGIN for middle in middles]

    def _spread(self, layer: list[int], middles: list[float], wanted: list[float]) -> None:
        """The members stand as near to where they are wanted as can be, in least squares, without touching.

        With the room that each needs subtracted, that is isotonic regression: neighbours that would change places
        get their common average.
        """
        offsets = [0.0]
        for left, right in pairwise(layer):
            gap = _BETWEEN_NODES if max(left, right) < self.nodes else _BETWEEN_ARROWS
            offsets.append(offsets[-1] + (self.widths[left] + self.widths[right]) / 2 + gap)
        groups: list[tuple[float, int]] = []  # sum, count
        for place, offset in zip(wanted, offsets, strict=False):
            total, count = place - offset, 1
            while groups and groups[-1][0] / groups[-1][1] > total / count:
                before, size = groups.pop()
                total, count = total + before, count + size
            groups.append((total, count))
        averages = [total / count for total, count in groups for _ in range(count)]
        for member, average, offset in zip(layer, averages, offsets, strict=False):
            middles[member] = average + offset


def _neighbours(chains: Iterable[list[int]]) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    above: dict[int, list[int]] = defaultdict(list)
    below: dict[int, list[int]] = defaultdict(list)
    for chain in chains:
        for upper, lower in pairwise(chain):
            above[lower].append(upper)
            below[upper].append(lower)
    return above, below


def _wanted(member: int, middles: Sequence[float], neighbours: Sequence[int]) -> float:
    if not neighbours:
        return middles[member]
    return sum(middles[other] for other in neighbours) / len(neighbours)


def _picture(
    grid: _Grid, chains: Mapping[Arrow, list[int]], middles: list[float], arrows: list[Arrow], back: set[Arrow]
) -> Picture:
    height = len(grid.layers) * _LAYER_HEIGHT - (_LAYER_HEIGHT - _NODE_HEIGHT) + 2 * _MARGIN
    tops = [height - _MARGIN - _NODE_HEIGHT - layer * _LAYER_HEIGHT for layer in grid.layer_of]
    boxes = [Box(middles[n] - grid.widths[n] / 2, tops[n], grid.widths[n], _NODE_HEIGHT) for n in range(grid.nodes)]
    rightmost = max((middles[m] + grid.widths[m] / 2 for m in range(len(middles))), default=0.0)
    curves = []
    for a, b in arrows:
        is_seen = (a, b) in back or ((b, a) not in back and (a, b) in chains)
        points = _points(chains[(b, a) if (a, b) in back else (a, b)], middles, tops) if is_seen else []
        curves.append(tuple(reversed(points)) if (a, b) in back else tuple(points))
    return Picture(rightmost + _MARGIN, height, tuple(boxes), tuple(curves), tuple(arrow in back for arrow in arrows))


def _points(chain: list[int], middles: list[float], tops: list[float]) -> list[tuple[float, float]]:
    """From the lower edge of the first to the upper edge of the last; a layer is passed straight down."""
    first, *passed, last = chain
    points = [(middles[first], tops[first] + _NODE_HEIGHT)]
    for point in passed:
        points += [(middles[point], tops[point]), (middles[point], tops[point] + _NODE_HEIGHT)]
    return [*points, (middles[last], tops[last])]
