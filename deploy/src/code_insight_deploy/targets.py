"""Where an app lives: the addresses of the platform's services and the token for them; Fly.io, or one on this machine.

The variables are flyctl's own (superfly/flyctl, internal/buildinfo and internal/config): what is set for it holds here.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from code_insight_deploy.errors import NoToken

GET_A_TOKEN = "Make one with `fly tokens create org -x 24h` and set FLY_API_TOKEN; see docs/operating.md."  # noqa: S105

TOKEN = re.compile(r"\b(?:fm1r|fm1a|fm2|fo1)_[^\s\"'\\]+")


def redacted(text: str) -> str:
    """The text without whatever looks like a token of Fly."""
    return TOKEN.sub("[redacted]", text)


@dataclass(frozen=True, slots=True)
class Secret:
    """A token that nothing prints: its text is asked for by name, where it is sent."""

    text: str

    def __repr__(self) -> str:
        return "[redacted]"

    __str__ = __repr__

    @property
    def authorization(self) -> str:
        """The HTTP header's value: macaroons are sent as FlyV1, all others as Bearer."""
        is_macaroon = self.text.startswith(("fm1r_", "fm1a_", "fm2_"))
        return f"{'FlyV1' if is_macaroon else 'Bearer'} {self.text}"


@dataclass(frozen=True, slots=True)
class Target:
    """One platform."""

    name: str
    """fly or local"""
    machines_url: str
    """Of the Machines API, without /v1."""
    api_url: str
    """Of GraphQL (/graphql) and the releases (/api/v1)."""
    registry: str
    """Host, with its port where it has one."""
    flyctl: str
    """The program."""
    token: Secret
    url_of: Callable[[str], str]
    """Name of an app → the address at which the public reaches it."""


def fly(environment: Mapping[str, str] = os.environ) -> Target:
    """Fly.io with the token of the environment. Raises NoToken, with the way to one, when there is none."""
    text = environment.get("FLY_API_TOKEN") or environment.get("FLY_ACCESS_TOKEN") or ""
    text = text.strip().removeprefix("FlyV1 ")
    if not text:
        raise NoToken("there is no token for Fly: FLY_API_TOKEN is not set", GET_A_TOKEN)
    if not text.isascii() or any(character.isspace() for character in text):
        raise NoToken("FLY_API_TOKEN holds white space or what is not ASCII: it was not copied whole", GET_A_TOKEN)
    return Target(
        name="fly",
        machines_url=environment.get("FLY_FLAPS_BASE_URL") or "https://api.machines.dev",
        api_url=environment.get("FLY_API_BASE_URL") or "https://api.fly.io",
        registry=environment.get("FLY_REGISTRY_HOST") or "registry.fly.io",
        flyctl=environment.get("FLYCTL") or "flyctl",
        token=Secret(text),
        url_of=lambda app: f"https://{app}.fly.dev",
    )


def local(
    machines_url: str, api_url: str, registry: str, flyctl: str, token: str, url_of: Callable[[str], str]
) -> Target:
    """A platform on this machine that speaks as Fly.io does: see flysim."""
    return Target("local", machines_url, api_url, registry, flyctl, Secret(token), url_of)
