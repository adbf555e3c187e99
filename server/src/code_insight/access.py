"""Who asks, and what they may: which repositories they see, and whether they may add one.

Whoever works for somebody finds them in `current`. Without a request that is the operator, who sees everything.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import dataclass
from fnmatch import fnmatchcase
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
        return not _matches(repository, self.hidden) or _matches(repository, self.sees)


OPERATOR = Principal("operator")
current: ContextVar[Principal] = ContextVar("current", default=OPERATOR)


@dataclass(frozen=True, slots=True)
class Access:
    """Everybody who may ask: those without a token, and those with one of these (SHA-256 → who they are)."""

    anonymous: Principal = Principal()
    tokens: tuple[tuple[str, Principal], ...] = ()

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


def parse(text: str) -> Access:
    """What a file of tokens says, in TOML (docs/operating.md); raises ValueError with what is wrong in it."""
    import tomllib

    said = tomllib.loads(text)
    _only(said, {"hidden", "anonymous", "tokens"}, "the file")
    hidden = _patterns(said, "hidden")
    may = said.get("anonymous", "reads")
    if may not in _ANONYMOUS:
        raise ValueError(f"anonymous: one of {', '.join(_ANONYMOUS)} is expected")
    may_ask, may_add = _ANONYMOUS[may]
    tokens = said.get("tokens", {})
    if not isinstance(tokens, dict):
        raise TypeError("tokens: a table for each is expected")
    return Access(
        Principal("", may_ask, may_add, hidden), tuple(_token(name, about, hidden) for name, about in tokens.items())
    )


def _token(name: str, about: Any, hidden: tuple[str, ...]) -> tuple[str, Principal]:
    if not isinstance(about, dict):
        raise TypeError(f"tokens.{name}: a table is expected")
    _only(about, {"sha256", "adds", "sees"}, f"tokens.{name}")
    digest, adds = about.get("sha256"), about.get("adds", False)
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise ValueError(f"tokens.{name}.sha256: the SHA-256 of the token, 64 hexadecimal digits, is expected")
    if not isinstance(adds, bool):
        raise TypeError(f"tokens.{name}.adds: true or false is expected")
    return digest, Principal(name, True, adds, hidden, _patterns(about, "sees"))


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
