"""The stand-in for flyctl, as a program: what it asks, what it says, and what it believes although it is not so."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.flysim.places import Fly, Pushed

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
