"""The public keys of an issuer of tokens: a JSON Web Key Set (RFC 7517), in a file or at a URL."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt

_log = logging.getLogger(__name__)

# All of public keys. None of them takes a secret, and `none` is none of them.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_BYTES_MAX = 256 << 10
_FETCH_SECONDS = 5
_AGAIN_SECONDS = 10  # between two questions for keys, whoever wants them
_OLD_SECONDS = 600  # after which a key may have been withdrawn: it is asked for again, and used meanwhile
_DEAD_SECONDS = 3_600  # after which keys that could not be asked for again are used no more


class Keys:
    """The keys of a URL, asked for when one is needed; or of a file, read at once and for good.

    Raises ValueError when the file, or what is said to be a URL, is neither.
    """

    def __init__(self, where: str, ca_file: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._where, self._ca_file, self._clock = where, ca_file, clock
        self._keys: tuple[jwt.PyJWK, ...] = ()
        self._had_at, self._asked_at = -math.inf, clock() - _AGAIN_SECONDS
        self._asking: asyncio.Task[None] | None = None
        self.problem = ""  # why the last question for them was of no use
        if "://" in where:
            _check(where)
        else:
            try:
                self._keys = _parse(Path(where).read_bytes())
            except OSError as error:
                raise ValueError(f"{where!r} cannot be read: {error.strerror}") from None
            self._had_at = self._asked_at = math.inf

    @property
    def are_known(self) -> bool:
        """Whether there are keys by which a token can be judged."""
        return self._clock() - self._had_at < _DEAD_SECONDS

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def retry_seconds(self) -> int:
        """After how many seconds the issuer will be asked again."""
        return max(1, math.ceil(self._asked_at + _AGAIN_SECONDS - self._clock()))

    @property
    def may_renew(self) -> bool:
        """Whether `renew` would ask, or wait for who asks."""
        return self._asking is not None or self._clock() - self._asked_at >= _AGAIN_SECONDS

    def of(self, algorithm: str, name: str | None) -> jwt.PyJWK | None:
        """The key of this algorithm and name (`kid`); without a name the only one. None when there is no such one."""
        known = self._keys if self.are_known else ()
        found = [key for key in known if key.algorithm_name == algorithm and name in (None, key.key_id)]
        return found[0] if len(found) == 1 else None

    async def renew(self) -> None:
        """The issuer has been asked, and has answered or not; by one for all who wait, and not too often."""
        if asking := self._begin():
            await asyncio.wait({asking})

    def renew_if_old(self) -> None:
        """The issuer will have been asked; nobody waits."""
        if self._clock() - self._had_at >= _OLD_SECONDS:
            self._begin()

    def _begin(self) -> asyncio.Task[None] | None:
        if self.may_renew and not self._asking:
            self._asked_at = self._clock()
            self._asking = asyncio.create_task(self._ask())
        return self._asking

    async def _ask(self) -> None:
        try:
            self._keys = _parse(await self._fetched())
            self._had_at, self.problem = self._clock(), ""
        except Exception as error:  # of the network, TLS, JSON, keys: whatever it is, the server lives on
            reason = "too slow" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
            self.problem = f"The keys of tokens cannot be had: {reason[:200]}"
            _log.warning("%s", self.problem)
        finally:
            self._asking = None

    async def _fetched(self) -> bytes:
        import ssl  # these cost the start otherwise

        import httpx2

        trusted = ssl.create_default_context(cafile=self._ca_file or None)
        # Neither a proxy nor a password of the environment; no redirect: the operator has said where the keys are.
        client = httpx2.AsyncClient(verify=trusted, trust_env=False, timeout=_FETCH_SECONDS, follow_redirects=False)
        headers = {"accept": "application/jwk-set+json, application/json", "accept-encoding": "identity"}
        async with (
            asyncio.timeout(_FETCH_SECONDS),
            client,
            client.stream("GET", self._where, headers=headers) as answer,
        ):
            if answer.status_code != 200:
                raise ValueError(f"the answer is {answer.status_code}")
            found = bytearray()
            async for part in answer.aiter_raw():
                found += part
                if len(found) > _BYTES_MAX:
                    raise ValueError(f"more than {_BYTES_MAX:,} bytes")
        return bytes(found)


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        host, has_port = parts.hostname, parts.port != 0
        is_secret = parts.scheme == "https" or (parts.scheme == "http" and host in ("localhost", "127.0.0.1", "::1"))
        is_well = bool(host) and has_port and is_secret and parts.username is None
    except ValueError:
        is_well = False
    if not is_well:
        raise ValueError("an https URL without a password is expected, or http of this machine")


def _parse(text: bytes) -> tuple[jwt.PyJWK, ...]:
    """The keys with which a signature can be checked; raises ValueError when there are none. Others are passed over."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("no JSON Web Key Set") from None
    listed = said.get("keys") if isinstance(said, dict) else None
    found = tuple(key for one in (listed if isinstance(listed, list) else ()) if (key := _key(one)))
    if not found:
        raise ValueError("no JSON Web Key Set with a public key for signatures")
    return found


def _key(said: Any) -> jwt.PyJWK | None:
    if not isinstance(said, dict) or said.get("use", "sig") != "sig" or "d" in said:  # `d` makes it a private one
        return None
    try:
        key = jwt.PyJWK(said)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        return None
    return key if key.algorithm_name in ALGORITHMS else None
