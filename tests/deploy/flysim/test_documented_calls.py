"""Every call that Fly documents for what flysim stands in for, as Fly's own programs make it and read the answer.

Requests and types are facts of superfly/docs (api/machines/openapi.json, 462dcb90), of superfly/fly-go (flaps, the Go
client) and of superfly/flyctl (internal/uiex); see docs/flysim.md. No program of Fly's can be run here.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from code_insight_deploy.flysim.api import Api
from code_insight_deploy.flysim.flaps import Flaps

from tests.deploy.flysim.places import Fly, Json, Pushed, config
from tests.deploy.flysim.shapes import (
    APP,
    BUILD,
    IP,
    LEASE,
    MACHINE,
    ORGANIZATION,
    RELEASE,
    SECRETS,
    STATES,
    VOLUME,
    Shape,
    misfits,
    time,
)

OK = {"ok": bool}


@dataclass(frozen=True, slots=True)
class Documented:
    """One call. A text in {braces} stands for something of the stage."""

    operation: str
    call: str
    """Method and path, with its query."""
    shape: Shape = None
    """Of the answer; None when nothing of it is read."""
    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


NONCE = {"fly-machine-lease-nonce": "{nonce}"}
MACHINES = [
    Documented("list_apps", "GET /v1/apps?org_slug=personal", {"apps": [APP], "total_apps": int}),
    Documented(
        "create_app",
        "POST /v1/apps?wait=true",
        {"id": str, "created_at": int},
        {"name": "{new name}", "org_slug": "personal", "network": "", "app_role_id": ""},
        status=201,
    ),
    Documented("get_app", "GET /v1/apps/{app}", APP),
    Documented("delete_app", "DELETE /v1/apps/{other app}", status=202),
    Documented("deploy_token", "POST /v1/apps/{app}/deploy_token", {"token": str}, {"expiry": "1h"}),
    Documented("list_ips", "GET /v1/apps/{app}/ip_assignments", {"ips": [IP]}),
    Documented(
        "assign_ip",
        "POST /v1/apps/{app}/ip_assignments",
        IP,
        {"type": "v6", "region": "", "org_slug": "", "network": "", "service_name": ""},
    ),
    Documented("release_ip", "DELETE /v1/apps/{app}/ip_assignments/{ip}", status=204),
    Documented("list_volumes", "GET /v1/apps/{app}/volumes", [VOLUME]),
    Documented(
        "create_volume",
        "POST /v1/apps/{app}/volumes",
        VOLUME,
        {"name": "data", "region": "fra", "size_gb": 1, "encrypted": True, "require_unique_zone": True},
    ),
    Documented("get_volume", "GET /v1/apps/{app}/volumes/{volume}", VOLUME),
    Documented("delete_volume", "DELETE /v1/apps/{app}/volumes/{volume}", VOLUME),
    Documented("list_secrets", "GET /v1/apps/{app}/secrets", SECRETS),
    Documented(
        "update_secrets",
        "POST /v1/apps/{app}/secrets",
        {**SECRETS, "version": int},
        {"values": {"A": "b", "GONE": None}},
    ),
    Documented("list_machines", "GET /v1/apps/{app}/machines", [MACHINE]),
    Documented("list_machines", "GET /v1/apps/{app}/machines?include_deleted=true&include_leases=true", [MACHINE]),
    Documented(
        "create_machine",
        "POST /v1/apps/{app}/machines",
        {**MACHINE, "nonce": str},
        {
            "config": "{config}",
            "region": "fra",
            "name": "",
            "skip_launch": True,
            "skip_service_registration": True,
            "skip_secrets": False,
            "lease_ttl": 300,
        },
    ),
    Documented("get_machine", "GET /v1/apps/{app}/machines/{machine}", MACHINE),
    Documented("get_machine", "GET /v1/apps/{app}/machines/{machine}?version={version}&include_leases=true", MACHINE),
    Documented(
        "update_machine",
        "POST /v1/apps/{app}/machines/{machine}",
        MACHINE,
        {"id": "{machine}", "config": "{config}", "current_version": "{version}", "skip_launch": True},
        headers=NONCE,
    ),
    Documented("delete_machine", "DELETE /v1/apps/{app}/machines/{machine}?kill=true", OK, headers=NONCE),
    Documented("delete_machine", "DELETE /v1/apps/{app}/machines/{machine}?force=true", OK),
    Documented(
        "start_machine",
        "POST /v1/apps/{app}/machines/{machine}/start",
        {"previous_state": str, "migrated": bool, "new_host": str},
    ),
    Documented(
        "stop_machine",
        "POST /v1/apps/{app}/machines/{running}/stop",
        OK,
        {"id": "{running}", "signal": "SIGTERM", "timeout": "5s"},
    ),
    Documented(
        "restart_machine",
        "POST /v1/apps/{app}/machines/{running}/restart?force_stop=false&timeout=5s&signal=SIGTERM",
        OK,
    ),
    Documented("suspend_machine", "POST /v1/apps/{app}/machines/{running}/suspend", OK),
    Documented("cordon", "POST /v1/apps/{app}/machines/{machine}/cordon", OK, headers=NONCE),
    Documented("uncordon", "POST /v1/apps/{app}/machines/{machine}/uncordon", OK, headers=NONCE),
    Documented(
        "wait",
        "GET /v1/apps/{app}/machines/{running}/wait?state=started&timeout=60",
        {"ok": bool, "state": str, "version": str, "event_id": str},
    ),
    Documented(
        "wait",
        "GET /v1/apps/{app}/machines/{running}/wait?state=started&state=settled&version={running version}&timeout=60",
        {"ok": bool, "state": str, "version": str, "event_id": str},
    ),
    Documented("list_events", "GET /v1/apps/{app}/machines/{machine}/events?limit=50", MACHINE["events"]),
    Documented(
        "list_versions",
        "GET /v1/apps/{app}/machines/{machine}/versions",
        [{"version": str, "user_config": MACHINE["config"]}],
    ),
    Documented(
        "list_processes",
        "GET /v1/apps/{app}/machines/{running}/ps",
        [{"pid": int, "rss": int, "command": str, "listen_sockets": [{"proto": str, "address": str}]}],
    ),
    Documented("take_lease", "POST /v1/apps/{app}/machines/{machine}/lease?ttl=13", LEASE, status=201),
    Documented(
        "take_lease",
        "POST /v1/apps/{app}/machines/{machine}/lease",
        LEASE,
        {"ttl": 13, "description": "why"},
        status=201,
        headers=NONCE,
    ),
    Documented("get_lease", "GET /v1/apps/{app}/machines/{leased}/lease", LEASE),
    Documented("release_lease", "DELETE /v1/apps/{app}/machines/{machine}/lease", OK, headers=NONCE),
    Documented("get_metadata", "GET /v1/apps/{app}/machines/{machine}/metadata", {"fly_platform_version": str}),
    Documented(
        "update_metadata",
        "PATCH /v1/apps/{app}/machines/{machine}/metadata",
        body={"metadata": {"a": "b"}, "machine_version": "{version}"},
        status=204,
    ),
    Documented(
        "update_metadata", "PUT /v1/apps/{app}/machines/{machine}/metadata", body={"metadata": {"a": ""}}, status=204
    ),
    Documented(
        "get_metadata_key", "GET /v1/apps/{app}/machines/{machine}/metadata/fly_platform_version", {"value": str}
    ),
    Documented(
        "set_metadata_key",
        "POST /v1/apps/{app}/machines/{machine}/metadata/fly_bluegreen_deployment_tag",
        body={"value": "safe_to_destroy"},
        status=204,
    ),
    Documented(
        "delete_metadata_key", "DELETE /v1/apps/{app}/machines/{machine}/metadata/fly_process_group", status=204
    ),
    Documented("current_token", "GET /v1/tokens/current", {"tokens": [{"token_id": str, "org_slug": str}]}),
    Documented("authenticate", "POST /v1/tokens/authenticate", body={"header": "Bearer {token}"}),
    Documented(
        "authorize",
        "POST /v1/tokens/authorize",
        {"access": dict},
        {"header": "Bearer {token}", "access": {"app_name": "{app}", "app_feature": "images", "action": "rw"}},
    ),
]
UIEX = [
    Documented("uiex_organizations", "GET /api/v1/organizations?admin=false", {"organizations": [ORGANIZATION]}),
    Documented("uiex_organization", "GET /api/v1/organizations/personal", {"organization": ORGANIZATION}),
    Documented(
        "uiex_create_build",
        "POST /api/v1/builds",
        BUILD,
        {"app_name": "{app}", "builder_type": "remote", "strategies_available": ["Remote Image Reference"]},
    ),
    Documented(
        "uiex_finish_build",
        "POST /api/v1/builds/finish",
        BUILD,
        {
            "build_id": 1001,
            "app_name": "{app}",
            "machine_id": "",
            "status": "completed",
            "strategies_attempted": [],
            "builder_meta": {},
            "final_image": {"id": "", "size_bytes": 0, "tag": ""},
            "timings": {},
            "logs": "",
        },
    ),
    Documented(
        "uiex_create_release",
        "POST /api/v1/releases",
        {"release": RELEASE},
        {"app_name": "{app}", "build_id": 1001, "definition": {}, "image": "{image}", "strategy": "BLUEGREEN"},
        status=201,
    ),
    Documented(
        "uiex_update_release",
        "PATCH /api/v1/releases/{release}",
        RELEASE,
        {"status": "complete", "metadata": {"post_deployment_info": {}}},
    ),
    Documented("uiex_releases", "GET /api/v1/apps/{app}/releases?limit=5", {"releases": [RELEASE]}),
    Documented("uiex_current_release", "GET /api/v1/apps/{released app}/releases/current", RELEASE),
    Documented("uiex_current_releases", "GET /api/v1/releases/all_current", {"{released app}": time}),
    Documented("uiex_logs", "GET /api/v1/apps/{app}/logs?next_token=", {"data": list, "meta": {"next_token": str}}),
]
REST = [*MACHINES, *UIEX]


class Stage:
    """An app, and what of it a call needs; made when the first text asks for it."""

    def __init__(self, fly: Fly, image: str) -> None:
        self._fly = fly
        self._image = image
        self._made: dict[str, Any] = {}

    def filled(self, said: Any) -> Any:
        """The same with everything in braces replaced."""
        if isinstance(said, dict):
            return {self.filled(key): self.filled(value) for key, value in said.items()}
        if isinstance(said, list):
            return [self.filled(item) for item in said]
        if said == "{config}":
            return config(self._image)
        if isinstance(said, str):
            return re.sub(r"\{([a-z ]+)\}", lambda found: str(self.get(found[1])), said)
        return said

    def get(self, name: str) -> Any:
        """What the name stands for; the same every time."""
        if name not in self._made:
            makers: dict[str, Callable[[], Any]] = {
                "app": lambda: self._fly.app,
                "released app": lambda: self.get("release") and self._fly.app,
                "released app with a machine": lambda: self.get("machine") and self.get("released app"),
                "new name": lambda: f"{self._fly.app}-new",
                "other app": self._other_app,
                "token": lambda: self._fly.token,
                "image": lambda: self._image,
                "machine": lambda: self._fly.create(self._image, skip_launch=True)["id"],
                "version": lambda: self._fly.machine(self.get("machine"))["version"],
                "running": lambda: self._fly.create(self._image)["id"],
                "running version": lambda: self._fly.machine(self.get("running"))["version"],
                "leased": lambda: self.get("nonce") and self.get("machine"),
                "nonce": lambda: self._ask("POST", f"/machines/{self.get('machine')}/lease?ttl=60")["data"]["nonce"],
                "volume": lambda: self._ask("POST", "/volumes", {"name": "data"})["id"],
                "ip": lambda: self._ask("GET", "/ip_assignments")["ips"][0]["ip"],
                "release": self._release,
            }
            self._made[name] = makers[name]()
        return self._made[name]

    def _other_app(self) -> str:
        self._fly.sim.create_app(f"{self._fly.app}-other")
        return f"{self._fly.app}-other"

    def _release(self) -> str:
        asked = {"app_name": self._fly.app, "definition": {}, "image": self._image, "strategy": "ROLLING"}
        return str(self._fly.client.post("/api/v1/releases", json=asked).json()["release"]["id"])

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        return self._fly.ask(method, path, body).raise_for_status().json()


@pytest.fixture
def stage(fly: Fly, pushed: tuple[Pushed, Pushed]) -> Iterator[Stage]:
    yield Stage(fly, pushed[0].by_digest)
    for name in ("new", "other"):
        fly.client.delete(f"/v1/apps/{fly.app}-{name}")


@pytest.mark.parametrize("documented", REST, ids=lambda documented: documented.call.partition("?")[0])
def test_a_documented_request_is_answered_as_documented(fly: Fly, stage: Stage, documented: Documented) -> None:
    shape = stage.filled(documented.shape) if isinstance(documented.shape, dict) else documented.shape
    method, _, path = stage.filled(documented.call).partition(" ")
    body, headers = stage.filled(documented.body), stage.filled(documented.headers)
    answer = fly.client.request(method, path, json=body, headers=headers)
    assert answer.status_code == documented.status, answer.text
    assert documented.shape is None or misfits(answer.json(), shape) == []
    assert [call for call in fly.sim.calls() if call.listener == "api"][-1].operation == documented.operation


def test_no_endpoint_is_without_its_documented_request() -> None:
    served = [*Flaps.__new__(Flaps).routes(), *Api.__new__(Api).routes()]
    assert {route.name for route in served} - {"graphql"} == {documented.operation for documented in REST}


REFUSED = {"error": str, "status": frozenset(["unknown", "insufficient_capacity", "name_taken"])}
REFUSALS = [
    ("GET /v1/apps", None, 400),
    ("GET /v1/apps/no-such-app", None, 404),
    ("GET /v1/apps/{app}/machines/00000000000000", None, 404),
    ("POST /v1/apps", {"name": "{app}", "org_slug": "personal"}, 422),
    ("POST /v1/apps/{app}/machines/{machine}", {"config": "{config}", "current_version": "01J0"}, 409),
    ("PATCH /v1/apps/{app}/machines/{machine}/metadata", {"metadata": {}, "machine_version": "01J0"}, 412),
    ("GET /v1/apps/{app}/machines/{machine}/wait?state=started&timeout=1", None, 408),
    ("POST /v1/apps/{app}/machines/{leased}/lease?ttl=1", None, 409),
]


@pytest.mark.parametrize(("call", "body", "status"), REFUSALS, ids=[f"{call} {s}" for call, _, s in REFUSALS])
def test_a_refusal_says_why_as_documented(fly: Fly, stage: Stage, call: str, body: Any, status: int) -> None:
    method, _, path = stage.filled(call).partition(" ")
    answer = fly.client.request(method, path, json=stage.filled(body))
    assert answer.status_code == status, answer.text
    of_lease = {"status": frozenset(["error"]), "message": str, "code": str}
    assert misfits(answer.json(), of_lease if "{leased}" in call else REFUSED) == []


def test_an_exit_event_can_be_read_by_go(fly: Fly, stage: Stage) -> None:
    machine = stage.get("running")
    fly.ask("POST", f"/machines/{machine}/stop")
    fly.wait(machine, "stopped")
    stopped = fly.machine(machine)
    assert misfits(stopped, MACHINE) == []
    assert "exit" in [event["type"] for event in stopped["events"]]


# -- GraphQL ---------------------------------------------------------------------------------------------------------

COMPACT = {
    "id": str,
    "internalNumericId": str,
    "name": str,
    "hostname": str,
    "deployed": bool,
    "status": str,
    "appUrl": str,
    "platformVersion": frozenset(["machines"]),
    "organization": {"id": str, "internalNumericId": str, "slug": str, "paidPlan": bool},
    "postgresAppRole?": {"name": str},
}
RELEASE_ROW = {
    "id": str,
    "version": int,
    "description": str,
    "reason": str,
    "status": str,
    "imageRef": str,
    "stable": bool,
    "user": {"id": str, "email": str, "name": str},
    "createdAt": time,
}
QUERIES: dict[str, tuple[str, Json, Shape]] = {
    "organizations": (
        """{ organizations(admin: false) { nodes {
          id slug rawSlug name type paidPlan billable viewerRole internalNumericId } } }""",
        {},
        {"organizations": {"nodes": [{"id": str, "slug": str, "type": frozenset(["PERSONAL", "SHARED"])}]}},
    ),
    "apps": (
        """query ($org: ID, $role: String, $after: String) {
          apps(type: "container", first: 200, after: $after, organizationId: $org, role: $role) {
            pageInfo { hasNextPage endCursor }
            nodes { id name deployed hostname platformVersion network organization { slug name }
              currentRelease { createdAt status } status } } }""",
        {"after": ""},
        {"apps": {"pageInfo": {"hasNextPage": bool, "endCursor": str}, "nodes": [{"id": str, "deployed": bool}]}},
    ),
    "appcompact": (
        """query ($appName: String!) { appcompact: app(name: $appName) {
          id internalNumericId name hostname cnameTarget deployed network status appUrl platformVersion
          organization { id internalNumericId slug paidPlan } postgresAppRole: role { name } } }""",
        {"appName": "{app}"},
        {"appcompact": COMPACT},
    ),
    "app": (
        """query ($appName: String!) { app(name: $appName) {
          id internalNumericId name hostname deployed status version appUrl platformVersion
          currentRelease { evaluationId status inProgress version } config { definition }
          organization { id slug paidPlan }
          services { description protocol internalPort ports { port handlers } }
          ipAddresses { nodes { id address type createdAt } }
          imageDetails { registry repository tag digest version }
          machines { nodes { id name config state region createdAt app { name }
            ips { nodes { family kind ip maskSize } } host { id } } }
          postgresAppRole: role { name } limitedAccessTokens { nodes { id name expiresAt } } } }""",
        {"appName": "{released app with a machine}"},
        {
            "app": {
                **{key: shape for key, shape in COMPACT.items() if key != "organization"},
                "version": int,
                "currentRelease": {"evaluationId": str, "status": str, "inProgress": bool, "version": int},
                "config": {"definition": dict},
                "services": [
                    {
                        "protocol": frozenset(["TCP", "UDP"]),
                        "internalPort": int,
                        "ports": [{"port": int, "handlers": list}],
                    }
                ],
                "ipAddresses": {"nodes": [{"id": str, "address": str, "type": str, "createdAt": time}]},
                "imageDetails": {"registry": str, "repository": str, "tag": str, "digest": str},
                "machines": {
                    "nodes": [
                        {
                            "id": str,
                            "name": str,
                            "config": dict,
                            "state": STATES,
                            "region": str,
                            "createdAt": time,
                            "app": {"name": str},
                            "ips": {"nodes": [{"family": str, "kind": str, "ip": str, "maskSize": int}]},
                            "host": {"id": str},
                        }
                    ]
                },
                "limitedAccessTokens": {"nodes": list},
            }
        },
    ),
    "organization": (
        """query ($slug: String!) { organization(slug: $slug) { id internalNumericId slug name type billable
          limitedAccessTokens { nodes { id name expiresAt user { email } } } } }""",
        {"slug": "personal"},
        {"organization": {"id": str, "internalNumericId": str, "slug": str, "limitedAccessTokens": {"nodes": list}}},
    ),
    "name": (
        "query ($appName: String!) { appNameAvailable(name: $appName) }",
        {"appName": "{app}"},
        {"appNameAvailable": bool},
    ),
    "appbasic": (
        """query ($appName: String!) { appbasic: app(name: $appName) {
          id name platformVersion organization { id internalNumericId slug rawSlug paidPlan } } }""",
        {"appName": "{app}"},
        {"appbasic": {"id": str, "platformVersion": str, "organization": {"rawSlug": str}}},
    ),
    "releases": (
        """query ($appName: String!, $limit: Int!) { app(name: $appName) {
          releases: releasesUnprocessed(first: $limit) { nodes {
            id version description reason status imageRef stable user { id email name } createdAt } } } }""",
        {"appName": "{released app}", "limit": 25},
        {"app": {"releases": {"nodes": [RELEASE_ROW]}}},
    ),
    "current release": (
        """query ($appName: String!) { app(name: $appName) {
          currentRelease: currentReleaseUnprocessed { version configDefinition } } }""",
        {"appName": "{released app}"},
        {"app": {"currentRelease": {"version": int, "configDefinition": dict}}},
    ),
    "latest image": (
        """query LatestImage($appName: String!) { app(name: $appName) {
          currentReleaseUnprocessed { id version imageRef } } }""",
        {"appName": "{released app}"},
        {"app": {"currentReleaseUnprocessed": {"id": str, "version": int, "imageRef": str}}},
    ),
    "image": (
        """query ($appName: String!, $imageRef: String!) { app(name: $appName) {
          id image(ref: $imageRef) { id digest ref compressedSize: compressedSizeFull } } }""",
        {"appName": "{app}", "imageRef": "{image}"},
        {"app": {"id": str, "image": {"id": str, "digest": str, "ref": str, "compressedSize": str}}},
    ),
    "blue-green": (
        "query ($name: String!) { canPerformBluegreenDeployment(name: $name) }",
        {"name": "{app}"},
        {"canPerformBluegreenDeployment": bool},
    ),
    "egress": (
        "query ($appName: String!) { app(name: $appName) { egressIpAddresses { nodes { id address } } } }",
        {"appName": "{app}"},
        {"app": {"egressIpAddresses": {"nodes": list}}},
    ),
    "viewer": (
        "{ viewer { ... on User { email } ... on Macaroon { email } } }",
        {},
        {"viewer": {"email": str}},
    ),
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_documented_query_is_answered_as_documented(fly: Fly, stage: Stage, name: str) -> None:
    query, variables, shape = QUERIES[name]
    said = fly.client.post("/graphql", json={"query": query, "variables": stage.filled(variables)}).json()
    assert "errors" not in said
    assert misfits(said["data"], shape) == []


def test_of_an_image_that_is_none_of_flys_no_newer_version_is_known(fly: Fly) -> None:
    query = "query ($image: String!) { latestImageDetails(image: $image) { digest } }"
    said = fly.client.post("/graphql", json={"query": query, "variables": {"image": "code-insight:v1"}}).json()
    assert said["errors"][0]["message"] == 'Unknown repository "code-insight"'
