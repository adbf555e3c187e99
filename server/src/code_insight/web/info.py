"""Who this process is: the words that a release proves things with. Imports nothing heavy: it answers first of all."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from code_insight import access


@dataclass(frozen=True, slots=True)
class Identity:
    """What does not change while the process lives."""

    version: str  # of the distribution code-insight
    tree: str  # git tree of the source in the image, "" outside of one
    index_format: str
    machine: Mapping[str, str]  # FLY_MACHINE_ID, …: id, version, image_ref, region, app; empty outside of Fly


@dataclass(slots=True)
class Readiness:
    """What becomes true while the process starts."""

    waiting_for: tuple[str, ...]  # configured repositories that cannot be asked yet
    is_loaded: bool = False  # MCP and the pages answer
    started: float = field(default_factory=time.monotonic)
    started_at: float = field(default_factory=time.time)

    @property
    def is_ready(self) -> bool:
        return self.is_loaded and not self.waiting_for


def payload(
    identity: Identity, readiness: Readiness, repositories: Callable[[], list[dict[str, str]]]
) -> dict[str, Any]:
    """The JSON of `/info`; `repositories` is asked only when the process has loaded what reads them."""
    return {
        "name": "code-insight",
        "version": identity.version,
        "tree": identity.tree or None,
        "index_format": identity.index_format,
        "ready": readiness.is_ready,
        "waiting_for": [url for url in readiness.waiting_for if access.current.get().may_see(_name_of(url))],
        "repositories": repositories() if readiness.is_loaded else [],
        "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(readiness.started_at)),
        "uptime_seconds": round(time.monotonic() - readiness.started, 3),
        "machine": dict(identity.machine) or None,
    }


def _name_of(url: str) -> str:
    """What the repository of a configured URL or folder will be called, however it is written."""
    if "://" in url:
        host, _, path = url.partition("://")[2].partition("/")
        return f"{re.sub(':0*443$', '', host.lower())}/{path.strip('/').removesuffix('.git')}"
    try:
        return f"local/{Path(url).expanduser().resolve().name}"
    except (OSError, RuntimeError, ValueError):  # too long, a loop of links, an unknown ~user
        return f"local/{Path(url).name}"


def response(body: Mapping[str, Any], *, must_be_ready: bool) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body: 503 when the asker wants a process that is ready, and this one is not."""
    encoded = json.dumps(body, separators=(",", ":")).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(encoded)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    return (503 if must_be_ready and not body["ready"] else 200), headers, encoded
