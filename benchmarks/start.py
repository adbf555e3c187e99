"""Process start → `/info` 200 → first tools/call answered: ours beside the floors, interleaved in one run.

python benchmarks/start.py [ROUNDS]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import servers
from rich.console import Console
from rich.table import Table


def measure(server: servers.Server) -> tuple[float, float, float]:
    """Seconds to /info, seconds to the first answer (0 without tools), CPU seconds until then."""
    began = time.perf_counter()
    with servers.started(server) as (process, port):
        info = servers.wait_for_info(port, began)
        answered = 0.0
        if server.tool:
            servers.call(port, server.tool, server.question or {})
            answered = time.perf_counter() - began
        return info, answered, servers.cpu_seconds(process.pid)


def main(rounds: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        name = servers.index_this_repository(Path(folder))
        starlette, one_tool = servers.floors()
        code_insight = servers.ours(Path(folder), name, "IndexedCommit")
        everyone = (starlette, one_tool, code_insight)
        for server in everyone:
            measure(server)  # bytecode and page cache
        found: dict[str, list[tuple[float, float, float]]] = {server.name: [] for server in everyone}
        for _ in range(rounds):
            for server in everyone:
                found[server.name].append(measure(server))
    console = Console(width=100)
    console.print(_table(found, rounds))
    console.print(_ratios(found))


def _table(found: dict[str, list[tuple[float, float, float]]], rounds: int) -> Table:
    table = Table(title=f"Start of a process, {rounds} rounds interleaved, median (least) ms")
    for column in ("server", "/info 200", "first tools/call", "CPU"):
        table.add_column(column, justify="left" if column == "server" else "right")
    for name, rows in found.items():
        table.add_row(name, *(_cell([row[at] for row in rows]) for at in range(3)))
    return table


def _cell(seconds: list[float]) -> str:
    if not any(seconds):
        return "-"
    return f"{statistics.median(seconds) * 1000:.0f} ({min(seconds) * 1000:.0f})"


def _ratios(found: dict[str, list[tuple[float, float, float]]]) -> str:
    """Our medians, in those of the floors."""
    median = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in found.items()}
    info = median["code-insight"][0] / median["bare Starlette"][0]
    first = median["code-insight"][1] / median["one-tool FastMCP"][1]
    return (
        f"/info: {info:.2f} x bare Starlette (target: at most 2)\n"
        f"first tools/call: {first:.2f} x one-tool FastMCP (target: at most 1.15)"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
