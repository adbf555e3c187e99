"""The Machines API: what it says and what it refuses. Machines are only created here, unless they have to run."""

import time

import httpx2
import pytest
from code_insight_deploy.flysim import Sim

from tests.deploy.flysim.places import Fly, Json, Pushed, config, until

NONCE = "fly_machine_lease_nonce"


@pytest.fixture
def machine(fly: Fly, pushed: tuple[Pushed, Pushed]) -> Json:
    """A machine that has never been started."""
    return fly.create(pushed[0].by_digest, skip_launch=True)


# -- apps and tokens -------------------------------------------------------------------------------------------------


def test_an_app_is_created_shown_listed_and_deleted(fly: Fly) -> None:
    name = f"{fly.app}-b"
    made = fly.client.post("/v1/apps", json={"name": name, "org_slug": "personal"})
    assert made.status_code == 201
    assert set(made.json()) == {"id", "created_at"}
    shown = fly.client.get(f"/v1/apps/{name}").json()
    assert (shown["name"], shown["status"], shown["organization"]["slug"]) == (name, "pending", "personal")
    listed = fly.client.get("/v1/apps?org_slug=personal").json()
    assert name in {app["name"] for app in listed["apps"]}
    assert listed["total_apps"] == len(listed["apps"])
    assert fly.client.delete(f"/v1/apps/{name}").status_code == 202
    assert fly.client.get(f"/v1/apps/{name}").status_code == 404


def test_a_name_that_is_taken_is_refused_with_its_own_status(fly: Fly) -> None:
    refused = fly.client.post("/v1/apps", json={"name": fly.app, "org_slug": "personal"})
    assert refused.status_code == 422
    assert refused.json()["status"] == "name_taken"


def test_the_same_idempotency_key_gives_the_same_app_again(fly: Fly) -> None:
    asked = {"name": f"{fly.app}-c", "org_slug": "personal", "idempotency_key": "k"}
    first, second = (fly.client.post("/v1/apps", json=asked) for _ in range(2))
    assert first.json()["id"] == second.json()["id"]
    assert fly.client.post("/v1/apps", json={**asked, "idempotency_key": "l"}).status_code == 422
    assert fly.client.post("/v1/apps", json={**asked, "name": f"{fly.app}-other"}).status_code == 422
    fly.client.delete(f"/v1/apps/{asked['name']}")


def test_an_app_of_another_organization_is_taken_and_not_to_be_seen(fly: Fly, sim: Sim) -> None:
    sim.create_app(f"{fly.app}-d", organization="other")
    assert fly.client.get(f"/v1/apps/{fly.app}-d").status_code == 403
    taken = fly.client.post("/v1/apps", json={"name": f"{fly.app}-d", "org_slug": "personal"})
    assert taken.json()["status"] == "name_taken"
    theirs = httpx2.Client(headers={"Authorization": f"Bearer {sim.token(organization='other')}"})
    with theirs:
        assert theirs.delete(f"{sim.flaps_url}/v1/apps/{fly.app}-d").status_code == 202


@pytest.mark.parametrize(
    ("token", "looking", "changing"),
    [
        ({"rights": "all"}, 200, 201),
        ({"rights": "all", "macaroon": True}, 200, 201),
        ({"rights": "read"}, 200, 403),
        ({"rights": "none"}, 403, 403),
        ({"app": "library"}, 403, 403),
        ({"expires_in_seconds": -1}, 401, 401),
        (None, 401, 401),
    ],
    ids=["all", "macaroon", "read", "none", "other-app", "expired", "unknown"],
)
def test_a_token_may_do_what_it_is_for(
    fly: Fly, sim: Sim, machine: Json, token: Json | None, looking: int, changing: int
) -> None:
    secret = "fo1_unknown" if token is None else sim.token(**token)
    kind = "FlyV1" if secret.startswith("fm2_") else "Bearer"
    headers = {"authorization": f"{kind} {secret}"}
    path = f"/machines/{machine['id']}"
    assert fly.ask("GET", path, **headers).status_code == looking
    answer = fly.ask("POST", f"{path}/lease", {"ttl": 1}, **headers)
    assert answer.status_code == changing
    if changing != 201:
        assert set(answer.json()) == {"error", "status"}


def test_rights_can_be_asked_for_before_anything_is_done(fly: Fly, sim: Sim) -> None:
    def authorized(token: str, action: str) -> int:
        access = {"app_name": fly.app, "app_feature": "images", "action": action}
        asked = {"header": f"Bearer {token}", "access": access}
        return fly.client.post("/v1/tokens/authorize", json=asked).status_code

    reader = sim.token("read")
    assert [authorized(reader, "r"), authorized(reader, "rw"), authorized(fly.token, "rw")] == [200, 403, 200]
    current = fly.client.get("/v1/tokens/current").json()["tokens"]
    assert [token["org_slug"] for token in current] == ["personal"]


def test_a_deploy_token_is_for_its_app_alone(fly: Fly) -> None:
    token = fly.ask("POST", "/deploy_token", {"expiry": "1h"}).json()["token"]
    headers = {"authorization": token}
    assert fly.ask("GET", "/machines", **headers).status_code == 200
    assert fly.client.get("/v1/apps/library", headers=headers).status_code == 403


def test_addresses_are_assigned_listed_and_released(fly: Fly) -> None:
    shared, own = (
        fly.ask("GET", "/ip_assignments").json()["ips"],
        fly.ask("POST", "/ip_assignments", {"type": "v6"}).json(),
    )
    assert [ip["shared"] for ip in shared] == [True]
    assert not own["shared"]
    assert fly.ask("GET", "/ip_assignments").json()["ips"] == [*shared, own]
    assert fly.ask("DELETE", f"/ip_assignments/{own['ip']}").status_code == 204
    assert fly.ask("GET", "/ip_assignments").json()["ips"] == shared


def test_secrets_are_listed_by_name_and_never_by_value(fly: Fly) -> None:
    fly.ask("POST", "/secrets", {"values": {"KEY": "value", "OTHER": "x"}})
    answer = fly.ask("POST", "/secrets", {"values": {"OTHER": None}}).json()
    assert [secret["name"] for secret in answer["secrets"]] == ["KEY"]
    assert "value" not in fly.ask("GET", "/secrets").text


# -- machines that need not run --------------------------------------------------------------------------------------


def test_a_machine_that_is_not_launched_stays_created(fly: Fly, machine: Json, pushed: tuple[Pushed, Pushed]) -> None:
    assert machine["state"] == "created"
    assert machine["instance_id"] == machine["version"]
    assert machine["image_ref"]["registry"] == fly.sim.registry_host
    assert machine["image_ref"]["repository"] == "library"
    assert machine["image_ref"]["digest"] == pushed[0].digest
    assert not machine["cordoned"]


@pytest.mark.parametrize(("said", "told"), [("off", False), ("stop", True), ("suspend", "suspend"), (True, True)])
def test_autostop_is_told_as_older_clients_know_it(
    fly: Fly, pushed: tuple[Pushed, Pushed], said: bool | str, told: bool | str
) -> None:
    made = fly.create(pushed[0].by_digest, skip_launch=True, autostop=said)
    assert made["config"]["services"][0]["autostop"] == told


def test_an_image_that_is_not_in_the_registry_is_refused(fly: Fly) -> None:
    for image in (f"{fly.sim.registry_host}/library:none", "docker.io/library/python:3", ""):
        refused = fly.ask("POST", "/machines", {"config": config(image)})
        assert refused.status_code == 400, image
    assert fly.ask("GET", "/machines").json() == []


def test_an_image_of_another_organization_is_refused(fly: Fly, sim: Sim, pushed: tuple[Pushed, Pushed]) -> None:
    sim.create_app(f"{fly.app}-e", organization="other")
    with httpx2.Client(headers={"Authorization": f"Bearer {sim.token(organization='other')}"}) as theirs:
        asked = {"config": config(pushed[0].by_digest), "skip_launch": True}
        assert theirs.post(f"{sim.flaps_url}/v1/apps/{fly.app}-e/machines", json=asked).status_code == 400
        theirs.delete(f"{sim.flaps_url}/v1/apps/{fly.app}-e")


def test_each_update_has_a_version_and_keeps_the_old_ones(
    fly: Fly, machine: Json, pushed: tuple[Pushed, Pushed]
) -> None:
    updated = fly.update(machine["id"], pushed[1].by_digest, asked={"skip_launch": True}).json()
    assert updated["version"] != machine["version"]
    versions = fly.ask("GET", f"/machines/{machine['id']}/versions").json()
    assert [version["version"] for version in versions] == [updated["version"], machine["version"]]
    assert versions[1]["user_config"]["image"] == pushed[0].by_digest
    old = fly.ask("GET", f"/machines/{machine['id']}?version={machine['version']}").json()
    assert (old["state"], old["config"]["image"]) == ("replaced", pushed[0].by_digest)


def test_an_update_of_a_version_that_is_not_current_is_refused_and_changes_nothing(
    fly: Fly, machine: Json, pushed: tuple[Pushed, Pushed]
) -> None:
    guard = {"current_version": machine["version"], "skip_launch": True}
    now = fly.update(machine["id"], pushed[1].by_digest, asked=guard).json()
    refused = fly.update(machine["id"], pushed[0].by_digest, asked=guard)
    assert refused.status_code == 409
    assert fly.machine(machine["id"])["version"] == now["version"]


def test_a_lease_keeps_others_out_until_it_is_released(fly: Fly, machine: Json, pushed: tuple[Pushed, Pushed]) -> None:
    path = f"/machines/{machine['id']}/lease"
    assert fly.ask("GET", path).status_code == 404
    taken = fly.ask("POST", f"{path}?ttl=60")
    assert taken.status_code == 201
    lease = taken.json()["data"]
    assert set(lease) == {"nonce", "expires_at", "owner", "description", "version"}
    held = fly.ask("POST", path, {"ttl": 60})
    assert held.status_code == 409
    assert f"lease currently held by {lease['owner']}" in held.json()["message"]
    skip = {"skip_launch": True}
    assert fly.update(machine["id"], pushed[1].by_digest, asked=skip).status_code == 409
    assert fly.ask("DELETE", f"/machines/{machine['id']}?force=true").status_code == 409
    nonce = {NONCE: lease["nonce"]}
    asked = {"config": config(pushed[1].by_digest), **skip}
    assert fly.ask("POST", f"/machines/{machine['id']}", asked, **nonce).status_code == 200
    longer = fly.ask("POST", path, {"ttl": 600}, **nonce).json()["data"]
    assert (longer["nonce"], longer["expires_at"] > lease["expires_at"]) == (lease["nonce"], True)
    shown = fly.ask("GET", f"/machines/{machine['id']}?include_leases=true").json()["lease"]
    assert (shown["owner"], "nonce" in shown) == (lease["owner"], False)
    assert fly.ask("GET", path).json()["data"]["nonce"] == ""
    assert fly.ask("DELETE", path, **nonce).status_code == 200
    assert fly.ask("GET", path).status_code == 404


def test_a_lease_ends_by_itself(fly: Fly, machine: Json) -> None:
    path = f"/machines/{machine['id']}/lease"
    assert fly.ask("POST", path, {"ttl": 1}).status_code == 201
    until(lambda: fly.ask("POST", path, {"ttl": 1}).status_code, lambda status: status == 201)


def test_a_machine_can_be_created_with_a_lease_on_it(fly: Fly, pushed: tuple[Pushed, Pushed]) -> None:
    asked = {"config": config(pushed[0].by_digest), "skip_launch": True, "lease_ttl": 60}
    made = fly.ask("POST", "/machines", asked).json()
    path = f"/machines/{made['id']}/lease"
    assert fly.ask("DELETE", path).status_code == 409
    assert fly.ask("DELETE", path, **{NONCE: made["nonce"]}).status_code == 200


def test_metadata_changes_without_a_new_version_and_refuses_a_stale_one(fly: Fly, machine: Json) -> None:
    path = f"/machines/{machine['id']}/metadata"
    change = {"metadata": {"a": "1", "fly_process_group": None}, "machine_version": machine["version"]}
    assert fly.ask("PATCH", path, change).status_code == 204
    assert fly.ask("POST", f"{path}/b", {"value": "2"}).status_code == 204
    assert fly.ask("GET", path).json() == {"fly_platform_version": "v2", "a": "1", "b": "2"}
    assert fly.ask("GET", f"{path}/b").json() == {"value": "2"}
    assert fly.ask("DELETE", f"{path}/b").status_code == 204
    assert fly.ask("GET", f"{path}/b").status_code == 404
    stale = {"metadata": {"a": "3"}, "machine_version": "01J00000000000000000000000"}
    assert fly.ask("PATCH", path, stale).status_code == 412
    assert fly.machine(machine["id"])["version"] == machine["version"]
    assert fly.ask("GET", f"{path}/a").json() == {"value": "1"}


def test_events_come_newest_first_and_at_most_fifty(fly: Fly, machine: Json, pushed: tuple[Pushed, Pushed]) -> None:
    fly.update(machine["id"], pushed[1].by_digest, asked={"skip_launch": True})
    events = fly.ask("GET", f"/machines/{machine['id']}/events?limit=50").json()
    assert [event["type"] for event in events] == ["update", "launch"]
    assert events[0]["timestamp"] >= events[1]["timestamp"] > 1_700_000_000_000
    assert fly.ask("GET", f"/machines/{machine['id']}/events?limit=51").status_code == 400


def test_a_wait_that_is_not_rewarded_ends_with_408(fly: Fly, machine: Json) -> None:
    path = f"/machines/{machine['id']}/wait"
    began = time.monotonic()
    late = fly.ask("GET", f"{path}?state=started&timeout=1")
    assert late.status_code == 408
    assert time.monotonic() - began >= 1
    assert fly.ask("GET", f"{path}?state=started&timeout=61").status_code == 400
    assert fly.ask("GET", f"{path}?state=happy&timeout=1").status_code == 400
    assert fly.ask("GET", f"{path}?state=stopped&timeout=1").status_code == 408


def test_machines_are_listed_by_state_and_metadata(fly: Fly, machine: Json) -> None:
    def listed(query: str) -> list[str]:
        return [found["id"] for found in fly.ask("GET", f"/machines?{query}").json()]

    assert listed("state=created,started") == listed("metadata.fly_process_group=app") == [machine["id"]]
    assert listed("state=started") == listed("metadata.fly_process_group=other") == listed("region=ams") == []
    assert fly.ask("DELETE", f"/machines/{machine['id']}").status_code == 200
    assert (listed(""), listed("include_deleted=true")) == ([], [machine["id"]])
    assert fly.machine(machine["id"])["state"] == "destroyed"


def test_a_long_list_of_machines_comes_in_pages(fly: Fly, pushed: tuple[Pushed, Pushed]) -> None:
    made = [fly.create(pushed[0].by_digest, skip_launch=True)["id"] for _ in range(3)]
    first = fly.ask("GET", "/machines?limit=2")
    second = fly.ask("GET", f"/machines?limit=2&cursor={first.headers['fly-next-cursor']}")
    assert [machine["id"] for machine in first.json() + second.json()] == made
    assert len(first.json()) == 2
    assert "fly-next-cursor" not in second.headers
    assert [fly.ask("GET", f"/machines?limit={limit}").status_code for limit in ("0", "1001", "x")] == [400] * 3


def test_a_volume_is_attached_to_the_machine_that_mounts_it(fly: Fly, pushed: tuple[Pushed, Pushed]) -> None:
    volume = fly.ask("POST", "/volumes", {"name": "data", "region": "fra", "size_gb": 1}).json()
    mounts = [{"volume": volume["id"], "path": "/data"}]
    machine = fly.create(pushed[0].by_digest, skip_launch=True, mounts=mounts)
    listed = fly.ask("GET", "/volumes").json()
    assert [(found["name"], found["attached_machine_id"]) for found in listed] == [("data", machine["id"])]
    assert fly.ask("DELETE", f"/volumes/{volume['id']}").status_code == 412
    fly.ask("DELETE", f"/machines/{machine['id']}")
    assert fly.ask("DELETE", f"/volumes/{volume['id']}").status_code == 200
    assert fly.ask("POST", "/machines", {"config": config(pushed[0].by_digest, mounts=mounts)}).status_code == 400


def test_what_is_not_there_is_404_and_what_is_not_json_is_400(fly: Fly) -> None:
    assert fly.ask("GET", "/machines/00000000000000").status_code == 404
    assert fly.client.get("/v1/apps/no-such-app/machines").status_code == 404
    refused = fly.client.post(f"/v1/apps/{fly.app}/machines", content=b"{")
    assert (refused.status_code, set(refused.json())) == (400, {"error", "status"})
