"""Whether the cost of an index grows with the bytes: parts of one repository, from one megabyte on.

    python benchmarks/speed/growth.py REPOSITORY [--megabytes 1 4 16 64 200]

A part is a repository of its own, of files that a hash of their paths chooses: each part is mixed like the whole.
CPU is that of all processes less the start of one that has nothing to index.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import commits
import indexing


def part(repository: Path, size: int, folder: Path) -> tuple[int, int]:
    """A repository of about `size` bytes of the files of another one is at `folder`: its files, its bytes."""
    listed = subprocess.run(["git", "-C", repository, "ls-files", "-z"], capture_output=True, check=True).stdout
    files = bytes_ = 0
    for name in sorted(listed.decode(errors="replace").split("\0"), key=lambda one: zlib.crc32(one.encode())):
        source = repository / name
        if not name or source.is_symlink() or not source.is_file() or bytes_ >= size:
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        files, bytes_ = files + 1, bytes_ + source.stat().st_size
    commits.git(folder, "init", "-q")
    commits.commit(folder)
    return files, bytes_


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", type=Path)
    parser.add_argument("--megabytes", type=float, nargs="+", default=[1, 4, 16, 64, 200])
    options = parser.parse_args()
    table = Table(title=f"Parts of {options.repository.resolve().name}")
    for column in ("MB", "files", "CPU s", "CPU s/MB", "memory MB", "index MB"):
        table.add_column(column, justify="right")
    start = 0.0
    for megabytes in (0, *options.megabytes):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name, "part")
            folder.mkdir()
            files, size = part(options.repository.resolve(), max(1, int(megabytes * 1e6)), folder)
            cost = indexing.ours(folder, Path(name))
        if not megabytes:
            start = cost.cpu
            continue
        cpu = cost.cpu - start
        each = f"{cpu / size * 1e6:.3f}"
        table.add_row(f"{size / 1e6:.1f}", f"{files:,}", f"{cpu:.1f}", each, f"{cost.memory:.0f}", f"{cost.disk:.1f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
