"""What an app is and what was done to it: read from the platform and the ledger, side by side; changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

from code_insight_deploy import images, planning, probing, registry, source, verifying
from code_insight_deploy.errors import DeployError, NotVerified, Refused
from code_insight_deploy.ledger import Entry
from code_insight_deploy.machines import Release
from code_insight_deploy.probing import Identity, NoAnswer, Probe, WrongAnswer
from code_insight_deploy.proofs import Action, Machine, PublishedImage, Verified
from code_insight_deploy.release import Run, find_published
from code_insight_deploy.verifying import Expected

UNKNOWN = "not of this ledger"


@dataclass(frozen=True, slots=True)
class MachineStatus:
    """One machine, as the platform describes it and as its own process does."""

    machine: Machine
    commit: str
    """Whose image it runs, by the ledger."""
    says: str
    """What its process said of itself, or why it said nothing."""


@dataclass(frozen=True, slots=True)
class Status:
    """An app at this moment."""

    app: str
    organization: str
    """"" when there is no such app."""
    url: str
    machines: tuple[MachineStatus, ...]
    public: Identity | None
    """Who answered the public URL; None when nobody did."""
    last_verified: Mapping[str, str]
    """release, time, commit, reference of the last verified release in the ledger; empty when there is none."""
    unfinished: str
    """The id of a release that began and did not end, "" when there is none."""


@dataclass(frozen=True, slots=True)
class Released:
    """One release of the ledger."""

    id: str
    time: str
    who: str
    commit: str
    digest: str
    result: str
    """verified, rolled_back, failed, or how far it came: the kind of its last entry."""
    changes: int


@dataclass(frozen=True, slots=True)
class History:
    """An app's releases: those that were proven or failed to be, and those that the platform was asked for."""

    releases: tuple[Released, ...]
    """Of the ledger, the newest first."""
    platform: tuple[Release, ...]
    """The platform's own rows, the newest first: deploys of others, without a proof, are among them."""
    platform_failed: str
    """Why there are none of the platform, "" when it answered."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What a release would do now."""

    app: str
    tree: str
    image: str
    """registry/repository@digest; "" when it is not published yet, and would be built, tried and pushed first."""
    actions: tuple[Action, ...]
    way_back: str
    """The reference that a failure would return to; "" when nothing runs."""


def status(run: Run) -> Status:
    """The app's machines, who answers, and what the ledger says should."""
    name = run.order.app.name
    observed = run.machines.observe(name)
    commits = _commits(run)
    with Probe(run.url) as probe:
        machines = tuple(
            MachineStatus(machine, commits.get(machine.digest, UNKNOWN), _says(probe, machine))
            for machine in observed.machines
        )
    last, unfinished = run.ledger.last_verified(), run.ledger.unfinished()
    known = {"release": last.release, "time": last.at, "reference": last.data["reference"]} if last else {}
    return Status(
        app=name,
        organization=observed.organization,
        url=run.url,
        machines=machines,
        public=probing.who_answers(run.url) if machines else None,
        last_verified=known | ({"commit": commits.get(last.data["reference"].partition("@")[2], "")} if last else {}),
        unfinished=unfinished[-1].release if unfinished else "",
    )


def history(run: Run) -> History:
    """The app's releases, as the ledger keeps them and as the platform does, where that says anything."""
    grouped: dict[str, list[Entry]] = {}
    for entry in run.ledger.entries():
        grouped.setdefault(entry.release, []).append(entry)
    kept = tuple(_released(entries) for entries in reversed(grouped.values()))
    try:
        return History(kept, run.machines.releases(run.order.app.name), "")
    except DeployError as error:
        return History(kept, (), error.happened)


def plan(run: Run) -> Planned:
    """What `release` would do. Builds nothing; an image that the engine has is looked for in the registry."""
    order = run.order
    tree = source.source_tree(order.folder, allow_dirty=order.allow_dirty)
    observed = run.machines.observe(order.app.name)
    with images.engine() as engine:
        built = images.find(engine, tree, order.base, run.tell)
    image = find_published(run, tree, built) if built else None
    if image is None:
        actions = planning.preview(order.app, f"{run.target.registry}/{order.repository}:{tree.tag}", observed)
    else:
        actions = planning.plan(order.app, image, observed, None).actions
    way_back = planning.snapshot(observed, "").reference
    return Planned(order.app.name, tree.tree, image.reference if image else "", actions, way_back)


def verify(run: Run) -> Verified:
    """That the app is the image of the order's tree. Raises Refused when that was never published, and as `release`."""
    image = published(run)
    return _verified(run, image.reference, image.tree, None)


def published(run: Run) -> PublishedImage:
    """The image of the order's tree, as the registry has it. Raises Refused when it has none."""
    tree = source.source_tree(run.order.folder, allow_dirty=run.order.allow_dirty)
    image = registry.find(run.target, run.order.repository, tree.tag, tree.tree)
    if image is None:
        where = f"{run.target.registry}/{run.order.repository}:{tree.tag}"
        raise Refused(f"there is no image of the tree {tree.tree} at {where}", "Publish it first: `make push`.")
    return image


def audit(run: Run) -> Verified:
    """That the ledger's chain holds, and that what runs now is its last verified release, configuration included."""
    last = run.ledger.last_verified()
    if last is None:
        raise Refused(f"the ledger knows no verified release of {run.order.app.name}", "Release once: `make release`.")
    observed = run.machines.observe(run.order.app.name)
    back = planning.plan_back(planning.kept(last.data), observed)
    if back.actions:
        changed = "\n".join(f"  {action.subject}: {', '.join(action.differences)}" for action in back.actions)
        raise NotVerified(
            f"{observed.app} is not as release {last.release} left it on {last.at}:\n{changed}",
            "Somebody changed it elsewhere. `release` makes it as the tree is, `rollback` as it was.",
        )
    return _verified(run, last.data["reference"], last.data["tree"], observed.versions)


def _verified(run: Run, reference: str, tree: str, versions: Mapping[str, str] | None) -> Verified:
    now = versions if versions is not None else run.machines.observe(run.order.app.name).versions
    expected = Expected(run.order.app.name, reference, tree, now)
    before = probing.who_answers(run.url)
    return verifying.verify(run.target, run.machines, expected, run.order.patience, before, run.tell)


def _says(probe: Probe, machine: Machine) -> str:
    if machine.state != "started":
        return f"not asked: it is {machine.state}"
    try:
        said = probe.identity(machine.id)
    except (NoAnswer, WrongAnswer) as error:
        return str(error)
    is_itself = (said.machine, said.version) == (machine.id, machine.version)
    return f"tree {said.tree[:12] or 'unknown'}" if is_itself else str(said)


def _commits(run: Run) -> dict[str, str]:
    """Digest → the commit that it was published for."""
    commits: dict[str, str] = {}
    begun: dict[str, str] = {}
    for entry in run.ledger.entries():
        if entry.kind == "begun":
            begun[entry.release] = entry.data["commit"]
        if "reference" in entry.data:
            commits.setdefault(entry.data["reference"].partition("@")[2], begun.get(entry.release, ""))
    return commits


def _released(entries: list[Entry]) -> Released:
    first, last = entries[0], entries[-1]
    references = [entry.data["reference"] for entry in entries if entry.data.get("reference")]
    return Released(
        id=first.release,
        time=first.at,
        who=first.data.get("who", ""),
        commit=first.data.get("commit", ""),
        digest=references[-1].partition("@")[2] if references else "",
        result=last.kind,
        changes=sum(entry.kind == "changing" for entry in entries),
    )
