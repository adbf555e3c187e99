"""Orders to a program that runs with faults.c: how wrong its clock is, and which of its calls to the disk fails."""

import mmap
import shutil
import struct
import subprocess
from enum import IntFlag
from pathlib import Path

from tests.places import cannot_run

_ORDERS = struct.Struct("=5q")  # as in faults.c


class Kind(IntFlag):
    """Calls that may fail."""

    WRITE = 1
    SYNC = 2
    NAME = 4  # a change of a name or a folder


class Faults:
    """What programs that are started with `environment` suffer."""

    def __init__(self, folder: Path) -> None:
        library, file = folder / "faults.so", folder / "faults"
        if shutil.which("cc") is None:
            cannot_run("there is no C compiler; on a Debian machine `sudo .ci/compiler` installs one")
        source = Path(__file__).with_name("faults.c")
        subprocess.run(["cc", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        file.write_bytes(bytes(_ORDERS.size))
        with file.open("r+b") as opened:
            self._orders = mmap.mmap(opened.fileno(), _ORDERS.size)
        self.environment = {"LD_PRELOAD": str(library), "FAULTS": str(file), "PYTHONDONTWRITEBYTECODE": "1"}

    def set_clock(self, seconds_wrong: int) -> None:
        """It is so many seconds ahead of time, or behind, from now on."""
        struct.pack_into("=q", self._orders, 0, seconds_wrong)

    def fail(self, kinds: Kind, at: int, error: int) -> None:
        """Of the calls that are made from now on, that one fails, counted from 1; none if it is 0."""
        struct.pack_into("=4q", self._orders, 8, kinds, 0, at, error)

    @property
    def calls(self) -> int:
        """How many such calls were made since the order."""
        calls: int = struct.unpack_from("=q", self._orders, 16)[0]
        return calls
