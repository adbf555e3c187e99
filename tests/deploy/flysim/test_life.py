"""A sim in a process of its own: found again, killed, started anew, two of them, and gone without a trace."""

import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from code_insight_deploy import flysim
from code_insight_deploy.flysim import NoSim, Sim
from code_insight_deploy.flysim.sim import read_address
from code_insight_deploy.flysim.world import STATE_FILE
from docker.models.containers import Container

from tests.deploy.flysim.places import Fly, Json, Pushed, push, until

IDLE_SECONDS = 600.0


@pytest.fixture
def folders(tmp_path: Path, sim: Sim) -> Iterator[Callable[[str], Path]]:
    """Folders for sims, none of which runs afterwards. The shared sim is asked for to know that one can be run."""
    used: list[Path] = []

    def folder(name: str) -> Path:
        used.append(tmp_path / name)
        return used[-1]

    yield folder
    for path in used:
        flysim.stop(path, remove=True)


def start(folder: Path) -> Sim:
    return flysim.start(folder, idle_seconds=IDLE_SECONDS)


def pid_of(folder: Path) -> int:
    found = read_address(folder)
    assert found is not None
    return found[1]


def is_running(pid: int) -> bool:
    """Whether it is a process that has not ended; one that nobody has waited for has."""
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    return False


def kill(folder: Path) -> None:
    """As a crash of the whole process does: nothing is put in order."""
    pid = pid_of(folder)
    os.kill(pid, signal.SIGKILL)
    until(lambda: is_running(pid), lambda runs: not runs)


def edited(folder: Path, change: Callable[[Json], None]) -> None:
    """What the file of a sim that does not run says of its only machine is changed."""
    state = json.loads((folder / STATE_FILE).read_text("utf-8"))
    (app,) = (app for app in state["apps"] if app["machines"])
    change(next(iter(app["machines"].values())))
    (folder / STATE_FILE).write_text(json.dumps(state), "utf-8")


def with_a_machine(engine: docker.DockerClient, sim: Sim, image: str) -> tuple[Fly, Json, Pushed]:
    """Somebody with an app, a volume, and a machine that is well."""
    somebody = Fly.new(sim)
    pushed = push(engine, sim, image, somebody.app, "v1", somebody.token)
    volume = somebody.ask("POST", "/volumes", {"name": "data"}).json()["id"]
    made = somebody.create(pushed.by_digest, mounts=[{"volume": volume, "path": "/data"}])
    return somebody, somebody.well(made["id"]), pushed


def containers_of(engine: docker.DockerClient, machine: Json) -> list[Container]:
    return list(engine.containers.list(all=True, filters={"label": f"flysim.machine={machine['id']}"}))


def left(engine: docker.DockerClient, sim: Sim, world: str) -> list[str]:
    """What there is in the engine of a sim: containers, volumes, networks, images."""
    label: dict[str, Any] = {"label": f"flysim={world}"}
    containers = [str(found.name) for found in engine.containers.list(all=True, filters=label)]
    volumes = [str(found.name) for found in engine.volumes.list(filters=label)]
    networks = [str(found.name) for found in engine.networks.list(names=[f"flysim-{world}"])]
    named = [*(name for image in engine.api.images() for name in image.get("RepoTags") or [])]
    digests = [*(name for image in engine.api.images() for name in image.get("RepoDigests") or [])]
    return containers + volumes + networks + [name for name in named + digests if name.startswith(sim.host)]


def world_of(folder: Path) -> str:
    return str(json.loads((folder / STATE_FILE).read_text("utf-8"))["id"])


def test_a_sim_is_found_again_and_started_once(folders: Callable[[str], Path]) -> None:
    folder = folders("one")
    assert flysim.find(folder) is None
    first = start(folder)
    assert flysim.find(folder) == start(folder) == first
    assert (folder / "address.json").stat().st_mode & 0o077 == 0


def test_a_killed_sim_comes_back_with_its_apps_machines_tokens_and_address(
    engine: docker.DockerClient, images: tuple[str, str], folders: Callable[[str], Path]
) -> None:
    folder = folders("killed")
    somebody, machine, pushed = with_a_machine(engine, start(folder), images[0])
    somebody.post("/keep", "remember me")
    started, url = somebody.get().json()["environment"]["FLY_MACHINE_VERSION"], somebody.url()
    kill(folder)
    assert flysim.find(folder) is None
    again = start(folder)
    assert (again.host, again.secret) == (somebody.sim.host, somebody.sim.secret)
    assert somebody.url() == url
    now = somebody.well(machine["id"])
    assert (now["version"], now["image_ref"]["digest"]) == (machine["version"], pushed.digest)
    assert somebody.get().json()["kept"] == "remember me"
    assert started == now["version"]
    assert not [event for event in now["events"] if event["type"] == "exit"]
    push(engine, again, images[1], somebody.app, "v2", somebody.token)
    somebody.client.close()


def test_a_machine_that_died_while_no_sim_looked_is_restarted(
    engine: docker.DockerClient, images: tuple[str, str], folders: Callable[[str], Path]
) -> None:
    folder = folders("died")
    somebody, machine, _ = with_a_machine(engine, start(folder), images[0])
    kill(folder)
    for container in containers_of(engine, machine):
        container.kill()
    start(folder)
    said = somebody.until(machine["id"], lambda said: any(event["type"] == "exit" for event in said["events"]))
    said = somebody.until(machine["id"], lambda said: said["state"] == "started")
    assert said["version"] == machine["version"]
    somebody.well(machine["id"])
    assert somebody.get().status_code == 200
    somebody.client.close()


@pytest.mark.parametrize(
    ("begun", "ends"), [("stopping", "stopped"), ("suspending", "suspended"), ("starting", "started")]
)
def test_what_a_killed_sim_had_begun_is_finished(
    engine: docker.DockerClient, images: tuple[str, str], folders: Callable[[str], Path], begun: str, ends: str
) -> None:
    folder = folders("begun")
    somebody, machine, _ = with_a_machine(engine, start(folder), images[0])
    kill(folder)
    edited(folder, lambda said: said.update(state=begun))
    start(folder)
    assert somebody.until(machine["id"], lambda said: said["state"] == ends)["version"] == machine["version"]
    somebody.client.close()


def test_a_machine_that_a_killed_sim_had_destroyed_does_not_run_on(
    engine: docker.DockerClient, images: tuple[str, str], folders: Callable[[str], Path]
) -> None:
    folder = folders("destroyed")
    somebody, machine, _ = with_a_machine(engine, start(folder), images[0])
    kill(folder)
    edited(folder, lambda said: said.update(state="destroyed"))
    start(folder)
    until(lambda: containers_of(engine, machine), lambda found: not found)
    assert somebody.ask("GET", "/machines").json() == []
    somebody.client.close()


def test_two_sims_at_once_do_not_know_of_each_other(
    engine: docker.DockerClient, images: tuple[str, str], folders: Callable[[str], Path]
) -> None:
    one, other = folders("left"), folders("right")
    ours, machine, _ = with_a_machine(engine, start(one), images[0])
    theirs, their_machine, _ = with_a_machine(engine, start(other), images[1])
    assert ours.sim.host != theirs.sim.host
    assert (ours.get().json()["release"], theirs.get().json()["release"]) == ("one", "two")
    assert theirs.client.get(f"/v1/apps/{ours.app}").status_code == 404
    foreign = {"authorization": f"Bearer {ours.token}"}
    assert theirs.ask("GET", "/machines", **foreign).status_code == 401
    flysim.stop(one, remove=True)
    assert theirs.machine(their_machine["id"])["state"] == "started"
    assert theirs.get().json()["environment"]["FLY_MACHINE_ID"] == their_machine["id"]
    assert machine["id"] != their_machine["id"]
    for somebody in (ours, theirs):
        somebody.client.close()


def test_stopped_machines_run_on_until_all_is_removed(
    engine: docker.DockerClient, images: tuple[str, str], folders: Callable[[str], Path]
) -> None:
    folder = folders("stopped")
    somebody, machine, _ = with_a_machine(engine, start(folder), images[0])
    world, pid = world_of(folder), pid_of(folder)
    flysim.stop(folder)
    assert flysim.find(folder) is None
    assert not is_running(pid)
    assert [found.status for found in containers_of(engine, machine)] == ["running"]
    assert start(folder).host == somebody.sim.host
    assert start(folder).host == somebody.sim.host
    flysim.stop(folder, remove=True)
    assert left(engine, somebody.sim, world) == []
    assert sorted(path.name for path in folder.iterdir()) == ["lock"]
    somebody.client.close()


@pytest.mark.parametrize("remove", [False, True])
def test_of_a_sim_that_was_killed_no_registry_is_left_either(
    engine: docker.DockerClient, images: tuple[str, str], folders: Callable[[str], Path], remove: bool
) -> None:
    folder = folders("leftover")
    somebody, _, _ = with_a_machine(engine, start(folder), images[0])
    world, registry = world_of(folder), int((folder / "registry.pid").read_text("utf-8"))
    kill(folder)
    assert is_running(registry)
    flysim.stop(folder, remove=remove)
    until(lambda: is_running(registry), lambda runs: not runs)
    assert bool(left(engine, somebody.sim, world)) is not remove
    somebody.client.close()


def test_without_an_engine_a_sim_can_be_ended_and_not_be_removed(
    folders: Callable[[str], Path], request: pytest.FixtureRequest
) -> None:
    folder = folders("no-engine")
    start(folder)
    pid, registry = pid_of(folder), int((folder / "registry.pid").read_text("utf-8"))
    request.getfixturevalue("no_engine")
    flysim.stop(folder)
    assert not is_running(pid)
    assert not is_running(registry)
    with pytest.raises(NoSim, match="no Docker engine answers"):
        flysim.stop(folder, remove=True)
    assert (folder / STATE_FILE).exists()


def test_a_port_that_somebody_else_has_taken_meanwhile_is_named(folders: Callable[[str], Path]) -> None:
    folder = folders("taken")
    port = int(start(folder).host.rpartition(":")[2])
    flysim.stop(folder)
    with socket.socket() as somebody:
        somebody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        somebody.bind(("127.0.0.1", port))
        somebody.listen()
        with pytest.raises(NoSim, match=f"port {port}, at which this sim was before, cannot be had"):
            start(folder)


def test_nothing_happens_where_there_is_no_sim(tmp_path: Path) -> None:
    flysim.stop(tmp_path / "nowhere", remove=True)
    assert flysim.find(tmp_path / "nowhere") is None
    assert not (tmp_path / "nowhere").exists()
