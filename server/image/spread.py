"""Spreads the server's files over folders that become layers of their own, so that a change sends little.

`python spread.py SOURCE TARGET COUNT` moves every file below SOURCE into TARGET/0 … TARGET/<COUNT - 1>, and its
bytecode with it. A file's folder depends on its path alone: another file that comes or goes moves none.
"""

import importlib.util
import shutil
import sys
import zlib
from pathlib import Path

SEED = 705
"""The files that there were when it was chosen fall more evenly with it than with any other of 3,000: no folder weighs
much more than the largest file.
"""


def main(source: Path, target: Path, count: int) -> None:
    """Move the files; every folder is there afterwards, also one that nothing fell into."""
    for number in range(count):
        (target / str(number)).mkdir(parents=True)
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        place = target / str(layer_of(file.relative_to(source), count)) / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(file, place)


def layer_of(path: Path, count: int) -> int:
    """The number of the folder for `path`."""
    name = importlib.util.source_from_cache(str(path)) if path.suffix == ".pyc" else str(path)
    return zlib.crc32(name.encode(), SEED) % count


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
