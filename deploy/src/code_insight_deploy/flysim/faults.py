"""What is to go wrong, and when: data that a test or an operator hands to a running sim."""

import dataclasses
import fnmatch
import threading
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Effect = Literal[
    # What happens to the call itself; any call of the API, the registry or the edge.
    "answer",  # `status`, `headers` and `body` instead of doing it
    "delay",  # done after `seconds`
    "cut",  # the connection is cut after `after_bytes` of the request's body; 0: before anything is done
    "stall",  # as `cut`, but silent for `seconds` first
    "timeout_before",  # silent for `seconds`, then cut; nothing was done
    "timeout_after",  # done; then silent for `seconds` and cut
    "cut_after",  # done; then cut instead of answering
    "expire_token",  # the token that the call came with has expired, from this call on
    # What happens to a machine; any call that names one, or creates one.
    "lease_held",  # `holder` takes a lease of `seconds` on it just before the call
    "pull_fails",  # its image cannot be pulled: Fly takes the machine back to the version before
    "revert",  # it starts in its new version, and after `seconds` Fly takes it back to the version before
    "keeps_old_process",  # the API shows the new version, while the process of the old one goes on
    "never_starts",  # it stays in `starting`
    "crash_loop",  # its process dies as soon as it runs, until no more restarts are left
    "check_flaps",  # its checks pass and fail by turns, each for `seconds`
    "check_never_passes",
    "destroy_machine",  # somebody destroys it just before the call
    "replace_machine",  # somebody updates it (same configuration, new version) just before the call
    # What the API or the registry say.
    "stale_list",  # machines are listed as they were when the fault was ordered
    "wrong_digest",  # the registry names another digest than that of what it holds
    "other_image",  # the registry hands out the manifest `body` (a digest) instead of what was asked for
    "image_gone",  # the manifest that is asked for is deleted just before the call
]
EFFECTS = frozenset(get_args(Effect))
ON_MACHINES = frozenset(
    ["pull_fails", "revert", "keeps_old_process", "never_starts", "crash_loop", "check_flaps", "check_never_passes"]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """Which calls a fault is for. Each text is a glob, `*` matches all; see `docs/flysim.md` for the operations."""

    operation: str = "*"
    """update_machine, create_machine, wait, graphql:lockApp, registry_put_manifest, edge, …"""
    method: str = "*"
    path: str = "*"
    app: str = "*"
    machine: str = "*"
    nth: int = 1
    """The first matching call that it is for; counting begins at 1 when the fault is ordered."""
    times: int = 1
    """For how many matching calls from there on; 0: for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong. Which of the other values count is said beside each effect."""

    when: When
    effect: Effect
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    """Of an answer: an object is sent as JSON, a text as it is; None: what Fly would say with that status."""
    seconds: float = 60.0
    after_bytes: int = 0
    holder: str = "somebody-else@example.com"


def to_json(fault: Fault) -> dict[str, Any]:
    """The fault as `POST /flysim/faults` takes it."""
    return dataclasses.asdict(fault)


def from_json(said: dict[str, Any]) -> Fault:
    """The fault that a JSON object describes. Raises ValueError for an unknown effect, TypeError for an unknown key."""
    fault = Fault(**{**said, "when": When(**said.get("when", {}))})
    if fault.effect not in EFFECTS:
        raise ValueError(f"no effect {fault.effect!r}; there are {', '.join(sorted(EFFECTS))}")
    return fault


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of a call before it is done."""

    operation: str
    method: str
    path: str
    app: str
    machine: str


@dataclass(slots=True)
class Ordered:
    """A fault that was ordered, and how many calls it has seen."""

    number: int
    fault: Fault
    seen: int = 0
    happened: int = 0

    def strikes(self, asked: Asked) -> bool:
        """Count the call when it is one of those; say whether the fault happens to it."""
        when = self.fault.when
        pairs = [(getattr(asked, name), getattr(when, name)) for name in ("operation", "path", "app", "machine")]
        pairs.append((asked.method.upper(), when.method.upper()))
        if not all(fnmatch.fnmatchcase(value, glob) for value, glob in pairs):
            return False
        self.seen += 1
        struck = self.seen >= when.nth and (when.times == 0 or self.seen < when.nth + when.times)
        self.happened += struck
        return struck


class Faults:
    """The faults that were ordered, in that order."""

    def __init__(self) -> None:
        self._ordered: list[Ordered] = []
        self._last = 0
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> int:
        """Order it; returns its number."""
        with self._lock:
            self._last += 1
            self._ordered.append(Ordered(self._last, fault))
            return self._last

    def clear(self) -> None:
        """From now on nothing goes wrong."""
        with self._lock:
            self._ordered.clear()

    def strike(self, asked: Asked) -> list[tuple[int, Fault]]:
        """The faults that happen to this call."""
        with self._lock:
            return [(ordered.number, ordered.fault) for ordered in self._ordered if ordered.strikes(asked)]

    def listed(self) -> list[dict[str, Any]]:
        """Each fault with its number, how many calls it matched, and to how many it happened."""
        with self._lock:
            return [{**dataclasses.asdict(ordered), "fault": to_json(ordered.fault)} for ordered in self._ordered]
