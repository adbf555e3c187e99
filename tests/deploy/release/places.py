"""Where releases are tested: an operator with a clone, an app of their own, and a platform on this machine.

The image is the product's own: each commit of the operator's repository is one more layer of settings on it, so that
every machine runs the real server and a build takes no time. All operators make the same commits, so that an image is
smoked and pushed once.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from code_insight_deploy import apps, release, targets
from code_insight_deploy.errors import DeployError
from code_insight_deploy.flysim import Call, Sim
from code_insight_deploy.release import Order, Outcome, Run
from code_insight_deploy.targets import Target
from code_insight_deploy.verifying import Patience

from tests.deploy.places import Repository

DOCKERFILE = """\
ARG BASE
FROM ${BASE}
ARG SOURCE_TREE
ENV CODE_INSIGHT_SOURCE_TREE=${SOURCE_TREE}
LABEL code-insight.tree="${SOURCE_TREE}"
"""
TOML = """\
# The app of a test.
app = "code-insight-test"
primary_region = "fra"
kill_signal = "SIGTERM"
kill_timeout = 15

[http_service]
  internal_port = 8080
  auto_stop_machines = "off"
  auto_start_machines = true
  min_machines_running = 1

  [[http_service.checks]]
    path = "/info"
    interval = "1s"
    timeout = "2s"
    grace_period = "1s"

[[vm]]
  size = "shared-cpu-1x"
  memory = "512mb"
"""
COLOURS = ("red", "blue")
"""Branches of the clone that all operators copy, each with a tree of its own."""
PATIENCE = Patience(settle_seconds=20.0, window_seconds=1.0)


@dataclass
class Told:
    """What an operator was told."""

    lines: list[str] = field(default_factory=list)
    waiting: dict[str, Callable[[], None]] = field(default_factory=dict)
    """What happens, once, as soon as a line has this in it."""

    def step(self, name: str) -> None:
        self(f"● {name}")

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        for text in [text for text in self.waiting if text in line]:
            self.waiting.pop(text)()

    def __str__(self) -> str:
        return "\n".join(self.lines)


@dataclass
class Operator:
    """Somebody who releases: a clone, a ledger, a token, an app."""

    sim: Sim
    repository: Repository
    state: Path
    base: str
    app: str
    token: str
    engine: str = "machines"
    told: Told = field(default_factory=Told)
    order: dict[str, Any] = field(default_factory=dict)
    file: Path | None = None
    """The app's file; fly.toml of the clone when there is no other."""
    named: str = ""
    """The app's name as the operator says it; "" takes the file for any app."""
    other_tokens: list[str] = field(default_factory=list)
    """That the operator has had as well."""
    environment: Mapping[str, str] | None = None
    """Instead of one with the token."""

    def commit(self, text: str) -> str:
        """The clone has another commit, whose tree says `text`."""
        self.repository.write("version.txt", text)
        return self.repository.commit(text)

    def configure(self, *changes: tuple[str, str]) -> None:
        """The app's file, with these texts in place of others; committed."""
        toml = TOML
        for old, new in changes:
            assert old in toml
            toml = toml.replace(old, new)
        self.repository.write("fly.toml", toml)
        self.repository.commit("configuration")

    @property
    def target(self) -> Target:
        """As the environment says it, but for the address of the app."""
        environment = {"FLYCTL": str(self.sim.flyctl), **self.sim.environment(self.token)}
        said = targets.fly(environment if self.environment is None else self.environment)
        return dataclasses.replace(said, name="local", url_of=self.sim.app_url)

    @contextlib.contextmanager
    def run(self) -> Iterator[Run]:
        """One command's dealings with the app."""
        file = self.file or self.repository.folder / "fly.toml"
        app = dataclasses.replace(apps.read_app(file, name=self.named), name=self.app)
        asked = {"organization": "personal", "engine": self.engine, "patience": PATIENCE, **self.order}
        order = Order(folder=self.repository.folder, app=app, base=self.base, **asked)
        with release.opened(order, self.target, self.state, self.told) as run:
            yield run

    def release(self) -> Outcome:
        with self.run() as run:
            return release.release(run, self.state)

    def attempt(self) -> Outcome | DeployError:
        """How a release ended, well or not."""
        try:
            return self.release()
        except DeployError as error:
            return error

    def close(self) -> None:
        """The app is gone, machines included."""
        headers = {"authorization": f"Bearer {self.sim.token()}"}
        httpx2.delete(f"{self.sim.flaps_url}/v1/apps/{self.app}", headers=headers, timeout=60)

    def changes(self, after: int) -> list[Call]:
        """The calls after number `after` that asked for a change, without those of the lock."""
        return [call for call in self.sim.calls(after=after, mutating=True) if not is_of_the_lock(call)]

    def calls_so_far(self) -> int:
        return max((call.number for call in self.sim.calls()), default=0)


def is_of_the_lock(call: Call) -> bool:
    return "/lease" in call.path or "release_lock" in call.path
