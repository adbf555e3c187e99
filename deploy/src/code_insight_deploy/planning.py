"""Compares what is wanted with what was observed; pure: the plan is all that comes of it.

A plan is made of two things that cannot change under it: an image by digest, and one observation of the app.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from code_insight_deploy.apps import App, differences, for_machine, machine_config, with_image
from code_insight_deploy.errors import NoWayBack, PlanOvertaken, Refused
from code_insight_deploy.proofs import Action, Machine, Observed, Plan, PublishedImage, Snapshot, Verb

NEW = "new"
ADDRESSES = ("shared_v4", "v6")
SHORT_DIGEST = 19  # sha256: and 12 digits


def plan(app: App, image: PublishedImage, observed: Observed, way_back: Snapshot | None) -> Plan:
    """What must happen for `app` to run `image` everywhere, and nothing else. Without actions: it is so already."""
    actions = _actions(app, image.reference, image.digest, observed)
    return Plan(
        app.name, image.reference, image.tree, actions, observed, way_back, with_image(app.text, image.reference)
    )


def preview(app: App, reference: str, observed: Observed) -> tuple[Action, ...]:
    """What would be planned for an image that is not published yet, so that its digest is not known."""
    return _actions(app, reference, "", observed)


def plan_back(to: Snapshot, observed: Observed) -> Plan:
    """What must happen for the app to be as it was: its image, its configurations, and as many machines.

    A machine that is gone gives its configuration to one that was not there before.
    """
    now = {machine.id: machine for machine in observed.machines}
    gone = [config for id_, config in to.configs.items() if id_ not in now]
    strange = [machine for machine in observed.machines if machine.id not in to.configs]
    wanted = [(now[id_], config) for id_, config in to.configs.items() if id_ in now]
    wanted += [(machine, for_machine(config, machine.config)) for machine, config in zip(strange, gone, strict=False)]
    actions = [
        Action(Verb.UPDATE_MACHINE, machine.id, changed, config)
        for machine, config in wanted
        if (changed := _changes(config, machine, to.digest))
    ]
    actions += [Action(Verb.CREATE_MACHINE, NEW, ("it is gone",), config) for config in gone[len(strange) :]]
    actions += [
        Action(Verb.DESTROY_MACHINE, machine.id, ("it was not there before",)) for machine in strange[len(gone) :]
    ]
    return Plan(observed.app, to.reference, to.tree, tuple(actions), observed, to, to.toml)


def snapshot(observed: Observed, tree: str, toml: str = "") -> Snapshot:
    """What runs now, to return to. Raises NoWayBack when the machines run different images, so that "before" is not
    one state.
    """
    references = {_by_digest(machine) for machine in observed.machines}
    if len(references) > 1:
        raise NoWayBack(
            f"the machines of {observed.app} do not run one image: {', '.join(sorted(references))}",
            "Look at `status`. `rollback` brings back a verified release; --accept-no-way-back goes on from here.",
        )
    if "" in references:
        raise NoWayBack(f"the platform does not say which image {observed.app} runs", "Pass --accept-no-way-back.")
    configs = {machine.id: machine.config for machine in observed.machines}
    return Snapshot(next(iter(references), ""), tree, configs, toml)


def kept(data: Mapping[str, Any]) -> Snapshot:
    """The snapshot in an entry of the ledger."""
    return Snapshot(**{f.name: data[f.name] for f in dataclasses.fields(Snapshot)})


def refuse_overtaken(plan: Plan, now: Observed) -> None:
    """Raises Refused when the app is not any more what `plan` was compared with."""
    if now.versions != plan.observed.versions or now.exists != plan.observed.exists:
        before, after = dict(plan.observed.versions), dict(now.versions)
        raise PlanOvertaken(
            f"{plan.app} has changed since it was looked at: {before} is now {after}",
            "Somebody else changes it. Look at `status`, then run this again.",
        )


def short(digest: str) -> str:
    """A digest as people compare them."""
    return digest[:SHORT_DIGEST] or "not published yet"


def _actions(app: App, reference: str, digest: str, observed: Observed) -> tuple[Action, ...]:
    wanted = machine_config(app, reference)
    actions = [*_create_app(app.name, observed), *_add_addresses(observed), *_create_volumes(app, observed)]
    if not observed.machines:
        actions.append(Action(Verb.CREATE_MACHINE, NEW, (f"image {short(digest)}",), wanted))
    elif app.strategy == "bluegreen":
        actions += _replace(wanted, observed.machines, digest)
    else:
        actions += _update(wanted, observed.machines, digest)
    return tuple(actions)


def machines(versions: Mapping[str, str]) -> str:
    """How many there are, as people say it."""
    return "1 machine" if len(versions) == 1 else f"{len(versions)} machines"


def _create_app(name: str, observed: Observed) -> Iterable[Action]:
    return [] if observed.exists else [Action(Verb.CREATE_APP, name, ("there is none of this name",))]


def _add_addresses(observed: Observed) -> Iterable[Action]:
    """Those that Fly's own tool gives an app with a service: one of IPv4 that apps share, and one of IPv6."""
    return [] if observed.addresses else [Action(Verb.ADD_ADDRESS, kind, ("there is none",)) for kind in ADDRESSES]


def _create_volumes(app: App, observed: Observed) -> Iterable[Action]:
    """A volume for the first machine; those that exist have theirs."""
    if observed.machines or observed.volumes:
        return []
    return [Action(Verb.CREATE_VOLUME, m.name, ("there is none",), {"size_gb": m.size_gb}) for m in app.mounts]


def _update(wanted: Mapping[str, Any], machines: tuple[Machine, ...], digest: str) -> Iterable[Action]:
    for machine in machines:
        if changed := _changes(wanted, machine, digest):
            yield Action(Verb.UPDATE_MACHINE, machine.id, changed, for_machine(wanted, machine.config))


def _replace(wanted: Mapping[str, Any], machines: tuple[Machine, ...], digest: str) -> Iterable[Action]:
    """Blue-green: as many new ones beside the old, which go last. All or none, since they take over together."""
    if wanted.get("mounts"):
        raise Refused(
            "blue-green cannot be used with a volume: two machines cannot have it at once",
            'Say strategy = "rolling" in [deploy], or give up [mounts].',
        )
    changes = {machine.id: _changes(wanted, machine, digest) for machine in machines}
    if not any(changes.values()):
        return
    for machine in machines:
        yield Action(Verb.CREATE_MACHINE, machine.id, changes[machine.id] or ("with the others",), wanted)
    for machine in machines:
        yield Action(Verb.DESTROY_MACHINE, machine.id, ("replaced",))


def _changes(wanted: Mapping[str, Any], machine: Machine, digest: str) -> tuple[str, ...]:
    image = () if machine.digest == digest else (f"image {short(machine.digest)} → {short(digest)}",)
    config = {key: value for key, value in wanted.items() if key != "image"}  # however it is written: the digest counts
    return (*image, *differences(config, machine.config))


def _by_digest(machine: Machine) -> str:
    """registry/repository@digest of what a machine runs, "" when that is not known."""
    if not machine.digest:
        return ""
    repository = machine.reference.partition("@")[0]
    head, _, last = repository.rpartition("/")
    return f"{head}/{last.partition(':')[0]}@{machine.digest}"
