"""What a file or folder imports, who imports it, which files import each other in a circle, what comes from outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from code_insight.model import FileRole
from code_insight.queries import place_order
from code_insight.queries.files import normal_path, unknown_path
from code_insight.queries.imports import Import, imports
from code_insight.queries.requirements import Requirement, requirements
from code_insight.store import IndexedCommit, Reader


@dataclass(frozen=True, slots=True)
class Edge:
    """A file or folder that is imported by, or imports, the one that was asked about."""

    path: str
    role: FileRole
    count: int  # imports; of a folder: in all its files
    names: tuple[str, ...]  # what is taken from it, most taken first
    lines: tuple[int, ...]  # where the asked file imports it, or where it imports the asked file; empty for folders


@dataclass(frozen=True, slots=True)
class Package:
    """A package from outside."""

    name: str
    files: int  # that import it
    requirement: Requirement | None  # what a manifest or lock says of it


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What a file, a folder or the whole repository depends on, and who depends on it."""

    path: str  # "" for the whole
    is_file: bool
    imports: tuple[Edge, ...]  # most used first; of a folder: other folders
    imported_by: tuple[Edge, ...]  # source before tests, most first
    cycles: tuple[tuple[str, ...], ...]  # sets of files that reach each other by imports; the largest first
    packages: tuple[Package, ...]  # most used first
    unresolved: int  # imports that mean neither a file here nor a package


def dependencies(indexed: IndexedCommit, path: str = "") -> Dependencies:
    """The import graph around a file, a folder or the whole repository; raises NotFound with the nearest paths."""
    wanted = normal_path(path)
    with Reader(indexed) as reader:
        roles = {file.path: file.role for file in reader.files()}
        is_file = wanted in roles
        inside = {known for known in roles if not wanted or known == wanted or known.startswith(f"{wanted}/")}
        if not inside:
            raise unknown_path(reader, wanted)
        found = imports(reader)
        mine = [one for one in found if one.path in inside]
        grouped = _files_around if is_file else _folders_around
        outgoing, incoming = grouped(found, inside, roles)
        return Dependencies(
            path=wanted,
            is_file=is_file,
            imports=outgoing,
            imported_by=incoming,
            cycles=tuple(cycle for cycle in cycles(_graph(found, roles)) if inside & set(cycle)),
            packages=tuple(_packages(reader, mine)),
            unresolved=sum(not one.target.paths and not one.target.package for one in mine),
        )


Edges = tuple[tuple[Edge, ...], tuple[Edge, ...]]


def _files_around(found: list[Import], inside: set[str], roles: Mapping[str, FileRole]) -> Edges:
    outgoing = [(path, one) for one in found if one.path in inside for path in one.target.paths if path not in inside]
    incoming = [(one.path, one) for one in found if one.path not in inside and inside & set(one.target.paths)]
    return _edges(outgoing, roles, with_lines=True), _edges(incoming, roles, with_lines=True)


def _folders_around(found: list[Import], inside: set[str], roles: Mapping[str, FileRole]) -> Edges:
    """The same between folders: whoever imports within one folder is of no interest at this level."""
    pairs = [(one, path) for one in found for path in one.target.paths if _folder(one.path) != _folder(path)]
    outgoing = [(_folder(path), one) for one, path in pairs if one.path in inside and path not in inside]
    incoming = [(_folder(one.path), one) for one, path in pairs if one.path not in inside and path in inside]
    if len(inside) == len(roles):  # the whole repository: its folders among each other
        outgoing = [(f"{_folder(one.path)} → {_folder(path)}", one) for one, path in pairs]
    around = _folder_roles(roles)
    return _edges(outgoing, around, with_lines=False), _edges(incoming, around, with_lines=False)


def _folder_roles(roles: Mapping[str, FileRole]) -> dict[str, FileRole]:
    """What most files directly in a folder are for."""
    counts: dict[str, Counter[FileRole]] = {}
    for path, role in roles.items():
        counts.setdefault(_folder(path), Counter())[role] += 1
    return {folder: count.most_common(1)[0][0] for folder, count in counts.items()}


def _folder(path: str) -> str:
    return path.rpartition("/")[0] + "/"


def _edges(pairs: Iterable[tuple[str, Import]], roles: Mapping[str, FileRole], *, with_lines: bool) -> tuple[Edge, ...]:
    grouped: dict[str, list[Import]] = {}
    for path, one in pairs:
        grouped.setdefault(path, []).append(one)
    edges = [
        Edge(
            path=path,
            role=roles.get(path.partition(" → ")[0], FileRole.SOURCE),
            count=len({(one.path, one.fact.line, one.fact.name) for one in group}),
            names=tuple(name for name, _ in Counter(one.fact.name for one in group if one.fact.name).most_common(12)),
            lines=tuple(sorted({one.fact.line for one in group})) if with_lines else (),
        )
        for path, group in grouped.items()
    ]
    return tuple(sorted(edges, key=lambda edge: (place_order(edge.role, edge.path), -edge.count, edge.path)))


def _graph(found: list[Import], roles: Mapping[str, FileRole]) -> dict[str, list[str]]:
    """File → the files that it imports; of source alone."""
    graph: dict[str, dict[str, None]] = {}
    for one in found:
        if roles.get(one.path) is FileRole.SOURCE:
            graph.setdefault(one.path, {}).update(dict.fromkeys(one.target.paths))
    return {path: [target for target in targets if target != path] for path, targets in graph.items()}


def cycles(graph: Mapping[str, list[str]]) -> list[tuple[str, ...]]:
    """The strongly connected components of more than one node, the largest first, each in alphabetical order.

    Tarjan's algorithm (SIAM J. Comput. 1(2), 1972), without recursion: an import chain may be thousands long.
    """
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[tuple[str, ...]] = []
    for start in graph:
        work = [(start, 0)] if start not in order else []
        while work:
            node, at = work.pop()
            if at == 0:
                order[node] = low[node] = len(order)
                stack.append(node)
                on_stack.add(node)
            targets = graph.get(node, [])
            for position in range(at, len(targets)):
                target = targets[position]
                if target not in order:
                    work += [(node, position + 1), (target, 0)]
                    break
                if target in on_stack:
                    low[node] = min(low[node], order[target])
            else:
                if work:
                    above = work[-1][0]
                    low[above] = min(low[above], low[node])
                if low[node] == order[node]:
                    component = _pop_until(node, stack, on_stack)
                    if len(component) > 1:
                        found.append(tuple(sorted(component)))
    return sorted(found, key=lambda component: (-len(component), component))


def _pop_until(node: str, stack: list[str], on_stack: set[str]) -> list[str]:
    component = []
    while True:
        top = stack.pop()
        on_stack.discard(top)
        component.append(top)
        if top == node:
            return component


def _packages(reader: Reader, mine: list[Import]) -> list[Package]:
    known = requirements(reader)
    users: dict[str, set[str]] = {}
    for one in mine:
        if one.target.package and not one.target.is_standard:
            users.setdefault(one.target.package, set()).add(one.path)
    found = [Package(name, len(files), known.get(name)) for name, files in users.items()]
    return sorted(found, key=lambda package: (-package.files, package.name))
