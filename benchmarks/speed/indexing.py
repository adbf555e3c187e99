"""What an index costs: CPU, memory, bytes; beside it what tree-sitter alone needs for the same files, and peers.

    python benchmarks/speed/indexing.py REPOSITORY... [--runs 3] [--peer "NAME=COMMAND"]...

CPU is that of all processes, from the start of the interpreter on; memory the most that all of them together had at one
moment (what they share counts once), seen every 100 ms. The floor parses every file that has a grammar here in one
process, and does nothing with the trees. The runs of all are interleaved; medians are printed.
A peer's command is run in the repository, a copy of which it may write to; "{repository}" stands for its path.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import math
import os
import resource
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import servers
from code_insight.languages import HEAD_CHARACTERS, language_of
from rich.console import Console
from rich.table import Table

_MOST_BYTES = 1 << 20  # of a file, as the server's default


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took."""

    cpu: float  # seconds
    wall: float  # seconds
    memory: float  # MB
    disk: float  # MB that are there afterwards and were not before


class Stopped(RuntimeError):
    """A run that was stopped, with all of its processes, before it ended; what it took until then."""

    def __init__(self, cost: Cost) -> None:
        super().__init__(f"stopped after {cost.wall / 60:.0f} minutes")
        self.cost = cost


def run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], writes: Path, seconds: float = math.inf
) -> Cost:
    """The cost of a command that has to succeed. Raises RuntimeError if it fails, Stopped if it takes longer."""
    before, size = resource.getrusage(resource.RUSAGE_CHILDREN), _size(writes)
    began, memory = time.perf_counter(), 0
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
        while process.poll() is None:
            memory = max(memory, sum(set(map(_resident, _tree(process.pid)))))  # a vfork() is its parent for a moment
            wall = time.perf_counter() - began
            if wall > seconds:
                cpu = _stop(process)
                raise Stopped(Cost(cpu, wall, memory / 1e6, (_size(writes) - size) / 1e6))
            time.sleep(0.1)
        wall = time.perf_counter() - began
        if process.returncode:
            output.seek(0)
            raise RuntimeError(f"{shlex.join(command)} failed: {output.read()[-2000:].decode(errors='replace')}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu, wall, memory / 1e6, (_size(writes) - size) / 1e6)


def _stop(process: subprocess.Popen[bytes]) -> float:
    """End it and all that it started; the seconds of CPU that they took."""
    tree = _tree(process.pid)
    for pid in tree:  # what stands still starts nothing new
        _signal(pid, signal.SIGSTOP)
    tree = _tree(process.pid)
    cpu = servers.cpu_of_tree(process.pid)
    for pid in tree:
        _signal(pid, signal.SIGKILL)
    process.wait()
    return cpu


def _signal(process: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)


def _tree(process: int) -> list[int]:
    found = [process]
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{process}/task").iterdir():
            found += [pid for child in (thread / "children").read_text().split() for pid in _tree(int(child))]
    return found


def _resident(process: int) -> int:
    """Bytes of memory that a process has, its share of what it has together with others (proc(5): Pss)."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    return 0


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def floor(repository: Path) -> None:
    """Parse every file that has a grammar; print the seconds of CPU that it took, the files and the bytes."""
    from tree_sitter import Language, Parser

    listed = subprocess.run(["git", "-C", repository, "ls-files", "-z"], capture_output=True, check=True).stdout
    parsers: dict[str, Parser] = {}
    seconds, files, size = 0.0, 0, 0
    for name in filter(None, listed.decode(errors="replace").split("\0")):
        path = repository / name
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _MOST_BYTES:
            continue
        data = path.read_bytes()
        language = language_of(name, data[: 4 * HEAD_CHARACTERS].decode("utf-8", "replace")[:HEAD_CHARACTERS])
        if language is None or language.grammar is None or b"\0" in data:
            continue
        if language.name not in parsers:
            module, function = language.grammar
            parsers[language.name] = Parser(Language(getattr(importlib.import_module(module), function)()))
        began = time.process_time()
        parsers[language.name].parse(data)
        seconds += time.process_time() - began
        files, size = files + 1, size + len(data)
    print(seconds, files, size)


def _floor_of(repository: Path) -> tuple[float, int, int]:
    command = [sys.executable, __file__, "--floor", str(repository)]
    seconds, files, size = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()
    return float(seconds), int(files), int(size)


def ours(repository: Path, folder: Path) -> Cost:
    """What `code-insight index` takes, into a new data folder."""
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir()
    clean = {key: value for key, value in os.environ.items() if not key.startswith("CODE_INSIGHT_")}
    command = [sys.executable, "-m", "code_insight", "index", str(repository)]
    return run(command, repository, {**clean, "CODE_INSIGHT_DATA_DIR": str(data)}, data)


def peer(command: str, repository: Path, folder: Path) -> Cost:
    """What a peer takes in a fresh copy of the repository, with a home of its own."""
    copy, home = folder / "copy" / repository.name, folder / "home"
    for path in (copy, home):
        shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(repository, copy, symlinks=True)
    home.mkdir(parents=True)
    words = [word.replace("{repository}", str(copy)) for word in shlex.split(command)]
    return run(words, copy, {**os.environ, "HOME": str(home), "DO_NOT_TRACK": "1"}, folder)


def measure(repository: Path, runs: int, peers: Mapping[str, str]) -> None:
    """Print the table of one repository."""
    floors: list[float] = []
    costs: dict[str, list[Cost]] = {"code-insight": [], **{name: [] for name in peers}}
    files = size = 0
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(runs):
            seconds, files, size = _floor_of(repository)
            floors.append(seconds)
            costs["code-insight"].append(ours(repository, Path(folder)))
            for name, command in peers.items():
                costs[name].append(peer(command, repository, Path(folder)))
    least = statistics.median(floors)
    table = Table(title=f"{repository.name}: {files:,} files with a grammar, {size / 1e6:.1f} MB; median of {runs}")
    for column in ("", "CPU s", "× tree-sitter", "wall s", "memory MB", "index MB"):
        table.add_column(column, justify="right" if column else "left")
    table.add_row("tree-sitter alone", f"{least:.2f}", "1.0", "", "", "")
    for name, all_runs in costs.items():
        cpu, wall, memory, disk = (statistics.median(each) for each in zip(*map(_values, all_runs), strict=True))
        table.add_row(name, f"{cpu:.1f}", f"{cpu / least:.1f}", f"{wall:.1f}", f"{memory:.0f}", f"{disk:.1f}")
    Console(width=110).print(table)


def _values(cost: Cost) -> tuple[float, float, float, float]:
    return cost.cpu, cost.wall, cost.memory, cost.disk


def main() -> None:
    """Print one table for each repository."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", nargs="+", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND")
    parser.add_argument("--floor", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.floor:
        floor(options.repositories[0])
        return
    for repository in options.repositories:
        measure(repository.resolve(), options.runs, dict(each.split("=", 1) for each in options.peer))


if __name__ == "__main__":
    main()
