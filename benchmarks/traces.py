"""What traces cost: CPU of a call and resident memory, without them and with a collector on this machine, interleaved.

python benchmarks/traces.py [CALLS] [ROUNDS]
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import servers
from rich.console import Console
from rich.table import Table

_SENT_SECONDS = 6  # a batch waits for five


class _Taker(http.server.BaseHTTPRequestHandler):
    """A collector that takes everything and keeps nothing."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextlib.contextmanager
def _collector() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Taker) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def measure(server: servers.Server, calls: int) -> tuple[float, float]:
    """Milliseconds of CPU for one call, sending included, and MiB after all of them."""
    with servers.started(server) as (process, port):
        servers.wait_for_info(port, time.perf_counter())
        for _ in range(100):
            servers.call(port, server.tool, server.question or {})
        before = servers.cpu_seconds(process.pid)
        for _ in range(calls):
            servers.call(port, server.tool, server.question or {})
        time.sleep(_SENT_SECONDS)
        return (servers.cpu_seconds(process.pid) - before) * 1000 / calls, servers.resident_mib(process.pid)


def main(calls: int, rounds: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder, _collector() as url:
        name = servers.index_this_repository(Path(folder))
        off = servers.ours(Path(folder), name, "IndexedCommit")
        on = dataclasses.replace(off, environment={**off.environment, "OTEL_EXPORTER_OTLP_ENDPOINT": url})
        rows = [(measure(off, calls), measure(on, calls)) for _ in range(rounds)]
    table = Table(title=f"Traces, {calls} calls of symbol, {rounds} rounds interleaved, medians")
    for column in ("", "CPU ms a call", "MiB"):
        table.add_column(column, justify="left" if not column else "right")
    without, sent = ([statistics.median(row[which][at] for row in rows) for at in (0, 1)] for which in (0, 1))
    table.add_row("without", f"{without[0]:.2f}", f"{without[1]:.1f}")
    table.add_row("sent to a collector", f"{sent[0]:.2f}", f"{sent[1]:.1f}")
    table.add_row("ratio", f"{sent[0] / without[0]:.2f}", f"{sent[1] / without[1]:.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main(*(int(argument) for argument in [*sys.argv[1:], *("1500", "3")[len(sys.argv) - 1 :]]))
