"""Which URL may be cloned, and at which addresses: everything is refused before any work that is not plain https to a
known public host."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass

from code_insight.errors import FetchFailed, UrlRejected

_URL = re.compile(r"https://(?P<host>[a-z0-9.-]{1,253})(?::(?P<port>[0-9]{1,5}))?(?P<path>/[A-Za-z0-9._~/+-]{1,400})")
# IANA has given out public IPv6 addresses from 2000::/3 alone. Outside of it IPv4 addresses are wrapped (mapped,
# compatible, NAT64), and Python's own tables differ by version. Inside, 2002::/16 wraps them too (6to4).
_IPV6_UNICAST = ipaddress.ip_network("2000::/3")
_IPV6_NOT_PUBLIC = (ipaddress.ip_network("2002::/16"), ipaddress.ip_network("3fff::/20"))


@dataclass(frozen=True, slots=True)
class ClonePolicy:
    """Which hosts may be cloned."""

    hosts: tuple[str, ...]  # "github.com", or "git.example.com:8443" where the port is not 443
    private_addresses: bool = False  # whether such a host may resolve to an address that is not public


@dataclass(frozen=True, slots=True)
class CloneUrl:
    """A URL that `ClonePolicy` allows, canonical: no ".git", no slash at the end. Only `parse` makes one."""

    host: str
    port: int
    path: str  # begins with "/"

    @property
    def url(self) -> str:
        return f"https://{self._authority}{self.path}"

    @property
    def name(self) -> str:
        """The repository's name: host and path."""
        return f"{self._authority}{self.path}"

    @property
    def _authority(self) -> str:
        return self.host if self.port == 443 else f"{self.host}:{self.port}"


def parse(text: str, policy: ClonePolicy) -> CloneUrl:
    """The canonical form of a clone URL; raises UrlRejected, with the reason, for any other text.

    Stricter than RFC 3986 on purpose: what this does not understand, git and libcurl never see.
    """
    match = _URL.fullmatch(text) if len(text) <= 512 else None
    if match is None:
        raise UrlRejected(_why_malformed(text), "Give a URL such as https://github.com/owner/name.")
    host, port, path = match["host"], int(match["port"] or 443), _canonical_path(match["path"])
    authority = host if port == 443 else f"{host}:{port}"
    if authority not in policy.hosts:
        known = ", ".join(policy.hosts) or "none"
        raise UrlRejected(
            f"Repositories of {authority} are not indexed by this server.", f"Hosts it clones from: {known}."
        )
    return CloneUrl(host, port, path)


def _canonical_path(path: str) -> str:
    segments = path.strip("/").removesuffix(".git").split("/")
    if any(segment in ("", ".", "..") or segment.startswith("-") for segment in segments):
        raise UrlRejected(
            "The path of that URL has an empty or relative segment, or one that begins with a dash.",
            "Give a URL such as https://github.com/owner/name.",
        )
    return "/" + "/".join(segments)


def _why_malformed(text: str) -> str:
    if len(text) > 512:
        return "That URL is longer than 512 characters."
    if text.startswith("-"):
        return "A repository URL cannot begin with a dash."
    scheme = text.partition("://")[0].lower() if "://" in text else ""
    if scheme != "https":
        return "Only https URLs are cloned."
    if "@" in text.partition("://")[2].partition("/")[0]:
        return "A repository URL cannot carry a user name, password or token."
    return "That is not a plain https URL of a repository (lower-case host, path; no query, fragment or escapes)."


def public_addresses(url: CloneUrl, policy: ClonePolicy) -> tuple[str, ...]:
    """The addresses of the URL's host, resolved once, so that git can be pinned to them.

    One answer that is not public refuses the whole name: a resolver that mixes public and private answers is how
    server-side request forgery gets past a check (CVE-2026-101029).
    """
    try:
        answers = socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # UnicodeError: a name with an empty or a long label
        raise FetchFailed(f"The host {url.host} cannot be resolved.", "Check the URL, or try again later.") from error
    addresses = tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))
    if not policy.private_addresses and not all(is_public(address) for address in addresses):
        raise UrlRejected(f"{url.host} resolves to an address that is not public.", "Only public hosts are cloned.")
    return addresses


def is_public(address: str) -> bool:
    """Whether an IP address, in text, can be reached by anybody on the internet (IANA's special-purpose registries)."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if ip.version == 6 and (ip not in _IPV6_UNICAST or any(ip in network for network in _IPV6_NOT_PUBLIC)):
        return False
    return ip.is_global and not ip.is_multicast
