"""How Fly's own programs read an answer: which keys they look for, and of which type each is.

A shape is a type, a set of texts that may come, a list of one shape, or a dict of keys that have to be there; a key
that ends with `?` may be missing or null. What else an answer holds does not matter, as it does not to a Go program.
"""

from datetime import datetime
from typing import Any

Shape = Any


def time(text: str) -> bool:
    """Whether Go takes it for a time: RFC 3339."""
    return "T" in text and datetime.fromisoformat(text).tzinfo is not None


def misfits(said: Any, shape: Shape, where: str = "$") -> list[str]:
    """Where the answer is not of the shape; empty when all of it fits."""
    if isinstance(shape, dict):
        return _misfits_of_object(said, shape, where)
    if isinstance(shape, list):
        if not isinstance(said, list):
            return [f"{where}: {said!r} is no list"]
        return [found for number, item in enumerate(said) for found in misfits(item, shape[0], f"{where}[{number}]")]
    if isinstance(shape, frozenset):
        return [] if said in shape else [f"{where}: {said!r} is none of {sorted(shape)}"]
    if shape is time:
        return [] if isinstance(said, str) and time(said) else [f"{where}: {said!r} is no time"]
    fits = isinstance(said, shape) and (shape is not int or not isinstance(said, bool))
    return [] if fits else [f"{where}: {said!r} is no {shape.__name__}"]


def _misfits_of_object(said: Any, shape: dict[str, Shape], where: str) -> list[str]:
    if not isinstance(said, dict):
        return [f"{where}: {said!r} is no object"]
    found = []
    for key, inner in shape.items():
        name, may_miss = key.rstrip("?"), key.endswith("?")
        if said.get(name) is None:
            found += [] if may_miss else [f"{where}.{name} is missing"]
        else:
            found += misfits(said[name], inner, f"{where}.{name}")
    return found


TRANSIENT = frozenset({"creating", "starting", "stopping", "restarting", "suspending", "destroying", "replacing"})
STATES = TRANSIENT | {"created", "started", "stopped", "suspended", "failed", "destroyed", "replaced"}
EXIT = {"exit_code": int, "oom_killed": bool, "requested_stop": bool, "restarting": bool, "exited_at": time}
MACHINE = {
    "id": str,
    "name": str,
    "state": STATES,
    "region": str,
    "image_ref": {"registry": str, "repository": str, "tag": str, "digest": str, "labels?": dict},
    "instance_id": str,
    "version": str,
    "private_ip": str,
    "created_at": time,
    "updated_at": time,
    "config": {"image": str, "metadata?": dict, "services?": list, "checks?": dict},
    "events": [
        {
            "id": str,
            "type": str,
            "status": str,
            "source": str,
            "timestamp": int,
            "request?": {"exit_event?": EXIT, "restart_count?": int},
        }
    ],
    "checks?": [
        {"name": str, "status": frozenset(["passing", "warning", "critical"]), "output": str, "updated_at": time}
    ],
    "host_status": frozenset(["ok", "unknown", "unreachable"]),
    "cordoned": bool,
}
APP = {
    "id": str,
    "internal_numeric_id": int,
    "name": str,
    "machine_count": int,
    "volume_count": int,
    "network": str,
    "status": str,
    "organization": {"name": str, "slug": str},
}
LEASE = {
    "status": frozenset(["success"]),
    "data": {"nonce": str, "expires_at": int, "owner": str, "description": str, "version": str},
}
VOLUME = {
    "id": str,
    "name": str,
    "state": str,
    "size_gb": int,
    "region": str,
    "encrypted": bool,
    "attached_machine_id?": str,
    "created_at": time,
}
IP = {"ip": str, "region": str, "shared": bool, "created_at": time, "egress": bool}
SECRETS = {"secrets": [{"name": str, "digest": str}]}
RELEASE = {
    "id": str,
    "version": int,
    "stable": bool,
    "in_progress": bool,
    "status": frozenset(["pending", "running", "complete", "failed", "interrupted"]),
    "strategy": frozenset(["ROLLING", "BLUEGREEN", "CANARY", "IMMEDIATE"]),
    "user": str,
    "created_at": time,
    "image_ref": str,
}
BUILD = {"id": int, "status": str, "wallclock_time_ms": int}
ORGANIZATION = {
    "id": str,
    "internal_numeric_id": int,
    "slug": str,
    "raw_slug": str,
    "name": str,
    "personal": bool,
    "paid_plan": bool,
    "billable": bool,
    "billing_status": str,
}
