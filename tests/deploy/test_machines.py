"""What the Machines API says becomes values; what is asked of it is asked once, guarded, and refusals are named."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from code_insight_deploy.errors import (
    Ambiguous,
    LeaseHeld,
    NameTaken,
    NoToken,
    PlanOvertaken,
    PlatformFailed,
)
from code_insight_deploy.machines import Machines, Pace

from tests.deploy.standin import CANARY, Asked, Reply, Service, serving

pytestmark = pytest.mark.usefixtures("no_pauses")

APP = {"id": "1", "name": "a", "organization": {"name": "Me", "slug": "personal"}, "status": "deployed"}
DIGEST = "sha256:" + "d" * 64


def described(id_: str = "m1", **changes: Any) -> dict[str, Any]:
    """A machine as the API describes one."""
    return {
        "id": id_,
        "name": f"name-{id_}",
        "state": "started",
        "region": "fra",
        "instance_id": "01V",
        "image_ref": {"registry": "r", "repository": "a", "tag": "t", "digest": DIGEST},
        "config": {"image": f"r/a@{DIGEST}", "metadata": {"fly_process_group": "app"}},
        "checks": [{"name": "up", "status": "passing", "output": "200", "updated_at": "…"}],
        "events": [
            {"id": "e2", "type": "start", "status": "started"},
            {"id": "e1", "type": "exit", "request": {"exit_event": {"exit_code": 137, "oom_killed": True}}},
        ],
        **changes,
    }


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as running:
        yield running


@pytest.fixture
def machines(service: Service) -> Iterator[Machines]:
    with Machines(service.target()) as client:
        yield client


def test_an_app_is_observed_with_all_its_machines(service: Service, machines: Machines) -> None:
    pages = {
        "/v1/apps/a": Reply(200, APP),
        "/v1/apps/a/machines?limit=100": Reply(200, [described("m2")], {"fly-next-cursor": "next"}),
        "/v1/apps/a/machines?limit=100&cursor=next": Reply(
            200,
            [
                described("m1", cordoned=True),
                described("m3", state="destroyed"),
                described("m4", config={"image": "x", "metadata": {"fly_process_group": "fly_app_release_command"}}),
            ],
        ),
        "/v1/apps/a/ip_assignments": Reply(body={"ips": [{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}]}),
        "/v1/apps/a/volumes": Reply(
            200,
            [
                {"id": "vol_1", "name": "data", "region": "fra", "size_gb": 1, "attached_machine_id": "m1"},
                {"id": "vol_2", "name": "data", "region": "fra", "size_gb": 1, "state": "destroyed"},
            ],
        ),
    }
    pages |= {
        "/v1/apps/a/machines/m1": Reply(200, described("m1", cordoned=True)),
        "/v1/apps/a/machines/m2": Reply(200, described("m2", instance_id="02V")),
    }
    service.answer = lambda asked: pages[asked.path]
    seen = machines.observe("a")
    assert (seen.app, seen.organization, seen.volumes, seen.addresses) == ("a", "personal", 1, 2)
    assert dict(seen.versions) == {"m1": "01V", "m2": "02V"}  # the list lags behind what the machine says of itself
    first = seen.machines[0]
    assert (first.state, first.digest, first.is_cordoned) == ("started", DIGEST, True)
    assert first.last_exit == "e1: exit code 137, out of memory"
    assert [(check.name, check.status) for check in first.checks] == [("up", "passing")]


def test_a_machine_that_is_listed_and_not_found_is_asked_for_again(service: Service, machines: Machines) -> None:
    is_found = iter([False, False, True])

    def answer(asked: Asked) -> Reply:
        if asked.path == "/v1/apps/a/machines/m1":
            return Reply(200, described("m1")) if next(is_found) else Reply(404)
        lists = {"/v1/apps/a/machines?limit=100": [described("m1")], "/v1/apps/a/volumes": []}
        return Reply(200, lists.get(asked.path, APP))

    service.answer = answer
    assert dict(machines.observe("a").versions) == {"m1": "01V"}


def test_an_app_that_does_not_exist_is_observed_as_nothing(machines: Machines) -> None:
    assert not machines.observe("nobody").exists


@pytest.mark.parametrize(
    ("status", "said"), [(401, "expired or unknown"), (403, "without rights"), (500, "500"), (418, "418")]
)
def test_a_refusal_to_read_says_what_to_do(service: Service, machines: Machines, status: int, said: str) -> None:
    service.answer = lambda _: Reply(status, {"error": f"no, not with {CANARY}"})
    with pytest.raises((NoToken, PlatformFailed), match=said) as refused:
        machines.observe("a")
    assert CANARY not in str(refused.value)
    assert refused.value.next_step


@pytest.mark.parametrize("body", [b"<html>", b"[]", {"organization": 3}, b'{"organization": {"sl', b"null"])
def test_an_answer_that_is_not_as_documented_is_named(service: Service, machines: Machines, body: Any) -> None:
    service.answer = lambda _: Reply(200, body)
    with pytest.raises(PlatformFailed, match="not as documented"):
        machines.observe("a")


@pytest.mark.parametrize("reply", [Reply(500), Reply(503), Reply(408), Reply(cut="at once")])
def test_a_change_whose_outcome_is_unknown_is_asked_for_once(
    service: Service, machines: Machines, reply: Reply
) -> None:
    service.answer = lambda _: reply
    with pytest.raises(Ambiguous):
        machines.update("a", "m1", {"image": "x"}, current_version="01V")
    assert len(service.asked) == 1


def test_an_update_is_guarded_by_version_and_lease(service: Service, machines: Machines) -> None:
    service.answer = lambda _: Reply(200, described(instance_id="02V"))
    assert machines.update("a", "m1", {"image": "x"}, current_version="01V", nonce="n1").version == "02V"
    asked = service.asked[0]
    assert (asked.method, asked.path) == ("POST", "/v1/apps/a/machines/m1")
    assert asked.json() == {"config": {"image": "x"}, "current_version": "01V"}
    assert asked.headers["fly-machine-lease-nonce"] == "n1"


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (409, "machine ID m1 lease currently held by bob@example.com, expires at 2026", LeaseHeld),
        (409, "current_version does not match", PlanOvertaken),
        (412, "machine is replacing", PlanOvertaken),
        (404, "not found", PlanOvertaken),
        (401, "unauthorized", NoToken),
        (422, "bad config", PlatformFailed),
    ],
)
def test_a_refused_update_is_named_after_its_reason(
    service: Service, machines: Machines, status: int, said: str, kind: type[Exception]
) -> None:
    service.answer = lambda _: Reply(status, {"error": said})
    with pytest.raises(kind, match=said):
        machines.update("a", "m1", {"image": "x"}, current_version="01V")


def test_a_name_that_is_taken_is_refused_with_the_way_out(service: Service, machines: Machines) -> None:
    service.answer = lambda _: Reply(422, {"error": "Name has already been taken", "status": "name_taken"})
    with pytest.raises(NameTaken) as taken:
        machines.create_app("a", "personal")
    assert "another name" in taken.value.next_step


def test_what_was_just_created_may_be_unknown_for_a_while(service: Service, machines: Machines) -> None:
    service.script = [Reply(200, described()), Reply(404), Reply(404), Reply(200, described())]
    made = machines.create("a", {"image": "x"}, "fra")
    assert machines.machine("a", made.id) is not None
    assert len(service.asked) == 4


def test_a_machine_that_is_not_there_is_none(machines: Machines) -> None:
    assert machines.machine("a", "m9") is None


def test_a_mount_is_given_a_free_volume_of_its_name(service: Service, machines: Machines) -> None:
    volume = {"name": "data", "region": "fra", "size_gb": 1}
    taken, free = {**volume, "id": "vol_1", "attached_machine_id": "m0"}, {**volume, "id": "vol_2"}
    other = {**volume, "id": "vol_0", "region": "ams"}
    service.script = [Reply(200, [taken, free, other]), Reply(200, described())]
    machines.create("a", {"image": "x", "mounts": [{"name": "data", "path": "/data"}]}, "fra")
    assert service.asked[-1].json()["config"]["mounts"] == [{"name": "data", "path": "/data", "volume": "vol_2"}]


def test_waiting_is_for_one_version_and_is_repeated_until_the_time_is_over(
    service: Service, machines: Machines
) -> None:
    service.script = [Reply(408), Reply(200, {"ok": True})]
    assert machines.wait("a", "m1", version="02V", seconds=20)
    assert "version=02V" in service.asked[-1].path
    service.answer = lambda _: Reply(408)
    assert not machines.wait("a", "m1", version="02V", seconds=0.3)


def test_a_lease_is_renewed_while_it_is_held_and_given_back(service: Service, machines: Machines) -> None:
    renewed = threading.Event()

    def answer(asked: Asked) -> Reply:
        if asked.headers.get("fly-machine-lease-nonce") == "n1" and asked.method == "POST":
            renewed.set()
        return Reply(201, {"status": "success", "data": {"nonce": "n1"}})

    service.answer = answer
    with machines.lease("a", "m1", seconds=1, description="a release") as nonce:
        assert nonce == "n1"
        assert renewed.wait(10)
    assert (service.asked[-1].method, service.asked[-1].headers["fly-machine-lease-nonce"]) == ("DELETE", "n1")
    assert service.asked[0].json() == {"ttl": 1, "description": "a release"}


def test_metadata_is_set_by_key(service: Service, machines: Machines) -> None:
    service.answer = lambda asked: Reply(200, {"k": "v"}) if asked.method == "GET" else Reply(204)
    machines.set_metadata("a", "m1", "k", "v")
    assert service.asked[-1].json() == {"value": "v"}
    assert dict(machines.metadata("a", "m1")) == {"k": "v"}
    machines.delete_metadata("a", "m1", "k")
    assert service.asked[-1].path == "/v1/apps/a/machines/m1/metadata/k"


def test_organizations_are_those_that_the_token_opens(service: Service, machines: Machines) -> None:
    service.answer = lambda _: Reply(200, {"data": {"organizations": {"nodes": [{"slug": "personal"}]}}})
    assert machines.organizations() == ("personal",)


def test_rights_say_what_the_token_may_do(service: Service, machines: Machines) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.path == "/v1/tokens/current":
            return Reply(200, {"tokens": [{"org_slug": "personal", "user": "me@example.com"}]})
        return Reply(200 if asked.json()["access"]["action"] == "r" else 403, {})

    service.answer = answer
    rights = machines.rights("a")
    assert (rights.owner, rights.may_read, rights.may_change, rights.may_push) == (
        "me@example.com personal",
        True,
        False,
        False,
    )


def test_a_macaroon_is_sent_as_one() -> None:
    with serving(lambda _: Reply(404)) as service, Machines(service.target("fm2_abc")) as machines:
        machines.observe("a")
        assert service.asked[0].headers["authorization"] == "FlyV1 fm2_abc"


def test_a_name_that_leads_elsewhere_is_not_asked_for(service: Service, machines: Machines) -> None:
    with pytest.raises(ValueError, match="no name"):
        machines.machine("a", "../../other/machines/m1")
    assert service.asked == []


def test_changes_of_one_machine_are_paced_and_others_are_not_held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("code_insight_deploy.machines.time.sleep", pauses.append)
    pace = Pace()
    for _ in range(4):
        pace.wait("update m1", 3, 1.0)
    pace.wait("update m2", 3, 1.0)
    assert len(pauses) == 1
    assert 0.5 < pauses[0] <= 1.0
