"""How a repository is laid out: a tree of folders, as deep as it is worth."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from code_insight.model import FileRole, SourceFile, is_aside

_FOLDERS = 26  # that are shown, about: what a reader takes in
_CHILDREN = 14  # of one folder that are shown
_WORTH = 0.04  # of all lines: what a folder must have to be opened


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder, with all that is below it."""

    path: str
    name: str  # what is to be added to the folder above it; several segments where each holds only the next
    depth: int  # 0 directly in what is laid out
    files: int
    lines: int
    language: str  # of most of its lines
    role: FileRole  # of its lines
    smaller: int  # folders in it that are left out, after those that are shown


@dataclass(slots=True)
class _Node:
    path: str
    name: str
    lines: Counter[str] = field(default_factory=Counter)
    roles: Counter[FileRole] = field(default_factory=Counter)
    files: int = 0
    children: dict[str, _Node] = field(default_factory=dict)
    own_files: int = 0
    is_open: bool = False

    def add(self, file: SourceFile) -> None:
        self.own_files += 1
        self.files += 1
        self.lines[file.language] += file.lines
        self.roles[file.role] += file.lines + 1

    def add_up(self) -> None:
        """What is in its folders counts as its own."""
        for child in self.children.values():
            child.add_up()
            self.files += child.files
            self.lines.update(child.lines)
            self.roles.update(child.roles)

    @property
    def role(self) -> FileRole:
        """That of most lines; source, when there is a good part of it: tests stand beside it in many languages."""
        if self.roles[FileRole.SOURCE] * 6 > self.roles.total():
            return FileRole.SOURCE
        return max(self.roles, key=lambda role: (self.roles[role], role))

    def best_children(self) -> list[_Node]:
        found = sorted(self.children.values(), key=lambda node: (-node.lines.total(), -node.files, node.path))
        return sorted(found[:_CHILDREN], key=lambda node: node.path)


def layout(files: list[SourceFile], folder: str) -> tuple[Folder, ...]:
    """The folders below `folder` that say most: the large ones of source are opened, chains of single ones are one."""
    root = _tree(files, folder)
    _open(root)
    return tuple(_rows(root, 0))


def _tree(files: list[SourceFile], folder: str) -> _Node:
    nodes = {folder: _Node(folder, "")}
    for file in files:
        _node(nodes, file.path.rpartition("/")[0]).add(file)
    root = nodes[folder]
    root.add_up()
    root.children = {name: _folded(child) for name, child in root.children.items()}
    return root


def _node(nodes: dict[str, _Node], path: str) -> _Node:
    """The node of a folder, and those above it, made when first asked for."""
    if path not in nodes:
        above, _, name = path.rpartition("/")
        nodes[path] = _Node(path, name)
        _node(nodes, above).children[name] = nodes[path]
    return nodes[path]


def _folded(node: _Node) -> _Node:
    while len(node.children) == 1 and not node.own_files:
        (child,) = node.children.values()
        child.name = f"{node.name}/{child.name}"
        node = child
    node.children = {name: _folded(child) for name, child in node.children.items()}
    return node


def _open(root: _Node) -> None:
    """Opens the largest folders of source until enough are seen."""
    root.is_open = True
    seen = min(len(root.children), _CHILDREN)
    total = root.lines.total() or 1
    heap: list[tuple[int, str, _Node]] = []

    def offer(parent: _Node) -> None:
        for node in parent.best_children():
            if node.children and not is_aside(f"{node.path}/") and node.role in (FileRole.SOURCE, root.role):
                heapq.heappush(heap, (-node.lines.total(), node.path, node))

    offer(root)
    while heap:
        lines, _, node = heapq.heappop(heap)
        more = min(len(node.children), _CHILDREN)
        if -lines < total * _WORTH or seen + more > _FOLDERS:
            continue
        node.is_open = True
        seen += more
        offer(node)


def _rows(node: _Node, depth: int) -> Iterator[Folder]:
    for child in node.best_children():
        smaller = max(0, len(child.children) - _CHILDREN) if child.is_open else 0
        language = max(child.lines, key=lambda name: (bool(name), child.lines[name], name), default="")
        yield Folder(child.path, child.name, depth, child.files, child.lines.total(), language, child.role, smaller)
        if child.is_open:
            yield from _rows(child, depth + 1)
