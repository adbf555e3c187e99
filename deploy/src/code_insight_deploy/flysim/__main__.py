"""`python -m code_insight_deploy.flysim FOLDER IDLE_SECONDS`: the sim of that folder, until it is asked to end."""

import contextlib
import os
import signal
import sys
import threading
from pathlib import Path

import docker

from code_insight_deploy.flysim.server import running
from code_insight_deploy.flysim.sim import NoSim


def main(folder: Path, idle_seconds: float) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    asked_to_end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_end.set())
    try:
        with contextlib.closing(docker.from_env()) as engine:
            engine.ping()
            with running(folder, engine, idle_seconds=idle_seconds, remove=False) as sim:
                sim.write_address()
                print(f"flysim {os.getpid()} answers at {sim.api_url}", flush=True)
                asked_to_end.wait()
    except (docker.errors.DockerException, NoSim) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2])))
