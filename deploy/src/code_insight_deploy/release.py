"""The story of a release, told once: source, image, smoke run, push, plan, change, proof; or the way back, proven too.

It ends in one of four ways, and says which: the new image is verified; nothing was changed; what ran before is verified
to run again; or what runs is reported machine by machine. Everything that may have happened to the platform was written
to the ledger before it was tried, so a release that was killed is taken up by the next one.
"""

import contextlib
import dataclasses
import getpass
import platform
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from code_insight_deploy import apps, attestations, images, locks, planning, probing, registry, source, verifying
from code_insight_deploy.apps import App
from code_insight_deploy.attestations import Build, Json
from code_insight_deploy.engines import Engine
from code_insight_deploy.engines.flyctl import FlyctlEngine, can_apply
from code_insight_deploy.engines.machines import MachinesEngine
from code_insight_deploy.errors import (
    DeployError,
    FailedAndRolledBack,
    Inconclusive,
    LedgerBroken,
    NotRestored,
    NotVerified,
    NoWayBack,
    PlanOvertaken,
    PlatformFailed,
    Refused,
    Untouched,
)
from code_insight_deploy.ledger import PROVEN, Ledger, now_text
from code_insight_deploy.machines import Machines
from code_insight_deploy.probing import Identity
from code_insight_deploy.proofs import (
    Applied,
    BuiltImage,
    Observed,
    Plan,
    PublishedImage,
    RolledBack,
    Smoked,
    Snapshot,
    SourceTree,
    Verified,
)
from code_insight_deploy.targets import Target
from code_insight_deploy.verifying import Expected, Patience


class Teller(Protocol):
    """Who is told of progress: a step that begins, and lines of what happens in it."""

    def step(self, name: str) -> None: ...

    def __call__(self, line: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Order:
    """What the operator asks for."""

    folder: Path
    """Inside the clone that is to be released."""
    app: App
    base: str
    """The image to build on."""
    repository: str = images.NAME
    """In the registry; on Fly it is there once an app of that name is."""
    organization: str = ""
    """Slug, for apps that have to be created; "" when the token sees only one."""
    engine: str = "flyctl"
    allow_dirty: bool = False
    accept_no_way_back: bool = False
    patience: Patience = Patience()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a release ended well."""

    release_id: str
    source: SourceTree
    image: PublishedImage
    actions: tuple[str, ...]
    """What was changed; empty when all was as it is wanted."""
    verified: Verified
    seconds: Mapping[str, float]
    """Step → how long it took."""


@dataclass(slots=True)
class Run:
    """One command's dealings with one app: what it holds open, and where it writes down what it does."""

    order: Order
    target: Target
    machines: Machines
    ledger: Ledger
    tell: Teller
    release_id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    seconds: dict[str, float] = field(default_factory=dict)
    toml: str = ""

    @property
    def url(self) -> str:
        return self.target.url_of(self.order.app.name)

    def journal(self, line: str) -> None:
        """About to be changed: kept before it is tried."""
        self.ledger.append("changing", self.release_id, change=line)

    def note(self, kind: str, **data: Any) -> None:
        """Kept: what has happened."""
        self.ledger.append(kind, self.release_id, **data)

    def locked(self, state: Path) -> contextlib.AbstractContextManager[locks.Lock]:
        """Nobody else releases to the app meanwhile."""
        app = self.order.app.name
        return locks.held(self.target.name, self.machines, app, state, self.tell, release=self.release_id)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Told to the operator, and timed."""
        self.tell.step(name)
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - began, 3)


@contextlib.contextmanager
def opened(order: Order, target: Target, folder: Path, tell: Teller) -> Iterator[Run]:
    """A run of one command against `target`, with its ledger below `folder`."""
    with Machines(target) as machines:
        yield Run(order, target, machines, Ledger(folder, target.name, order.app.name), tell)


def release(run: Run, state: Path) -> Outcome:
    """Bring the tree of the order's folder to its app; returns once every process that answers is it.

    Raises Refused before anything is changed; BuildFailed, SmokeFailed, PushFailed, Untouched while the app is as it
    was; FailedAndRolledBack, NotRestored, Inconclusive after it was changed.
    """
    order = run.order
    probing.warm_up()
    tree = source.source_tree(order.folder, allow_dirty=order.allow_dirty)
    with run.locked(state) as lock:
        with run.step("look"):
            observed = run.machines.observe(order.app.name)
            _refuse_other_organization(order, observed)
            planning.preview(order.app, order.repository, observed)  # what cannot be planned is not built either
            before = probing.who_answers(run.url) if observed.machines else None
            way_back = find_way_back(run, observed, before)
            run.tell(_seen(observed, before))
        run.note("begun", tree=tree.tree, commit=tree.commit, dirty=tree.dirty, who=_who(), engine=order.engine)
        with _failure_is_noted(run):
            image = published(run, tree)
            with run.step("plan"):
                plan = planning.plan(order.app, image, run.machines.observe(order.app.name), way_back)
                _tell_plan(run, plan)
            lock.check()
            verified = apply(run, plan, before) if plan.actions else confirm(run, plan)
    actions = tuple(" ".join((action.verb, action.subject, *action.differences)) for action in plan.actions)
    return Outcome(run.release_id, tree, image, actions, verified, dict(run.seconds))


def rollback(run: Run, state: Path, to: str = "") -> RolledBack:
    """Bring back a release that was verified: the one named `to`, else the last one that is not what runs now.

    Raises Refused when there is none or its image is gone, NotRestored and Inconclusive as `release` does.
    """
    probing.warm_up()
    with run.locked(state):
        with run.step("look"):
            observed = run.machines.observe(run.order.app.name)
            snapshot = choose(run, observed, to)
        because = f"rollback to {planning.short(snapshot.digest)} was asked for"
        run.note("begun", tree=snapshot.tree, commit="", dirty=False, who=_who(), engine=run.order.engine)
        with _failure_is_noted(run), run.step("roll back"):
            try:
                return return_to(run, snapshot, because)
            except Inconclusive:
                raise
            except (DeployError, KeyboardInterrupt) as error:
                raise _not_restored(run, {snapshot.digest: "what was asked for"}, because, error) from error


def choose(run: Run, observed: Observed, to: str) -> Snapshot:
    """The verified release to return to, whose image the registry still has. Raises Refused otherwise."""
    runs = {machine.digest for machine in observed.machines}
    commits = {e.release: e.data.get("commit", "") for e in run.ledger.entries() if e.kind == "begun"}
    for entry in reversed(
        [e for e in run.ledger.entries() if e.kind in ("verified", "rolled_back") and e.data["reference"]]
    ):
        snapshot = planning.kept(entry.data)
        names = (
            entry.release,
            commits.get(entry.release, ""),
            snapshot.digest,
            snapshot.digest.partition(":")[2],
        )
        if any(name.startswith(to) for name in names) if to else {snapshot.digest} != runs:
            return _still_there(run, snapshot)
    raise Refused(
        f"the ledger has no verified release {to or 'other than the one that runs'} of {run.order.app.name}",
        "`history` lists what there is.",
    )


def _still_there(run: Run, snapshot: Snapshot) -> Snapshot:
    """The snapshot, whose image the registry has; with the tree that the image itself says it is of. Raises NoWayBack
    otherwise.
    """
    name, _, digest = snapshot.reference.partition("@")
    tree = registry.tree_of(run.target, name.partition("/")[2], digest)
    if tree is None:
        raise NoWayBack(
            f"the registry has no {snapshot.reference} any more",
            "Check its commit out and `push` that: the same tree gives the same image. Or pass --accept-no-way-back.",
        )
    return dataclasses.replace(snapshot, tree=tree or snapshot.tree)


def _refuse_other_organization(order: Order, observed: Observed) -> None:
    """An app that is there already is where it is: --org says where new ones are made."""
    if observed.exists and order.organization not in {"", observed.organization}:
        raise Refused(
            f"the app {observed.app} is in the organization {observed.organization}, and --org is {order.organization}",
            f"Pass --org {observed.organization} if that app is meant, else choose another name for yours.",
        )


def published(run: Run, tree: SourceTree) -> PublishedImage:
    """The image of `tree` in the registry: found there, or built, tried and pushed."""
    order, began = run.order, now_text()
    with images.engine() as engine:
        with run.step("build"):
            built = images.build(engine, order.folder, tree, order.base, run.tell)
            apps.check_port(order.app, images.exposed_ports(engine, built))
        if image := find_published(run, tree, built):
            run.tell(f"published before: {image.reference}")
            return image
        bill = attestations.bill_of_materials(order.folder, tree)  # before anything is sent
        smoked = smoke(run, engine, built)
        with run.step("push"):
            create_repository(run)
            run.journal(f"push {built.reference} to {run.target.registry}/{order.repository}:{tree.tag}")
            image = registry.push(engine, run.target, smoked, order.repository, run.tell)
            base_id = images.base_id(engine, order.base, run.tell)
            said = attested(run, tree, image, bill, Build(order.base, base_id, run.release_id, began, now_text()))
            about = {"reference": image.reference, "tag": image.tag, "image_id": image.image_id, "tree": image.tree}
            run.note("published", **about, attestations=said)
    return image


def attested(run: Run, tree: SourceTree, image: PublishedImage, bill: Json | None, build: Build) -> Mapping[str, str]:
    """What is in the image and how it came to be, in files next to the ledger; returns their digests."""
    if bill is None:
        run.tell("no bill of materials: the tree holds no lock")
    folder = run.ledger.path.with_suffix(".attestations")
    return attestations.kept(folder, image, {"sbom": bill, "provenance": attestations.provenance(tree, image, build)})


def smoke(run: Run, engine: Any, built: BuiltImage) -> Smoked:
    """The image ran here as a machine of the app would run it."""
    from code_insight_deploy import smoking  # its MCP client takes long to import, and may not be needed

    with run.step("smoke"):
        smoked = smoking.smoke(engine, built, run.order.app, run.tell)
        run.note("smoked", image_id=built.image_id, tree=built.tree, claims=[found.claim for found in smoked.evidence])
    return smoked


def find_published(run: Run, tree: SourceTree, built: BuiltImage) -> PublishedImage | None:
    """That very image in the registry: under the commit's tag, or by a digest that the ledger has for it."""
    names = [tree.tag]
    names += [entry.data["reference"].partition("@")[2] for entry in run.ledger.entries() if _is_of(entry, built)][-1:]
    for name in names:
        image = registry.find(run.target, run.order.repository, name, tree.tree)
        if image and built.image_id in (image.image_id, image.digest):  # some engines name an image after its manifest
            return image
    return None


def _is_of(entry: Any, built: BuiltImage) -> bool:
    return bool(entry.kind == "published" and entry.data["image_id"] == built.image_id)


def create_repository(run: Run) -> None:
    """On Fly a repository exists once an app of its name does; made when it is missing."""
    name = run.order.repository
    if run.target.registry and not run.machines.observe(name).exists:
        run.journal(f"create app {name}, whose registry holds the images")
        run.machines.create_app(name, organization(run))


def organization(run: Run) -> str:
    """Where new apps go. Raises Refused when nobody said, and there are several to choose from."""
    if run.order.organization:
        return run.order.organization
    slugs = run.machines.organizations()
    if len(slugs) != 1:
        raise Refused(f"the token sees {len(slugs)} organizations: {', '.join(slugs)}", "Name one with --org.")
    return slugs[0]


def find_way_back(run: Run, observed: Observed, before: Identity | None) -> Snapshot | None:
    """What a failure will return to, known to be there before anything is changed.

    After a release that was never verified, what that one would have returned to; when the machines run different
    images, the last release that was verified. Raises NoWayBack, unless it is accepted.
    """
    try:
        snapshot = _before_the_unproven(run) or _what_runs(run, observed, before)
        return _still_there(run, snapshot) if snapshot.reference else snapshot
    except NoWayBack as error:
        if not run.order.accept_no_way_back:
            raise
        run.tell(f"no way back: {error.happened}")
        return None


def _what_runs(run: Run, observed: Observed, before: Identity | None) -> Snapshot:
    try:
        return planning.snapshot(observed, before.tree if before else "", _toml(run, observed))
    except NoWayBack as error:
        verified = run.ledger.last_verified()
        if verified is None:
            raise
        run.tell(f"{error.happened}; a failure will return to release {verified.release}, which was verified last")
        return planning.kept(verified.data)


def _before_the_unproven(run: Run) -> Snapshot | None:
    """What ran before the first release, since one was verified, that may have changed machines: it was killed, or it
    could not be verified, nor undone. What the ones after it saw was its doing.
    """
    entries = run.ledger.entries()
    since = entries[max((entry.number for entry in entries if entry.kind in PROVEN), default=0) :]
    unchanged = {entry.release for entry in since if entry.kind == "failed" and entry.data.get("changed") is False}
    for entry in since:
        if entry.kind == "planned" and entry.release not in unchanged and entry.data["way_back"]:
            run.tell(
                f"release {entry.release} of {entry.at} was never verified; a failure returns to what ran before it"
            )
            return planning.kept(entry.data["way_back"])
    return None


def _toml(run: Run, observed: Observed) -> str:
    """The app's file from which the ledger's last verified release was made, if that is what runs."""
    entry = run.ledger.last_verified()
    if entry and {machine.digest for machine in observed.machines} == {entry.data["reference"].partition("@")[2]}:
        return str(entry.data.get("toml", ""))
    return ""


def apply(run: Run, plan: Plan, before: Identity | None) -> Verified:
    """All changes of `plan` are made, and verified. Raises what `release` raises once there are changes."""
    run.note("planned", actions=[_words(action) for action in plan.actions], way_back=_kept(plan.way_back))
    planning.refuse_overtaken(plan, run.machines.observe(plan.app))
    try:
        with run.step("deploy"):
            applied = engine_for(run, plan).apply(plan, run.journal, run.tell)
            run.note("applied", versions=dict(applied.versions), platform_release=applied.release)
        with run.step("verify"):
            return keep(run, plan, _verify(run, applied, before))
    except Inconclusive as error:
        raise Inconclusive(f"{error.happened}\n{table(run, _names(plan))}", error.next_step) from error
    except (DeployError, KeyboardInterrupt) as error:
        raise go_back(run, plan, before, error) from error


def confirm(run: Run, plan: Plan) -> Verified:
    """Nothing is to be changed: what runs is verified to be what is wanted."""
    with run.step("verify"):
        before = probing.who_answers(run.url)
        patience = dataclasses.replace(run.order.patience, window_seconds=0.0)
        expected = Expected(plan.app, plan.reference, plan.tree, plan.observed.versions)
        try:
            return keep(run, plan, verifying.verify(run.target, run.machines, expected, patience, before, run.tell))
        except NotVerified as error:
            raise NotRestored(
                f"{error.happened}\n{table(run, _names(plan))}",
                "The machines were given this image before, and are not well with it: `rollback`, or release another.",
            ) from error


def engine_for(run: Run, plan: Plan) -> Engine:
    """The engine of the order; the Machines API where that one cannot do it."""
    app = run.order.app
    creates = not plan.observed.exists
    slug = organization(run) if creates else plan.observed.organization
    if run.order.engine == "flyctl" and can_apply(plan):
        return FlyctlEngine(run.target, run.machines, slug, run.order.patience.settle_seconds)
    return MachinesEngine(run.machines, slug, app.region, run.order.patience.settle_seconds)


def _verify(run: Run, applied: Applied, before: Identity | None) -> Verified:
    plan = applied.plan
    expected = Expected(plan.app, plan.reference, plan.tree, applied.versions)
    return verifying.verify(run.target, run.machines, expected, run.order.patience, before, run.tell)


def keep(run: Run, plan: Plan, verified: Verified) -> Verified:
    """In the ledger, with all that is needed to come back to it."""
    try:
        now = run.machines.observe(plan.app)
    except PlatformFailed as error:
        raise Inconclusive(f"all was verified, and then {error.happened}", "Release again: it will be kept.") from error
    snapshot = Snapshot(
        plan.reference, plan.tree, {machine.id: dict(machine.config) for machine in now.machines}, plan.toml
    )
    evidence = [dataclasses.asdict(found) for found in verified.evidence]
    run.note("verified", **_kept(snapshot), url=verified.url, versions=dict(verified.versions), evidence=evidence)
    return verified


def go_back(run: Run, plan: Plan, before: Identity | None, failure: BaseException) -> DeployError:
    """The error with which the release ends after `failure`: what ran before runs again, or what runs instead."""
    because, next_step = _told(failure)
    with run.step("roll back"):
        run.tell(because)
        try:
            observed = run.machines.observe(plan.app)
            if observed.versions == plan.observed.versions:
                _verify_unchanged(run, plan, before)
                _note_if_possible(run, "failed", because=because, changed=False)
                return Untouched(because, f"{next_step}\n{plan.app} is as it was: no machine has changed.".strip())
            _refuse_to_overwrite(plan, observed)
            rolled_back = return_to(run, plan.way_back, because)
        except (DeployError, KeyboardInterrupt) as error:
            return _not_restored(run, _names(plan), because, error)
    return FailedAndRolledBack(
        f"{because}\n{_restored(plan, rolled_back)}", "Nothing is left to clean up. Mend the cause, then release again."
    )


def _verify_unchanged(run: Run, plan: Plan, before: Identity | None) -> None:
    """A machine that the platform took back has its old version, and may not be well all the same. When nobody answered
    before, there is nothing to compare with.
    """
    if before and plan.way_back:
        expected = Expected(plan.app, plan.way_back.reference, plan.way_back.tree, plan.observed.versions)
        patience = dataclasses.replace(run.order.patience, window_seconds=0.0)
        verifying.verify(run.target, run.machines, expected, patience, before, run.tell)


def _not_restored(run: Run, names: Mapping[str, str], because: str, failure: BaseException) -> NotRestored:
    """What runs now, machine by machine, after the way back has failed too."""
    why, _ = _told(failure)
    _note_if_possible(run, "failed", because=because, changed=True, restored=False, why=why)
    return NotRestored(
        f"{because}\nThe way back failed too: {why}\n{table(run, names)}",
        f"Look at `status`. `rollback` tries again; {run.url} may serve any of these meanwhile.",
    )


def _told(failure: BaseException) -> tuple[str, str]:
    """What happened, and the next step."""
    if isinstance(failure, DeployError):
        return failure.happened, failure.next_step
    return "it was interrupted", ""


def _note_if_possible(run: Run, kind: str, **data: Any) -> None:
    """A ledger that cannot be written any more keeps nobody from going back, nor from saying what runs."""
    try:
        run.note(kind, **data)
    except LedgerBroken as error:
        run.tell(error.happened)


def _refuse_to_overwrite(plan: Plan, observed: Observed) -> None:
    """What somebody else has put there meanwhile is not undone by us."""
    ours = {plan.digest, plan.way_back.digest if plan.way_back else "", ""}
    if foreign := [machine.id for machine in observed.machines if machine.digest not in ours]:
        raise PlanOvertaken(
            f"somebody else has changed machine {', '.join(foreign)} meanwhile",
            "Agree with them, then release or `rollback`.",
        )


def return_to(run: Run, snapshot: Snapshot | None, because: str) -> RolledBack:
    """What `snapshot` holds runs again, and that is verified by the same probe. Raises DeployError otherwise."""
    app = run.order.app.name
    if snapshot is None:
        raise NoWayBack("there is no way back", "It was accepted with --accept-no-way-back.")
    failed = probing.who_answers(run.url)
    back = planning.plan_back(snapshot, run.machines.observe(app))
    _tell_plan(run, back)
    try:
        applied = engine_for(run, back).apply(back, run.journal, run.tell)
    except DeployError as error:
        run.tell(f"{error.happened}\nonce more, through the Machines API alone")
        back = planning.plan_back(snapshot, run.machines.observe(app))
        patience = run.order.patience.settle_seconds
        engine = MachinesEngine(run.machines, back.observed.organization, run.order.app.region, patience)
        applied = engine.apply(back, run.journal, run.tell)
    if not snapshot.configs:
        if left := run.machines.observe(app).machines:
            raise NotRestored(f"{len(left)} machines are left", "See `status`.")
        run.note("rolled_back", **_kept(snapshot), versions={}, because=because)
        return RolledBack(to=None, because=because)
    verified = _verify(run, applied, failed)
    run.note("rolled_back", **_kept(snapshot), versions=dict(verified.versions), because=because)
    return RolledBack(to=verified, because=because)


def table(run: Run, names: Mapping[str, str]) -> str:
    """What each machine runs now, as well as it can be told; `names` are for digests."""
    try:
        seen = run.machines.observe(run.order.app.name)
    except DeployError as error:
        return f"What runs now cannot be told: {error.happened}"
    lines = [
        f"  {m.id}  {m.state}  version {m.version}  {planning.short(m.digest)}  {names.get(m.digest, 'another image')}"
        for m in seen.machines
    ]
    return "\n".join(["Now:", *(lines or ["  no machine"])])


def _names(plan: Plan) -> dict[str, str]:
    before = {plan.way_back.digest: "the image before"} if plan.way_back else {}
    return {**before, plan.digest: "the new image"}


@contextlib.contextmanager
def _failure_is_noted(run: Run) -> Iterator[None]:
    """A release that fails has ended; the ledger says how."""
    try:
        yield
    except (FailedAndRolledBack, NotRestored, Untouched):
        raise  # noted where the platform was looked at
    except DeployError as error:
        run.note("failed", because=error.happened, exit_code=error.exit_code)
        raise
    except KeyboardInterrupt:
        run.note("failed", because="it was interrupted before the app was changed")
        raise


def _tell_plan(run: Run, plan: Plan) -> None:
    for action in plan.actions:
        run.tell(_words(action))
    if not plan.actions:
        run.tell("nothing to do")


def _words(action: Any) -> str:
    return f"{action.verb} {action.subject}" + (f": {', '.join(action.differences)}" if action.differences else "")


def _kept(snapshot: Snapshot | None) -> dict[str, Any]:
    return dataclasses.asdict(snapshot) if snapshot else {}


def _seen(observed: Observed, before: Identity | None) -> str:
    if not observed.exists:
        return f"there is no app {observed.app} yet"
    states = ", ".join(f"{machine.id} {machine.state}" for machine in observed.machines) or "no machine"
    return f"{observed.app} of {observed.organization}: {states}; the public is answered by {before or 'nobody'}"


def _restored(plan: Plan, rolled_back: RolledBack) -> str:
    if rolled_back.to is None:
        return f"Nothing ran in {plan.app} before, and nothing runs now."
    back = rolled_back.to
    return f"{planning.short(back.digest)} runs again on {planning.machines(back.versions)}, verified at {back.url}."


def _who() -> str:
    return f"{getpass.getuser()}@{platform.node()}"
