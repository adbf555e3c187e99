"""A minute under load, as `benchmarks/load.py` makes it; how fast it is, is not judged here."""

import json
import subprocess
import sys
from pathlib import Path

from tests.places import HOUSE

SECONDS = 60
MOST_GROWTH_MIB = 10


def test_for_a_minute_every_call_is_answered_and_memory_does_not_grow(tmp_path: Path) -> None:
    repository = tmp_path / "code-insight"
    subprocess.run(["git", "clone", "--quiet", HOUSE, str(repository)], check=True)
    command = [
        sys.executable,
        "benchmarks/load.py",
        str(repository),
        "--seconds",
        str(SECONDS),
        "--clients",
        "8",
        "--json",
    ]
    ran = subprocess.run(command, cwd=HOUSE, capture_output=True, text=True, timeout=SECONDS * 6, check=False)
    assert ran.returncode == 0, ran.stderr
    ours = json.loads(ran.stdout)["code-insight"]
    assert ours["told"] == {}
    assert ours["calls_per_second"] > 1
    assert ours["growth_mib"] < MOST_GROWTH_MIB
