"""A plan is what differs between what is wanted and what was observed, and nothing else."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from code_insight_deploy import planning
from code_insight_deploy.apps import App, machine_config, read_app
from code_insight_deploy.errors import NoWayBack, PlanOvertaken, Refused
from code_insight_deploy.proofs import Machine, Observed, Plan, PublishedImage, Snapshot, Verb

TOP = Path(__file__).resolve().parent.parent.parent
OLD, NEW = "sha256:" + "1" * 64, "sha256:" + "2" * 64
REPOSITORY = "registry.example/code-insight"
NOTHING = Snapshot("", "", {})


@pytest.fixture(scope="module")
def app() -> App:
    return read_app(TOP / "fly-test001.toml")


def image(digest: str = NEW) -> PublishedImage:
    return PublishedImage("registry.example", "code-insight", "abc", digest, "sha256:0", "f" * 40, 1)


def machine(app: App, id_: str = "m1", digest: str = OLD, **config: Any) -> Machine:
    """A machine as a release of that digest has left it."""
    reference = f"{REPOSITORY}@{digest}"
    made = {**machine_config(app, reference), **config}
    return Machine(id_, id_, "started", "fra", f"v-{id_}", reference, digest, made, (), False, "")


def observed(*machines: Machine) -> Observed:
    return Observed("test001", "personal", machines, volumes=len(machines), addresses=2)


def verbs(plan: Plan) -> list[tuple[Verb, str]]:
    return [(action.verb, action.subject) for action in plan.actions]


def test_an_app_that_is_as_wanted_needs_nothing(app: App) -> None:
    now = observed(machine(app, digest=NEW))
    assert planning.plan(app, image(NEW), now, NOTHING).actions == ()


def test_another_image_is_an_update_of_each_machine(app: App) -> None:
    plan = planning.plan(app, image(NEW), observed(machine(app, "m1"), machine(app, "m2")), NOTHING)
    assert verbs(plan) == [(Verb.UPDATE_MACHINE, "m1"), (Verb.UPDATE_MACHINE, "m2")]
    assert plan.actions[0].differences == (f"image {OLD[:19]} → {NEW[:19]}",)
    assert plan.actions[0].config["image"] == f"{REPOSITORY}@{NEW}"


def test_an_app_that_does_not_exist_is_created_with_all_that_it_needs(app: App) -> None:
    plan = planning.plan(app, image(), Observed("test001", "", (), 0, 0), NOTHING)
    created = [Verb.CREATE_APP, Verb.ADD_ADDRESS, Verb.ADD_ADDRESS, Verb.CREATE_VOLUME, Verb.CREATE_MACHINE]
    assert [verb for verb, _ in verbs(plan)] == created


def test_an_app_without_an_address_is_given_those_that_fly_gives(app: App) -> None:
    now = Observed("test001", "personal", (machine(app, digest=NEW),), volumes=1, addresses=0)
    assert verbs(planning.plan(app, image(NEW), now, NOTHING)) == [
        (Verb.ADD_ADDRESS, "shared_v4"),
        (Verb.ADD_ADDRESS, "v6"),
    ]


def test_a_volume_that_is_there_is_not_made_again(app: App) -> None:
    plan = planning.plan(app, image(), Observed("test001", "personal", (), volumes=1, addresses=1), NOTHING)
    assert [verb for verb, _ in verbs(plan)] == [Verb.CREATE_MACHINE]


def test_other_memory_is_a_difference_in_words(app: App) -> None:
    guest = {**machine_config(app, "x")["guest"], "memory_mb": 256}
    plan = planning.plan(app, image(NEW), observed(machine(app, digest=NEW, guest=guest)), NOTHING)
    assert any("memory_mb" in line and "256" in line for line in plan.actions[0].differences)


def test_what_others_keep_in_a_machines_metadata_stays(app: App) -> None:
    now = machine(app, metadata={"release_lock": "{}", "fly_platform_version": "v2"})
    plan = planning.plan(app, image(), observed(now), NOTHING)
    assert plan.actions[0].config["metadata"]["release_lock"] == "{}"


def test_a_machine_keeps_its_volume(app: App) -> None:
    mounts = [{**mount, "volume": "vol_1"} for mount in machine_config(app, "x")["mounts"]]
    plan = planning.plan(app, image(), observed(machine(app, mounts=mounts)), NOTHING)
    assert [mount["volume"] for mount in plan.actions[0].config["mounts"]] == ["vol_1"]


def test_the_file_of_a_plan_names_the_image_by_digest(app: App) -> None:
    assert f'image = "{REPOSITORY}@{NEW}"' in planning.plan(app, image(), observed(machine(app)), NOTHING).toml


def test_blue_green_cannot_be_used_with_a_volume(app: App) -> None:
    blue_green = replace(app, strategy="bluegreen", text=app.text)
    now = observed(machine(app, "m1"), machine(app, "m2", digest=NEW))
    with pytest.raises(Refused, match="volume"):
        planning.plan(blue_green, image(), now, NOTHING)


def test_blue_green_replaces_all_machines_or_none(app: App) -> None:
    blue_green = replace(app, strategy="bluegreen", mounts=())
    mixed = observed(machine(blue_green, "m1"), machine(blue_green, "m2", digest=NEW))
    same = observed(machine(blue_green, "m1", digest=NEW), machine(blue_green, "m2", digest=NEW))
    new, gone = (
        [(Verb.CREATE_MACHINE, "m1"), (Verb.CREATE_MACHINE, "m2")],
        [(Verb.DESTROY_MACHINE, "m1"), (Verb.DESTROY_MACHINE, "m2")],
    )
    plan = planning.plan(blue_green, image(NEW), mixed, NOTHING)
    assert verbs(plan) == [*new, *gone]
    assert plan.replaces
    assert planning.plan(blue_green, image(NEW), same, NOTHING).actions == ()


def test_the_way_back_is_what_ran(app: App) -> None:
    before = observed(machine(app, "m1"), machine(app, "m2"))
    snapshot = planning.snapshot(before, "e" * 40)
    after = observed(machine(app, "m1", digest=NEW), machine(app, "m2"))
    back = planning.plan_back(snapshot, after)
    assert snapshot.digest == OLD
    assert verbs(back) == [(Verb.UPDATE_MACHINE, "m1")]
    assert planning.plan_back(snapshot, before).actions == ()


def test_the_way_back_from_a_first_release_is_no_machine(app: App) -> None:
    back = planning.plan_back(planning.snapshot(observed(), ""), observed(machine(app, "m1", digest=NEW)))
    assert verbs(back) == [(Verb.DESTROY_MACHINE, "m1")]


def test_a_machine_that_is_gone_gives_its_configuration_to_one_that_took_its_place(app: App) -> None:
    snapshot = planning.snapshot(observed(machine(app, "m1")), "")
    assert verbs(planning.plan_back(snapshot, observed(machine(app, "m9", digest=NEW)))) == [
        (Verb.UPDATE_MACHINE, "m9")
    ]


def test_a_machine_that_is_gone_is_made_again(app: App) -> None:
    snapshot = planning.snapshot(observed(machine(app, "m1"), machine(app, "m2")), "")
    assert [verb for verb, _ in verbs(planning.plan_back(snapshot, observed(machine(app, "m2"))))] == [
        Verb.CREATE_MACHINE
    ]


def test_machines_that_run_different_images_are_no_state_to_return_to(app: App) -> None:
    with pytest.raises(NoWayBack) as refused:
        planning.snapshot(observed(machine(app, "m1"), machine(app, "m2", digest=NEW)), "")
    assert "rollback" in refused.value.next_step


def test_a_plan_that_observation_has_overtaken_is_refused(app: App) -> None:
    plan = planning.plan(app, image(), observed(machine(app)), NOTHING)
    changed = replace(machine(app), version="v-other")
    with pytest.raises(PlanOvertaken, match="v-other"):
        planning.refuse_overtaken(plan, observed(changed))
    planning.refuse_overtaken(plan, observed(machine(app)))


@pytest.mark.parametrize("reference", [f"{REPOSITORY}:tag", f"{REPOSITORY}@{OLD}", "host:5000/a/code-insight:t"])
def test_a_snapshot_names_its_image_by_digest_however_it_was_asked_for(app: App, reference: str) -> None:
    now = replace(machine(app), reference=reference)
    name = planning.snapshot(observed(now), "").reference
    assert name.endswith(f"/code-insight@{OLD}")
    assert ":tag" not in name
