"""A sim in a process of its own: started, found again by a note in its folder, ended."""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from code_insight_deploy.flysim.sim import ADDRESS_FILE, NoSim, Sim, read_address
from code_insight_deploy.flysim.world import STATE_FILE, World

START_SECONDS = 60.0
STOP_SECONDS = 30.0
LOG_FILE = "flysim.log"
MOST_LOG = 4000


def start(folder: Path, idle_seconds: float) -> Sim:
    """See `flysim.start`."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _lock(folder):
        if sim := find(folder):
            return sim
        (folder / ADDRESS_FILE).unlink(missing_ok=True)
        with (folder / LOG_FILE).open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "code_insight_deploy.flysim", str(folder), str(idle_seconds)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return _once_it_answers(folder, process)


def _once_it_answers(folder: Path, process: "subprocess.Popen[bytes]") -> Sim:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if sim := find(folder):
            process.returncode = 0  # it is to outlive us: nobody waits for it
            return sim
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    process.wait()
    said = (folder / LOG_FILE).read_text("utf-8", "replace")[-MOST_LOG:]
    raise NoSim(f"the sim does not come up:\n{said.strip()}", f"This is the end of {folder / LOG_FILE}.")


def find(folder: Path) -> Sim | None:
    """See `flysim.find`."""
    found = read_address(folder.resolve())
    return found[0] if found and found[0].healthy() else None


def stop(folder: Path, *, remove: bool) -> None:
    """See `flysim.stop`."""
    folder = folder.resolve()
    if not folder.is_dir():
        return
    with _lock(folder):
        found = read_address(folder)
        if found and found[0].healthy():
            _end(found[1])
        (folder / ADDRESS_FILE).unlink(missing_ok=True)
        if (folder / STATE_FILE).exists():
            _clear(folder, remove=remove)


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _lives(pid):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _clear(folder: Path, *, remove: bool) -> None:
    """End the registry of a sim that was killed; with `remove`, leave nothing of it in the engine and its folder."""
    import docker
    import docker.errors

    from code_insight_deploy.flysim.containers import Containers
    from code_insight_deploy.flysim.registry import Backend, end_program

    world = World.load(folder)
    end_program(folder)
    try:
        with contextlib.closing(docker.from_env()) as engine:
            Backend(folder, engine, world.id).end_leftover()
            if remove:
                Containers(engine, world.id).remove_all(f"127.0.0.1:{world.port}")
    except docker.errors.DockerException as error:
        if remove:
            raise NoSim(f"no Docker engine answers: {error}", "Start it: what is to be removed is there.") from error
    if not remove:
        return
    for name in ("registry", "bin"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (STATE_FILE, "registry.yml", "registry.pid", "registry.log", LOG_FILE):
        (folder / name).unlink(missing_ok=True)


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """One at a time starts or ends the sim of a folder."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
