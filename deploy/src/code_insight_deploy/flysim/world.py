"""What a sim knows: apps, machines, releases, tokens; in one file, which is replaced whole."""

import dataclasses
import hashlib
import json
import os
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Json = dict[str, Any]

STATE_FILE = "state.json"
REGION = "fra"
MOST_EVENTS = 200
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ULID_LENGTH = 26


def ulid() -> str:
    """26 characters that sort by the time at which they were made."""
    number = (int(time.time() * 1000) << 80) | secrets.randbits(80)
    return "".join(CROCKFORD[number >> 5 * place & 31] for place in reversed(range(ULID_LENGTH)))


def now_text() -> str:
    """The time as Fly writes it: 2026-01-01T00:00:00.000Z."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(slots=True)
class Token:
    """What is known of a token; itself it is nowhere kept."""

    rights: str
    organization: str
    app: str = ""
    expires_at: float | None = None
    """Seconds since 1970."""
    bytes_left: int | None = None
    name: str = field(default_factory=lambda: secrets.token_hex(4))

    @property
    def expired(self) -> bool:
        """Whether it is good for nothing any more."""
        late = self.expires_at is not None and time.time() >= self.expires_at
        return late or (self.bytes_left is not None and self.bytes_left < 0)


@dataclass(slots=True)
class Machine:
    """One machine in its newest version."""

    id: str
    name: str
    app: str
    region: str
    config: Json
    image_ref: Json
    version: str
    state: str = "created"
    created_at: str = field(default_factory=now_text)
    updated_at: str = field(default_factory=now_text)
    private_ip: str = ""
    cordoned: bool = False
    events: list[Json] = field(default_factory=list)
    """The newest first."""
    versions: list[Json] = field(default_factory=list)
    """version and user_config, the newest first."""
    checks: dict[str, Json] = field(default_factory=dict)
    lease: Json | None = None
    restart_count: int = 0
    started_at: float = 0.0
    runs: str = ""
    """The version of which the process is; differs from `version` only when a fault says so."""
    troubles: dict[str, Json] = field(default_factory=dict)
    """Faults that stay with the machine while it is in this version, by their effect."""

    @property
    def v2(self) -> bool:
        """Whether flyctl regards it as one of those that it deploys to."""
        return (self.config.get("metadata") or {}).get("fly_platform_version") == "v2"

    def happened(self, kind: str, status: str, source: str = "flyd", request: Json | None = None) -> None:
        """Write an event; the newest comes first, its time in milliseconds."""
        self.updated_at = now_text()
        event: Json = {"id": ulid(), "type": kind, "status": status, "source": source}
        event["timestamp"] = int(time.time() * 1000)
        if request is not None:
            event["request"] = request
        self.events.insert(0, event)
        del self.events[MOST_EVENTS:]

    def live_lease(self) -> Json | None:
        """The lease that somebody holds now."""
        return self.lease if self.lease and self.lease["expires_at"] > time.time() else None

    def shown(self, *, lease: bool = False) -> Json:
        """The machine as the Machines API shows it; a lease without its nonce, and only when asked for."""
        said: Json = {
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "region": self.region,
            "image_ref": self.image_ref,
            "instance_id": self.version,
            "version": self.version,
            "private_ip": self.private_ip,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "config": self.config,
            "checks": [{"name": name, **check} for name, check in sorted(self.checks.items())],
            "events": self.events[:20],
            "cordoned": self.cordoned,
            "host_status": "ok",
        }
        if lease and (held := self.live_lease()):
            said["lease"] = {key: held[key] for key in ("description", "expires_at", "owner")}
        return json.loads(json.dumps(said))  # type: ignore[no-any-return]


@dataclass(slots=True)
class App:
    """One app, with all that is in it."""

    id: str
    name: str
    organization: str
    number: int
    """internal_numeric_id"""
    port: int
    """Of its address for users, on 127.0.0.1."""
    created_at: str = field(default_factory=now_text)
    network: str = "default"
    key: str = ""
    """idempotency_key of the call that created it."""
    machines: dict[str, Machine] = field(default_factory=dict)
    volumes: dict[str, Json] = field(default_factory=dict)
    releases: list[Json] = field(default_factory=list)
    """The newest first."""
    ips: list[Json] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    """Their values are in the machines' environment and in this file, as they would be on Fly's side."""
    secrets_version: int = 0
    lock: Json | None = None

    @property
    def hostname(self) -> str:
        """Where Fly would say <name>.fly.dev."""
        return f"127.0.0.1:{self.port}"

    @property
    def alive(self) -> list[Machine]:
        """Its machines that were not destroyed, the oldest first."""
        return [machine for machine in self.machines.values() if machine.state != "destroyed"]

    @property
    def status(self) -> str:
        """`deployed` once there are machines, else `pending`."""
        return "deployed" if self.alive else "pending"


class World:
    """All that a sim knows. Everything in it is changed by the one event loop only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id = secrets.token_hex(4)
        self.port = 0
        self.secret = secrets.token_urlsafe(24)
        self.apps: dict[str, App] = {}
        self.tokens: dict[str, Token] = {}
        """By their SHA-256."""
        self.organizations = {
            slug: {"id": f"org{number}", "number": number, "slug": slug, "name": slug.title(), "type": kind}
            for number, slug, kind in ((1, "personal", "PERSONAL"), (2, "other", "SHARED"))
        }
        self._numbers = 1000

    def next_number(self) -> int:
        """A number that was not given before."""
        self._numbers += 1
        return self._numbers

    def machine(self, machine: str) -> Machine | None:
        """The machine with that id, in whichever app."""
        return next((app.machines[machine] for app in self.apps.values() if machine in app.machines), None)

    def issue(self, token: Token, *, macaroon: bool = False) -> str:
        """A new secret for the token."""
        secret = ("fm2_" if macaroon else "fo1_") + secrets.token_urlsafe(32)
        self.tokens[digest_of(secret)] = token
        return secret

    def token(self, header: str) -> Token | None:
        """The token in a header `Bearer …` or `FlyV1 …`, which may name several; None when none of them is known."""
        _, _, listed = header.partition(" ")
        known = [self.tokens.get(digest_of(secret.strip())) for secret in listed.split(",")]
        return next((token for token in known if token), None)

    def save(self) -> None:
        """Write all of it; whoever reads the file sees this state or the one before."""
        said = {
            "id": self.id,
            "port": self.port,
            "secret": self.secret,
            "numbers": self._numbers,
            "apps": [dataclasses.asdict(app) for app in self.apps.values()],
            "tokens": {
                digest: dataclasses.asdict(token) for digest, token in self.tokens.items() if token.organization
            },
        }
        part = self.folder / f"{STATE_FILE}.part"
        part.touch(mode=0o600)
        part.write_text(json.dumps(said), "utf-8")
        os.replace(part, self.folder / STATE_FILE)  # noqa: PTH105

    @classmethod
    def load(cls, folder: Path) -> "World":
        """What was written last; a new world when nothing was."""
        world = cls(folder)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            said = json.loads((folder / STATE_FILE).read_text("utf-8"))
        except FileNotFoundError:
            return world
        world.id, world.port, world.secret = said["id"], said["port"], said["secret"]
        world._numbers = said["numbers"]
        world.apps = {app["name"]: _app(app) for app in said["apps"]}
        world.tokens = {digest: Token(**token) for digest, token in said["tokens"].items()}
        return world


def _app(said: Json) -> App:
    machines = {key: Machine(**machine) for key, machine in said["machines"].items()}
    return App(**{**said, "machines": machines})


def digest_of(secret: str) -> str:
    """By which a token is known."""
    return hashlib.sha256(secret.encode()).hexdigest()
