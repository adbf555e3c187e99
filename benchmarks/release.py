"""A release on this machine: what each kind costs, where the time goes, and what is sent to the registry.

python benchmarks/release.py [TIMES] [ENGINE]

Brings a clone of HEAD, built on $BASE, to an app of a platform that is started for it (flysim) and gone afterwards:
once from nothing, then TIMES (5) times without and with a change of one file of the server. ENGINE is flyctl (the
stand-in that flysim brings) or machines. Each release is a process of its own, as `make release` starts it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from code_insight_deploy import flysim
from code_insight_deploy.flysim import Call, Sim
from commits import commit, git
from rich.console import Console
from rich.table import Table

TOP = Path(__file__).resolve().parent.parent
CHANGED_FILE = "server/src/code_insight/model.py"
MOST_SECONDS_IDLE, MOST_SECONDS_OF_WORK, MOST_SECONDS_OF_PROOF = 3.0, 30.0, 5.0
MOST_BYTES_OF_WORK = 100_000
WINDOW_SECONDS = 10.0
LOCK = ("/lease", "release_lock")
"""In the paths of calls that take and give back the lock of the app; they change nothing of what runs."""


@dataclass(frozen=True, slots=True)
class Released:
    """One release, as it was measured from outside."""

    seconds: float
    """From the start of the process to its end, the stability window included."""
    steps: dict[str, float]
    changes: int
    mutating_calls: int
    pushed_bytes: int


def main(times: int, engine: str) -> None:
    """Print the tables and what was aimed at."""
    with tempfile.TemporaryDirectory() as folder:
        clone, state = Path(folder) / "clone", Path(folder) / "state"
        git(TOP, "clone", "--quiet", "--no-hardlinks", TOP, clone)
        sim = flysim.start(state / "local")
        try:
            first = release(clone, state, sim, engine)
            nothing, change = [], []
            for number in range(times):
                nothing.append(release(clone, state, sim, engine))
                with (clone / CHANGED_FILE).open("a", encoding="utf-8") as file:
                    file.write(f"\nCHANGE_{number} = {number}\n")
                commit(clone)
                change.append(release(clone, state, sim, engine))
        finally:
            flysim.stop(state / "local", remove=True)
    kinds = {"from nothing": [first], "nothing to do": nothing, "one file changed": change}
    console = Console(width=110)
    console.print(steps_table(kinds))
    idle, calls = median(it.seconds for it in nothing), max(it.mutating_calls for it in nothing)
    work = median(it.seconds - WINDOW_SECONDS for it in change)
    pushed = max(it.pushed_bytes for it in change) / 1e3
    proof = median(it.steps["verify"] - WINDOW_SECONDS for it in change)
    print(f"nothing to do: {idle:.2f} s (target: at most {MOST_SECONDS_IDLE:.0f}), {calls} mutating calls (target: 0)")
    print(f"one file changed: {work:.1f} s without the window (target: at most {MOST_SECONDS_OF_WORK:.0f})")
    print(f"pushed then: {pushed:.1f} kB (target: at most {MOST_BYTES_OF_WORK / 1e3:.0f})")
    print(f"verification beyond its window: {proof:.2f} s (target: at most {MOST_SECONDS_OF_PROOF:.0f})")


def release(clone: Path, state: Path, sim: Sim, engine: str) -> Released:
    """One release of what `clone` has committed."""
    so_far = max((call.number for call in sim.calls()), default=0)
    command = [
        sys.executable,
        "-m",
        "code_insight_deploy",
        "release",
        "--target",
        "local",
        "--engine",
        engine,
        "--json",
    ]
    options = ["--state", str(state), "--folder", str(clone), "--window-seconds", str(WINDOW_SECONDS)]
    began = time.perf_counter()
    ran = subprocess.run([*command, *options], capture_output=True, text=True, env=os.environ, check=False)
    seconds = time.perf_counter() - began
    if ran.returncode:
        sys.exit(f"the release ended with {ran.returncode}:\n{ran.stdout}{ran.stderr}")
    said = json.loads(ran.stdout)
    calls = sim.calls(after=so_far)
    return Released(
        seconds,
        said["seconds"],
        len(said["actions"]),
        sum(call.mutating and not any(word in call.path for word in LOCK) for call in calls),
        sum(sent(calls)),
    )


def sent(calls: Iterable[Call]) -> Iterable[int]:
    """Bytes of bodies that the registry was sent: layers, configurations, manifests."""
    return (call.bytes_in for call in calls if call.listener == "registry" and not call.platform)


def median(seconds: Iterable[float]) -> float:
    """The one in the middle."""
    return statistics.median(list(seconds))


def steps_table(kinds: dict[str, list[Released]]) -> Table:
    """Where the time goes: seconds of each step, the medians over the releases of a kind."""
    table = Table("step, s", *kinds)
    by_kind: dict[str, dict[str, list[float]]] = {kind: defaultdict(list) for kind in kinds}
    for kind, releases in kinds.items():
        for it in releases:
            for step, seconds in it.steps.items():
                by_kind[kind][step].append(seconds)
            by_kind[kind]["start of the process, and the rest"].append(it.seconds - sum(it.steps.values()))
            by_kind[kind]["in all"].append(it.seconds)
    steps = list(dict.fromkeys(step for steps in by_kind.values() for step in steps))
    steps.sort(key=lambda step: step == "in all")
    for step in steps:
        cells = [by_kind[kind].get(step) for kind in kinds]
        table.add_row(step, *(f"{statistics.median(seconds):.2f}" if seconds else "–" for seconds in cells))
    table.add_row("mutating calls", *(str(max(it.mutating_calls for it in found)) for found in kinds.values()))
    table.add_row("pushed, kB", *(f"{max(it.pushed_bytes for it in found) / 1e3:.1f}" for found in kinds.values()))
    return table


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, sys.argv[2] if len(sys.argv) > 2 else "machines")
