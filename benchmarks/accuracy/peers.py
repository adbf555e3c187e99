"""What others make of the same repository: the cost of their index, and how right they are about who calls whom.

    python benchmarks/accuracy/peers.py REPOSITORY INDEX.scip [BELOW] [--asked 300] [--minutes 20] [--only NAME]...

Each peer is installed at the version that stands here, from PyPI into an environment of its own or from npm into a
folder of its own, indexes its own copy of the repository under a home of its own, and is asked over MCP (stdio) who
calls each of the same functions, drawn by lot from those that stand in no other and whose name is called anywhere.
code-insight goes the same way.
What a peer cannot do without fetching from elsewhere is said instead of its figures. A peer whose index is not done
within the minutes is stopped, and its row says what it had taken by then. One that has not answered everything within
as many is judged by those that it was asked.

Truth is that of callers.py. An answer counts as false only where the type checker resolved every call of that name in
the caller to something else; where the caller has no call of that name it is no answer about calls, and only counted
("elsewhere"). Callers are functions that stand in no other: what is said of a nested one counts for the outermost.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import callers
from code_insight.catalog import Catalog, CatalogLimits
from code_insight.clone_url import ClonePolicy
from code_insight.model import Symbol, SymbolKind
from code_insight.store import Reader
from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from fastmcp.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from rich.console import Console
from rich.table import Table

sys.path.append(str(Path(__file__).resolve().parent.parent / "speed"))
import indexing

_INSTALL_SECONDS = 600
_ANSWER_SECONDS = 60
_SEED = 20261125


class Caller(NamedTuple):
    """What a peer says of one caller."""

    path: str
    name: str
    line: int  # of the caller's definition or of the call, from 1; 0 when it does not say


@dataclass(frozen=True, slots=True)
class Peer:
    """How one is installed, run and asked; {copy} stands for its copy of the repository, {home} for its home,
    {programs} for the folder of its commands.
    """

    name: str
    packages: tuple[str, ...]  # the first is the peer; those of npm begin with "npm:"
    index: tuple[str, ...]
    serve: tuple[str, ...]
    ask: Callable[[Symbol, Path], tuple[str, dict[str, Any]]]  # tool and arguments; the folder is the copy
    read: Callable[[str, Symbol, Path], list[Caller]]
    environment: Mapping[str, str] = field(default_factory=dict)


def _insight_ask(symbol: Symbol, copy: Path) -> tuple[str, dict[str, Any]]:
    where = {"repository": f"local/{copy.name}", "symbol": symbol.qualified_name, "path": symbol.path}
    return "references", {**where, "budget_tokens": 20_000}


def _insight_read(text: str, _symbol: Symbol, _copy: Path) -> list[Caller]:
    found, path = [], ""
    for line in text.splitlines()[3:]:
        use = re.fullmatch(r"  (\d+): .*  \[(?:likely: )?call in (?:.*\.)?([^.]+)\]", line)
        if use:
            found.append(Caller(path, use[2], int(use[1])))
        elif line and not line.startswith(" "):
            path = line
    return found


def _codegraph_ask(symbol: Symbol, _copy: Path) -> tuple[str, dict[str, Any]]:
    return "codegraph_callers", {"symbol": symbol.name, "file": symbol.path, "limit": 100_000}


def _codegraph_read(text: str, symbol: Symbol, _copy: Path) -> list[Caller]:
    """One section for each definition of the name in the file, if there are several."""
    here, found = True, []
    for line in text.splitlines():
        head = re.fullmatch(r"\*\*.+\*\* \(\w+\) — (.+):(\d+)", line)
        use = re.fullmatch(r"- (\S+) \((?:function|method)\) - (.+?):(\d+)(.*)", line)
        if head:
            here = head[1] == symbol.path and symbol.start_line <= int(head[2]) <= symbol.end_line
        elif use and here and not use[4]:
            found.append(Caller(use[2], use[1], int(use[3])))
    return found


def _review_ask(symbol: Symbol, copy: Path) -> tuple[str, dict[str, Any]]:
    target = f"{copy / symbol.path}::{symbol.qualified_name}"
    return "query_graph_tool", {"pattern": "callers_of", "target": target, "max_results": 100_000}


def _review_ask_direct(symbol: Symbol, copy: Path) -> tuple[str, dict[str, Any]]:
    """Without those of which it knows the name alone, which its answer has by default."""
    tool, arguments = _review_ask(symbol, copy)
    return tool, {**arguments, "resolution": "direct"}


def _review_read(text: str, _symbol: Symbol, copy: Path) -> list[Caller]:
    return [
        Caller(os.path.relpath(one["file_path"], copy), one["name"], one.get("line_start") or 0)
        for one in json.loads(text).get("results", ())
    ]


def _munch_ask(symbol: Symbol, copy: Path) -> tuple[str, dict[str, Any]]:
    kind = "method" if symbol.kind is SymbolKind.METHOD else "function"
    arguments = {"repo": f"local/{copy.name}", "symbol_id": f"{symbol.path}::{symbol.qualified_name}#{kind}"}
    return "order", {
        "action": "get_call_hierarchy",
        "args": {**arguments, "direction": "callers", "depth": 1, "format": "json"},
    }


def _munch_read(text: str, _symbol: Symbol, _copy: Path) -> list[Caller]:
    return [
        Caller(one["file"], one["name"], one["line"])
        for one in json.loads(text).get("callers", ())
        if one["kind"] != "class" and one["resolution"] != "text_matched"
    ]


def _nexus_ask(symbol: Symbol, _copy: Path) -> tuple[str, dict[str, Any]]:
    """Its tool for callers, `context`, ends at 30 of them; a query in Cypher does not."""
    query = (
        "MATCH (a)-[r:CodeRelation]->(b) WHERE r.type = 'CALLS' "
        f"AND b.filePath = '{symbol.path}' AND b.name = '{symbol.name}' "
        "RETURN a.filePath, a.name, a.startLine, b.startLine, b.endLine"
    )
    return "cypher", {"query": query}


def _nexus_read(text: str, symbol: Symbol, _copy: Path) -> list[Caller]:
    rows = re.findall(r"\| (\S+) \| (\S+) \| (\d+) \| (\d+) \| (\d+) \|", text)
    return [
        Caller(path, name, int(line) + 1)
        for path, name, line, first, last in rows
        if int(first) + 1 <= symbol.name_line <= int(last) + 1
    ]


def _serena_ask(symbol: Symbol, _copy: Path) -> tuple[str, dict[str, Any]]:
    arguments = {"name_path": symbol.qualified_name.replace(".", "/"), "relative_path": symbol.path}
    return "find_referencing_symbols", {**arguments, "max_answer_chars": 100_000_000}


def _serena_read(text: str, _symbol: Symbol, _copy: Path) -> list[Caller]:
    return [
        Caller(path, one["name_path"].rpartition("/")[2], one["body_location"]["start_line"] + 1)
        for path, kinds in json.loads(text).items()
        for kind in kinds.keys() & {"Function", "Method", "Constructor"}
        for one in kinds[kind]
    ]


def _context_ask(symbol: Symbol, copy: Path) -> tuple[str, dict[str, Any]]:
    arguments = {"query_type": "find_callers", "target": symbol.name, "context": str(copy / symbol.path)}
    return "analyze_code_relationships", arguments


def _context_read(text: str, _symbol: Symbol, copy: Path) -> list[Caller]:
    found = json.loads(text).get("results", {})
    rows = found.get("results", ()) if isinstance(found, dict) else found
    return [
        Caller(os.path.relpath(one["caller_file_path"], copy), one["caller_function"], one["caller_line_number"])
        for one in rows
    ]


_WITHOUT_DASHBOARD = ("--enable-web-dashboard", "false")
PEERS = (
    Peer(
        "code-insight", (), ("-m", "code_insight", "index", "{copy}"), ("-m", "code_insight", "stdio"),
        _insight_ask, _insight_read, {"CODE_INSIGHT_DATA_DIR": "{home}/data"},
    ),
    Peer(
        "codegraph", ("npm:@colbymchenry/codegraph@1.6.1",), ("codegraph", "init", "{copy}", "--yes"),
        ("codegraph", "serve", "--mcp"), _codegraph_ask, _codegraph_read, {"CODEGRAPH_MCP_TOOLS": "codegraph_callers"},
    ),
    Peer(
        "code-review-graph", ("code-review-graph==2.3.9",), ("code-review-graph", "build"),
        ("code-review-graph", "serve"), _review_ask, _review_read,
    ),
    Peer(
        "code-review-graph, direct", ("code-review-graph==2.3.9",), ("code-review-graph", "build"),
        ("code-review-graph", "serve"), _review_ask_direct, _review_read,
    ),
    Peer(
        "jcodemunch-mcp", ("jcodemunch-mcp==1.108.399",), ("jcodemunch-mcp", "index", "{copy}"),
        ("jcodemunch-mcp", "serve"), _munch_ask, _munch_read, {"JCODEMUNCH_MAX_FOLDER_FILES": "100000"},
    ),
    Peer(
        "GitNexus", ("npm:gitnexus@1.6.12",), ("gitnexus", "analyze", "--index-only"), ("gitnexus", "mcp"),
        _nexus_ask, _nexus_read,
    ),
    Peer(  # asks basedpyright, which it starts by uvx
        "Serena", ("serena-agent==2.1.0", "uv==0.13.9"),
        ("serena", "project", "create", "--index", "--language", "python_basedpyright", "{copy}"),
        ("serena", "start-mcp-server", "--project", "{copy}", "--agent-interface", "tools", *_WITHOUT_DASHBOARD),
        _serena_ask, _serena_read, {"UV_CACHE_DIR": "{programs}/../cache"},
    ),
    Peer(  # the newest grammars that its wheel depends on are fetched from GitHub; those of 0.13 are in the wheel
        "CodeGraphContext", ("codegraphcontext==0.6.13", "tree-sitter-language-pack==0.13.0"),
        ("cgc", "--database", "kuzudb", "index", "{copy}"), ("cgc", "--database", "kuzudb", "mcp", "start"),
        _context_ask, _context_read,
    ),
    Peer(
        "codebase-memory-mcp", ("codebase-memory-mcp==0.12.1",),
        ("codebase-memory-mcp", "cli", "index_repository", "--repo-path", "{copy}", "--mode", "full"), (),
        _insight_ask, _insight_read,
    ),
)  # fmt: skip


def install(peer: Peer, installed: Path) -> Path:
    """The folder of its commands; what is there already stays. Raises CalledProcessError when a registry says no."""
    if not peer.packages:
        return Path(sys.executable).parent
    folder = installed / re.sub(r"[^\w.]+", "-", peer.packages[0])
    if peer.packages[0].startswith("npm:"):
        names = [package.removeprefix("npm:") for package in peer.packages]
        commands = [["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), *names]]
        programs = folder / "node_modules" / ".bin"
    else:
        programs = folder / "bin"
        python = ["--python", str(programs / "python")]
        commands = [["uv", "venv", "--python", sys.executable, str(folder)]]
        commands += [["uv", "pip", "install", *python, package] for package in peer.packages]
    for command in [] if programs.exists() else commands:
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(command, check=True, capture_output=True, timeout=_INSTALL_SECONDS)
    return programs


@dataclass(frozen=True, slots=True)
class Truth:
    """What is asked, and what the type checker knows of it."""

    asked: list[Symbol]
    edges: frozenset[tuple[callers.Node, callers.Node]]  # to the functions that are asked
    is_known: Mapping[tuple[callers.Node, str], bool]  # of the calls of a name in a caller: whether all are resolved
    functions: Mapping[tuple[str, str], list[Symbol]]  # by path and name
    outermost: Mapping[callers.Node, callers.Node]
    paths: frozenset[str]  # that the type checker has seen

    def caller(self, said: Caller) -> callers.Node | None:
        """The function that a peer means."""
        named = self.functions.get((said.path, said.name), []) if said.path in self.paths else []
        around = [one for one in named if one.start_line <= said.line <= one.end_line]
        best = min(around or named, key=lambda one: abs(one.name_line - said.line), default=None)
        return self.outermost[best.path, best.qualified_name] if best else None

    def of_first(self, count: int) -> Truth:
        """The same of the first that are asked."""
        nodes = {(symbol.path, symbol.qualified_name) for symbol in self.asked[:count]}
        edges = frozenset(edge for edge in self.edges if edge[1] in nodes)
        return replace(self, asked=self.asked[:count], edges=edges)


def truth_of(repository: Path, index: Path, below: str, most: int) -> Truth:
    """Functions drawn by lot from those whose name is called in a function, with their callers."""
    with tempfile.TemporaryDirectory() as data:
        limits = CatalogLimits(ClonePolicy(()), (repository,), total_bytes=1 << 30)
        indexed = Catalog(Path(data), limits).add(str(repository)).indexed
        oracle = callers.oracle_of(index, below)
        sites, functions = callers.sites(indexed, oracle)
        with Reader(indexed) as reader:
            symbols = [symbol for file in reader.files() if file.blob for symbol in reader.symbols_in(file.path)]
            outermost = dict(_outermost(reader))
    by_place: dict[tuple[str, str], list[Symbol]] = defaultdict(list)
    for symbol in (symbol for symbol in symbols if symbol.kind in callers.CALLERS):
        by_place[symbol.path, symbol.name].append(symbol)
    is_known: dict[tuple[callers.Node, str], bool] = defaultdict(lambda: True)
    for site in sites:
        is_known[outermost[site.caller], site.name] &= site.is_known
    names = {site.name for site in sites}
    one_each = {(s.path, s.qualified_name): s for name in sorted(names) for s in functions.get(name, ())}
    possible = [s for node, s in one_each.items() if s.path in oracle.paths and outermost[node] == node]
    asked = random.Random(_SEED).sample(possible, min(most, len(possible)))
    nodes = {(symbol.path, symbol.qualified_name) for symbol in asked}
    edges = frozenset((outermost[site.caller], site.truth) for site in sites if site.truth in nodes and site.truth)
    return Truth(asked, edges, dict(is_known), by_place, outermost, oracle.paths)


def _outermost(reader: Reader) -> Iterator[tuple[callers.Node, callers.Node]]:
    """Of each symbol, the function that it stands in and that stands in no other, or itself."""
    for file in (file for file in reader.files() if file.blob):
        inside = reader.symbols_in(file.path)
        for symbol in inside:
            best, at = symbol, symbol.parent
            while at >= 0:
                best = inside[at] if inside[at].kind in callers.CALLERS else best
                at = inside[at].parent
            yield (symbol.path, symbol.qualified_name), (best.path, best.qualified_name)


@dataclass(frozen=True, slots=True)
class Answers:
    """What a peer said."""

    edges: frozenset[tuple[callers.Node, callers.Node]]
    milliseconds: list[float]
    failed: int  # questions that were answered with an error

    @property
    def asked(self) -> int:
        """How many questions it was asked."""
        return len(self.milliseconds) + self.failed


async def answers(
    peer: Peer, command: list[str], copy: Path, environment: Mapping[str, str], truth: Truth, seconds: float
) -> Answers:
    """Ask everything, one after the other, until the seconds are over."""
    edges: set[tuple[callers.Node, callers.Node]] = set()
    times: list[float] = []
    failed = 0
    log = copy.parent / "log"
    transport = StdioTransport(command[0], command[1:], env=dict(environment), cwd=str(copy), log_file=log)
    async with Client(transport, timeout=_ANSWER_SECONDS) as client:
        end = time.perf_counter() + seconds
        for symbol in truth.asked:
            began = time.perf_counter()
            if began > end:
                break
            try:
                said = [
                    one
                    async for page in _pages(client, *peer.ask(symbol, copy))
                    for one in peer.read(page, symbol, copy)
                ]
            except (MCPError, ToolError, ValueError):  # too late, an error, or no JSON
                failed += 1
                continue
            times.append((time.perf_counter() - began) * 1000)
            found = {truth.caller(one) for one in said}
            edges |= {(node, (symbol.path, symbol.qualified_name)) for node in found if node}
    return Answers(frozenset(edges), times, failed)


async def _pages(client: Client[Any], tool: str, arguments: Mapping[str, Any]) -> AsyncIterator[str]:
    """The texts of an answer; raises ToolError when it is an error."""
    cursor: dict[str, str] | None = {}
    while cursor is not None:
        answer = await client.call_tool(tool, {**arguments, **cursor})
        yield "\n".join(getattr(one, "text", "") for one in answer.content)
        more = (answer.structured_content or {}).get("cursor")
        cursor = {"cursor": more} if more else None


def judged(truth: Truth, said: Answers) -> list[str]:
    """Precision, recall, F1, share of called functions with exactly the right callers; edges without such a call."""
    about_calls = {
        edge
        for edge in said.edges
        if edge in truth.edges or truth.is_known.get((edge[0], edge[1][1].rpartition(".")[2]), False)
    }
    elsewhere = sum((edge[0], edge[1][1].rpartition(".")[2]) not in truth.is_known for edge in said.edges - truth.edges)
    right = len(about_calls & truth.edges)
    precision, recall = right / max(1, len(about_calls)), right / max(1, len(truth.edges))
    tables: tuple[dict[callers.Node, set[callers.Node]], ...] = (defaultdict(set), defaultdict(set))
    for table, edges in zip(tables, (truth.edges, about_calls), strict=True):
        for caller, callee in edges:
            table[callee].add(caller)
    exact = sum(tables[1].get(callee) == found for callee, found in tables[0].items()) / max(1, len(tables[0]))
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    return [*(f"{share:.3f}" for share in (precision, recall, f1, exact)), str(elsewhere)]


def row(peer: Peer, repository: Path, folder: Path, installed: Path, truth: Truth, seconds: float) -> list[str]:
    """The figures of one peer; only what its index had taken when it was stopped."""
    programs = install(peer, installed)
    copy, home = folder / "copy" / repository.name, folder / "home"
    for path in (copy, home):
        shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(repository, copy, symlinks=True)
    home.mkdir(parents=True)
    clean = {key: value for key, value in os.environ.items() if not key.startswith("CODE_INSIGHT_")}
    environment = {**clean, "PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(home), "DO_NOT_TRACK": "1"}
    for key, value in peer.environment.items():
        environment[key] = value.replace("{home}", str(home)).replace("{programs}", str(programs))
    own = () if peer.packages else (sys.executable,)
    index, serve = ([word.replace("{copy}", str(copy)) for word in (*own, *each)] for each in (peer.index, peer.serve))
    try:
        cost = indexing.run(index, copy, environment, folder, seconds)
    except indexing.Stopped as stopped:
        return [*(f"> {figure}" for figure in _figures(stopped.cost)), str(stopped)]
    said = asyncio.run(answers(peer, serve, copy, environment, truth, seconds))
    if not said.milliseconds:
        raise RuntimeError("no question was answered")
    ordered = sorted(said.milliseconds)
    return [
        *_figures(cost),
        f"{statistics.median(ordered):.1f} ({ordered[len(ordered) * 9 // 10]:.1f})",
        *judged(truth.of_first(said.asked), said),
        f"{said.failed} of {said.asked}",
    ]


def _figures(cost: indexing.Cost) -> tuple[str, str, str]:
    return f"{cost.cpu:.1f}", f"{cost.memory:.0f}", f"{cost.disk:.1f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", type=Path)
    parser.add_argument("index", type=Path)
    parser.add_argument("below", nargs="?", default="")
    parser.add_argument("--asked", type=int, default=300, help="functions whose callers are asked for")
    parser.add_argument("--minutes", type=float, default=20, help="of indexing, and of answering, for each peer")
    parser.add_argument("--only", action="append", default=[], help="a peer's name")
    parser.add_argument("--installed", type=Path, help="where peers are installed, and stay for the next run")
    options = parser.parse_args()
    repository = options.repository.resolve()
    truth = truth_of(repository, options.index, options.below, options.asked)
    title = f"{repository.name}: callers of {len(truth.asked)} functions, {len(truth.edges):,} true"
    table = Table(title=title)
    heads = ("peer", "version", "index: CPU s", "MB at most", "MB on disk", "answer ms (90th)")
    for column in (*heads, "precision", "recall", "F1", "exact callers", "elsewhere", "errors, of"):
        table.add_column(column, justify="left" if column in heads[:2] else "right")
    console = Console(width=160)
    with tempfile.TemporaryDirectory() as folder:
        installed = (options.installed or Path(folder, "installed")).resolve()
        for peer in (one for one in PEERS if not options.only or one.name in options.only):
            version = re.split("==|@", peer.packages[0])[-1] if peer.packages else "this"
            try:
                figures = row(peer, repository, Path(folder, "work"), installed, truth, options.minutes * 60)
                table.add_row(peer.name, version, *figures)
                print(peer.name, *figures, file=sys.stderr)  # a run takes long
            except (RuntimeError, OSError, subprocess.SubprocessError) as problem:
                why = getattr(problem, "stderr", None) or str(problem).encode()
                table.add_row(peer.name, version, "–")
                console.print(f"{peer.name}: {why.decode(errors='replace').strip()[-700:]}", markup=False)
    console.print(table)


if __name__ == "__main__":
    main()
