"""Many clients at once, over real repositories: throughput, how long an answer takes, errors, memory, CPU per call.

    python benchmarks/load.py REPOSITORY... [--seconds 60] [--clients 16] [--core 0] [--json]

The server may use one core. Each client keeps a connection and asks one question after the other, of all tools that
read, drawn by chance from the symbols and files of the repositories; half of the questions have been asked before, as
agents do. The first fifth of the time is warm-up and does not count. A one-tool FastMCP server is asked in the same way
afterwards. CPU per call is the server's own; what one core holds follows from it, whatever else the machine does.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import re
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import servers
from rich.console import Console
from rich.table import Table

Question = tuple[str, dict[str, Any]]
_DEFINITION = re.compile(
    r"^  \d+: (?:\w+ )*(?:def|class|func|function|type) (?:\([^)]*\) )?([A-Za-z]\w{3,})", re.MULTILINE
)
_SHOWN = (".0f", ".2f", ".0f", ".0f", ".0f", ".0f", ".0f", "+.1f")
_MIX = {
    "search": 6,
    "symbol": 5,
    "references": 4,
    "read": 4,
    "outline": 2,
    "history": 1,
    "dependencies": 1,
    "overview": 1,
}


@dataclass(slots=True)
class Load:
    """What was seen."""

    took: list[float] = field(default_factory=list)  # ms, of each call after the warm-up
    errors: Counter[str] = field(default_factory=Counter)
    seconds: float = 0
    cpu: float = 0  # seconds of the server's process
    before: float = 0  # MiB after the warm-up
    after: float = 0  # MiB at the end

    def figures(self) -> dict[str, float]:
        """What is published of it."""
        ordered = sorted(self.took)
        return {
            "calls_per_second": len(ordered) / self.seconds,
            "cpu_ms_per_call": self.cpu / len(ordered) * 1000,
            "calls_per_second_of_cpu": len(ordered) / self.cpu,
            "p50_ms": statistics.median(ordered),
            "p99_ms": ordered[len(ordered) * 99 // 100],
            "errors": self.errors.total(),
            "mib": self.after,
            "growth_mib": self.after - self.before,
        }


def questions(port: int, names: Sequence[str]) -> list[Question]:
    """Questions to all tools that read, as often as the mix says, in an order of chance."""
    chance = random.Random(1)
    found: list[Question] = []
    for name in names:
        text = "".join(
            servers.call(port, "search", {"repository": name, "kind": "symbol", "query": letter, "budget_tokens": 8000})
            for letter in "abcdefghiklmnoprstuw"
        )
        symbols = sorted(set(_DEFINITION.findall(text)))
        files = sorted(set(re.findall(r"^(?:\S+: )?(\S+\.(?:py|go|ts|js|c))$", text, re.MULTILINE)))
        for tool, share in _MIX.items():
            found += [
                (tool, {"repository": name, **_arguments(tool, chance, symbols, files)}) for _ in range(40 * share)
            ]
    chance.shuffle(found)
    return found


def _arguments(tool: str, chance: random.Random, symbols: list[str], files: list[str]) -> dict[str, Any]:
    symbol, file = chance.choice(symbols), chance.choice(files)
    match tool:
        case "search":
            kind = chance.choice(("auto", "text", "text", "symbol", "regex"))
            return {"query": rf"\b{symbol}\(" if kind == "regex" else symbol, "kind": kind}
        case "symbol":
            return {"name": symbol}
        case "references":
            return {"symbol": symbol}
        case "read":
            return {"path": file, "lines": "1-80"}
        case "overview":
            return {"path": file.rpartition("/")[0]}
        case _:
            return {"path": file}


def load(server: servers.Server, names: Sequence[str], seconds: float, clients: int, core: int) -> Load:
    """Ask for so many seconds."""
    with servers.started(server) as (process, port):
        servers.wait_for_info(port, time.perf_counter())
        servers.wait_until_ready(port)
        asked = questions(port, names) if names else [(server.tool, dict(server.question or {}))]
        for task in Path(f"/proc/{process.pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {core})
        seen, counts = Load(), threading.Event()
        began = time.perf_counter()
        end = began + seconds
        workers = [
            threading.Thread(target=_client, args=(port, asked, random.Random(n), seen, counts, end))
            for n in range(clients)
        ]
        for worker in workers:
            worker.start()
        time.sleep(seconds / 5)
        seen.before, cpu, start = (
            servers.resident_mib(process.pid),
            servers.cpu_seconds(process.pid),
            time.perf_counter(),
        )
        counts.set()
        for worker in workers:
            worker.join()
        seen.seconds = time.perf_counter() - start
        seen.cpu = servers.cpu_seconds(process.pid) - cpu
        seen.after = servers.resident_mib(process.pid)
        return seen


def _client(
    port: int, asked: list[Question], chance: random.Random, seen: Load, counts: threading.Event, end: float
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    mine: list[Question] = []
    with contextlib.closing(connection):
        while time.perf_counter() < end:
            question = chance.choice(mine) if mine and chance.random() < 0.5 else chance.choice(asked)
            mine = [*mine[-20:], question]
            is_counted, began = counts.is_set(), time.perf_counter()
            try:
                result = servers.ask(port, "tools/call", {"name": question[0], "arguments": question[1]}, connection)
                error = str(result["content"])[:120] if result.get("isError") else ""
            except (OSError, http.client.HTTPException, RuntimeError) as failure:
                error = repr(failure)[:120]
                connection.close()
            if is_counted:
                seen.took.append((time.perf_counter() - began) * 1000)
                if error:
                    seen.errors[f"{question[0]}: {error}"] += 1


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="the figures, and the errors that there were, for a script")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        names = [servers.index_repository(path.resolve(), Path(folder)) for path in options.repositories]
        ours = servers.ours(Path(folder), names[0], "")
        rows = {
            "code-insight": load(ours, names, options.seconds, options.clients, options.core),
            "one-tool FastMCP": load(servers.floors()[1], (), options.seconds / 3, options.clients, options.core),
        }
    if options.json:
        said = {name: {**seen.figures(), "told": dict(seen.errors)} for name, seen in rows.items()}
        print(json.dumps(said, indent=1))
        return
    title = f"{options.clients} clients, {options.seconds:.0f} s, {len(names)} repositories, the server on one core"
    table = Table(title=title)
    for column in ("server", "calls/s", "CPU ms/call", "calls/s of CPU", "p50 ms", "p99 ms", "errors", "MiB", "growth"):
        table.add_column(column, justify="left" if column == "server" else "right")
    for name, seen in rows.items():
        shown = zip(seen.figures().values(), _SHOWN, strict=True)
        table.add_row(name, *(f"{figure:{how}}" for figure, how in shown))
    Console(width=130).print(table)
    for error, count in [pair for seen in rows.values() for pair in seen.errors.most_common(5)]:
        print(f"{count} × {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
