"""What a release needs, looked at one by one: what is missing, and how to get it. Nothing is changed anywhere."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import docker
import docker.errors

from code_insight_deploy import apps, attestations, images, locks, registry, source
from code_insight_deploy.apps import App
from code_insight_deploy.errors import BadConfig, DeployError, Refused
from code_insight_deploy.ledger import Ledger
from code_insight_deploy.machines import Machines
from code_insight_deploy.proofs import Machine, Observed
from code_insight_deploy.targets import Target

BUILDKIT_SINCE = (1, 39)
"""Version of the engine's API that knows BuildKit (Docker 18.09)."""
SECONDS = 20
NOWHERE = "sha256:" + "0" * 64
"""A digest that no registry has, to ask whether one answers."""
SETTLED = frozenset({"started", "stopped", "suspended"})
INSTALL_FLYCTL = "Install it (https://fly.io/docs/flyctl/install), or release with --engine machines, which needs none."


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    seen: str
    next_step: str
    """What to do when it is not ok; "" when it is."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What somebody wants to release, and where."""

    folder: Path
    """Inside the clone."""
    config: Callable[[], Path]
    """The app's file. Raises BadConfig when none is of the app."""
    base: str
    """The image to build on."""
    repository: str
    """In the registry; the name of the app that it belongs to."""
    state: Path
    """Where ledgers and locks are."""
    target: Callable[[], Target]
    """Raises NoToken when there is no token for it."""
    app: str = ""
    organization: str = ""
    needs_flyctl: bool = True


class Missing(Refused):
    """Something that was needed to look at something else."""


@dataclass
class Examination:
    """What has been seen so far; what was not found is None, and what needs it is not looked at."""

    wishes: Wishes
    app: App | None = None
    target: Target | None = None
    engine: docker.DockerClient | None = None
    observed: Observed | None = None
    found: list[Finding] = field(default_factory=list)

    def check(self, name: str, look: Callable[[], str]) -> None:
        """Keep what `look` sees, or the error that it raises."""
        try:
            finding = Finding(name, ok=True, seen=look(), next_step="")
        except DeployError as error:
            finding = Finding(name, ok=False, seen=error.happened, next_step=error.next_step)
        self.found.append(finding)

    def needed(self, what: str) -> Missing:
        """That something cannot be looked at without `what`."""
        return Missing(f"not looked at: it needs {what}, see above", f"Mend {what} first.")


def checks(wishes: Wishes) -> tuple[Finding, ...]:
    """What was found, from the nearest (git) to the farthest (who is releasing), each with the next step if not ok."""
    seen = Examination(wishes)
    seen.check("git", _git)
    seen.check("source", lambda: _source(wishes.folder))
    seen.check("configuration", lambda: _configuration(seen))
    seen.check("traces", lambda: _traces(seen))
    with contextlib.ExitStack() as until_the_end:
        seen.check("Docker engine", lambda: _engine(seen, until_the_end))
        seen.check("base image", lambda: _base(seen))
    seen.check("flyctl", lambda: _flyctl(seen))
    seen.check("token", lambda: _token(seen))
    if seen.target:
        with Machines(seen.target) as machines:
            _platform(seen, seen.target, machines)
    seen.check("ledger", lambda: _ledger(seen))
    return tuple(seen.found)


def _platform(seen: Examination, target: Target, machines: Machines) -> None:
    seen.check("organization", lambda: _organization(seen, machines))
    seen.check("app", lambda: _app(seen, machines))
    seen.check("registry app", lambda: _registry_app(seen, machines))
    seen.check("rights", lambda: _rights(seen, machines))
    seen.check("registry login", lambda: _login(target, seen.wishes.repository))
    seen.check("machines", lambda: _machines(seen))
    seen.check("lock", lambda: _lock(seen, target, machines))


# Here


def _git() -> str:
    try:
        ran = subprocess.run(["git", "--version"], capture_output=True, text=True, timeout=SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise Missing(f"git does not run: {error}", "Install git ≥ 2.30.") from error
    return ran.stdout.strip()


def _source(folder: Path) -> str:
    tree = source.source_tree(folder)
    return f"tree {tree.tree[:12]} of commit {tree.commit[:12]}, clean"


def _configuration(seen: Examination) -> str:
    wishes = seen.wishes
    app = apps.read_app(wishes.config(), name=wishes.app)
    apps.machine_config(app, "image")
    seen.app = app
    memory = app.memory_bytes // apps.MEGABYTE
    told = f"{app.name} in {app.region or 'a region of Fly’s choice'}: {memory} MB, {app.cpus} CPU, port {app.port}"
    return "; ".join([f"{told}, check {app.probe}", *apps.warnings(app)])


def _traces(seen: Examination) -> str:
    """Whether [env] asks for traces; then the image must be able to send them, and its secret is not in the file."""
    if seen.app is None:
        raise seen.needed("the configuration")
    asked = sorted(name for name in seen.app.said.get("env", {}) if name.startswith("OTEL_"))
    if secrets := [name for name in asked if name.endswith("_HEADERS")]:
        raise BadConfig(
            f"[env] of {seen.app.config.name} has {secrets[0]}, which holds a secret",
            f"Remove it there, and call `fly secrets set {secrets[0]}=…`.",
        )
    dockerfile = source.top_folder(seen.wishes.folder) / "Dockerfile"
    if asked and not (dockerfile.exists() and f"--extra {attestations.EXTRA}" in dockerfile.read_text("utf-8")):
        raise BadConfig(
            f"[env] of {seen.app.config.name} has {asked[0]}, and the image would lack the packages for traces",
            f"Let the Dockerfile's `uv export` have `--extra {attestations.EXTRA}`, or remove OTEL_… there.",
        )
    return f"asked for by {', '.join(asked)}" if asked else "not asked for"


def _engine(seen: Examination, until_the_end: contextlib.ExitStack) -> str:
    client = until_the_end.enter_context(images.engine())
    told = client.version()
    if tuple(map(int, str(told["ApiVersion"]).split("."))) < BUILDKIT_SINCE:
        raise Missing(f"Docker {told['Version']} does not know BuildKit", "Install Docker ≥ 18.09.")
    seen.engine = client
    return f"Docker {told['Version']}, {told['Os']}/{told['Arch']}, with BuildKit"


def _base(seen: Examination) -> str:
    if seen.engine is None:
        raise seen.needed("the Docker engine")
    base = seen.wishes.base
    try:
        return f"{base} is here: {str(seen.engine.images.get(base).id)[:19]}"
    except docker.errors.ImageNotFound:
        pass
    try:
        seen.engine.images.get_registry_data(base)
    except docker.errors.APIError as error:
        raise Missing(
            f"{base} is not here, and no registry has it: {error.explanation}",
            "Name another with --base or BASE. Where no registry can be reached, `.ci/base-image` makes a stand-in.",
        ) from error
    return f"{base} is not here yet; it can be pulled"


def _flyctl(seen: Examination) -> str:
    try:
        program = seen.wishes.target().flyctl
    except DeployError:
        program = "flyctl"
    found = shutil.which(program)
    if found is None:
        if not seen.wishes.needs_flyctl:
            return "not installed, and not needed"
        raise Missing(f"{program} is not on the PATH", INSTALL_FLYCTL)
    with tempfile.TemporaryDirectory(prefix="code-insight-home-") as home:
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": home,
            "FLY_NO_UPDATE_CHECK": "1",
            "FLY_SEND_METRICS": "0",
        }
        try:
            ran = subprocess.run(
                [found, "version"], env=environment, capture_output=True, text=True, timeout=SECONDS, check=True
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise Missing(f"{found} does not run: {error}", INSTALL_FLYCTL) from error
    return f"{' '.join(ran.stdout.split())[:100]} ({found})"


def _ledger(seen: Examination) -> str:
    if seen.app is None:
        raise seen.needed("the configuration")
    if seen.target is None:
        raise seen.needed("the token")
    lines: list[str] = []
    ledger = Ledger(seen.wishes.state, seen.target.name, seen.app.name, lines.append)
    entries = ledger.entries()
    if not entries:
        return f"no release of {seen.app.name} from here yet"
    if unfinished := ledger.unfinished():
        raise Missing(
            f"release {unfinished[0].release} began {unfinished[0].at} and did not end; last: {unfinished[-1].kind}",
            "Release again: what is there is looked at first, and taken up from there.",
        )
    proven = ledger.last_verified()
    told = f"release {proven.release}, {proven.kind} {proven.at}" if proven else "none verified"
    return "; ".join([f"{len(entries)} entries, whole; {told}", *lines])


# On the platform


def _token(seen: Examination) -> str:
    target = seen.wishes.target()
    with Machines(target) as machines:
        owner = machines.owner()
    seen.target = target
    return f"known to {target.name}{f': {owner}' if owner else ''}"


def _organization(seen: Examination, machines: Machines) -> str:
    slugs, wanted = machines.organizations(), seen.wishes.organization
    if wanted and wanted not in slugs:
        raise Missing(
            f"the token opens {', '.join(slugs) or 'no organization'}, and not {wanted}",
            f"Use a token of {wanted}: `fly tokens create org -o {wanted}`.",
        )
    return f"{', '.join(slugs)}{f'; {wanted} is meant' if wanted else ''}"


def _app(seen: Examination, machines: Machines) -> str:
    if seen.app is None:
        raise seen.needed("the configuration")
    seen.observed = machines.observe(seen.app.name)
    if not seen.observed.exists:
        return f"{seen.app.name} does not exist yet (or not for this token); a release creates it"
    _refuse_elsewhere(seen, seen.observed)
    return f"{seen.app.name} in {seen.observed.organization}"


def _registry_app(seen: Examination, machines: Machines) -> str:
    repository = seen.wishes.repository
    observed = machines.observe(repository)
    if not observed.exists:
        return f"{repository} does not exist yet (or not for this token); a release creates it"
    _refuse_elsewhere(seen, observed)
    return f"{repository} in {observed.organization}"


def _refuse_elsewhere(seen: Examination, observed: Observed) -> None:
    wanted = seen.wishes.organization
    if wanted and observed.organization != wanted:
        raise Missing(
            f"{observed.app} is in the organization {observed.organization}, and not in {wanted}",
            "Name the organization that it is in, or choose another name for the app.",
        )


def _rights(seen: Examination, machines: Machines) -> str:
    names = [observed.app for observed in (seen.observed,) if observed and observed.exists]
    if not names:
        return "told by the app once it exists"
    rights = machines.rights(names[0])
    may = {"read": rights.may_read, "change": rights.may_change, "push to": rights.may_push}
    if missing := [word for word, granted in may.items() if not granted]:
        raise Missing(
            f"the token may not {' nor '.join(missing)} {names[0]}",
            f"Make one that may: `fly tokens create deploy -a {names[0]} -x 24h`.",
        )
    return f"the token may {', '.join(may)} {names[0]}"


def _login(target: Target, repository: str) -> str:
    registry.exists(target, repository, NOWHERE)
    return f"{target.registry} takes the token for {repository}"


def _machines(seen: Examination) -> str:
    if seen.observed is None:
        raise seen.needed("the app")
    machines = seen.observed.machines
    if not machines:
        return "none yet"
    told = "; ".join(_told(machine) for machine in machines)
    if ailing := [machine.id for machine in machines if machine.state not in SETTLED]:
        raise Missing(
            told, f"Look at {', '.join(ailing)} with `fly machine status <id>`; a release waits for none of it."
        )
    return told


def _told(machine: Machine) -> str:
    checks = ", ".join(f"{check.name} {check.status}" for check in machine.checks) or "no checks"
    return f"{machine.id} {machine.state}{' cordoned' if machine.is_cordoned else ''} ({checks})"


def _lock(seen: Examination, target: Target, machines: Machines) -> str:
    if seen.app is None:
        raise seen.needed("the configuration")
    holder = locks.holder(target.name, machines, seen.app.name, seen.wishes.state)
    if holder:
        raise Missing(
            f"a release is under way: {holder}", "Wait for it to end; the lock of one who died ends by itself."
        )
    return "nobody is releasing"
