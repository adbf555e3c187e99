"""Proves that the processes which answer the public URL are one image, each of them; or says what they are instead.

It trusts no engine: it asks the registry, the platform, every machine's process and the public address, and compares
what they say independently. A machine that sleeps is woken first: one that was not asked proves nothing.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from code_insight_deploy import registry
from code_insight_deploy.errors import Inconclusive, NoToken, NotVerified, PlatformFailed
from code_insight_deploy.machines import Machines
from code_insight_deploy.probing import Identity, NoAnswer, Probe, WrongAnswer, ask_as_a_client, patiently
from code_insight_deploy.proofs import Evidence, Machine, Observed, Verified
from code_insight_deploy.targets import Target

Say = Callable[[str], None]
SAMPLE_EVERY_SECONDS = 0.5
ASLEEP = ("stopped", "suspended", "created")
FALLING_ASLEEP = ("stopping", "suspending")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a verification may take."""

    settle_seconds: float = 120.0
    """Until every machine has started, passes its checks and answers."""
    window_seconds: float = 10.0
    """For which all must then stay as it is."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What is to be true."""

    app: str
    reference: str
    """registry/repository@digest"""
    tree: str
    versions: Mapping[str, str]
    """Machine id → version; these machines and no others."""

    @property
    def digest(self) -> str:
        return self.reference.partition("@")[2]


class Mismatch(Exception):
    """Something is provably not as expected."""


class NotYet(Exception):
    """Something is not as expected, and may become so."""


@dataclass(frozen=True, slots=True)
class _Run:
    target: Target
    machines: Machines
    expected: Expected
    patience: Patience
    before: Identity | None
    probe: Probe
    say: Say
    evidence: list[Evidence] = field(default_factory=list)
    exits: dict[str, str] = field(default_factory=dict)

    def check(self, claim: str, look: Callable[["_Run"], str]) -> None:
        started = time.monotonic()
        try:
            seen = self._look(look)
        except (Mismatch, NotYet, WrongAnswer) as error:
            raise NotVerified(
                f"{self.expected.app}: {claim}: no: {error}", "See `status` for every machine."
            ) from error
        except (NoAnswer, PlatformFailed, NoToken) as error:
            happened = f"{self.expected.app}: {claim}: this could not be told: {error}"
            raise Inconclusive(happened, "Look again with `verify`; nothing is changed by it.") from error
        found = Evidence(claim=claim, seen=seen, seconds=round(time.monotonic() - started, 3))
        self.evidence.append(found)
        self.say(f"{found.seconds:6.2f} s  {claim}: {seen}")

    def _look(self, look: Callable[["_Run"], str]) -> str:
        """What `look` sees; where nobody answered, the platform may know that there is nobody any more."""
        try:
            return look(self)
        except NoAnswer:
            seen = self.machines.observe(self.expected.app)
            _compare(self, seen)
            _none_ended(self, seen)
            raise

    def until(self, look: Callable[[], str]) -> str:
        """What `look` sees as soon as it raises NotYet no more; the last NotYet when time is up."""
        return patiently(look, (NotYet, WrongAnswer, NoAnswer), self.patience.settle_seconds)


def verify(
    target: Target,
    machines: Machines,
    expected: Expected,
    patience: Patience,
    before: Identity | None,
    say: Say,
) -> Verified:
    """That `expected` is true, with what was seen. `before` is who answered before the change, None when nobody did.

    Reads only, but for waking machines that sleep. Raises NotVerified when something is provably otherwise, and
    Inconclusive when it could not be told from here.
    """
    url = target.url_of(expected.app)
    with Probe(url) as probe:
        run = _Run(target, machines, expected, patience, before, probe, say)
        run.check("the registry has the image", _in_registry)
        run.check("each machine was given it", _given)
        run.check("each machine is awake", _awake)
        run.check("each machine passes its health checks", _healthy)
        run.check("each machine's process says that it is it", _each_says_so)
        run.check(f"{url} is answered by them", _public_says_so)
        run.check("the same probe told it from what ran before", _told_apart)
        run.check("the front page is served", lambda run: run.until(run.probe.page))
        run.check("an MCP client is served", _serves_a_client)
        run.check(f"all stayed so for {patience.window_seconds:g} s", _stayed_so)
        return Verified(expected.app, url, expected.digest, expected.tree, dict(expected.versions), tuple(run.evidence))


def _in_registry(run: _Run) -> str:
    name, _, digest = run.expected.reference.partition("@")
    _host, _, repository = name.partition("/")
    if not registry.exists(run.target, repository, digest):
        raise Mismatch(f"{name} has no {digest}")
    return run.expected.reference


def _given(run: _Run) -> str:
    """The platform's own record of every machine: image and version; no machine too many or too few."""
    seen = run.machines.observe(run.expected.app)
    _compare(run, seen)
    return f"{len(seen.machines)} of {len(run.expected.versions)} machines"


def _compare(run: _Run, seen: Observed) -> None:
    wrong = [found for machine in seen.machines if (found := _difference(run, machine))]
    wrong += [f"machine {id_} is gone" for id_ in run.expected.versions if id_ not in seen.versions]
    if wrong:
        raise Mismatch("; ".join(wrong))


def _difference(run: _Run, machine: Machine) -> str:
    version = run.expected.versions.get(machine.id)
    if version is None:
        return f"machine {machine.id} is one that the release did not make"
    if machine.digest != run.expected.digest:
        runs = machine.digest or "what the platform does not say"
        return f"machine {machine.id} runs {runs} (version {machine.version})"
    if machine.version != version:
        return f"machine {machine.id} is at version {machine.version}, not {version}"
    return ""


def _awake(run: _Run) -> str:
    """Every machine has been started at the version that it was given; those that slept are counted."""
    app, woken = run.expected.app, 0
    for machine in run.machines.observe(app).machines:
        if _settled(run, machine).state in ASLEEP:
            run.machines.start(app, machine.id)
            woken += 1
        version = run.expected.versions[machine.id]
        if not run.machines.wait(
            app, machine.id, version=version, state="started", seconds=run.patience.settle_seconds
        ):
            raise Mismatch(f"machine {machine.id} did not start at version {version} ({_state(run, machine.id)})")
    # What has ended until now is another version, or one that fell asleep: an end is told before the next start.
    run.exits.update({machine.id: machine.last_exit for machine in run.machines.observe(app).machines})
    return f"{woken} of {len(run.expected.versions)} slept, and were started" if woken else "all had started"


def _settled(run: _Run, machine: Machine) -> Machine:
    """The machine once it is not falling asleep any more: before it sleeps, it cannot be started."""

    def look() -> Machine:
        now = run.machines.machine(run.expected.app, machine.id)
        if now is None:
            raise Mismatch(f"machine {machine.id} is gone")
        if now.state in FALLING_ASLEEP:
            raise NotYet(f"machine {machine.id} is {now.state}")
        return now

    if machine.state not in FALLING_ASLEEP:
        return machine
    return patiently(look, (NotYet,), run.patience.settle_seconds)


def _state(run: _Run, machine: str) -> str:
    now = run.machines.machine(run.expected.app, machine)
    return f"{now.state}, version {now.version}, {now.last_exit or 'no exit'}" if now else "it is gone"


def _healthy(run: _Run) -> str:
    def look() -> str:
        seen = run.machines.observe(run.expected.app)
        _compare(run, seen)
        _none_ended(run, seen)
        if failing := _failing(seen):
            raise NotYet(failing)
        passing = [check for machine in seen.machines for check in machine.checks]
        if not passing:
            raise Mismatch("no machine has a health check: its passing would prove nothing")
        return f"{len(passing)} checks pass"

    return run.until(look)


def _failing(seen: Observed) -> str:
    """The checks that do not pass, "" for none."""
    checks = ((m.id, c) for m in seen.machines for c in m.checks)
    return "; ".join(f"{id_}: {c.name} {c.status} {c.output[:120]}" for id_, c in checks if c.status != "passing")


def _none_ended(run: _Run, seen: Observed) -> None:
    """No process has ended since all machines were awake: one that is started again and again is not well."""
    ended = [f"machine {m.id}: {m.last_exit}" for m in seen.machines if m.last_exit != run.exits.get(m.id, m.last_exit)]
    if ended:
        raise Mismatch(f"a process has ended: {'; '.join(ended)}")


def _each_says_so(run: _Run) -> str:
    """Each process, asked alone, names its tree, its machine and its version."""
    return run.until(
        lambda: "; ".join(str(_as_expected(run, run.probe.identity(id_), id_)) for id_ in run.expected.versions)
    )


def _public_says_so(run: _Run) -> str:
    """Without a machine's name, as the public asks."""
    asked = max(3, 2 * len(run.expected.versions))
    answered = {run.until(lambda: _as_expected(run, run.probe.identity()).machine) for _ in range(asked)}
    return f"{asked} requests, by machine {', '.join(sorted(answered))}"


def _as_expected(run: _Run, said: Identity, machine: str = "") -> Identity:
    if machine and said.machine != machine:
        raise NotYet(f"machine {machine} was asked, and {said} answered")
    if said.machine not in run.expected.versions:
        raise NotYet(f"{said} answered, which is no machine of the release")
    if said.version != run.expected.versions[said.machine]:
        raise NotYet(f"{said} answered, and version {run.expected.versions[said.machine]} was released")
    if run.expected.tree and said.tree != run.expected.tree:
        raise NotYet(f"{said} answered, and tree {run.expected.tree[:12]} was released")
    if "@" in said.image and not said.image.endswith(run.expected.digest):
        raise NotYet(f"{said} answered, and says that its image is {said.image}")
    return said


def _told_apart(run: _Run) -> str:
    """A probe that says the same whatever runs would prove nothing: it had said something else before the change."""
    if run.before is None:
        return "nobody answered before"
    if run.expected.versions.get(run.before.machine) == run.before.version:
        return "nothing was changed since"
    return f"before: {run.before}"


def _serves_a_client(run: _Run) -> str:
    return run.until(lambda: ask_as_a_client(run.probe.url))


def _stayed_so(run: _Run) -> str:
    """Asked again and again, the platform finds them well, and the same processes answer. No second chance here.

    The platform comes first: its edge may hold a request back until a machine that fails a check passes it again.
    """
    ends, samples = time.monotonic() + run.patience.window_seconds, 0
    while True:
        seen = run.machines.observe(run.expected.app)
        _compare(run, seen)
        _none_ended(run, seen)
        if failing := _failing(seen):
            raise Mismatch(f"a check passes and fails by turns: {failing}")
        try:
            _as_expected(run, run.probe.identity())
        except NotYet as error:
            raise Mismatch(str(error)) from error
        samples += 1
        if time.monotonic() >= ends:
            return f"{samples} samples, no restart, no other version, all checks pass"
        time.sleep(min(SAMPLE_EVERY_SECONDS, max(0.0, ends - time.monotonic())))
