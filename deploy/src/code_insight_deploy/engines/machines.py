"""Changes machines through Fly's Machines API alone: a lease on each, guarded by its version, waited for by version.

An answer that is lost is not asked for again: the machine is read, and what it runs tells whether the change was made.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from code_insight_deploy.engines import Journal, Say, applied
from code_insight_deploy.errors import Ambiguous, NotVerified
from code_insight_deploy.machines import Machines
from code_insight_deploy.planning import short
from code_insight_deploy.probing import patiently
from code_insight_deploy.proofs import Action, Applied, Machine, Plan, Verb

LEASE_SECONDS = 15
"""Renewed meanwhile; one that is left behind is outlasted by whoever waits for the lock."""
LOOK = "See `status` for every machine."


@dataclass(frozen=True, slots=True)
class MachinesEngine:
    """Rolling, one machine after another; blue-green where the plan replaces machines."""

    machines: Machines
    organization: str
    region: str
    healthy_seconds: float = 120.0
    name: str = "machines"

    def apply(self, plan: Plan, journal: Journal, say: Say) -> Applied:
        """See Engine.apply. Raises NotVerified as soon as one machine does not become healthy: the others stay as they
        are.
        """
        change = _Change(self, plan, journal, say)
        if plan.replaces:
            change.replace_all()
        else:
            change.one_after_another()
        return applied(plan, change.versions)


@dataclass(slots=True)
class _Change:
    engine: MachinesEngine
    plan: Plan
    journal: Journal
    say: Say
    versions: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.versions = dict(self.plan.observed.versions)

    def one_after_another(self) -> None:
        for action in self.plan.actions:
            self._announce(action)
            self._do(action)

    def replace_all(self) -> None:
        """The new ones are made beside the old, out of the public's reach; when all are well, they take over."""
        app, api = self.plan.app, self.engine.machines
        old = [action for action in self.plan.actions if action.verb is Verb.DESTROY_MACHINE]
        new: list[Machine] = []
        try:
            for action in self.plan.actions:
                if action.verb is Verb.CREATE_MACHINE:
                    self._announce(action)
                    new.append(self._create(action, is_hidden=True))
            for machine in new:
                self._until_healthy(machine)
        except BaseException:
            for machine in new:
                self.journal(f"destroy machine {machine.id}, which did not become well; the old ones serve")
                api.destroy(app, machine.id)
            raise
        self.journal(f"let machines {', '.join(machine.id for machine in new)} take over")
        for machine in new:
            api.uncordon(app, machine.id)
        for action in old:
            api.cordon(app, action.subject)
        for action in old:
            self._announce(action)
            self._destroy(action)

    def _announce(self, action: Action) -> None:
        line = f"{action.verb} {action.subject}: {', '.join(action.differences)}".rstrip(": ")
        self.journal(line)
        self.say(line)

    def _do(self, action: Action) -> None:
        doing: Mapping[Verb, Callable[[Action], object]] = {
            Verb.CREATE_APP: lambda a: self.engine.machines.create_app(a.subject, self.engine.organization),
            Verb.ADD_ADDRESS: lambda a: self.engine.machines.add_address(self.plan.app, a.subject),
            Verb.CREATE_VOLUME: self._create_volume,
            Verb.CREATE_MACHINE: lambda a: self._until_healthy(self._create(a)),
            Verb.UPDATE_MACHINE: self._update,
            Verb.DESTROY_MACHINE: self._destroy,
        }
        doing[action.verb](action)

    def _create_volume(self, action: Action) -> None:
        size = action.config["size_gb"]
        self.engine.machines.create_volume(self.plan.app, action.subject, self.engine.region, size)

    def _create(self, action: Action, *, is_hidden: bool = False) -> Machine:
        api, app = self.engine.machines, self.plan.app
        try:
            made = api.create(app, action.config, self.engine.region, skip_service_registration=is_hidden)
        except Ambiguous as lost:
            made = self._made_after_all(lost)
        self.versions[made.id] = made.version
        self.say(f"machine {made.id} is version {made.version}")
        return made

    def _made_after_all(self, lost: Ambiguous) -> Machine:
        known = {*self.plan.observed.versions, *self.versions}
        for machine in self.engine.machines.observe(self.plan.app).machines:
            if machine.id not in known and machine.digest == self.plan.digest:
                self.say(f"the answer was lost ({lost.happened}); machine {machine.id} was made all the same")
                return machine
        raise lost

    def _update(self, action: Action) -> None:
        api, app, id_ = self.engine.machines, self.plan.app, action.subject
        before = self.plan.observed.versions[id_]
        with api.lease(app, id_, seconds=LEASE_SECONDS, description="code-insight-deploy: release") as nonce:
            try:
                now = api.update(app, id_, action.config, current_version=before, nonce=nonce)
            except Ambiguous as lost:
                now = self._updated_after_all(id_, before, lost)
            self.versions[id_] = now.version
            self.say(f"machine {id_}: version {before} → {now.version}")
            self._until_healthy(now)

    def _updated_after_all(self, id_: str, before: str, lost: Ambiguous) -> Machine:
        now = self.engine.machines.machine(self.plan.app, id_)
        if now is None or now.version == before:
            raise lost
        self.say(f"the answer was lost ({lost.happened}); machine {id_} is version {now.version} all the same")
        return now

    def _destroy(self, action: Action) -> None:
        self.engine.machines.destroy(self.plan.app, action.subject)
        self.versions.pop(action.subject, None)

    def _until_healthy(self, machine: Machine) -> None:
        """Started at that very version, and every check passes. Raises NotVerified with what the platform says."""
        app, api, seconds = self.plan.app, self.engine.machines, self.engine.healthy_seconds

        def look() -> None:
            now = api.machine(app, machine.id)
            if now is None:
                raise NotVerified(f"machine {machine.id} is gone", LOOK)
            if now.version != machine.version:
                back = f"is at version {now.version}, not {machine.version}: the platform has put it back"
                raise NotVerified(f"machine {machine.id} {back} (it runs {short(now.digest)})", LOOK)
            if now.state != "started":
                raise _NotYet("it does not start")
            failing = [f"{check.name} is {check.status}" for check in now.checks if check.status != "passing"]
            if failing:
                raise _NotYet(", ".join(failing))

        until = time.monotonic() + seconds
        try:
            api.wait(app, machine.id, version=machine.version, state="started", seconds=seconds)
            patiently(look, (_NotYet,), max(1.0, until - time.monotonic()))
        except _NotYet as error:
            now = api.machine(app, machine.id)
            state = f"{now.state}, {now.last_exit or 'no exit'}" if now else "gone"
            happened = f"machine {machine.id} is not well after {seconds:g} s: {error} ({state})"
            raise NotVerified(happened, LOOK) from error
        self.say(f"machine {machine.id} passes its checks")


class _NotYet(Exception):
    """It may become so."""
