"""What goes wrong on order, and the log by which one sees what was asked."""

import time

import docker
import httpx2
import pytest
from code_insight_deploy.flysim import Fault, Sim, SimRefused, When
from code_insight_deploy.flysim.faults import EFFECTS, from_json, to_json

from tests.deploy.flysim.places import TESTS, Fly, Json, Pushed, config


@pytest.fixture
def created(fly: Fly, pushed: tuple[Pushed, Pushed]) -> Json:
    """A machine that has never been started."""
    return fly.create(pushed[0].by_digest, skip_launch=True)


@pytest.fixture
def running(fly: Fly, pushed: tuple[Pushed, Pushed]) -> Json:
    """A machine that runs release one, and is well."""
    return fly.well(fly.create(pushed[0].by_digest)["id"])


def order(fly: Fly, operation: str, effect: str, *, nth: int = 1, times: int = 1, **more: object) -> None:
    when = {"operation": operation, "app": fly.app, "nth": nth, "times": times}
    fly.sim.faults.add(from_json({"when": when, "effect": effect, **more}))


def test_a_fault_is_the_same_after_a_journey_as_json() -> None:
    fault = Fault(
        when=When(operation="wait", nth=2, times=0), effect="answer", status=429, headers={"Retry-After": "3"}
    )
    assert from_json(to_json(fault)) == fault
    with pytest.raises(ValueError, match="no effect"):
        from_json({"when": {}, "effect": "explode"})


def test_every_effect_has_a_test() -> None:
    text = "".join(path.read_text("utf-8") for path in TESTS.glob("test_*.py"))
    assert [effect for effect in sorted(EFFECTS) if f'"{effect}"' not in text] == []


# -- the call itself -------------------------------------------------------------------------------------------------


def test_an_answer_is_given_instead_of_doing_it(fly: Fly, created: Json) -> None:
    body = {"error": "rate limit exceeded", "status": "unknown"}
    order(fly, "update_machine", "answer", status=429, headers={"Retry-After": "2"}, body=body)
    answer = fly.update(created["id"], created["config"]["image"])
    assert (answer.status_code, answer.headers["retry-after"], answer.json()) == (429, "2", body)
    assert fly.machine(created["id"])["version"] == created["version"]


def test_it_strikes_the_calls_that_it_is_for_and_no_others(fly: Fly, created: Json) -> None:
    order(fly, "get_machine", "answer", nth=2, times=2, status=404)
    statuses = [fly.ask("GET", f"/machines/{created['id']}").status_code for _ in range(4)]
    assert statuses == [200, 404, 404, 200]
    assert fly.ask("GET", "/machines").status_code == 200
    assert fly.sim.faults.happened() == (2,)


def test_a_timeout_before_the_effect_has_none(fly: Fly, created: Json, pushed: tuple[Pushed, Pushed]) -> None:
    order(fly, "update_machine", "timeout_before", seconds=0.2)
    with pytest.raises(httpx2.TransportError):
        fly.update(created["id"], pushed[1].by_digest)
    assert fly.machine(created["id"])["version"] == created["version"]


def test_a_timeout_after_the_effect_has_one(fly: Fly, created: Json, pushed: tuple[Pushed, Pushed]) -> None:
    order(fly, "update_machine", "timeout_after", seconds=0.2)
    with pytest.raises(httpx2.TransportError):
        fly.update(created["id"], pushed[1].by_digest, asked={"skip_launch": True})
    assert fly.machine(created["id"])["image_ref"]["digest"] == pushed[1].digest


@pytest.mark.parametrize(("effect", "machines"), [("cut", 0), ("cut_after", 1)])
def test_a_connection_is_cut_before_or_after_the_effect(
    fly: Fly, pushed: tuple[Pushed, Pushed], effect: str, machines: int
) -> None:
    order(fly, "create_machine", effect)
    with pytest.raises(httpx2.TransportError):
        fly.ask("POST", "/machines", {"config": config(pushed[0].by_digest), "skip_launch": True})
    assert len(fly.ask("GET", "/machines").json()) == machines


def test_an_answer_is_delayed(fly: Fly) -> None:
    order(fly, "get_app", "delay", seconds=0.3)
    began = time.monotonic()
    assert fly.ask("GET", "").status_code == 200
    assert time.monotonic() - began >= 0.3


def test_a_call_stalls(fly: Fly) -> None:
    order(fly, "get_app", "stall", seconds=30)
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.get(f"{fly.sim.flaps_url}/v1/apps/{fly.app}", timeout=0.3)


def test_a_token_expires_in_the_middle(fly: Fly, created: Json, sim: Sim) -> None:
    token = sim.token()
    order(fly, "get_machine", "expire_token", nth=2)
    headers = {"authorization": f"Bearer {token}"}
    statuses = [fly.ask("GET", f"/machines/{created['id']}", **headers).status_code for _ in range(3)]
    assert statuses == [200, 401, 401]
    assert fly.ask("GET", "").status_code == 200


def test_the_edge_answers_with_something_else(fly: Fly, running: Json) -> None:
    order(fly, "edge", "answer", status=200, body={"tree": "of another image"})
    assert fly.get().json() == {"tree": "of another image"}
    assert fly.get().json()["release"] == "one"


# -- machines --------------------------------------------------------------------------------------------------------


def test_a_lease_is_held_by_somebody_else(fly: Fly, created: Json) -> None:
    order(fly, "take_lease", "lease_held", seconds=60, holder="ann@example.com")
    refused = fly.ask("POST", f"/machines/{created['id']}/lease", {"ttl": 5})
    assert refused.status_code == 409
    assert "held by ann@example.com" in refused.json()["message"]


def test_a_machine_is_taken_back_after_it_was_well(fly: Fly, running: Json, pushed: tuple[Pushed, Pushed]) -> None:
    order(fly, "update_machine", "revert", seconds=0.1)
    updated = fly.update(running["id"], pushed[1].by_digest).json()
    assert updated["version"] != running["version"]
    said = fly.until(running["id"], lambda said: said["version"] == running["version"] and said["state"] == "started")
    assert said["image_ref"]["digest"] == pushed[0].digest
    fly.well(running["id"])
    assert fly.get().json()["release"] == "one"
    late = fly.ask("GET", f"/machines/{running['id']}/wait?state=started&version={updated['version']}&timeout=1")
    assert late.status_code == 408


def test_a_pull_fails_and_the_old_version_goes_on(fly: Fly, running: Json, pushed: tuple[Pushed, Pushed]) -> None:
    order(fly, "update_machine", "pull_fails")
    fly.update(running["id"], pushed[1].by_digest)
    said = fly.until(running["id"], lambda said: said["state"] == "started" and said["version"] == running["version"])
    assert said["events"][0]["status"] == "failed"
    assert fly.get().json()["release"] == "one"


def test_the_old_process_goes_on_behind_a_new_version(fly: Fly, running: Json, pushed: tuple[Pushed, Pushed]) -> None:
    order(fly, "update_machine", "keeps_old_process")
    updated = fly.update(running["id"], pushed[1].by_digest).json()
    said = fly.until(running["id"], lambda said: said["state"] == "started")
    assert (said["version"], said["image_ref"]["digest"]) == (updated["version"], pushed[1].digest)
    assert fly.get().json()["release"] == "one"


def test_a_machine_never_starts(fly: Fly, pushed: tuple[Pushed, Pushed]) -> None:
    order(fly, "create_machine", "never_starts")
    made = fly.ask("POST", "/machines", {"config": config(pushed[0].by_digest)}).json()
    assert fly.ask("GET", f"/machines/{made['id']}/wait?state=started&timeout=2").status_code == 408
    assert fly.machine(made["id"])["state"] == "starting"


def test_a_process_crashes_until_no_restarts_are_left(fly: Fly, pushed: tuple[Pushed, Pushed]) -> None:
    order(fly, "create_machine", "crash_loop")
    restart = {"policy": "on-failure", "max_retries": 2}
    made = fly.create(pushed[0].by_digest, restart=restart)
    said = fly.until(made["id"], lambda said: said["state"] == "stopped")
    counts = [event["request"]["restart_count"] for event in said["events"] if event["type"] == "exit"]
    assert counts == [2, 2, 1]


def test_a_machine_that_is_about_to_be_restarted_starts_as_its_next_version(
    fly: Fly, pushed: tuple[Pushed, Pushed]
) -> None:
    order(fly, "create_machine", "crash_loop")
    made = fly.create(pushed[0].by_digest)
    fly.until(made["id"], lambda said: len([1 for event in said["events"] if event["type"] == "exit"]) > 2)
    version = fly.update(made["id"], pushed[1].by_digest).json()["instance_id"]
    fly.wait(made["id"], "started", version)
    kinds = [event["type"] for event in fly.well(made["id"])["events"]]
    assert kinds[0] == "start"
    assert fly.get().json()["release"] == "two"


def test_a_machine_that_is_updated_twice_starts_as_the_last_version(fly: Fly, pushed: tuple[Pushed, Pushed]) -> None:
    made = fly.create(pushed[0].by_digest)
    fly.update(made["id"], pushed[0].by_digest)
    version = fly.update(made["id"], pushed[1].by_digest).json()["instance_id"]
    fly.wait(made["id"], "started", version)
    at_first = fly.machine(made["id"])["events"]
    assert fly.well(made["id"])["events"] == at_first
    assert fly.get().json()["release"] == "two"


def test_a_check_passes_and_fails_by_turns(fly: Fly, pushed: tuple[Pushed, Pushed]) -> None:
    order(fly, "create_machine", "check_flaps", seconds=1)
    made = fly.create(pushed[0].by_digest)
    for status in ("passing", "critical", "passing"):
        fly.until(made["id"], lambda said, status=status: said["checks"][0]["status"] == status)  # type: ignore[misc]


def test_a_check_never_passes(fly: Fly, pushed: tuple[Pushed, Pushed]) -> None:
    order(fly, "create_machine", "check_never_passes")
    made = fly.create(pushed[0].by_digest)
    said = fly.until(made["id"], lambda said: said["checks"][0]["status"] == "critical")
    assert said["state"] == "started"
    assert fly.get(fly_force_instance_id=made["id"]).status_code == 503


def test_a_machine_is_destroyed_meanwhile(fly: Fly, created: Json) -> None:
    order(fly, "update_machine", "destroy_machine")
    assert fly.update(created["id"], created["config"]["image"]).status_code == 404
    assert fly.ask("GET", "/machines").json() == []


def test_a_machine_is_replaced_meanwhile(fly: Fly, running: Json, pushed: tuple[Pushed, Pushed]) -> None:
    order(fly, "update_machine", "replace_machine")
    guard = {"current_version": running["version"]}
    assert fly.update(running["id"], pushed[1].by_digest, asked=guard).status_code == 409
    said = fly.machine(running["id"])
    assert said["version"] != running["version"]
    assert said["image_ref"]["digest"] == pushed[0].digest


def test_machines_are_listed_as_they_were(fly: Fly, created: Json) -> None:
    order(fly, "list_machines", "stale_list", times=1)
    fly.ask("DELETE", f"/machines/{created['id']}")
    assert [machine["id"] for machine in fly.ask("GET", "/machines").json()] == [created["id"]]
    assert fly.ask("GET", "/machines").json() == []


# -- the log, and who may order --------------------------------------------------------------------------------------


def test_the_log_tells_calls_that_ask_for_a_change_from_those_that_do_not(fly: Fly, created: Json) -> None:
    before = fly.sim.calls()[-1].number
    fly.ask("GET", f"/machines/{created['id']}")
    fly.client.post(
        "/graphql", json={"query": "query ($n: String!) { app(name: $n) { id } }", "variables": {"n": fly.app}}
    )
    fly.client.post("/v1/tokens/authorize", json={"access": {"app_name": fly.app, "action": "r"}})
    fly.get()
    calls = fly.sim.calls(after=before)
    assert [call.operation for call in calls] == ["get_machine", "graphql:app", "authorize", "edge"]
    assert [call.app for call in calls] == [fly.app, fly.app, "", fly.app]
    assert fly.sim.calls(after=before, mutating=True) == ()
    fly.ask("POST", f"/machines/{created['id']}/lease", {"ttl": 1})
    changed = fly.sim.calls(after=before, mutating=True)
    assert [(call.operation, call.machine, call.status) for call in changed] == [("take_lease", created["id"], 201)]
    assert changed[0].bytes_in > 0 < changed[0].bytes_out


def test_what_the_platform_pulls_is_not_taken_for_a_call_of_ours(fly: Fly, running: Json) -> None:
    pulls = [call for call in fly.sim.calls() if call.listener == "registry" and call.platform]
    # An engine that knows the manifest from elsewhere asks only whether it is here.
    assert {"registry_get_manifest", "registry_head_manifest"} & {call.operation for call in pulls}
    assert not any(call.effects for call in pulls)


def test_only_the_sims_own_secret_orders_faults(fly: Fly, sim: Sim) -> None:
    for header in ("", f"Bearer {fly.token}", "Sim wrong"):
        answer = httpx2.post(f"{sim.api_url}/flysim/faults", json={"effect": "cut"}, headers={"Authorization": header})
        assert answer.status_code == 403
    with pytest.raises(SimRefused, match="400"):
        sim._ask("POST", "/flysim/faults", {"effect": "explode"})


def test_no_token_is_in_any_file_of_the_sim(fly: Fly, engine: docker.DockerClient, running: Json) -> None:
    files = [path for path in fly.sim.folder.iterdir() if path.is_file()]
    assert [path.name for path in files if fly.token.encode() in path.read_bytes()] == []
    assert [path.name for path in files if path.name == "state.json" and path.stat().st_mode & 0o077] == []
