"""A Fly of our own on the Docker engine of this machine, for rehearsals and tests; docs/flysim.md says how true it is.

In a test:

    with flysim.running(tmp_path, engine) as sim:
        sim.faults.add(Fault(when=When(operation="update_machine"), effect="revert"))
        subprocess.run([sim.flyctl, "deploy", …], env=sim.environment(sim.token()))
        assert sim.calls(mutating=True) == ()

For a rehearsal: `start(folder)` leaves one in the background, `find(folder)` finds it again, `stop(folder)` ends it.
Nothing here is imported before it is needed: the stand-in for flyctl is started often and needs none of it.
"""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from code_insight_deploy.flysim.faults import Fault, When
from code_insight_deploy.flysim.sim import Call, NoSim, Sim, SimRefused

if TYPE_CHECKING:
    import docker

__all__ = ["Call", "Fault", "NoSim", "Sim", "SimRefused", "When", "find", "running", "start", "stop"]

IDLE_SECONDS = 5.0


def running(
    folder: Path, engine: "docker.DockerClient", *, idle_seconds: float = IDLE_SECONDS, remove: bool = True
) -> AbstractContextManager[Sim]:
    """A sim in a thread of this process, with its state in `folder`; what was there before goes on.

    Machines that may be stopped are stopped after `idle_seconds` without a request. Afterwards its containers, volumes
    and images are removed from the engine, unless `remove` is false: then a sim in the same folder finds them again.
    Raises NoSim when no registry can be run here.
    """
    from code_insight_deploy.flysim.server import running as serve

    return serve(folder, engine, idle_seconds=idle_seconds, remove=remove)


def start(folder: Path, *, idle_seconds: float = IDLE_SECONDS) -> Sim:
    """The sim of that folder, answering in a process of its own that outlives this one; it is started if need be.

    Raises NoSim, with the end of its log, when it does not come up.
    """
    from code_insight_deploy.flysim import background

    return background.start(folder, idle_seconds)


def find(folder: Path) -> Sim | None:
    """The sim of that folder when it answers, else None."""
    from code_insight_deploy.flysim import background

    return background.find(folder)


def stop(folder: Path, *, remove: bool = False) -> None:
    """End the sim of that folder; nothing happens when there is none. Its machines run on, unless `remove` is said:
    then they, their volumes and images are removed from the engine, and the sim's state from the folder.
    """
    from code_insight_deploy.flysim import background

    background.stop(folder, remove=remove)
