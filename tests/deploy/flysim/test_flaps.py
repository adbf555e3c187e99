"""The Machines API of the sim, over HTTP, with real containers behind it."""

from tests.deploy.flysim.places import Fly, Pushed


def test_a_machine_is_a_container_of_the_image_that_was_asked_for(fly: Fly, pushed: tuple[Pushed, Pushed]) -> None:
    machine = fly.create(pushed[0].by_digest)
    fly.well(machine["id"])
    said = fly.get().json()
    assert said["release"] == "one"
    assert said["environment"]["FLY_MACHINE_ID"] == machine["id"]
    assert said["environment"]["FLY_MACHINE_VERSION"] == machine["version"]
    assert machine["image_ref"]["digest"] == pushed[0].digest


def test_an_update_makes_a_new_version_that_can_be_waited_for(fly: Fly, pushed: tuple[Pushed, Pushed]) -> None:
    machine = fly.create(pushed[0].by_digest)
    updated = fly.update(machine["id"], pushed[1].by_digest).json()
    assert updated["version"] != machine["version"]
    assert fly.wait(machine["id"], "started", updated["version"]).json()["ok"]
    fly.well(machine["id"])
    assert fly.get().json()["release"] == "two"
