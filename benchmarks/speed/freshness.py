"""How long it takes until a resident server answers from a commit with one changed file; and when nothing has changed.

    python benchmarks/speed/freshness.py REPOSITORY [--changes 10]

The repository is cloned, indexed and served. Each change adds a function to a file, drawn by chance, and a call of it;
the clock runs from the call of add_repository to the answer of `references`, which has to name the new call. Times are
of the wall, in ms; beside the median the least, and the mean of the CPU that the server, git and the workers took.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import commits
import servers
from rich.console import Console
from rich.table import Table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", type=Path)
    parser.add_argument("--changes", type=int, default=10)
    options = parser.parse_args()
    chance = random.Random(1)
    changed: list[tuple[float, float]] = []
    unchanged: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, options.repository.resolve().name)
        commits.git(Path(name), "clone", "-q", options.repository.resolve(), folder)
        files = [path for path in sorted(folder.rglob("*.py")) if 5_000 < path.stat().st_size < 200_000]
        data = Path(name, "data")
        repository = servers.index_repository(folder, data)
        ours = servers.ours(data, repository, "")
        allowed = {**ours.environment, "CODE_INSIGHT_LOCAL_FOLDERS": name}
        with servers.started(dataclasses.replace(ours, environment=allowed)) as (process, port):
            servers.wait_until_ready(port)
            for number in range(options.changes):
                file = chance.choice(files)
                text = f"\n\ndef added_{number}():\n    return {number}\n\n\nadded_{number}()\n"
                file.write_text(file.read_text() + text)
                commits.commit(folder)
                changed.append(_until_answered(process.pid, port, folder, repository, f"added_{number}"))
                unchanged.append(_until_answered(process.pid, port, folder, repository, ""))
    table = Table(title=f"{folder.name}: from add_repository to the answer, ms")
    for column in ("", "median", "least", "CPU"):
        table.add_column(column, justify="right" if column else "left")
    for what, times in (("one file changed", changed), ("nothing changed", unchanged)):
        walls, cpus = zip(*times, strict=True)
        table.add_row(what, *(f"{t:.0f}" for t in (statistics.median(walls), min(walls), statistics.mean(cpus))))
    Console(width=110).print(table)


def _until_answered(process: int, port: int, folder: Path, repository: str, symbol: str) -> tuple[float, float]:
    """Wall and CPU, in ms, until the repository is up to date, and `references` knows the symbol if one is given."""
    cpu, began = servers.cpu_of_tree(process), time.perf_counter()
    servers.call(port, "add_repository", {"url": str(folder)})
    if symbol:
        text = servers.call(port, "references", {"repository": repository, "symbol": symbol})
        if "1 line" not in text and f"{symbol}()" not in text:
            raise RuntimeError(f"the new call is not in the answer: {text[:500]}")
    return (time.perf_counter() - began) * 1000, (servers.cpu_of_tree(process) - cpu) * 1000


if __name__ == "__main__":
    main()
