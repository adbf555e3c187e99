"""JSON Web Tokens: whose they are, if their issuer signed them for this server, and for now.

PyJWT checks; what it is given is strict. An algorithm is one of a public key, and that of the very key, so that a
public key is never taken for a secret. FastMCP's own verifier has one algorithm for all keys, reads key sets of any
size, and takes a token that never expires.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jwt

from code_insight.access import Issuer, Principal, TokenRefused
from code_insight.web.guard.keys import ALGORITHMS, Keys

_log = logging.getLogger(__name__)

_CHARACTERS_MAX = 8 << 10  # of a token; to take one apart costs the more the longer it is
_LEEWAY_SECONDS = 30  # that two clocks may differ
_OPTIONS: Any = {"require": ["exp", "iss", "aud", "sub"], "enforce_minimum_key_length": True}
_UNKNOWN = "is not known here"
_WHY: Mapping[type[jwt.PyJWTError], str] = {
    jwt.ExpiredSignatureError: "has expired",
    jwt.ImmatureSignatureError: "is not valid yet",
    jwt.InvalidIssuerError: "is from another issuer",
    jwt.InvalidAudienceError: "is for another audience",
    jwt.MissingRequiredClaimError: "lacks one of exp, iss, aud and sub",
    jwt.InvalidSignatureError: "is not signed by its issuer",
    jwt.InvalidKeyError: "is signed with a key that is too short",
}


class Jwts:
    """The tokens of one issuer. Raises ValueError when its keys are in a file that is wrong, or at no URL."""

    def __init__(self, issuer: Issuer, ca_file: str = "") -> None:
        self._issuer = issuer
        try:
            self._keys = Keys(issuer.keys, ca_file)
        except ValueError as error:
            raise ValueError(f"jwt.keys: {error}") from None

    def may_need_keys(self, token: str) -> bool:
        """Whether `principal` would refuse the token for want of a key that the issuer may have by now."""
        header = _header(token)
        return bool(header) and not self._keys.of(header["alg"], header.get("kid")) and self._keys.may_renew

    async def renew_keys(self) -> None:
        """The issuer has been asked for its keys, and has answered or not."""
        await self._keys.renew()

    def principal(self, token: str) -> Principal:
        """Whose token it is; raises TokenRefused."""
        try:
            return self._principal(token)
        except TokenRefused as refused:
            if str(refused) != _UNKNOWN:  # who operates the issuer wants to know; anything may be sent as a token
                _log.info("A token %s", refused)
            raise

    def _principal(self, token: str) -> Principal:
        header = _header(token)
        if not header:
            raise TokenRefused(_UNKNOWN)
        self._keys.renew_if_old()
        key = self._keys.of(header["alg"], header.get("kid"))
        if not key:
            if self._keys.are_known:
                raise TokenRefused("is signed with a key that its issuer does not have")
            raise TokenRefused("cannot be checked: its issuer's keys cannot be had", self._keys.retry_seconds)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=self._issuer.audience,
                issuer=self._issuer.name,
                leeway=_LEEWAY_SECONDS,
                options=_OPTIONS,
            )
        except jwt.PyJWTError as error:
            raise TokenRefused(_WHY.get(type(error), _UNKNOWN)) from None
        return self._issuer.principal(claims["sub"], _scopes(claims))


def _header(token: str) -> dict[str, Any]:
    """What a token says of how it is signed; nothing when that is no way that is accepted."""
    if len(token) > _CHARACTERS_MAX:
        return {}
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        return {}
    return header if header.get("alg") in ALGORITHMS else {}


def _scopes(claims: Mapping[str, Any]) -> Iterator[str]:
    """The scopes of a token: `scope` of the standard (RFC 8693), and `scp`, of which some issuers make a list."""
    for claim in ("scope", "scp"):
        found = claims.get(claim)
        names: Iterable[Any] = found.split() if isinstance(found, str) else found if isinstance(found, list) else ()
        yield from (name for name in names if isinstance(name, str))
