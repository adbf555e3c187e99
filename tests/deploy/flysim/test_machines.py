"""Machines that run: each is a container of the Docker engine."""

import docker
import pytest

from tests.deploy.flysim.places import Fly, Json, Pushed, build, config, push, until


@pytest.fixture
def machine(fly: Fly, pushed: tuple[Pushed, Pushed]) -> Json:
    """A machine that runs release one, and is well."""
    return fly.well(fly.create(pushed[0].by_digest)["id"])


@pytest.fixture
def broken(engine: docker.DockerClient, base: str, fly: Fly) -> Pushed:
    """An image of which the registry has the manifest, and not all that it names."""
    image = build(engine, base, "three")
    config_digest = str(engine.images.get(image).id)
    made = push(engine, fly.sim, image, fly.app, "broken", fly.token)
    engine.images.remove(image, force=True)
    blobs = fly.sim.folder / "registry/docker/registry/v2/blobs/sha256"
    (blobs / config_digest[7:9] / config_digest[7:] / "data").unlink()
    return made


def container(engine: docker.DockerClient, machine: Json) -> Json:
    found = engine.containers.list(all=True, filters={"label": f"flysim.machine={machine['id']}"})
    assert len(found) == 1
    said: Json = found[0].attrs
    return said


def exits(said: Json) -> list[Json]:
    return [event["request"] for event in said["events"] if event["type"] == "exit"]


def test_a_process_finds_what_fly_puts_into_its_environment(fly: Fly, pushed: tuple[Pushed, Pushed]) -> None:
    fly.ask("POST", "/secrets", {"values": {"SECRET": "s"}})
    machine = fly.create(pushed[0].by_digest, env={"A": "b"})
    fly.well(machine["id"])
    said = fly.get().json()["environment"]
    expected = {
        "FLY_APP_NAME": fly.app,
        "FLY_MACHINE_ID": machine["id"],
        "FLY_ALLOC_ID": machine["id"],
        "FLY_MACHINE_VERSION": machine["version"],
        "FLY_IMAGE_REF": pushed[0].by_digest,
        "FLY_REGION": "fra",
        "PRIMARY_REGION": "fra",
        "FLY_PROCESS_GROUP": "app",
        "FLY_PRIVATE_IP": machine["private_ip"],
        "FLY_VM_MEMORY_MB": "64",
        "SECRET": "s",
        "A": "b",
    }
    assert {name: said.get(name) for name in expected} == expected


def test_a_machine_has_the_memory_the_processors_and_the_signal_of_its_configuration(
    fly: Fly, machine: Json, engine: docker.DockerClient, pushed: tuple[Pushed, Pushed]
) -> None:
    said = container(engine, machine)
    assert said["HostConfig"]["Memory"] == 64 * 2**20
    assert said["HostConfig"]["NanoCpus"] == 10**9
    assert said["Config"]["StopSignal"] == "SIGTERM"
    assert said["Config"]["Image"] == engine.images.get(pushed[0].by_digest).id


def test_an_update_replaces_the_process_and_can_be_waited_for_by_version(
    fly: Fly, machine: Json, pushed: tuple[Pushed, Pushed]
) -> None:
    updated = fly.update(machine["id"], pushed[1].by_digest).json()
    assert updated["state"] == "replacing"
    waited = fly.wait(machine["id"], "started", updated["version"]).json()
    assert (waited["ok"], waited["state"], waited["version"]) == (True, "started", updated["version"])
    fly.well(machine["id"])
    said = fly.get().json()
    assert (said["release"], said["environment"]["FLY_MACHINE_VERSION"]) == ("two", updated["version"])
    assert exits(fly.machine(machine["id"]))[0]["exit_event"]["requested_stop"]


def test_a_stopped_machine_that_is_updated_without_launch_stays_stopped(
    fly: Fly, machine: Json, pushed: tuple[Pushed, Pushed]
) -> None:
    assert fly.ask("POST", f"/machines/{machine['id']}/stop").json() == {"ok": True}
    assert fly.wait(machine["id"], "stopped").json()["ok"]
    assert exits(fly.machine(machine["id"]))[0]["exit_event"]["exit_code"] == 0
    updated = fly.update(machine["id"], pushed[1].by_digest, asked={"skip_launch": True}).json()
    assert fly.machine(machine["id"])["state"] == "stopped"
    assert fly.ask("POST", f"/machines/{machine['id']}/start").json()["previous_state"] == "stopped"
    assert fly.wait(machine["id"], "started", updated["version"]).json()["ok"]
    fly.well(machine["id"])
    assert fly.get().json()["release"] == "two"


def test_a_suspended_machine_goes_on_where_it_was(fly: Fly, machine: Json, engine: docker.DockerClient) -> None:
    before = container(engine, machine)["Id"]
    fly.ask("POST", f"/machines/{machine['id']}/suspend")
    assert fly.wait(machine["id"], "suspended").json()["ok"]
    assert container(engine, machine)["State"]["Paused"]
    fly.ask("POST", f"/machines/{machine['id']}/start")
    assert fly.wait(machine["id"], "started").json()["ok"]
    assert container(engine, machine)["Id"] == before
    assert not exits(fly.machine(machine["id"]))


def test_a_restart_is_another_process_in_the_same_version(fly: Fly, machine: Json, engine: docker.DockerClient) -> None:
    before = container(engine, machine)["Id"]
    fly.ask("POST", f"/machines/{machine['id']}/restart?timeout=2s&signal=SIGTERM")
    fly.until(machine["id"], lambda said: said["state"] == "started" and bool(exits(said)))
    assert container(engine, machine)["Id"] != before
    assert fly.machine(machine["id"])["version"] == machine["version"]


def test_a_process_that_dies_is_restarted_and_that_is_an_event(fly: Fly, machine: Json) -> None:
    assert fly.get("/crash").status_code == 502
    said = fly.until(machine["id"], lambda said: bool(exits(said)) and said["state"] == "started")
    died = exits(said)[0]
    assert died["exit_event"]["exit_code"] == 7
    assert (died["exit_event"]["restarting"], died["exit_event"]["requested_stop"]) == (True, False)
    assert died["restart_count"] == 1


def test_a_process_that_ends_well_is_left_in_peace(fly: Fly, machine: Json) -> None:
    fly.get("/end")
    said = fly.until(machine["id"], lambda said: said["state"] == "stopped")
    assert exits(said)[0]["exit_event"]["exit_code"] == 0
    assert not exits(said)[0]["exit_event"]["restarting"]


def test_a_machine_without_restarts_stays_down_after_a_crash(fly: Fly, pushed: tuple[Pushed, Pushed]) -> None:
    machine = fly.well(fly.create(pushed[0].by_digest, restart={"policy": "no"})["id"])
    fly.get("/crash")
    said = fly.until(machine["id"], lambda said: said["state"] == "stopped")
    assert exits(said)[0]["exit_event"]["exit_code"] == 7


def test_what_is_on_a_volume_survives_an_update(fly: Fly, pushed: tuple[Pushed, Pushed]) -> None:
    volume = fly.ask("POST", "/volumes", {"name": "data"}).json()["id"]
    mounts = [{"volume": volume, "path": "/data"}]
    machine = fly.well(fly.create(pushed[0].by_digest, mounts=mounts)["id"])
    fly.post("/keep", "remember me")
    updated = fly.update(machine["id"], pushed[1].by_digest, mounts=mounts).json()
    fly.wait(machine["id"], "started", updated["version"])
    fly.well(machine["id"])
    said = fly.get().json()
    assert (said["release"], said["kept"]) == ("two", "remember me")


def test_an_image_that_cannot_be_pulled_takes_the_machine_back_to_its_old_version(
    fly: Fly, machine: Json, broken: Pushed
) -> None:
    assert fly.update(machine["id"], broken.by_digest).status_code == 200
    said = fly.until(machine["id"], lambda said: said["state"] == "started" and said["version"] == machine["version"])
    assert said["image_ref"]["digest"] == machine["image_ref"]["digest"]
    assert "failed to pull image" in next(e["request"]["error"] for e in said["events"] if e["status"] == "failed")
    assert fly.get().json()["release"] == "one"


def test_checks_say_how_the_machine_is(fly: Fly, machine: Json) -> None:
    check = machine["checks"][0]
    assert set(check) == {"name", "status", "output", "updated_at"}
    assert (check["name"], check["status"]) == ("servicecheck-00-http-8080", "passing")


def test_a_check_on_a_wrong_port_does_not_pass(fly: Fly, pushed: tuple[Pushed, Pushed]) -> None:
    checks = {"alive": {"type": "tcp", "port": 9999, "interval": "1s", "timeout": "1s"}}
    machine = fly.create(pushed[0].by_digest, checks=checks)
    said = fly.until(machine["id"], lambda said: any(c["status"] == "critical" for c in said["checks"]))
    assert {check["name"]: check["status"] for check in said["checks"]}["alive"] == "critical"


def test_processes_are_listed_while_the_machine_runs(fly: Fly, machine: Json) -> None:
    found = fly.ask("GET", f"/machines/{machine['id']}/ps").json()
    assert any("server.py" in process["command"] for process in found)
    fly.ask("POST", f"/machines/{machine['id']}/stop")
    fly.wait(machine["id"], "stopped")
    assert fly.ask("GET", f"/machines/{machine['id']}/ps").status_code == 412


def test_a_running_machine_is_destroyed_only_by_force(fly: Fly, machine: Json, engine: docker.DockerClient) -> None:
    assert fly.ask("DELETE", f"/machines/{machine['id']}").status_code == 412
    assert fly.ask("DELETE", f"/machines/{machine['id']}?force=true").status_code == 200
    label = f"flysim.machine={machine['id']}"
    until(lambda: engine.containers.list(all=True, filters={"label": label}), lambda found: not found)
    assert fly.ask("POST", f"/machines/{machine['id']}/start").status_code == 404


def test_a_machine_whose_image_is_not_all_there_has_failed(fly: Fly, broken: Pushed) -> None:
    made = fly.ask("POST", "/machines", {"config": config(broken.by_digest)}).json()
    said = fly.until(made["id"], lambda said: said["state"] not in {"created", "starting"})
    assert said["state"] == "failed"
    assert "failed to pull image" in said["events"][0]["request"]["error"]
