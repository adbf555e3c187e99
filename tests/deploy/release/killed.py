"""A release in a process of its own that kills itself, as `kill -9` would, after its ledger has been written n times.

Reads what it needs from its standard input: a token is no argument of a program.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from code_insight_deploy.flysim import Sim
from code_insight_deploy.ledger import Entry, Ledger
from code_insight_deploy.verifying import Patience

from tests.deploy.places import Repository
from tests.deploy.release.places import Operator

append = Ledger.append


def main() -> None:
    said = json.load(sys.stdin)
    left = said["points"]

    def append_and_die(*place: Any, **data: Any) -> Entry:
        nonlocal left
        entry = append(*place, **data)
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return entry

    Ledger.append = append_and_die  # type: ignore[method-assign]
    operator = Operator(
        Sim(Path(said["folder"]), said["host"], said["secret"]),
        Repository(Path(said["repository"])),
        Path(said["state"]),
        said["base"],
        said["app"],
        said["token"],
        said["engine"],
        order={"patience": Patience(settle_seconds=said["settle_seconds"], window_seconds=0.1)},
    )
    operator.release()


if __name__ == "__main__":
    main()
