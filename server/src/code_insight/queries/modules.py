"""How the parts of a repository import each other, folded until a reader takes it in."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from code_insight.model import FileRole, is_aside
from code_insight.queries.dependencies import cycles
from code_insight.queries.files import unknown_path
from code_insight.queries.imports import imports
from code_insight.store import IndexedCommit, Reader

_MODULES = 26  # that are shown: what a reader takes in
_ARROWS = 80  # beside the one of each module with most imports
_COMMITS_KEPT = 4  # whose imports stay in memory: some MB each of a large one


@dataclass(frozen=True, slots=True)
class Module:
    """A file, or a folder with all that is in it."""

    path: str
    name: str  # what is to be added to the folder that is shown
    files: int  # 1 for a file
    is_file: bool
    in_circle: bool  # some of its files import each other in a circle, with each other or with others


@dataclass(frozen=True, slots=True)
class Arrow:
    """That one module imports another."""

    source: int  # place in ModuleGraph.modules
    target: int
    imports: int  # pairs of files


@dataclass(frozen=True, slots=True)
class ModuleGraph:
    """The modules below a folder, and who imports whom; source files alone."""

    folder: str  # what all of them are in: the one that was asked for, or the only one in it that has any
    modules: tuple[Module, ...]  # by path
    arrows: tuple[Arrow, ...]  # most imports first
    arrows_left_out: int  # of those with the fewest imports
    alone: tuple[Module, ...]  # that import nothing here and are not imported
    folded: int  # modules directly in the folder that found no room: those with the fewest imports
    circles: tuple[tuple[str, ...], ...]  # sets of files that reach each other by imports, the largest first


@dataclass(frozen=True, slots=True)
class FileImports:
    """Which source files import which, of a whole commit."""

    targets: Mapping[str, tuple[str, ...]]  # file → files that it imports, each once
    sources: Mapping[str, tuple[str, ...]]  # file → files that import it
    circles: tuple[tuple[str, ...], ...]


@lru_cache(maxsize=_COMMITS_KEPT)
def file_imports(indexed: IndexedCommit) -> FileImports:
    """The imports between the files of a commit, worked out once: it takes a tenth of a second for 5,000 files."""
    targets: dict[str, dict[str, None]] = defaultdict(dict)
    sources: dict[str, dict[str, None]] = defaultdict(dict)
    with Reader(indexed) as reader:
        shown = {file.path for file in reader.files() if file.role is FileRole.SOURCE and not is_aside(file.path)}
        for one in imports(reader):
            for path in one.target.paths:
                if path != one.path:
                    targets[one.path][path] = sources[path][one.path] = None
    circles = cycles({path: [t for t in found if t in shown] for path, found in targets.items() if path in shown})
    return FileImports(_frozen(targets), _frozen(sources), tuple(circles))


def _frozen(found: Mapping[str, dict[str, None]]) -> dict[str, tuple[str, ...]]:
    return {path: tuple(others) for path, others in found.items()}


def module_graph(indexed: IndexedCommit, folder: str = "") -> ModuleGraph:
    """The modules below `folder` ("" for the whole): those whose parts import each other most are opened.

    Without modules when nothing there imports or is imported. Raises NotFound, with the nearest paths, when there is
    no such folder.
    """
    with Reader(indexed) as reader:
        files = [file for file in reader.files() if not folder or file.path.startswith(f"{folder}/")]
        if not files:
            raise unknown_path(reader, folder)
    known = file_imports(indexed)
    source = [f.path for f in files if f.role is FileRole.SOURCE and (folder or not is_aside(f.path))]
    inside = {path: None for path in source if path in known.targets or path in known.sources}
    pairs = [(a, b) for a in inside for b in known.targets.get(a, ()) if b in inside]
    root = _only_one_with_more(_tree(inside, folder, pairs))
    shown, folded = _opened(root)
    home = {path: at for at, node in enumerate(shown) for path in node.all_files()}
    weights = Counter((home[a], home[b]) for a, b in pairs if a in home and b in home and home[a] != home[b])
    return _graph(root.path, shown, weights, folded, known.circles)


@dataclass(slots=True)
class _Node:
    """A file, or a folder with what is in it."""

    path: str
    children: dict[str, _Node] = field(default_factory=dict)
    pairs: int = 0  # imports between two files in it; of a file: that it has or is the target of

    def all_files(self) -> Iterator[str]:
        if not self.children:
            yield self.path
        for child in self.children.values():
            yield from child.all_files()


def _tree(files: Iterable[str], folder: str, pairs: Iterable[tuple[str, str]]) -> _Node:
    nodes = {folder: _Node(folder)}
    for path in files:
        _add(nodes, path)
    for a, b in pairs:
        for node in _above(nodes, a, folder):
            node.pairs += node.path == a or not node.path or b.startswith(f"{node.path}/")
        nodes[b].pairs += 1
    return nodes[folder]


def _add(nodes: dict[str, _Node], path: str) -> _Node:
    if path not in nodes:
        nodes[path] = _Node(path)
        above = path.rpartition("/")[0]
        _add(nodes, above).children[path] = nodes[path]
    return nodes[path]


def _above(nodes: Mapping[str, _Node], path: str, folder: str) -> Iterator[_Node]:
    """The node of a path and of the folders that it is in, up to `folder`."""
    while True:
        yield nodes[path]
        if path == folder:
            return
        path = path.rpartition("/")[0]


def _only_one_with_more(node: _Node) -> _Node:
    """The node itself, or the first one in it with more than one child."""
    while len(node.children) == 1 and (only := next(iter(node.children.values()))).children:
        node = only
    return node


def _opened(root: _Node) -> tuple[list[_Node], int]:
    """The nodes to be shown, by path, and how many found no room."""
    children = sorted(root.children.values(), key=lambda node: (-node.pairs, node.path))
    shown, folded = {node.path: node for node in children[:_MODULES]}, len(children[_MODULES:])
    heap = [(-node.pairs, node.path) for node in shown.values() if node.children and node.pairs]
    heapq.heapify(heap)
    while heap:
        node = shown[heapq.heappop(heap)[1]]
        if len(shown) - 1 + len(node.children) <= _MODULES:
            del shown[node.path]
            shown |= {child.path: child for child in node.children.values()}
            for child in node.children.values():
                if child.children and child.pairs:
                    heapq.heappush(heap, (-child.pairs, child.path))
    return sorted(shown.values(), key=lambda node: node.path), folded


def _graph(
    folder: str,
    shown: list[_Node],
    weights: Mapping[tuple[int, int], int],
    folded: int,
    circles: tuple[tuple[str, ...], ...],
) -> ModuleGraph:
    in_circles = {path for circle in circles for path in circle}
    modules = [_module(node, folder, in_circles) for node in shown]
    connected = sorted({at for pair in weights for at in pair})
    place = {at: number for number, at in enumerate(connected)}
    ranked = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    heaviest = {at: pair for pair, _ in reversed(ranked) for at in pair}.values()
    kept = [item for at, item in enumerate(ranked) if at < _ARROWS or item[0] in heaviest]
    return ModuleGraph(
        folder,
        tuple(modules[at] for at in connected),
        tuple(Arrow(place[a], place[b], count) for (a, b), count in kept),
        len(ranked) - len(kept),
        tuple(module for at, module in enumerate(modules) if at not in place),
        folded,
        tuple(circle for circle in circles if any(not folder or path.startswith(f"{folder}/") for path in circle)),
    )


def _module(node: _Node, folder: str, in_circles: set[str]) -> Module:
    files = list(node.all_files())
    name = node.path[len(folder) + 1 :] if folder else node.path
    return Module(node.path, name, len(files), not node.children, not in_circles.isdisjoint(files))
