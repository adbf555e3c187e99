"""Fly's proxy: which machine a request goes to, and what it carries."""

import contextlib
from collections.abc import Iterator

import httpx2
import pytest
from code_insight_deploy.flysim import Fault, Sim, When

from tests.deploy.flysim.places import Fly, Json, Pushed, until


@pytest.fixture(scope="module")
def crowd(sim: Sim, pushed: tuple[Pushed, Pushed]) -> Iterator[Fly]:
    """Somebody whose app has two machines that are well."""
    somebody = Fly.new(sim)
    made = [somebody.create(pushed[0].by_digest)["id"] for _ in range(2)]
    for machine in made:
        somebody.well(machine)
    yield somebody
    somebody.close()


@pytest.fixture
def two(crowd: Fly) -> tuple[Json, Json]:
    """Those machines."""
    first, second = crowd.ask("GET", "/machines").json()
    return first, second


def asked(fly: Fly, **headers: str) -> str:
    return str(fly.get(**headers).json()["environment"]["FLY_MACHINE_ID"])


def test_requests_go_to_all_machines_in_turn_and_to_the_one_that_is_named(crowd: Fly, two: tuple[Json, Json]) -> None:
    ids = {machine["id"] for machine in two}
    assert {asked(crowd) for _ in range(4)} == ids
    assert {asked(crowd, fly_force_instance_id=two[1]["id"]) for _ in range(3)} == {two[1]["id"]}
    assert crowd.get(fly_force_instance_id="00000000000000").status_code == 503
    crowd.ask("POST", f"/machines/{two[0]['id']}/cordon")
    assert crowd.machine(two[0]["id"])["cordoned"]
    assert {asked(crowd) for _ in range(4)} == {two[1]["id"]}
    assert crowd.get(fly_force_instance_id=two[0]["id"]).status_code == 503
    crowd.ask("POST", f"/machines/{two[0]['id']}/uncordon")
    assert {asked(crowd) for _ in range(4)} == ids


def test_a_machine_whose_checks_do_not_pass_gets_no_requests(crowd: Fly, two: tuple[Json, Json]) -> None:
    sick = Fault(when=When(operation="get_machine", machine=two[0]["id"]), effect="check_never_passes")
    crowd.sim.faults.add(sick)
    crowd.until(two[0]["id"], lambda said: said["checks"][0]["status"] == "critical")
    assert {asked(crowd) for _ in range(4)} == {two[1]["id"]}
    crowd.sim.faults.clear()


def test_an_app_without_machines_answers_503_at_an_address_that_stays(fly: Fly) -> None:
    assert fly.get().status_code == 503
    assert fly.url() == fly.url()
    assert httpx2.get(f"{fly.sim.flaps_url}/flysim/apps/{fly.app}").json()["url"] == fly.url()


def test_an_app_without_an_address_is_reached_by_nobody(fly: Fly) -> None:
    given = fly.ask("GET", "/ip_assignments").json()["ips"]
    for address in given:
        fly.ask("DELETE", f"/ip_assignments/{address['ip']}")
    assert fly.get().status_code == 502
    fly.ask("POST", "/ip_assignments", {"type": "v6"})
    assert fly.get().status_code == 503  # there is no machine yet


@pytest.mark.parametrize(("autostop", "state"), [("stop", "stopped"), ("suspend", "suspended")])
def test_a_machine_without_requests_is_put_to_sleep_and_woken_by_one(
    fly: Fly, pushed: tuple[Pushed, Pushed], autostop: str, state: str
) -> None:
    machine = fly.create(pushed[0].by_digest, autostop=autostop)
    said = fly.until(machine["id"], lambda said: said["state"] == state)
    assert any(event["source"] == "proxy" for event in said["events"])
    assert asked(fly) == machine["id"]
    assert fly.machine(machine["id"])["state"] == "started"


def test_a_machine_that_somebody_waits_for_is_not_put_to_sleep_before_it_is_well(
    fly: Fly, pushed: tuple[Pushed, Pushed]
) -> None:
    slowly = {"exec": ["sh", "-c", "sleep 3; exec python /server.py"]}  # longer than a machine may be idle here
    machine = fly.create(pushed[0].by_digest, autostop="stop", init=slowly)
    fly.until(machine["id"], lambda said: said["state"] == "stopped")
    assert asked(fly) == machine["id"]


def test_as_many_machines_stay_awake_as_are_asked_for(fly: Fly, pushed: tuple[Pushed, Pushed]) -> None:
    made = [fly.create(pushed[0].by_digest, autostop="stop", least=1)["id"] for _ in range(2)]
    states = until(lambda: sorted(fly.machine(machine)["state"] for machine in made), lambda found: "stopped" in found)
    assert states == ["started", "stopped"]


def test_a_stopped_machine_is_not_woken_by_a_request_that_names_it(fly: Fly, pushed: tuple[Pushed, Pushed]) -> None:
    machine = fly.create(pushed[0].by_digest)
    fly.ask("POST", f"/machines/{machine['id']}/stop")
    fly.wait(machine["id"], "stopped")
    assert fly.get(fly_force_instance_id=machine["id"]).status_code == 503


def test_a_request_carries_what_fly_adds_and_the_answer_its_number(crowd: Fly, two: tuple[Json, Json]) -> None:
    answer = crowd.get(x_forwarded_for="192.0.2.1")
    said = {name.lower(): value for name, value in answer.json()["headers"].items()}
    assert said["fly-client-ip"] == "127.0.0.1"
    assert said["fly-request-id"] == answer.headers["fly-request-id"]
    assert said["fly-region"] == "fra"
    assert said["x-forwarded-for"] == "192.0.2.1, 127.0.0.1"
    assert "fly-force-instance-id" not in said
    assert crowd.post("/echo", "hello").json()["body"] == "hello"


def test_an_answer_passes_through_while_it_is_made(fly: Fly, pushed: tuple[Pushed, Pushed]) -> None:
    fly.well(fly.create(pushed[0].by_digest)["id"])
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(httpx2.Client(timeout=30))
        answer = stack.enter_context(client.stream("GET", f"{fly.url()}/stream"))
        parts = answer.iter_text()
        assert next(parts) == "data: first\n\n"
        fly.get("/go")
        assert "".join(parts) == "data: second\n\n"
