"""How long a question takes through MCP, beyond a call that does nothing; ripgrep beside the searches.

    python benchmarks/speed/questions.py REPOSITORY... [--rounds 5]

Each repository is indexed into a folder of its own, and served. The questions are made from it: names of its symbols,
words and pairs of words of its lines, patterns made from them; they are the same in every run. Every question is put to
a server that has answered others, for the first time ("new"), then again. A one-tool FastMCP server is called in
between; what is printed is the median (90th percentile) beyond its median: CPU of the server's process, and time of
the wall. ripgrep searches the checked-out files for the same, from the start of its process on, wall. "first" is the
first question after the start of a process, beyond the first call of the one-tool server after its own.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import servers
from rich.console import Console
from rich.table import Table

_QUESTIONS = 15  # of each kind
Question = tuple[str, dict[str, str]]


class Took(NamedTuple):
    """Of one question, in ms."""

    cpu: float
    wall: float


@dataclass(slots=True)
class Times:
    """Of one kind of question."""

    new: list[Took] = field(default_factory=list)
    again: list[Took] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    ripgrep: list[float] = field(default_factory=list)


def questions(repository: Path, name: str, port: int) -> dict[str, list[Question]]:
    """Kind → questions, made from the repository by chance, but the same each time."""
    chance = random.Random(1)
    symbols = _symbols(port, name, chance)
    lines = list(_lines(repository, chance))
    words = [word for word in _words(lines) if len(word) >= 5]
    phrases = [match[0] for line in lines for match in re.finditer(r"[A-Za-z]{4,} [A-Za-z]{4,}", line)]
    chance.shuffle(words)
    chance.shuffle(phrases)
    texts = [text for pair in zip(words, phrases, strict=False) for text in pair][:_QUESTIONS]
    shapes = (r"\b{}\w+\(", r"{}\s*=\s*\w+", r"^\s*(class|def|func) .*{}")
    patterns = [shapes[at % 3].format(word) for at, word in enumerate(words[_QUESTIONS : 2 * _QUESTIONS])]
    return {
        "symbol": [("symbol", {"repository": name, "name": symbol}) for symbol in symbols],
        "references": [("references", {"repository": name, "symbol": symbol}) for symbol in symbols],
        "search, text": [("search", {"repository": name, "kind": "text", "query": text}) for text in texts],
        "search, pattern": [("search", {"repository": name, "kind": "regex", "query": text}) for text in patterns],
    }


def _symbols(port: int, name: str, chance: random.Random) -> list[str]:
    """Names that are defined here and that `symbol` knows."""
    found: list[str] = []
    for letter in "abcdefghijklmnopqrstuvwxyz":
        text = servers.call(port, "search", {"repository": name, "kind": "symbol", "query": letter})
        found += re.findall(r"(?:def|class|func|function|interface|type|struct) (?:\([^)]*\) )?([A-Za-z]\w{3,})", text)
    names = sorted(set(found))
    chance.shuffle(names)
    return names[:_QUESTIONS]


def _lines(repository: Path, chance: random.Random) -> Iterator[str]:
    listed = subprocess.run(["git", "-C", repository, "ls-files", "*.py", "*.go", "*.ts", "*.c"], capture_output=True)
    paths = sorted(filter(None, listed.stdout.decode(errors="replace").split("\n")))
    for path in chance.sample(paths, min(60, len(paths))):
        text = (repository / path).read_text("utf-8", "replace").splitlines()
        yield from chance.sample(text, min(20, len(text)))


def _words(lines: list[str]) -> list[str]:
    return sorted({word for line in lines for word in re.findall(r"[A-Za-z_]{5,}", line)})


def _timed(process: int, port: int, question: Question) -> tuple[Took, str]:
    cpu, began = servers.cpu_of_threads(process), time.perf_counter()
    text = servers.call(port, *question)
    wall = time.perf_counter() - began
    return Took((servers.cpu_of_threads(process) - cpu) * 1000, wall * 1000), text


def measure(repository: Path, rounds: int, table: Table) -> None:
    """Add the rows of one repository."""
    with tempfile.TemporaryDirectory() as folder:
        name = servers.index_repository(repository, Path(folder))
        server = servers.ours(Path(folder), name, "x")
        floor = servers.floors()[1]
        nothing = (floor.tool, dict(floor.question or {}))
        with servers.started(floor) as (idler, idle), servers.started(server) as (process, port):
            servers.wait_for_info(idle, time.perf_counter())
            servers.wait_until_ready(port)
            asked = questions(repository, name, port)
            empty: list[Took] = []
            times = {kind: Times() for kind in asked}
            for kind, questions_of_kind in asked.items():
                for question in questions_of_kind:
                    _ask(process.pid, port, question, times[kind], rounds)
                    empty.append(_timed(idler.pid, idle, nothing)[0])
                    if "query" in question[1]:
                        times[kind].ripgrep.append(_ripgrep(repository, question[1]))
        least = _median(empty)
        for kind, found in times.items():
            table.add_row(
                f"{repository.name}: {kind}",
                *(_beyond(found.new, least)),
                *(_beyond(found.again, least)),
                f"{statistics.median(found.tokens):,.0f}",
                f"{statistics.median(found.ripgrep):.0f}" if found.ripgrep and found.ripgrep[0] else "",
            )
        tokens = [each for found in times.values() for each in found.tokens]
        table.add_row(f"{repository.name}: all of these", "", "", "", "", f"{statistics.median(tokens):,.0f}")
        symbol = asked["symbol"][0]
        pairs = [(_first(server, symbol), _first(floor, nothing)) for _ in range(rounds)]
        firsts = [Took(mine.cpu - other.cpu, mine.wall - other.wall) for mine, other in pairs]
        table.add_row(f"{repository.name}: first, after start", *_beyond(firsts, Took(0, 0)))
        table.add_row("an empty call itself", f"{least.cpu:.1f}", f"{least.wall:.1f}")


def _ask(process: int, port: int, question: Question, times: Times, rounds: int) -> None:
    try:
        first, text = _timed(process, port, question)
    except RuntimeError:  # an answer that is an error: nothing of that name
        return
    times.new.append(first)
    times.again.append(_median([_timed(process, port, question)[0] for _ in range(rounds)]))
    times.tokens.append(-(-len(text.encode()) // 4))


def _median(times: list[Took]) -> Took:
    return Took(*(statistics.median(each) for each in zip(*times, strict=True)))


def _beyond(times: list[Took], least: Took) -> Iterator[str]:
    """CPU, wall."""
    for each, floor in zip(zip(*times, strict=True), least, strict=True):
        ordered = sorted(one - floor for one in each)
        yield f"{statistics.median(ordered):.1f} ({ordered[len(ordered) * 9 // 10]:.1f})"


def _ripgrep(repository: Path, arguments: Mapping[str, str]) -> float:
    """What ripgrep takes to count the lines, 0 where it is not installed."""
    if not shutil.which("rg"):
        return 0
    fixed = ["--fixed-strings"] if arguments["kind"] == "text" else []
    command = ["rg", "--count", "--smart-case", *fixed, "-e", arguments["query"], str(repository)]
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    return (time.perf_counter() - began) * 1000


def _first(server: servers.Server, question: Question) -> Took:
    """The first question to a process that has just started."""
    with servers.started(server) as (process, port):
        servers.wait_until_ready(port)
        return _timed(process.pid, port, question)[0]


def definitions() -> int:
    """The tokens of all tool definitions together: bytes of tools/list / 4."""
    with tempfile.TemporaryDirectory() as folder, servers.started(servers.ours(Path(folder), "", "")) as (_, port):
        servers.wait_for_info(port, time.perf_counter())
        tools = servers.ask(port, "tools/list", {})["tools"]
        return -(-len(json.dumps(tools, ensure_ascii=False, separators=(",", ":")).encode()) // 4)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    table = Table(title="Through MCP, ms beyond an empty call: median (90th percentile)")
    for column in ("", "new: CPU", "wall", "asked before: CPU", "wall", "answer, tokens", "ripgrep"):
        table.add_column(column, justify="right" if column else "left")
    for repository in options.repositories:
        measure(repository.resolve(), options.rounds, table)
    Console(width=150).print(table)
    Console().print(f"All tool definitions together: {definitions():,} tokens (bytes / 4).")


if __name__ == "__main__":
    main()
