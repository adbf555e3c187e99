"""Who asks, and what they may: which repositories they see, and whether they may add one.

Whoever works for somebody finds them in `current`. Without a request that is the operator, who sees everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

_DIGEST = re.compile(r"[0-9a-f]{64}")
_ANONYMOUS = {"nothing": (False, False), "reads": (True, False), "adds": (True, True)}


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who asks; `hidden` and `sees` are patterns of repository names, such as "github.com/acme/*"."""

    name: str = ""  # of the token; "" without one
    may_ask: bool = True
    may_add: bool = True
    hidden: tuple[str, ...] = ()
    sees: tuple[str, ...] = ()  # of what is hidden

    def may_see(self, repository: str) -> bool:
        """Whether a repository of this name is there, as far as they can tell."""
        return self.may_ask and (not _matches(repository, self.hidden) or _matches(repository, self.sees))


OPERATOR = Principal("operator")
current: ContextVar[Principal] = ContextVar("current", default=OPERATOR)


class TokenRefused(Exception):
    """A token that is not accepted; says why, in words of ours, and in how many seconds that may be otherwise."""

    def __init__(self, why: str, retry_seconds: int = 0) -> None:
        self.retry_seconds = retry_seconds
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs tokens that say whose they are (JSON Web Tokens), and what their scopes mean here."""

    name: str  # its URL, as in the claim `iss`
    audience: str  # this server, as in the claim `aud`
    keys: str  # URL of its JSON Web Key Set, or a file that has it
    hidden: tuple[str, ...] = ()
    scopes: tuple[tuple[str, Principal], ...] = ()

    def principal(self, subject: str, scopes: Iterable[str]) -> Principal:
        """Whose token it is, with what the scopes of it allow together; those that are not known allow nothing."""
        import hashlib

        given = set(scopes)
        granted = [principal for scope, principal in self.scopes if scope in given]
        # Subjects are often addresses of people. Logs and limits need to tell one from another, and no more.
        name = f"sub:{hashlib.sha256(subject.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
        sees = tuple(pattern for principal in granted for pattern in principal.sees)
        return Principal(name, True, any(principal.may_add for principal in granted), self.hidden, sees)


@dataclass(frozen=True, slots=True)
class Access:
    """Everybody who may ask: those without a token, with one of these (SHA-256 → who they are), or with an issuer's."""

    anonymous: Principal = Principal()
    tokens: tuple[tuple[str, Principal], ...] = ()
    issuer: Issuer | None = None

    def of(self, token: str) -> Principal | None:
        """Who has this token; None for nobody. Takes as long for each."""
        import hashlib  # these and tomllib only where there are tokens: they cost the start of the server otherwise
        import hmac

        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
        found = None
        for known, principal in self.tokens:
            if hmac.compare_digest(known, digest):
                found = principal
        return found


def read(path: str) -> Access:
    """What the file says, or what holds without one; raises as `parse` does, and OSError."""
    return parse(Path(path).read_text("utf-8")) if path else Access()


def parse(text: str) -> Access:
    """What a file of tokens says, in TOML (docs/operating.md); raises ValueError with what is wrong in it."""
    import tomllib

    said = tomllib.loads(text)
    _only(said, {"hidden", "anonymous", "tokens", "jwt"}, "the file")
    hidden = _patterns(said, "hidden")
    may = said.get("anonymous", "reads")
    if may not in _ANONYMOUS:
        raise ValueError(f"anonymous: one of {', '.join(_ANONYMOUS)} is expected")
    may_ask, may_add = _ANONYMOUS[may]
    return Access(
        Principal("", may_ask, may_add, hidden),
        tuple(_token(name, about, hidden) for name, about in _table(said, "tokens", "tokens").items()),
        _issuer(_table(said, "jwt", "jwt"), hidden) if "jwt" in said else None,
    )


def _token(name: str, about: Any, hidden: tuple[str, ...]) -> tuple[str, Principal]:
    principal = _allowed(f"tokens.{name}", name, about, hidden, "sha256")
    digest = about.get("sha256")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise ValueError(f"tokens.{name}.sha256: the SHA-256 of the token, 64 hexadecimal digits, is expected")
    return digest, principal


def _issuer(said: dict[str, Any], hidden: tuple[str, ...]) -> Issuer:
    _only(said, {"issuer", "audience", "keys", "scopes"}, "jwt")
    scopes = _table(said, "scopes", "jwt.scopes").items()
    meanings = tuple((scope, _allowed(f"jwt.scopes.{scope}", scope, about, hidden)) for scope, about in scopes)
    return Issuer(_text(said, "issuer"), _text(said, "audience"), _text(said, "keys"), hidden, meanings)


def _text(said: dict[str, Any], key: str) -> str:
    found = said.get(key)
    if not isinstance(found, str) or not found:
        raise ValueError(f"jwt.{key}: a text is expected")
    return found


def _allowed(where: str, name: str, about: Any, hidden: tuple[str, ...], *others: str) -> Principal:
    """Somebody of this name who may what `adds` and `sees` say; it may say `others` too."""
    if not isinstance(about, dict):
        raise TypeError(f"{where}: a table is expected")
    _only(about, {"adds", "sees", *others}, where)
    adds = about.get("adds", False)
    if not isinstance(adds, bool):
        raise TypeError(f"{where}.adds: true or false is expected")
    return Principal(name, True, adds, hidden, _patterns(about, "sees"))


def _table(said: dict[str, Any], key: str, where: str) -> dict[str, Any]:
    found = said.get(key, {})
    if not isinstance(found, dict):
        raise TypeError(f"{where}: a table is expected")
    return found


def _patterns(said: dict[str, Any], key: str) -> tuple[str, ...]:
    found = said.get(key, [])
    if not isinstance(found, list) or not all(isinstance(pattern, str) for pattern in found):
        raise TypeError(f"{key}: a list of patterns is expected")
    return tuple(found)


def _only(said: dict[str, Any], known: set[str], where: str) -> None:
    if unknown := sorted(said.keys() - known):
        raise ValueError(f"{where} has {', '.join(unknown)}; known are {', '.join(sorted(known))}")


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
