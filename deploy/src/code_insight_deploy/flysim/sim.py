"""A running sim, as the one who started it sees it. The same in a test and for a sim in the background."""

import http.client
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from code_insight_deploy.errors import Refused
from code_insight_deploy.flysim.faults import Fault, to_json

ANSWER_SECONDS = 120
ADDRESS_FILE = "address.json"
Rights = Literal["all", "read", "none"]


class SimRefused(Exception):
    """The sim would not do what it was told."""


class NoSim(Refused):
    """No sim can be run here."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was made to the sim, after it was over."""

    number: int
    """Counts from 1, over all listeners."""
    at: float
    """Seconds since 1970, when it began."""
    listener: Literal["api", "registry", "edge"]
    operation: str
    method: str
    path: str
    """With its query."""
    app: str
    machine: str
    status: int
    """0 when the connection was cut before an answer began."""
    mutating: bool
    """Whether the call asked for a change; requests to an app's own address never count as one."""
    bytes_in: int
    """Of bodies, as those that follow."""
    bytes_out: int
    seconds: float
    effects: tuple[str, ...]
    """Faults that happened to it."""
    platform: bool
    """Made by the sim itself, when it pulls an image."""


@dataclass(frozen=True, slots=True)
class Sim:
    """Where a sim answers, and how to tell it what to do. `flysim.running`, `start` and `find` make one."""

    folder: Path
    """Its state, its log, its registry's files, `bin/flyctl`."""
    host: str
    """127.0.0.1:<port>, where all but the apps themselves are."""
    secret: str
    """For /flysim/…; a Fly token does not open that, and this opens nothing else."""

    @property
    def api_url(self) -> str:
        """FLY_API_BASE_URL: /graphql and /api/v1."""
        return f"http://{self.host}"

    @property
    def flaps_url(self) -> str:
        """FLY_FLAPS_BASE_URL: the Machines API, /v1."""
        return f"http://{self.host}"

    @property
    def uiex_url(self) -> str:
        """FLY_UIEX_BASE_URL: /api/v1."""
        return f"http://{self.host}"

    @property
    def registry_host(self) -> str:
        """FLY_REGISTRY_HOST, where registry.fly.io would be in a reference: <registry_host>/<app>:<tag>."""
        return self.host

    @property
    def flyctl(self) -> Path:
        """A program that asks what flyctl asks and believes what flyctl believes."""
        return self.folder / "bin" / "flyctl"

    @property
    def faults(self) -> "FaultOrders":
        """What is to go wrong."""
        return FaultOrders(self)

    def environment(self, token: str = "") -> dict[str, str]:
        """The variables that lead flyctl here; with FLY_API_TOKEN when a token is given."""
        addresses = {
            "FLY_API_BASE_URL": self.api_url,
            "FLY_FLAPS_BASE_URL": self.flaps_url,
            "FLY_UIEX_BASE_URL": self.uiex_url,
            "FLY_REGISTRY_HOST": self.registry_host,
            "FLY_SEND_METRICS": "0",
            "FLY_NO_UPDATE_CHECK": "1",
        }
        return {**addresses, "FLY_API_TOKEN": token} if token else addresses

    def token(
        self,
        rights: Rights = "all",
        *,
        app: str = "",
        organization: str = "personal",
        expires_in_seconds: float | None = None,
        expires_after_bytes: int | None = None,
        macaroon: bool = False,
    ) -> str:
        """A new token. `read` may only look, `none` is known and may do nothing; with `app`, for that app alone.

        After `expires_after_bytes` of bodies sent with it, it has expired, as after `expires_in_seconds`. A `macaroon`
        (fm2_…) is sent as `FlyV1 <token>`, any other as `Bearer <token>`.
        """
        asked = {
            "rights": rights,
            "app": app,
            "organization": organization,
            "expires_in_seconds": expires_in_seconds,
            "expires_after_bytes": expires_after_bytes,
            "macaroon": macaroon,
        }
        return str(self._ask("POST", "/flysim/tokens", asked)["token"])

    def app_url(self, name: str) -> str:
        """Where the app's users would go: http://127.0.0.1:<port>; the same for as long as the app exists."""
        return str(self._ask("GET", f"/flysim/apps/{name}")["url"])

    def create_app(self, name: str, organization: str = "personal") -> None:
        """Make an app, in any organization: `other` is one that no token is for unless asked."""
        self._ask("POST", "/flysim/apps", {"name": name, "organization": organization})

    def delete_image(self, app: str, digest: str) -> None:
        """Let the registry lose a manifest."""
        self._ask("DELETE", f"/flysim/apps/{app}/images/{digest}")

    def calls(self, *, after: int = 0, mutating: bool | None = None) -> tuple[Call, ...]:
        """The calls after number `after`, the oldest first; those that ask for a change, or for none, when wished."""
        found = tuple(Call(**{**call, "effects": tuple(call["effects"])}) for call in self._listed(after))
        return tuple(call for call in found if mutating is None or call.mutating == mutating)

    def _listed(self, after: int) -> Iterator[dict[str, Any]]:
        yield from self._ask("GET", f"/flysim/calls?after={after}")["calls"]

    def healthy(self) -> bool:
        """Whether it answers, as itself."""
        try:
            return bool(self._ask("GET", "/flysim/health")["ok"])
        except (OSError, SimRefused, http.client.HTTPException, ValueError):
            return False

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self.host, timeout=ANSWER_SECONDS)
        try:
            headers = {"Authorization": f"Sim {self.secret}", "Content-Type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status >= http.client.BAD_REQUEST:
            raise SimRefused(f"{method} {path}: {answer.status} {text.decode('utf-8', 'replace')[:300]}")
        said: dict[str, Any] = json.loads(text or b"{}")
        return said

    def write_address(self) -> None:
        """Leave a note in the folder by which `find` finds it; readable by the owner alone."""
        path = self.folder / ADDRESS_FILE
        part = path.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_text(json.dumps({"host": self.host, "secret": self.secret, "pid": os.getpid()}), "utf-8")
        part.replace(path)


def read_address(folder: Path) -> tuple[Sim, int] | None:
    """The sim of which there is a note in the folder, and its process; whether it lives is not asked."""
    try:
        said = json.loads((folder / ADDRESS_FILE).read_text("utf-8"))
        return Sim(folder=folder, host=said["host"], secret=said["secret"]), int(said["pid"])
    except (OSError, ValueError, KeyError):
        return None


@dataclass(frozen=True, slots=True)
class FaultOrders:
    """The faults of a running sim."""

    sim: Sim

    def add(self, *faults: Fault) -> None:
        """Order them, in addition to those there are."""
        for fault in faults:
            self.sim._ask("POST", "/flysim/faults", to_json(fault))  # noqa: SLF001

    def clear(self) -> None:
        """From now on nothing goes wrong; what has gone wrong stays so."""
        self.sim._ask("DELETE", "/flysim/faults")  # noqa: SLF001

    def happened(self) -> tuple[int, ...]:
        """To how many calls each fault has happened, in the order in which they were added."""
        listed = self.sim._ask("GET", "/flysim/faults")["faults"]  # noqa: SLF001
        return tuple(fault["happened"] for fault in listed)
