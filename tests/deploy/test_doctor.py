"""The doctor says what is missing and how to get it, and changes nothing while it looks."""

import dataclasses
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from code_insight_deploy import apps, doctor, locks
from code_insight_deploy.doctor import Finding, Wishes
from code_insight_deploy.flysim import Fault, Sim, When
from code_insight_deploy.ledger import Kind, Ledger
from code_insight_deploy.machines import Machines
from code_insight_deploy.targets import Secret, Target, fly

from tests.deploy.places import Repository
from tests.deploy.standin import CANARY

pytestmark = pytest.mark.usefixtures("no_pauses")

NO_FLYCTL = "/nowhere/flyctl"
TOML = """\
app = "{app}"
primary_region = "fra"
[http_service]
internal_port = 8080
[[http_service.checks]]
path = "/info"
[[vm]]
memory = "256mb"
"""


def target(sim: Sim, token: str) -> Target:
    return Target("local", sim.flaps_url, sim.api_url, sim.registry_host, NO_FLYCTL, Secret(token), sim.app_url)


@pytest.fixture
def wishes(
    engine: docker.DockerClient, base: str, sim: Sim, repository: Repository, tmp_path: Path
) -> Iterator[Wishes]:
    """Everything that a release needs."""
    name = f"doctor-{uuid.uuid4().hex[:8]}"
    sim.create_app(name)
    repository.write("fly.toml", TOML.format(app=name))
    repository.commit("an app")
    token = sim.token()
    yield Wishes(
        folder=repository.folder,
        config=lambda: repository.folder / "fly.toml",
        base=base,
        repository=name,
        state=tmp_path / "state",
        target=lambda: target(sim, token),
        app=name,
        organization="personal",
        needs_flyctl=False,
    )
    sim.faults.clear()


def named(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def test_all_is_well_when_nothing_is_missing_and_nothing_was_changed(wishes: Wishes, sim: Sim) -> None:
    before = max((call.number for call in sim.calls()), default=0)
    found = named(doctor.checks(wishes))
    assert [finding for finding in found.values() if not finding.ok] == []
    assert list(found) == [
        "git",
        "source",
        "configuration",
        "traces",
        "Docker engine",
        "base image",
        "flyctl",
        "token",
        "organization",
        "app",
        "registry app",
        "rights",
        "registry login",
        "machines",
        "lock",
        "ledger",
    ]
    assert sim.calls(after=before, mutating=True) == ()
    assert not wishes.state.exists()
    assert found["app"].seen == f"{wishes.app} in personal"
    assert found["configuration"].seen.startswith(f"{wishes.app} in fra: 256 MB, 1 CPU, port 8080")


def only_bad(wishes: Wishes) -> dict[str, Finding]:
    bad = {finding.name: finding for finding in doctor.checks(wishes) if not finding.ok}
    assert all(finding.next_step and finding.seen for finding in bad.values())
    return bad


def test_without_a_token_the_way_to_one_is_named(wishes: Wishes) -> None:
    bad = only_bad(dataclasses.replace(wishes, target=lambda: fly({})))
    assert list(bad) == ["token", "ledger"]
    assert "fly tokens create" in bad["token"].next_step


@pytest.mark.parametrize("text", ["fo1_two words", "fo1_é"])
def test_a_malformed_token_is_named_without_being_shown(wishes: Wishes, text: str) -> None:
    bad = only_bad(dataclasses.replace(wishes, target=lambda: fly({"FLY_API_TOKEN": text})))
    assert "not copied whole" in bad["token"].seen
    assert text not in str(bad)


def test_a_token_that_nobody_knows_is_named_without_being_shown(wishes: Wishes, sim: Sim) -> None:
    bad = only_bad(dataclasses.replace(wishes, target=lambda: target(sim, CANARY)))
    assert "expired or unknown" in bad["token"].seen
    assert CANARY not in str(bad)


def test_a_token_that_has_expired_is_named(wishes: Wishes, sim: Sim) -> None:
    old = sim.token(expires_in_seconds=0)
    assert "expired" in only_bad(dataclasses.replace(wishes, target=lambda: target(sim, old)))["token"].seen


def test_a_token_that_may_only_read_is_named_with_what_it_may_not(wishes: Wishes, sim: Sim) -> None:
    reader = sim.token("read")
    bad = only_bad(dataclasses.replace(wishes, target=lambda: target(sim, reader)))
    assert "may not change" in bad["rights"].seen
    assert f"-a {wishes.app}" in bad["rights"].next_step


def test_an_app_in_another_organization_is_named(wishes: Wishes, sim: Sim) -> None:
    theirs = f"theirs-{uuid.uuid4().hex[:8]}"
    sim.create_app(theirs, "other")
    Path(wishes.config()).write_text(TOML.format(app=theirs), "utf-8")
    bad = only_bad(dataclasses.replace(wishes, app=theirs))
    assert set(bad) & {"app", "rights", "machines"}


def test_an_organization_that_the_token_does_not_open_is_named(wishes: Wishes) -> None:
    bad = only_bad(dataclasses.replace(wishes, organization="acme"))
    assert "not acme" in bad["organization"].seen
    assert "in the organization personal" in bad["app"].seen


def test_an_app_that_does_not_exist_yet_is_no_trouble(wishes: Wishes) -> None:
    wishes.config().write_text(TOML.format(app="doctor-new"), "utf-8")
    found = named(doctor.checks(dataclasses.replace(wishes, app="doctor-new")))
    assert found["app"].ok
    assert "a release creates it" in found["app"].seen


def test_a_dirty_folder_is_named_with_its_files(wishes: Wishes) -> None:
    (wishes.folder / "new.py").write_text("x = 1\n", "utf-8")
    assert "new.py" in only_bad(wishes)["source"].seen


def test_a_broken_configuration_is_named_and_what_needs_it_is_not_looked_at(wishes: Wishes) -> None:
    wishes.config().write_text("app = 3", "utf-8")
    bad = only_bad(wishes)
    assert {"configuration", "app", "machines", "lock", "ledger"} <= set(bad)
    assert "it needs the configuration" in bad["ledger"].seen


def _with_environment(wishes: Wishes, variables: str) -> None:
    file = wishes.config()
    file.write_text(f"{file.read_text('utf-8')}[env]\n{variables}\n", "utf-8")


@pytest.mark.parametrize(("install", "ok"), [("uv export --extra otel --no-dev", True), ("uv export --no-dev", False)])
def test_traces_that_the_image_could_not_send_are_named(wishes: Wishes, install: str, *, ok: bool) -> None:
    (wishes.folder / "Dockerfile").write_text(f"FROM base\nRUN {install}\n", "utf-8")
    _with_environment(wishes, 'OTEL_EXPORTER_OTLP_ENDPOINT = "https://collector.example"')
    found = named(doctor.checks(wishes))["traces"]
    assert found.ok == ok
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in found.seen
    assert ("--extra otel" in found.next_step) is not ok


def test_a_collectors_secret_in_the_file_is_named_without_being_shown(wishes: Wishes) -> None:
    _with_environment(wishes, f'OTEL_EXPORTER_OTLP_HEADERS = "authorization={CANARY}"')
    found = named(doctor.checks(wishes))["traces"]
    assert "fly secrets set OTEL_EXPORTER_OTLP_HEADERS" in found.next_step
    assert CANARY not in f"{found.seen}{found.next_step}"


def test_an_app_that_no_file_is_of_is_named(wishes: Wishes) -> None:
    nobodys = dataclasses.replace(wishes, config=lambda: apps.file_of(wishes.folder, "nobodys-app"))
    assert "nobodys-app" in only_bad(nobodys)["configuration"].seen


@pytest.mark.usefixtures("no_engine")
def test_a_missing_engine_is_named_with_the_way_to_one(wishes: Wishes) -> None:
    bad = only_bad(wishes)
    assert {"Docker engine", "base image"} <= set(bad)
    assert ".ci/engine" in bad["Docker engine"].next_step


def test_a_base_that_cannot_be_had_is_named(wishes: Wishes) -> None:
    bad = only_bad(dataclasses.replace(wishes, base="localhost:1/nowhere:1"))
    assert list(bad) == ["base image"]


def test_a_missing_flyctl_is_named_with_the_way_around_it(wishes: Wishes) -> None:
    assert named(doctor.checks(wishes))["flyctl"].seen == "not installed, and not needed"
    assert "--engine machines" in only_bad(dataclasses.replace(wishes, needs_flyctl=True))["flyctl"].next_step


@pytest.mark.parametrize(("script", "ok"), [("echo \"flyctl v0.3.1 $(env | tr '\\n' ' ')\"", True), ("exit 3", False)])
def test_flyctl_is_asked_for_its_version_and_told_no_token(
    wishes: Wishes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, ok: bool
) -> None:
    monkeypatch.setenv("FLY_API_TOKEN", CANARY)
    program = tmp_path / "flyctl"
    program.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    program.chmod(0o755)
    there = dataclasses.replace(wishes.target(), flyctl=str(program))
    found = named(doctor.checks(dataclasses.replace(wishes, target=lambda: there)))["flyctl"]
    assert found.ok == ok
    assert CANARY not in found.seen


def test_a_platform_that_is_down_is_named(wishes: Wishes, sim: Sim) -> None:
    sim.faults.add(Fault(when=When(operation="get_app", times=0), effect="answer", status=503))
    assert "503" in only_bad(wishes)["app"].seen


def test_a_release_that_did_not_end_and_one_that_is_under_way_are_named(wishes: Wishes) -> None:
    Ledger(wishes.state, "local", wishes.app).append(Kind.BEGUN, "r1")
    with (
        Machines(wishes.target()) as machines,
        locks.held("local", machines, wishes.app, wishes.state, print, release="r2"),
    ):
        bad = only_bad(wishes)
    assert "did not end" in bad["ledger"].seen
    assert "release r2" in bad["lock"].seen


def test_a_ledger_that_was_changed_is_named(wishes: Wishes) -> None:
    ledger = Ledger(wishes.state, "local", wishes.app)
    ledger.append(Kind.BEGUN, "r1")
    ledger.path.write_bytes(ledger.path.read_bytes().replace(b"r1", b"r2"))
    assert "does not hold" in only_bad(wishes)["ledger"].seen
