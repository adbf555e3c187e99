"""Asks an address who answers there: as a probe (/info), as a browser (/), and as an MCP client (/mcp).

What comes back is believed of the one process that said it and of nothing else; it is bounded in size and time.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import anyio
import httpx2
import stamina

FORCE_MACHINE = "fly-force-instance-id"
"""Sends a request to one machine and to no other (fly.io/docs/networking/dynamic-request-routing)."""
ANSWER_SECONDS = 10.0
MCP_SECONDS = 30.0
MOST_BYTES = 1 << 20
LOOK_SECONDS = 0.5
HTTP_OK = 200

Seen = TypeVar("Seen")


class NoAnswer(Exception):
    """Nothing came back that could be understood; says what was tried. Tells nothing of the process."""


class WrongAnswer(Exception):
    """Something answered, and it is not what it should be."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a process says it is; "" for what it does not say."""

    tree: str
    machine: str
    version: str
    """Of the machine: FLY_MACHINE_VERSION."""
    image: str
    """FLY_IMAGE_REF"""

    def __str__(self) -> str:
        where = f"machine {self.machine} version {self.version}" if self.machine else "a process outside of Fly"
        return f"tree {self.tree[:12] or 'unknown'} on {where}"


class Probe:
    """One client for one address. A new connection for each request: an old one would stay with its machine."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx2.Client(
            base_url=url,
            timeout=ANSWER_SECONDS,
            follow_redirects=False,
            trust_env=False,
            headers={"connection": "close"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._client.close()

    def identity(self, machine: str = "") -> Identity:
        """Who answers /info, at `machine` alone when one is named.

        Raises NoAnswer when no answer came, and WrongAnswer when it is not that of this server.
        """
        status, body = self._get("/info", {FORCE_MACHINE: machine} if machine else {})
        if status != HTTP_OK:
            raise WrongAnswer(f"{self.url}/info answered {status}{f' for machine {machine}' if machine else ''}")
        try:
            said = json.loads(body)
            about = said.get("machine") or {}
            machine, version, image = (str(about.get(key) or "") for key in ("id", "version", "image_ref"))
            return Identity(str(said.get("tree") or ""), machine, version, image)
        except (ValueError, AttributeError, TypeError) as error:
            raise WrongAnswer(f"{self.url}/info answered {body[:80]!r}, which is not its JSON") from error

    def page(self) -> str:
        """The title of the front page, for people. Raises NoAnswer, WrongAnswer."""
        status, body = self._get("/", {"accept": "text/html"})
        before, _, rest = body.decode("utf-8", "replace").partition("<title>")
        if status != HTTP_OK or not rest:
            raise WrongAnswer(f"{self.url}/ answered {status} and {len(before)} bytes without a title")
        return f"{status}, {len(body):,} bytes, “{rest.partition('</title>')[0].strip()}”"

    def _get(self, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        try:
            with self._client.stream("GET", path, headers=headers) as answer:
                body = b""
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > MOST_BYTES:
                        raise WrongAnswer(f"{self.url}{path} answered more than {MOST_BYTES:,} bytes")
                return answer.status_code, body
        except httpx2.HTTPError as error:
            raise NoAnswer(f"{self.url}{path}: {type(error).__name__}: {error}") from error


def patiently(look: Callable[[], Seen], not_yet: tuple[type[Exception], ...], seconds: float) -> Seen:
    """What `look` sees as soon as it raises none of `not_yet` any more; the last of those when `seconds` are over."""
    attempts = stamina.retry_context(
        on=not_yet, attempts=None, timeout=seconds, wait_initial=LOOK_SECONDS, wait_max=LOOK_SECONDS, wait_jitter=0
    )
    for attempt in attempts:
        with attempt:
            return look()
    raise AssertionError("stamina ends with a result or an exception")


def who_answers(url: str) -> Identity | None:
    """Who answers at `url` now; None when nobody does, or somebody who does not say."""
    try:
        with Probe(url) as probe:
            return probe.identity()
    except (NoAnswer, WrongAnswer):
        return None


def ask_as_a_client(url: str) -> str:
    """What an MCP client sees: it lists the tools, and calls one. Raises WrongAnswer when that does not work."""
    from mcp.client import Client

    async def ask() -> tuple[list[str], Any]:
        async with Client(f"{url}/mcp", mode="auto", read_timeout_seconds=MCP_SECONDS) as client:
            names = [tool.name for tool in (await client.list_tools()).tools]
            return names, await client.call_tool("list_repositories", {})

    try:
        names, answer = anyio.run(ask)
    except Exception as error:  # whatever the client's layers raise: the server is what is asked, not the client
        raise WrongAnswer(f"an MCP client failed at {url}/mcp: {type(error).__name__}: {error}") from error
    if answer.is_error:
        raise WrongAnswer(f"list_repositories failed at {url}/mcp: {answer.content}")
    return f"{len(names)} tools listed, list_repositories answered"


def warm_up() -> None:
    """Import the MCP client in the background: it takes a second of CPU, and is needed last."""
    threading.Thread(target=lambda: __import__("mcp.client"), name="import of the MCP client", daemon=True).start()
