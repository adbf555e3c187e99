"""Rolling and blue-green, volumes, and machines that sleep: by both engines, on machines that really run."""

import dataclasses
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from code_insight_deploy import release, reporting
from code_insight_deploy.errors import BadConfig, DeployError, Refused
from code_insight_deploy.flysim import Fault, When
from code_insight_deploy.release import Outcome
from code_insight_deploy.verifying import Patience

from tests.deploy.release.places import Operator
from tests.deploy.release.truth import Truth, look

BLUE_GREEN = ("[http_service]", '[deploy]\n  strategy = "bluegreen"\n\n[http_service]')
VOLUME = ("[http_service]", '[mounts]\n  source = "data"\n  destination = "/data"\n\n[http_service]')
SLEEPS = (
    'auto_stop_machines = "off"\n  auto_start_machines = true\n  min_machines_running = 1',
    'auto_stop_machines = "stop"\n  auto_start_machines = true\n  min_machines_running = 0',
)
WAIT_SECONDS = 60


def platform(operator: Operator, method: str, path: str, body: Any = None) -> Any:
    """What the Machines API says of the operator's app."""
    headers = {"Authorization": f"Bearer {operator.token}"}
    url = f"{operator.sim.flaps_url}/v1/apps/{operator.app}{path}"
    return httpx2.request(method, url, json=body, headers=headers, timeout=90).raise_for_status().json()


def two_machines(operator: Operator, *changes: tuple[str, str]) -> tuple[Outcome, list[str]]:
    """The first release of an app, whose machine has then got a twin; the ids of both."""
    if changes:
        operator.configure(*changes)
    operator.commit("one")
    first = operator.release()
    (only,) = platform(operator, "GET", "/machines")
    twin = platform(operator, "POST", "/machines", {"config": only["config"], "region": only["region"]})
    platform(operator, "GET", f"/machines/{twin['id']}/wait?state=started&timeout=60")
    return first, [only["id"], twin["id"]]


def put_to_sleep(operator: Operator, machine: str, *, by: str, then: str) -> None:
    version = platform(operator, "GET", f"/machines/{machine}")["version"]
    platform(operator, "POST", f"/machines/{machine}/{by}")
    platform(operator, "GET", f"/machines/{machine}/wait?state={then}&version={version}&timeout=60")


@contextmanager
def visitors(operator: Operator) -> Iterator[list[str]]:
    """Somebody who asks again and again meanwhile: the trees that answered, other answers by their status."""
    seen: list[str] = []
    done = threading.Event()
    url = operator.sim.app_url(operator.app)

    def ask() -> None:
        while not done.is_set():
            answer = httpx2.get(f"{url}/info", headers={"connection": "close"}, timeout=30)
            seen.append(answer.json()["tree"] if answer.status_code == httpx2.codes.OK else str(answer.status_code))

    thread = threading.Thread(target=ask, name="visitors")
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def serves(truth: Truth, outcome: Outcome) -> bool:
    """Whether every machine runs that image, and the public gets nothing else."""
    return truth.digests == {outcome.image.digest} and set(truth.public) == {outcome.source.tree}


def test_blue_green_replaces_all_machines_and_back_and_no_visitor_is_turned_away(operator: Operator) -> None:
    first, old = two_machines(operator, BLUE_GREEN)
    assert set(operator.release().verified.versions) == set(old)  # so that both are in the ledger
    operator.commit("two")
    with visitors(operator) as seen:
        second = operator.release()
    now = look(operator)
    assert serves(now, second)
    assert len(now.machines) == 2
    assert set(old) & set(now.machines) == set()
    assert set(seen) == {first.source.tree, second.source.tree}
    assert not any(machine["cordoned"] for machine in platform(operator, "GET", "/machines"))
    assert [action.split()[0] for action in second.actions] == ["create", "create", "destroy", "destroy"]
    with operator.run() as run:
        back = release.rollback(run, operator.state)
    now = look(operator)
    assert serves(now, first)
    assert len(now.machines) == 2
    assert back.to is not None
    assert back.to.versions == now.versions


def test_blue_green_that_never_becomes_well_leaves_the_old_machines_as_they_are(operator: Operator) -> None:
    first, _ = two_machines(operator, BLUE_GREEN)
    before = look(operator)
    operator.commit("two")
    when = When(operation="create_machine", app=operator.app, nth=2)
    operator.sim.faults.add(Fault(when=when, effect="crash_loop"))
    with visitors(operator) as seen:
        ended = operator.attempt()
    operator.sim.faults.clear()
    now = look(operator)
    assert isinstance(ended, DeployError)
    assert ended.exit_code in {20, 30}
    assert now.versions == before.versions
    assert serves(now, first)
    assert set(seen) == {first.source.tree}


def test_rolling_changes_one_machine_after_the_other_is_well(operator: Operator) -> None:
    _, machines = two_machines(operator)
    operator.commit("two")
    so_far = operator.calls_so_far()
    second = operator.release()
    assert serves(look(operator), second)
    assert set(second.verified.versions) == set(machines)
    calls = [call for call in operator.sim.calls(after=so_far) if call.machine in machines]
    updates = [call for call in calls if call.operation == "update_machine"]
    between = [call for call in calls if updates[0].number < call.number < updates[1].number]
    assert {call.machine for call in updates} == set(machines)
    done = {call.operation for call in between if call.machine == updates[0].machine}
    assert done >= {"wait", "get_machine", "release_lease"}


@pytest.mark.parametrize(
    "wrong",
    [
        Fault(when=When(), effect="crash_loop"),
        Fault(when=When(), effect="pull_fails"),
        Fault(when=When(), effect="answer"),
    ],
    ids=["it crashes", "its image cannot be pulled", "it is not updated"],
)
def test_rolling_that_fails_at_the_second_machine_takes_the_first_one_back(operator: Operator, wrong: Fault) -> None:
    first, machines = two_machines(operator)
    before = look(operator)
    operator.commit("two")
    when = When(operation="update_machine", app=operator.app, nth=2)
    operator.sim.faults.add(dataclasses.replace(wrong, when=when))
    operator.order = {"patience": Patience(settle_seconds=8.0, window_seconds=0.1)}
    so_far = operator.calls_so_far()
    ended = operator.attempt()
    operator.sim.faults.clear()
    updated = [call.machine for call in operator.changes(after=so_far) if call.operation == "update_machine"]
    assert set(updated[:2]) == set(machines)
    now = look(operator)
    assert isinstance(ended, DeployError)
    assert ended.exit_code == 30, ended
    assert now.digests == before.digests
    assert set(now.machines) == set(machines)
    assert serves(now, first)


def test_a_volume_stays_with_its_machine_which_blue_green_would_not_let_it(operator: Operator) -> None:
    operator.configure(VOLUME)
    operator.commit("one")
    operator.release()
    (volume,) = platform(operator, "GET", "/volumes")
    operator.commit("two")
    second = operator.release()
    (now,) = platform(operator, "GET", "/volumes")
    (machine,) = platform(operator, "GET", "/machines")
    assert now == volume
    assert volume["attached_machine_id"] == machine["id"]
    assert [mount["volume"] for mount in machine["config"]["mounts"]] == [volume["id"]]
    assert serves(look(operator), second)
    operator.configure((BLUE_GREEN[0], VOLUME[1].replace("[http_service]", BLUE_GREEN[1])))
    operator.commit("three")
    so_far = operator.calls_so_far()
    with pytest.raises(Refused, match="blue-green cannot be used with a volume"):
        operator.release()
    assert operator.changes(after=so_far) == []
    assert look(operator).versions == second.verified.versions


def test_machines_that_sleep_are_woken_and_verified_at_the_new_version(operator: Operator) -> None:
    _, machines = two_machines(operator)
    put_to_sleep(operator, machines[0], by="stop", then="stopped")
    put_to_sleep(operator, machines[1], by="suspend", then="suspended")
    operator.commit("two")
    second = operator.release()
    now = look(operator)
    assert serves(now, second)
    assert set(now.machines) == set(machines)
    assert {machine.state for machine in now.machines.values()} == {"started"}
    said = next(found.seen for found in second.verified.evidence if "process says" in found.claim)
    assert all(f"machine {machine} version {now.versions[machine]}" in said for machine in machines)


def test_machines_that_may_stop_are_released_and_go_back_to_sleep(operator: Operator) -> None:
    operator.configure(SLEEPS)
    operator.commit("one")
    first = operator.release()
    (machine,) = first.verified.versions
    version = first.verified.versions[machine]
    platform(operator, "GET", f"/machines/{machine}/wait?state=stopped&version={version}&timeout={WAIT_SECONDS}")
    operator.commit("two")
    second = operator.release()
    version = second.verified.versions[machine]
    platform(operator, "GET", f"/machines/{machine}/wait?state=stopped&version={version}&timeout={WAIT_SECONDS}")
    so_far = operator.calls_so_far()
    with operator.run() as run:
        reporting.status(run)
    assert operator.changes(after=so_far) == []
    assert serves(look(operator), second)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("[http_service]", '[processes]\n  web = ""\n  worker = "work"\n\n[http_service]'), "processes"),
        (("internal_port = 8080", 'internal_port = 8080\n  processes = ["web", "worker"]'), "process group"),
        (("[http_service]", '[deploy]\n  strategy = "canary"\n\n[http_service]'), "canary"),
        (("[http_service]", '[deploy]\n  release_command = "migrate"\n\n[http_service]'), "release_command"),
    ],
    ids=["processes", "a service of two groups", "canary", "release command"],
)
def test_what_would_not_be_done_as_the_file_says_is_refused_before_anything_is_changed(
    operator: Operator, change: tuple[str, str], why: str
) -> None:
    operator.configure(change)
    operator.commit("one")
    so_far = operator.calls_so_far()
    with pytest.raises(BadConfig, match=why):
        operator.release()
    assert operator.changes(after=so_far) == []
