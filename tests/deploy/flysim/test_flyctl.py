"""The stand-in for flyctl, as a program: what it asks, what it says, and what it believes although it is not so."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from code_insight_deploy.flysim import Fault, When

from tests.deploy.flysim.places import Fly, Json, Pushed, until

TOML = """\
app = "{app}"
primary_region = "fra"
kill_signal = "SIGTERM"
kill_timeout = 5

[http_service]
  internal_port = 8080
  auto_stop_machines = "{autostop}"
  auto_start_machines = true
  min_machines_running = 0
{checks}
[[vm]]
  size = "shared-cpu-1x"
  memory = "256mb"
"""
CHECKS = """
  [[http_service.checks]]
    method = "GET"
    path = "/info"
    interval = "30s"
    timeout = "2s"
    grace_period = "1s"
"""


class Flyctl:
    """The program, with an app's file in a folder."""

    def __init__(self, fly: Fly, folder: Path) -> None:
        self.fly = fly
        self.folder = folder
        self.write()

    def write(self, *, autostop: str = "off", checks: str = CHECKS, more: str = "") -> None:
        text = TOML.format(app=self.fly.app, autostop=autostop, checks=checks) + more
        (self.folder / "fly.toml").write_text(text, "utf-8")

    def run(self, *arguments: str, token: str | None = None, **environment: str) -> "subprocess.CompletedProcess[str]":
        variables = {**self.fly.sim.environment(self.fly.token if token is None else token), **environment}
        return subprocess.run(
            [str(self.fly.sim.flyctl), *arguments],
            cwd=self.folder,
            env=variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def json(self, *arguments: str) -> Any:
        ran = self.run(*arguments, "--json")
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    def deploy(self, image: str, *more: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        asked = ["deploy", "--app", self.fly.app, "--config", "fly.toml", "--image", image]
        return self.run(*asked, "--remote-only", "--yes", "--ha=false", "--wait-timeout", "30s", *more, **environment)


@pytest.fixture
def flyctl(fly: Fly, tmp_path: Path) -> Flyctl:
    return Flyctl(fly, tmp_path)


def test_a_first_deploy_makes_one_machine_and_tells_of_its_release(
    flyctl: Flyctl, pushed: tuple[Pushed, Pushed]
) -> None:
    ran = flyctl.deploy(pushed[0].by_digest, FLY_EMIT_RELEASE_JSON="1")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1])["image_ref"] == pushed[0].by_digest
    assert [machine["state"] for machine in flyctl.json("machine", "list", "-a", flyctl.fly.app)] == ["started"]
    assert flyctl.fly.get().json()["release"] == "one"


def operations(flyctl: Flyctl, after: int) -> list[str]:
    """What flyctl has asked since, without what it asks again and again."""
    asked = [call.operation for call in flyctl.fly.sim.calls(after=after) if call.listener == "api"]
    return [name for name, before in zip(asked, ["", *asked], strict=False) if name != before]


def last(flyctl: Flyctl) -> int:
    return flyctl.fly.sim.calls()[-1].number


@pytest.fixture
def deployed(flyctl: Flyctl, pushed: tuple[Pushed, Pushed]) -> Json:
    """The machine of a first deploy."""
    ran = flyctl.deploy(pushed[0].by_digest)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    machine: Json = flyctl.json("machine", "list", "-a", flyctl.fly.app)[0]
    return machine


# -- commands --------------------------------------------------------------------------------------------------------


def test_an_app_is_created_in_the_only_personal_organization_listed_and_destroyed(flyctl: Flyctl) -> None:
    name, before = f"{flyctl.fly.app}-new", last(flyctl)
    made = flyctl.json("apps", "create", name)
    assert (made["Name"], made["Organization"]["Slug"], made["Deployed"]) == (name, "personal", False)
    assert operations(flyctl, before) == ["graphql:organizations", "create_app", "get_app", "graphql:app"]
    assert name in [app["Name"] for app in flyctl.json("apps", "list")]
    assert flyctl.run("apps", "destroy", name).returncode == 1
    assert flyctl.run("apps", "destroy", name, "--yes").returncode == 0
    assert name not in [app["Name"] for app in flyctl.json("apps", "list")]


def test_a_name_that_is_taken_is_an_error(flyctl: Flyctl) -> None:
    ran = flyctl.run("apps", "create", flyctl.fly.app, "--org", "personal")
    assert ran.returncode == 1
    assert "Name has already been taken" in ran.stderr


def test_without_a_token_that_is_known_nothing_is_told(flyctl: Flyctl) -> None:
    assert "no access token" in flyctl.run("status", token="").stderr
    ran = flyctl.run("status", token="fo1_unknown")
    assert (ran.returncode, "401" in ran.stderr, "fo1_unknown" in ran.stderr + ran.stdout) == (1, True, False)


def test_who_asks_is_told(flyctl: Flyctl) -> None:
    assert flyctl.json("auth", "whoami")["email"].endswith("@tokens.fly.io")


def test_status_checks_and_image_tell_of_every_machine(
    flyctl: Flyctl, deployed: Json, pushed: tuple[Pushed, Pushed]
) -> None:
    status = flyctl.json("status")
    keys = {"ID", "Name", "Deployed", "Status", "Hostname", "Version", "AppURL", "Organization", "PlatformVersion"}
    assert keys <= set(status)
    assert (status["Version"], [machine["id"] for machine in status["Machines"]]) == (1, [deployed["id"]])
    checks = flyctl.json("checks", "list")[deployed["id"]]
    assert [(check["name"], check["status"]) for check in checks] == [("servicecheck-00-http-8080", "passing")]
    image = {"Registry": pushed[0].host, "Repository": "library", "Tag": "", "Digest": pushed[0].digest}
    assert flyctl.json("image", "show") == [{"MachineID": deployed["id"], **image, "Version": "N/A", "Labels": ""}]


def test_releases_are_told_with_the_reference_that_was_deployed(
    flyctl: Flyctl, deployed: Json, pushed: tuple[Pushed, Pushed]
) -> None:
    flyctl.deploy(pushed[1].by_tag)
    told = [(row["Version"], row["Status"], row["ImageRef"]) for row in flyctl.json("releases", "--image")]
    assert told == [(2, "complete", pushed[1].by_tag), (1, "complete", pushed[0].by_digest)]
    assert [row["ImageRef"] for row in flyctl.json("releases")] == ["", ""]


def test_a_started_machine_is_destroyed_only_by_force_and_under_a_lease(flyctl: Flyctl, deployed: Json) -> None:
    kept = flyctl.run("machine", "destroy", deployed["id"])
    assert kept.returncode == 1
    assert "either stop first or use --force flag" in kept.stderr
    assert flyctl.fly.ask("GET", f"/machines/{deployed['id']}/lease").status_code == 404
    before = last(flyctl)
    ran = flyctl.run("machine", "destroy", deployed["id"], "--force")
    assert (ran.returncode, ran.stdout.splitlines()[-1]) == (0, f"{deployed['id']} has been destroyed")
    assert operations(flyctl, before)[:4] == ["get_machine", "take_lease", "graphql:app", "delete_machine"]
    assert flyctl.json("machine", "list") == []


def test_a_file_is_validated_without_a_platform(flyctl: Flyctl) -> None:
    before = last(flyctl)
    assert flyctl.run("config", "validate").returncode == 0
    flyctl.write(more='\n[deploy]\n  strategy = "hopeful"\n')
    assert "unsupported deployment strategy 'hopeful'" in flyctl.run("config", "validate").stderr
    assert operations(flyctl, before) == []


# -- deploy ----------------------------------------------------------------------------------------------------------

BEFORE = ["get_app", "uiex_organization", "uiex_create_build", "graphql:app", "uiex_finish_build", "list_machines"]
RELEASED = ["uiex_create_release", "graphql:app", "uiex_update_release"]


def test_the_calls_of_a_first_deploy_come_in_flyctls_order(flyctl: Flyctl, pushed: tuple[Pushed, Pushed]) -> None:
    for address in flyctl.fly.ask("GET", "/ip_assignments").json()["ips"]:
        flyctl.fly.ask("DELETE", f"/ip_assignments/{address['ip']}")
    before = last(flyctl)
    assert flyctl.deploy(pushed[0].by_digest).returncode == 0
    asked = operations(flyctl, before)
    assert asked[:8] == [*BEFORE, "list_ips", "assign_ip"]
    change = ["create_machine", "get_machine", "wait", "get_machine", "list_processes", "release_lease"]
    assert asked[8:] == [*RELEASED, *change, "uiex_update_release"]


def test_the_calls_of_a_rolling_update_come_in_flyctls_order(
    flyctl: Flyctl, deployed: Json, pushed: tuple[Pushed, Pushed]
) -> None:
    before = last(flyctl)
    assert flyctl.deploy(pushed[1].by_digest).returncode == 0
    change = ["take_lease", "update_machine", "wait", "get_machine", "list_processes", "release_lease"]
    assert operations(flyctl, before) == [*BEFORE, *RELEASED, *change, "uiex_update_release"]
    now = flyctl.fly.machine(deployed["id"])
    assert now["version"] != deployed["version"]
    assert now["config"]["metadata"]["fly_release_version"] == "2"
    assert flyctl.fly.get().json()["release"] == "two"


def test_a_rolling_update_keeps_what_others_have_put_into_the_metadata(
    flyctl: Flyctl, deployed: Json, pushed: tuple[Pushed, Pushed]
) -> None:
    assert flyctl.fly.ask("POST", f"/machines/{deployed['id']}/metadata/owner", {"value": "somebody"}).is_success
    assert flyctl.deploy(pushed[1].by_digest).returncode == 0
    metadata = flyctl.fly.machine(deployed["id"])["config"]["metadata"]
    assert (metadata["owner"], metadata["fly_release_version"]) == ("somebody", "2")


def test_an_immediate_deploy_waits_for_nothing(flyctl: Flyctl, deployed: Json, pushed: tuple[Pushed, Pushed]) -> None:
    before = last(flyctl)
    assert flyctl.deploy(pushed[1].by_digest, "--strategy", "immediate").returncode == 0
    change = ["take_lease", "update_machine", "release_lease"]
    assert operations(flyctl, before) == [*BEFORE, *RELEASED, *change, "uiex_update_release"]
    assert flyctl.fly.well(deployed["id"])["image_ref"]["digest"] == pushed[1].digest


def test_a_canary_is_tried_out_of_the_publics_reach_and_destroyed_before_the_others_are_updated(
    flyctl: Flyctl, deployed: Json, pushed: tuple[Pushed, Pushed]
) -> None:
    before = last(flyctl)
    assert flyctl.deploy(pushed[1].by_digest, "--strategy", "canary").returncode == 0
    asked = operations(flyctl, before)
    assert asked.index("create_machine") < asked.index("delete_machine") < asked.index("update_machine")
    assert [machine["id"] for machine in flyctl.json("machine", "list")] == [deployed["id"]]
    everyone = flyctl.fly.ask("GET", "/machines?include_deleted=true").json()
    (canary,) = [machine for machine in everyone if machine["config"]["metadata"].get("fly_canary")]
    assert (canary["cordoned"], canary["state"]) == (True, "destroyed")
    assert flyctl.fly.get().json()["release"] == "two"


def test_a_blue_green_deploy_sets_new_machines_in_the_place_of_the_old(
    flyctl: Flyctl, deployed: Json, pushed: tuple[Pushed, Pushed]
) -> None:
    second = flyctl.fly.create(pushed[0].by_digest)["id"]
    before = last(flyctl)
    ran = flyctl.deploy(pushed[1].by_digest, "--strategy", "bluegreen")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    asked = operations(flyctl, before)
    change = ["create_machine", "wait", "get_machine"]
    swap = ["uncordon", "set_metadata_key", "cordon", *["stop_machine", "wait", "delete_machine"] * 2]
    assert asked[len(BEFORE + RELEASED) :] == [
        "graphql:canPerformBluegreenDeployment",
        *change,
        *change,
        *swap,
        "uiex_update_release",
    ]
    now = flyctl.json("machine", "list")
    assert len(now) == 2
    assert {machine["id"] for machine in now} & {deployed["id"], second} == set()
    assert {machine["image_ref"]["digest"] for machine in now} == {pushed[1].digest}
    assert not any(machine["cordoned"] for machine in now)
    assert flyctl.fly.get().json()["release"] == "two"


def test_a_blue_green_deploy_that_does_not_become_well_leaves_the_old_alone(
    flyctl: Flyctl, deployed: Json, pushed: tuple[Pushed, Pushed]
) -> None:
    when = When(operation="create_machine", app=flyctl.fly.app)
    flyctl.fly.sim.faults.add(Fault(when=when, effect="check_never_passes"))
    ran = flyctl.deploy(pushed[1].by_digest, "--strategy", "bluegreen", "--wait-timeout", "3s")
    assert ran.returncode == 126
    assert [machine["id"] for machine in flyctl.json("machine", "list")] == [deployed["id"]]
    assert flyctl.fly.get().json()["release"] == "one"
    assert flyctl.json("releases")[0]["Status"] == "failed"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"checks": ""}, "require at least one health check"),
        ({"more": '\n[mounts]\n  source = "data"\n  destination = "/data"\n'}, "not supported for apps with volumes"),
    ],
    ids=["no check", "a volume"],
)
def test_a_blue_green_deploy_is_refused_where_it_cannot_be_done(
    flyctl: Flyctl, deployed: Json, pushed: tuple[Pushed, Pushed], changes: dict[str, str], why: str
) -> None:
    flyctl.write(**changes)
    ran = flyctl.deploy(pushed[1].by_digest, "--strategy", "bluegreen")
    assert (ran.returncode, why in ran.stderr) == (1, True)
    assert flyctl.fly.machine(deployed["id"])["version"] == deployed["version"]


def test_a_volume_is_made_for_a_first_machine_and_stays_with_it(flyctl: Flyctl, pushed: tuple[Pushed, Pushed]) -> None:
    flyctl.write(more='\n[mounts]\n  source = "data"\n  destination = "/data"\n  initial_size = "2gb"\n')
    assert flyctl.deploy(pushed[0].by_digest).returncode == 0
    flyctl.fly.post("/keep", "remember me")
    volumes = flyctl.fly.ask("GET", "/volumes").json()
    machine = flyctl.json("machine", "list")[0]["id"]
    assert [(volume["size_gb"], volume["attached_machine_id"]) for volume in volumes] == [(2, machine)]
    assert flyctl.deploy(pushed[1].by_digest).returncode == 0
    said = flyctl.fly.get().json()
    assert (said["release"], said["kept"]) == ("two", "remember me")


def test_high_availability_makes_two_machines_at_first(flyctl: Flyctl, pushed: tuple[Pushed, Pushed]) -> None:
    assert flyctl.deploy(pushed[0].by_digest, "--ha=true").returncode == 0
    assert len(flyctl.json("machine", "list")) == 2


def test_a_machine_that_does_not_start_in_time_ends_it_with_126(flyctl: Flyctl, pushed: tuple[Pushed, Pushed]) -> None:
    when = When(operation="create_machine", app=flyctl.fly.app)
    flyctl.fly.sim.faults.add(Fault(when=when, effect="never_starts"))
    ran = flyctl.deploy(pushed[0].by_digest, "--wait-timeout", "2s")
    assert (ran.returncode, "timeout reached" in ran.stderr) == (126, True)


def test_an_interrupt_ends_it_with_127_and_is_written_down(flyctl: Flyctl, pushed: tuple[Pushed, Pushed]) -> None:
    when = When(operation="create_machine", app=flyctl.fly.app)
    flyctl.fly.sim.faults.add(Fault(when=when, effect="never_starts"))
    command = [str(flyctl.fly.sim.flyctl), "deploy", "--image", pushed[0].by_digest, "--remote-only", "--ha=false"]
    with subprocess.Popen(
        command,
        cwd=flyctl.folder,
        env=flyctl.fly.sim.environment(flyctl.fly.token),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        until(lambda: flyctl.json("machine", "list"), bool)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert (process.returncode, b"context canceled" in said) == (127, True)
    assert flyctl.json("releases")[0]["Status"] == "interrupted"


# -- what it believes ------------------------------------------------------------------------------------------------


def test_a_tag_is_passed_on_as_it_is_although_its_digest_was_resolved(
    flyctl: Flyctl, pushed: tuple[Pushed, Pushed]
) -> None:
    assert flyctl.deploy(pushed[0].by_tag).returncode == 0
    assert flyctl.json("machine", "list")[0]["config"]["image"] == pushed[0].by_tag


def test_a_stopped_machine_is_updated_without_being_started_and_that_is_called_complete(
    flyctl: Flyctl, deployed: Json, pushed: tuple[Pushed, Pushed]
) -> None:
    flyctl.fly.ask("POST", f"/machines/{deployed['id']}/stop")
    flyctl.fly.wait(deployed["id"], "stopped")
    assert flyctl.deploy(pushed[1].by_digest).returncode == 0
    now = flyctl.fly.machine(deployed["id"])
    assert (now["state"], now["image_ref"]["digest"]) == ("stopped", pushed[1].digest)
    assert flyctl.json("releases")[0]["Status"] == "complete"


def test_a_machine_that_fly_took_back_passes_for_updated(
    flyctl: Flyctl, deployed: Json, pushed: tuple[Pushed, Pushed]
) -> None:
    when = When(operation="update_machine", app=flyctl.fly.app)
    flyctl.fly.sim.faults.add(Fault(when=when, effect="pull_fails"))
    assert flyctl.deploy(pushed[1].by_digest).returncode == 0
    assert flyctl.json("releases")[0]["Status"] == "complete"
    assert flyctl.fly.machine(deployed["id"])["version"] == deployed["version"]


def test_without_a_check_a_process_that_answers_nothing_passes_for_well(
    flyctl: Flyctl, deployed: Json, pushed: tuple[Pushed, Pushed]
) -> None:
    flyctl.write(checks="")
    text = (flyctl.folder / "fly.toml").read_text("utf-8").replace("internal_port = 8080", "internal_port = 9999")
    (flyctl.folder / "fly.toml").write_text(text, "utf-8")
    assert flyctl.deploy(pushed[1].by_digest).returncode == 0
    assert flyctl.fly.get().status_code in {502, 503}


def test_it_is_never_a_no_op(flyctl: Flyctl, deployed: Json, pushed: tuple[Pushed, Pushed]) -> None:
    assert flyctl.deploy(pushed[0].by_digest).returncode == 0
    assert flyctl.fly.machine(deployed["id"])["version"] != deployed["version"]


def test_a_lease_of_somebody_else_ends_it_at_once(
    flyctl: Flyctl, deployed: Json, pushed: tuple[Pushed, Pushed]
) -> None:
    flyctl.fly.ask("POST", f"/machines/{deployed['id']}/lease", {"ttl": 60})
    before = last(flyctl)
    ran = flyctl.deploy(pushed[1].by_digest)
    assert (ran.returncode, "lease currently held by" in ran.stderr) == (1, True)
    assert operations(flyctl, before).count("take_lease") == 1


def test_a_failure_leaves_mixed_versions_behind(flyctl: Flyctl, deployed: Json, pushed: tuple[Pushed, Pushed]) -> None:
    second = flyctl.fly.create(pushed[0].by_digest)["id"]
    when = When(operation="update_machine", machine=second)
    flyctl.fly.sim.faults.add(Fault(when=when, effect="answer", status=503))
    assert flyctl.deploy(pushed[1].by_digest).returncode == 1
    digests = {machine["id"]: machine["image_ref"]["digest"] for machine in flyctl.json("machine", "list")}
    assert digests == {deployed["id"]: pushed[1].digest, second: pushed[0].digest}
    assert flyctl.json("releases")[0]["Status"] == "failed"
