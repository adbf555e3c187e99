"""Changes machines by running flyctl, which the operator owns and which knows all of the app's file.

It is given the token in its environment and nowhere else, a home and a Docker configuration of its own that are gone
afterwards, the image by digest, and `--remote-only`, because it would push an image of its own otherwise
(superfly/flyctl, internal/build/imgsrc/resolver.go). What it prints is passed on without the token. That it ends with
0 is no proof of anything: see verifying.
"""

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from code_insight_deploy.engines import Journal, Say, applied
from code_insight_deploy.errors import PlatformFailed, Refused
from code_insight_deploy.machines import Machines, name_taken
from code_insight_deploy.proofs import Applied, Plan, Verb
from code_insight_deploy.targets import Target

DEPLOY_SECONDS = 1800.0
COMMAND_SECONDS = 120.0
END_SECONDS = 10.0
LAST_LINES = 15
INSTALL = "Install it (https://fly.io/docs/flyctl/install/), or pass --engine machines, which does without."


@dataclass(frozen=True, slots=True)
class FlyctlEngine:
    """`flyctl deploy` of an image by digest, from the app's file as the plan has it."""

    target: Target
    machines: Machines
    organization: str
    healthy_seconds: float = 300.0
    """For which flyctl waits for each step of each machine."""
    name: str = "flyctl"

    def apply(self, plan: Plan, journal: Journal, say: Say) -> Applied:
        """See Engine.apply. Raises PlatformFailed with the end of what flyctl printed when it does not end with 0."""
        with _Flyctl.at(self.target, say) as flyctl:
            verbs = {action.verb for action in plan.actions}
            if Verb.CREATE_APP in verbs:
                self._create_app(flyctl, plan.app, journal)
            for action in plan.actions:
                if action.verb is Verb.DESTROY_MACHINE and not plan.replaces:
                    flyctl.run(journal, destroy_command(plan.app, action.subject), COMMAND_SECONDS)
            if verbs - {Verb.CREATE_APP, Verb.DESTROY_MACHINE}:
                file = flyctl.home / "fly.toml"
                file.write_text(plan.toml, encoding="utf-8")
                said = flyctl.run(
                    journal, deploy_command(plan.app, plan.reference, file, self.healthy_seconds), DEPLOY_SECONDS
                )
                return applied(plan, self.machines.observe(plan.app).versions, _release(said))
        return applied(plan, self.machines.observe(plan.app).versions)

    def _create_app(self, flyctl: "_Flyctl", app: str, journal: Journal) -> None:
        try:
            flyctl.run(journal, create_command(app, self.organization), COMMAND_SECONDS)
        except PlatformFailed as error:
            if "already been taken" in error.happened:
                raise name_taken(app, self.organization) from error
            raise


def can_apply(plan: Plan) -> bool:
    """Whether flyctl could make `plan` true: to deploy, it needs the app's file; a blue-green release is one deploy; it
    gives an app its addresses with the first machine, and never later.
    """
    verbs = {action.verb for action in plan.actions}
    if Verb.ADD_ADDRESS in verbs and plan.observed.machines:
        return False
    return bool(plan.toml) or verbs <= {Verb.CREATE_APP, Verb.DESTROY_MACHINE}


def deploy_command(app: str, reference: str, file: Path, wait_seconds: float) -> list[str]:
    """To be run by flyctl; the image by digest, never built or pushed by flyctl, one machine at first."""
    options = ["--image", reference, "--remote-only", "--yes", "--ha=false", "--wait-timeout", f"{wait_seconds:.0f}s"]
    return ["deploy", "--app", app, "--config", str(file), *options]


def create_command(app: str, organization: str) -> list[str]:
    """To be run by flyctl."""
    return ["apps", "create", app, "--org", organization, "--json"]


def destroy_command(app: str, machine: str) -> list[str]:
    """To be run by flyctl."""
    return ["machine", "destroy", machine, "--app", app, "--force"]


@dataclass(frozen=True, slots=True)
class _Flyctl:
    program: str
    environment: Mapping[str, str]
    home: Path
    secret: str
    say: Say

    @classmethod
    @contextlib.contextmanager
    def at(cls, target: Target, say: Say) -> "Iterator[_Flyctl]":
        program = shutil.which(target.flyctl)
        if program is None:
            raise Refused(f"there is no program {target.flyctl}", INSTALL)
        with tempfile.TemporaryDirectory(prefix="code-insight-flyctl-") as home:
            yield cls(program, environment(target, Path(home)), Path(home), target.token.text, say)

    def run(self, journal: Journal, arguments: Sequence[str], seconds: float) -> list[str]:
        """The lines that flyctl prints, passed on as they come."""
        command = shlex.join(["flyctl", *arguments])
        journal(command)
        self.say(command)
        lines: list[str] = []
        with self._started(arguments) as process:
            deadline = threading.Timer(seconds, _end, [process])
            deadline.start()
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    lines.append(line.rstrip().replace(self.secret, "[redacted]"))
                    self.say(f"  {lines[-1]}")
            except BaseException:
                _end(process)
                raise
            finally:
                deadline.cancel()
        if process.returncode != 0:
            last = "\n".join(f"  {line}" for line in lines[-LAST_LINES:])
            raise PlatformFailed(
                f"{command}\nended with {process.returncode}:\n{last}", "See `status` for every machine."
            )
        return lines

    def _started(self, arguments: Sequence[str]) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [self.program, *arguments],
            env=dict(self.environment),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )


def environment(target: Target, home: Path) -> dict[str, str]:
    """All that flyctl is told: where the platform is, the token, and to be quiet about everything else."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "FLY_CONFIG_DIR": str(home / "fly"),
        "DOCKER_CONFIG": str(home / "docker"),
        "FLY_API_TOKEN": target.token.text,
        "FLY_API_BASE_URL": target.api_url,
        "FLY_UIEX_BASE_URL": target.api_url,
        "FLY_FLAPS_BASE_URL": target.machines_url,
        "FLY_REGISTRY_HOST": target.registry,
        "FLY_NO_UPDATE_CHECK": "1",
        "FLY_NO_INCIDENTS_CHECK": "1",
        "FLY_SEND_METRICS": "0",
        "FLY_EMIT_RELEASE_JSON": "1",
        "NO_COLOR": "1",
    }


def _end(process: "subprocess.Popen[str]") -> None:
    """The program and all that it started are gone. Asked to end, flyctl gives its leases back, so that they are in
    nobody's way.
    """
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)


def _release(lines: Sequence[str]) -> str:
    """The version of the release, of the one line of JSON that flyctl prints when FLY_EMIT_RELEASE_JSON is set."""
    for line in reversed(lines):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return f"v{json.loads(line)['version']}"
    return ""
