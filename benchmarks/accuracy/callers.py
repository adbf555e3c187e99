"""How right `references` is: who calls whom, beside what a type checker says.

    python benchmarks/accuracy/callers.py FOLDER INDEX.scip [BELOW]
    python benchmarks/accuracy/callers.py FOLDER MEANINGS.tsv

INDEX.scip is made by scip-python or scip-typescript in FOLDER, or in the folder BELOW of it; MEANINGS.tsv by a program
beside this file that says on its first lines how it is run: gomeanings/ for a module of Go, javameanings/ for Java.

Truth is made of the call sites that our parser sees and whose meaning the type checker knows: edges (calling symbol →
called symbol) with both ends in the repository, functions and methods only. A predicted edge counts as false only where
the type checker resolved every call of that name in the caller to something else. The first two ways know names alone;
the others are what `references` says.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import scip
from code_insight.catalog import Catalog, CatalogLimits
from code_insight.clone_url import ClonePolicy
from code_insight.model import Occurrence, ReferenceKind, Symbol, SymbolKind
from code_insight.queries.resolving import COMMON, Defined, Resolver
from code_insight.store import IndexedCommit, Reader
from rich.console import Console
from rich.table import Table

_CALLED = (SymbolKind.FUNCTION, SymbolKind.METHOD)
CALLERS = (*_CALLED, SymbolKind.CONSTRUCTOR)
Node = tuple[str, str]  # path and qualified name of a symbol
Edge = tuple[Node, Node]


@dataclass(frozen=True, slots=True)
class Site:
    """One call."""

    caller: Node
    name: str
    line: int
    truth: Node | None  # what is called, None when it is not a function of this repository
    is_known: bool  # whether the type checker resolved it
    meant: Node | None  # what our resolver says, None when that is no function of this repository, or not known
    is_resolved: bool  # whether our resolver says anything


def sites(indexed: IndexedCommit, oracle: scip.Scip) -> tuple[list[Site], dict[str, list[Symbol]]]:
    """The calls inside functions, and the functions by name."""
    found: list[Site] = []
    functions: dict[str, list[Symbol]] = defaultdict(list)
    at_place: dict[scip.Place, Symbol] = {}
    with Reader(indexed) as reader:
        texts = [file for file in reader.files() if file.blob]
        symbols = {file.path: reader.symbols_in(file.path) for file in texts}
        for path, inside in symbols.items():
            for symbol in inside:
                at_place[path, symbol.name_line, symbol.name_column] = symbol
                if symbol.kind in _CALLED:
                    functions[symbol.name].append(symbol)
        resolver = Resolver(reader)
        for file in (file for file in texts if file.path in oracle.paths):
            for use in reader.occurrences_in(file.blob):
                caller = _enclosing_function(symbols[file.path], use)
                if use.kind is ReferenceKind.CALL and caller is not None:
                    found.append(_site(caller, use._replace(path=file.path), oracle, at_place, resolver))
    return found, functions


def _enclosing_function(symbols: list[Symbol], use: Occurrence) -> Symbol | None:
    at = use.symbol
    while at >= 0 and symbols[at].kind not in CALLERS:
        at = symbols[at].parent
    return symbols[at] if at >= 0 else None


def _site(
    caller: Symbol, use: Occurrence, oracle: scip.Scip, at_place: Mapping[scip.Place, Symbol], resolver: Resolver
) -> Site:
    symbol = oracle.meanings.get((use.path, use.line, use.column))
    place = oracle.definitions.get(symbol) if symbol else None
    meaning = resolver.meaning(use)
    meant = meaning.symbol if isinstance(meaning, Defined) else None
    return Site(
        caller=(caller.path, caller.qualified_name),
        name=use.name,
        line=use.line,
        truth=_node(at_place.get(place) if place else None),
        is_known=symbol is not None,
        meant=_node(meant),
        is_resolved=meaning is not None,
    )


def _node(symbol: Symbol | None) -> Node | None:
    """A function; all its overloads are one."""
    return (symbol.path, symbol.qualified_name) if symbol and symbol.kind in _CALLED else None


def score(found: list[Site], predict: Callable[[Site], list[Node]]) -> tuple[float, float, float, float, int]:
    """Precision, recall, F1, share of callees with exactly the right callers, and the number of true edges."""
    truth = {(site.caller, site.truth) for site in found if site.truth}
    refuted: dict[tuple[Node, str], bool] = defaultdict(lambda: True)
    for site in found:
        refuted[site.caller, site.name] &= site.is_known
    predicted: set[Edge] = set()
    for site in found:
        predicted |= {(site.caller, node) for node in predict(site) if refuted[site.caller, site.name]}
    kept = {edge for edge in truth if edge in predicted}
    precision = len(kept) / len(predicted) if predicted else 0.0
    recall = len(kept) / len(truth) if truth else 0.0
    callers: tuple[dict[Node, set[Node]], dict[Node, set[Node]]] = (defaultdict(set), defaultdict(set))
    for edges, table in ((truth, callers[0]), (predicted, callers[1])):
        for caller, callee in edges:
            if callee is not None:
                table[callee].add(caller)
    exact = sum(callers[0][callee] == callers[1].get(callee, set()) for callee in callers[0]) / max(len(callers[0]), 1)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return precision, recall, f1, exact, len(truth)


def oracle_of(index: Path, below: str) -> scip.Scip:
    """What a type checker says, from a SCIP index or from what `gomeanings` prints."""
    return scip.read(index, below) if index.suffix == ".scip" else scip.read_table(index)


def main(folder: Path, index: Path, below: str = "") -> None:
    """Print the table."""
    oracle = oracle_of(index, below)
    with tempfile.TemporaryDirectory() as data:
        limits = CatalogLimits(ClonePolicy(()), (folder.resolve(),), total_bytes=1 << 30)
        indexed = Catalog(Path(data), limits).add(str(folder.resolve())).indexed
        found, functions = sites(indexed, oracle)
    nodes = {name: list({(s.path, s.qualified_name): None for s in group}) for name, group in functions.items()}

    def every(site: Site) -> list[Node]:
        return nodes.get(site.name, [])

    def unique_or_same_file(site: Site) -> list[Node]:
        named = nodes.get(site.name, [])
        here = [node for node in named if node[0] == site.caller[0]]
        return named if len(named) == 1 else here if len(here) == 1 else []

    def exact(site: Site) -> list[Node]:
        return [site.meant] if site.meant else []

    def likely(site: Site) -> list[Node]:
        named = nodes.get(site.name, [])
        return exact(site) if site.is_resolved or len(named) != 1 or site.name in COMMON else named

    ways = {
        "every definition of the name": every,
        "unique, or in the same file": unique_or_same_file,
        "resolved: exact": exact,
        "resolved: exact or likely": likely,
    }
    table = Table(title=f"Callers in {folder.name}, {len(found):,} calls")
    for column in ("way", "precision", "recall", "F1", "exact callers", "true edges"):
        table.add_column(column, justify="left" if column == "way" else "right")
    for way, predict in ways.items():
        *shares, edges = score(found, predict)
        table.add_row(way, *(f"{share:.3f}" for share in shares), f"{edges:,}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:4])
