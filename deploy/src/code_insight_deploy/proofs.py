"""The values that say a step of a release has happened, in the order of the story.

Each is constructed in one file only, by the function that saw it happen; to hold one is to know.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

SHORT = 12


@dataclass(frozen=True, slots=True)
class SourceTree:
    """What will be built, to the byte. Only `source.source_tree` makes one."""

    tree: str
    """40 hex digits: git's name for the content, uncommitted changes included."""
    commit: str
    """40 hex digits: HEAD when the tree was read; holds all of the tree unless `dirty`."""
    dirty: bool

    @property
    def tag(self) -> str:
        """How an image of this tree is tagged: the short commit, or the tree when no commit holds it."""
        return f"dirty-{self.tree[:SHORT]}" if self.dirty else self.commit[:SHORT]


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image in the local engine, made from `tree` and from nothing else. Only `images` makes one."""

    reference: str
    """code-insight:<tag>"""
    image_id: str
    """sha256:<64 hex digits>: the digest of the image's configuration, which names its layers."""
    tree: str
    size_bytes: int
    """Of all layers, unpacked."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that was looked at while an image ran."""

    claim: str
    seen: str
    seconds: float
    """How long it took to see it."""


@dataclass(frozen=True, slots=True)
class Smoked:
    """An image that ran here as a Fly machine would run it, and did what it should. Only `smoking.smoke` makes one."""

    image: BuiltImage
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class PublishedImage:
    """An image that the registry has confirmed, by digest. Only `registry.push` and `registry.find` make one."""

    registry: str
    """Host, with its port where it has one: registry.fly.io"""
    repository: str
    """code-insight"""
    tag: str
    digest: str
    """sha256:<64 hex digits> of the manifest, as the registry and the manifest's own bytes agree."""
    image_id: str
    """sha256:<64 hex digits> of the configuration that the manifest names: BuiltImage.image_id, as it was smoked."""
    tree: str
    """As the configuration's label names it: what it was built from."""
    size_bytes: int
    """Of all layers, as pushed."""

    @property
    def reference(self) -> str:
        """By digest: what is deployed can not be another image tomorrow."""
        return f"{self.registry}/{self.repository}@{self.digest}"


@dataclass(frozen=True, slots=True)
class Check:
    """A health check of a machine, as the platform last saw it."""

    name: str
    status: str
    """passing, warning or critical"""
    output: str


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as the Machines API described it at one moment. Only `machines` makes one."""

    id: str
    name: str
    state: str
    """created, started, stopped, suspended, failed, or a state on the way to one of those."""
    region: str
    version: str
    """Fly's name for one configuration of a machine (instance_id); another with every update."""
    reference: str
    """The image that it was asked to run: registry/repository:tag or registry/repository@digest."""
    digest: str
    """sha256:… of the image that it runs; "" when the platform does not say."""
    config: Mapping[str, Any]
    """As Fly's MachineConfig."""
    checks: tuple[Check, ...]
    is_cordoned: bool
    last_exit: str
    """The newest event that tells of an end of its process, "" when there was none: "<event id>: exit code 1"."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What an app is at one moment. Only `machines.observe` makes one."""

    app: str
    organization: str
    """Slug of the organization that has the app; "" when there is no such app."""
    machines: tuple[Machine, ...]
    """By id; without destroyed ones."""
    volumes: int
    """How many volumes the app has."""
    addresses: int
    """How many it is reached at; without one, its name is known to nobody."""

    @property
    def exists(self) -> bool:
        return bool(self.organization)

    @property
    def versions(self) -> Mapping[str, str]:
        """Machine id → version: two observations with equal ones saw no change between them."""
        return {machine.id: machine.version for machine in self.machines}


class Verb(StrEnum):
    """What a release may change on the platform."""

    CREATE_APP = "create app"
    ADD_ADDRESS = "add address"
    CREATE_VOLUME = "create volume"
    CREATE_MACHINE = "create machine"
    UPDATE_MACHINE = "update machine"
    DESTROY_MACHINE = "destroy machine"


@dataclass(frozen=True, slots=True)
class Action:
    """One change that is to be made."""

    verb: Verb
    subject: str
    """Name of the app or volume, id of the machine; a new machine has the id of the one it replaces, or "new"."""
    differences: tuple[str, ...] = ()
    """What is not as it is wanted, in words: "image sha256:1a… → sha256:9f…", "guest.memory_mb 256 → 512"."""
    config: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """MachineConfig that a created or updated machine is to have."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What an app's machines ran at one moment, complete enough to bring it back."""

    reference: str
    """registry/repository@digest of the image that all of them ran; "" when there was no machine."""
    tree: str
    """As the processes said it themselves; "" when they said none."""
    configs: Mapping[str, Mapping[str, Any]]
    """Machine id → its configuration, whole."""
    toml: str = ""
    """The app's file that they were made from, "" when nobody kept it."""

    @property
    def digest(self) -> str:
        return self.reference.partition("@")[2]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be changed so that `app` runs `reference`. Only `planning` makes one; it changes nothing itself."""

    app: str
    reference: str
    """registry/repository@digest; "" when no machine is to be left."""
    tree: str
    """What the processes are to say of themselves."""
    actions: tuple[Action, ...]
    """In the order in which they are to happen; empty when everything is as it is wanted."""
    observed: Observed
    """What it was compared with; a plan that observation has overtaken is not applied."""
    way_back: Snapshot | None
    """What to return to; None when what runs could not be brought back, and the operator accepts that."""
    toml: str
    """The app's file with the image in it, for engines that deploy from one; "" when nobody kept it."""

    @property
    def digest(self) -> str:
        return self.reference.partition("@")[2]

    @property
    def replaces(self) -> bool:
        """Whether new machines take over from the old ones (blue-green), instead of changing those."""
        verbs = {action.verb for action in self.actions}
        return {Verb.CREATE_MACHINE, Verb.DESTROY_MACHINE} <= verbs


@dataclass(frozen=True, slots=True)
class Applied:
    """The platform has taken all changes of a plan. Says nothing of what runs. Only `engines` make one."""

    plan: Plan
    versions: Mapping[str, str]
    """Machine id → the version that it was given."""
    release: str
    """The platform's name of the release, "" when the engine makes none."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The processes that answer at `url` are that image, each of them. Only `verifying.verify` makes one."""

    app: str
    url: str
    digest: str
    tree: str
    versions: Mapping[str, str]
    """Machine id → version, as the platform and the process itself both said."""
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class RolledBack:
    """A release failed, and what ran before is verified to run again. Only `release` makes one."""

    to: Verified | None
    """None when nothing ran before, and nothing runs now."""
    because: str
