"""Resident memory: idle, and after questions; ours beside a one-tool FastMCP server, in one run.

python benchmarks/memory.py [CALLS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import servers
from rich.console import Console
from rich.table import Table


def measure(server: servers.Server, calls: int) -> tuple[float, float, float]:
    """MiB when idle for three seconds, after one call, after `calls` calls."""
    with servers.started(server) as (process, port):
        servers.wait_for_info(port, time.perf_counter())
        time.sleep(3)
        idle = servers.resident_mib(process.pid)
        servers.call(port, server.tool, server.question or {})
        once = servers.resident_mib(process.pid)
        for _ in range(calls):
            servers.call(port, server.tool, server.question or {})
        return idle, once, servers.resident_mib(process.pid)


def main(calls: int) -> None:
    """Print the table."""
    table = Table(title="Resident memory, MiB")
    for column in ("server", "idle", "after 1 call", f"after {calls} calls"):
        table.add_column(column, justify="left" if column == "server" else "right")
    with tempfile.TemporaryDirectory() as folder:
        name = servers.index_this_repository(Path(folder))
        rows = {
            s.name: measure(s, calls) for s in (servers.floors()[1], servers.ours(Path(folder), name, "IndexedCommit"))
        }
    for name, row in rows.items():
        table.add_row(name, *(f"{value:.1f}" for value in row))
    ratios = [mine / floor for mine, floor in zip(rows["code-insight"], rows["one-tool FastMCP"], strict=True)]
    table.add_row("ratio (target 1.3 idle)", *(f"{ratio:.2f}" for ratio in ratios))
    Console().print(table)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
