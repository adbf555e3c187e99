"""The outermost ASGI application: refuses what is too much, names each request, and hides what went wrong inside."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import logging
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from code_insight import access, tracing
from code_insight.access import Access, Principal, TokenRefused
from code_insight.tracing import Attribute, Value
from code_insight.web.guard import logs
from code_insight.web.guard.rates import Rates
from code_insight.web.resource import metadata_url

if TYPE_CHECKING:
    from code_insight.web.guard.jwts import Jwts

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = logging.getLogger(__name__)

_HEADER_BYTES_MAX = 16 << 10
_HEADERS_MAX = 100
_QUIET = ("/info", "/static/")  # asked so often that each well answered request is worth no line, and none a span
_ROUTES = ("/mcp", "/info", "/static", "/repositories", "/try")
_LOGGED = {
    "asked": Attribute.METHOD,
    "tool": Attribute.TOOL,
    "repository": Attribute.REPOSITORY,
    "error": Attribute.ERROR_CODE,
}
_METHODS = ("GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH")
# For every answer that says nothing of its own: nothing of it may be run, framed or sniffed.
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
)


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """What each client, and all of them together, may ask for. Requests are those that have arrived whole."""

    body_bytes: int = 256 << 10
    requests_at_once: int = 128
    client_requests_at_once: int = 16
    client_requests_per_minute: int = 600  # and as many at once after a quiet minute; 0 for any number


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that is over; each word is one of a few."""

    route: str
    status: int
    seconds: float
    refusal: str  # why the application was not asked; "" when it was
    tool: str  # "" for none
    outcome: str  # of the tool: "ok", or the code of its error


class Observer(Protocol):
    """Who counts what was answered."""

    def answered(self, one: Answered) -> None: ...


class _Refused(Exception):
    def __init__(self, status: int, reason: str, message: str, retry_seconds: int = 0, challenge: str = "") -> None:
        self.status, self.reason, self.message = status, reason, message
        self.retry_seconds, self.challenge = retry_seconds, challenge
        super().__init__(message)


class Guard:
    """An ASGI application around another one. On Fly, the platform's proxy says who asks; elsewhere the socket does."""

    def __init__(
        self,
        app: App,
        limits: GuardLimits,
        everybody: Access | None = None,
        jwts: Jwts | None = None,
        *,
        is_on_fly: bool = False,
        observer: Observer | None = None,
    ) -> None:
        self._app, self._limits, self._is_on_fly, self._observer = app, limits, is_on_fly, observer
        self._everybody, self._jwts = everybody or Access(), jwts
        self._metadata_url = metadata_url(self._everybody.issuer)
        self._open = {"/info", urlsplit(self._metadata_url).path or "/info"}  # for who may ask nothing else
        self._rates = Rates(limits.client_requests_per_minute)
        self._at_once: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _Request(scope, send, self._client(scope))
        before = logs.request_id.set(request.id)
        asked_by = access.current.set(self._everybody.anonymous)
        said_before = tracing.said.set(request.said)
        try:
            await self._answer(request, receive)
        finally:
            self._write_down(request)
            tracing.said.reset(said_before)
            access.current.reset(asked_by)
            logs.request_id.reset(before)

    async def _answer(self, request: _Request, receive: Receive) -> None:
        try:
            await self._check(request)
            body, receive = await _body(request.scope, receive, self._limits.body_bytes)
            self._enter(request.client)
        except _Refused as refused:
            await request.refuse(refused)
            return
        try:
            with request.span(body) as request.trace_id:
                await self._ask(request, receive)
        finally:
            self._leave(request.client)

    async def _ask(self, request: _Request, receive: Receive) -> None:
        try:
            await self._app(request.scope, receive, request.send)
        except Exception:
            _log.exception("A request could not be answered.")
            if request.status:
                raise  # an answer that has begun cannot be mended: the connection ends
            await request.refuse(_Refused(500, "internal", f"Something went wrong here. Request {request.id}."))
        finally:
            failed = {Attribute.ERROR: str(request.status)} if request.status >= 500 else {}
            tracing.note({**request.said, Attribute.STATUS: request.status, **failed})

    @property
    def at_once(self) -> int:
        """How many requests are being answered."""
        return self._at_once.total()

    def _client(self, scope: Scope) -> str:
        """Who asks, as an address; of IPv6 the network, since a household has 2^64 addresses."""
        address = scope["client"][0] if scope.get("client") else ""
        if self._is_on_fly:
            address = next(
                (value.decode("latin-1") for key, value in scope["headers"] if key == b"fly-client-ip"), address
            )
        if ":" not in address:
            return address[:64]
        try:
            return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))
        except ValueError:
            return address[:64]

    async def _check(self, request: _Request) -> None:
        headers = request.scope["headers"]
        who: Principal | _Refused
        if len(headers) > _HEADERS_MAX or sum(len(key) + len(value) for key, value in headers) > _HEADER_BYTES_MAX:
            who = _Refused(431, "headers", "The request's headers are too large.")
        else:
            who = await self._who(request.client, [value for key, value in headers if key == b"authorization"])
        if isinstance(who, Principal) and who.name:  # a token is one client, wherever it asks from
            request.client = f"token {who.name}"
        if seconds := self._rates.wait_seconds(request.client):
            raise _too_many(
                "rate", f"{self._limits.client_requests_per_minute} requests a minute are answered", seconds
            )
        if isinstance(who, _Refused):
            raise who
        if not who.may_ask and request.scope["path"] not in self._open:
            raise self._unauthorized("This server answers only who has a token.")
        access.current.set(who)
        request.is_private = bool(who.name)

    async def _who(self, client: str, authorizations: list[bytes]) -> Principal | _Refused:
        """Who asks, as the Authorization headers say; or why they are not believed."""
        if not authorizations:
            return self._everybody.anonymous
        if len(authorizations) > 1:
            return _Refused(400, "token", "A request has one token.")
        scheme, _, token = authorizations[0].decode("latin-1").partition(" ")
        token = token.strip()
        known = self._everybody.of(token) if scheme.lower() == "bearer" else None
        if known:
            return known
        if not self._jwts or scheme.lower() != "bearer":
            return self._unauthorized("That token is not known here.", is_invalid=True)
        try:
            if self._jwts.may_need_keys(token):
                self._enter(client)  # whoever waits for the issuer's answer has not been counted yet
                try:
                    await self._jwts.renew_keys()
                finally:
                    self._leave(client)
            return self._jwts.principal(token)
        except TokenRefused as refused:
            return self._unauthorized(f"That token {refused}.", refused.retry_seconds, is_invalid=True)
        except _Refused as refused:
            return refused

    def _unauthorized(self, message: str, retry_seconds: int = 0, *, is_invalid: bool = False) -> _Refused:
        """401 with a challenge (RFC 6750), which says where tokens are to be had if that is known (RFC 9728)."""
        about = {"error": "invalid_token", "error_description": message} if is_invalid else {}
        if self._metadata_url:
            about["resource_metadata"] = self._metadata_url
        challenge = "Bearer " + ", ".join(f'{name}="{value}"' for name, value in about.items())
        return _Refused(401, "token", message, retry_seconds, challenge.strip())

    def _enter(self, client: str) -> None:
        if self.at_once >= self._limits.requests_at_once:
            raise _Refused(503, "busy", "This server is busy. Try again in 1 second.", 1)
        if self._at_once[client] >= self._limits.client_requests_at_once:
            raise _too_many("at once", f"{self._limits.client_requests_at_once} requests at once are answered", 1)
        self._at_once[client] += 1

    def _leave(self, client: str) -> None:
        self._at_once[client] -= 1
        if not self._at_once[client]:
            del self._at_once[client]

    def _write_down(self, request: _Request) -> None:
        seconds = time.monotonic() - request.began
        path = request.scope["path"]
        if self._observer:
            self._observer.answered(request.answered(seconds))
        if request.status < 400 and path.startswith(_QUIET):
            return
        _log.info(
            "request",
            extra=logs.fields(
                method=request.scope["method"][:20],
                path=path[:200],
                status=request.status,
                ms=round(seconds * 1000, 1),
                bytes=request.sent_bytes,
                client=request.client,
                **request.logged(),
            ),
        )


class _Request:
    """One request: who asks, and what was answered so far."""

    def __init__(self, scope: Scope, send: Send, client: str) -> None:
        self.scope, self.client, self._send = scope, client, send
        self.id = os.urandom(8).hex()
        self.began = time.monotonic()
        self.status = 0  # none was sent
        self.sent_bytes = 0
        self.refusal = ""
        self.trace_id = ""
        self.said: dict[Attribute, Value] = {}
        self.is_private = False  # the answer is for this client alone

    @property
    def route(self) -> str:
        """What is asked for, as one of a few words."""
        path = self.scope["path"]
        found = (route for route in _ROUTES if path == route or path.startswith(f"{route}/"))
        return path if path == "/" else next(found, "other")

    def answered(self, seconds: float) -> Answered:
        said = self.said
        outcome = str(said.get(Attribute.ERROR_CODE) or ("internal" if Attribute.ERROR in said else "ok"))
        return Answered(self.route, self.status, seconds, self.refusal, str(said.get(Attribute.TOOL, "")), outcome)

    def logged(self) -> dict[str, object]:
        """What the log says beside what HTTP says, in its own short words."""
        told = {name: self.said.get(key) for name, key in _LOGGED.items()}
        told |= {"refused": self.refusal, "trace_id": self.trace_id}
        return {name: value for name, value in told.items() if value}

    def span(self, body: bytes) -> AbstractContextManager[str]:
        """The span of what the application does for it; gives the id of its trace, "" for none."""
        if not tracing.is_on() or self.scope["path"].startswith(_QUIET):
            return nullcontext("")
        method = self.scope["method"] if self.scope["method"] in _METHODS else "_OTHER"
        about = {Attribute.HTTP_METHOD: method, Attribute.ROUTE: self.route, Attribute.REQUEST: self.id}
        return tracing.request(f"{method} {self.route}", _traceparents(self.scope, body), about)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = message.get("headers", [])
            names = {name.lower() for name, _ in given}
            added = [header for header in _HEADERS if header[0] not in names]
            if self.status == 405 and b"allow" not in names:  # the MCP library leaves it out (RFC 9110, 15.5.6)
                added.append((b"allow", b"POST"))
            if self.is_private and not self.scope["path"].startswith("/static/"):
                given = [header for header in given if header[0].lower() != b"cache-control"]
                added.append((b"cache-control", b"private, no-store"))
            message = {**message, "headers": [*given, *added, (b"x-request-id", self.id.encode())]}
        else:
            self.sent_bytes += len(message.get("body", b""))
        await self._send(message)

    async def refuse(self, refused: _Refused) -> None:
        self.refusal = refused.reason
        body, media_type = refused.message.encode() + b"\n", b"text/plain; charset=utf-8"
        if self.scope["path"] == "/mcp":
            data = {"retry_after": refused.retry_seconds} if refused.retry_seconds else {}
            error = {"code": -32603 if refused.status == 500 else -32000, "message": refused.message, "data": data}
            body, media_type = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode(), b"application/json"
        headers = [
            (b"content-type", media_type),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        if refused.retry_seconds:
            headers.append((b"retry-after", str(refused.retry_seconds).encode()))
        if refused.challenge:
            headers.append((b"www-authenticate", refused.challenge.encode()))
        await self.send({"type": "http.response.start", "status": refused.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


def _too_many(reason: str, allowance: str, seconds: float) -> _Refused:
    wait = max(1, ceil(seconds))
    unit = "second" if wait == 1 else "seconds"
    return _Refused(429, reason, f"Too many requests: {allowance} for one client. Try again in {wait} {unit}.", wait)


def _traceparents(scope: Scope, body: bytes) -> list[str]:
    """What a client says of the span that it asks from: MCP has it in the message (SEP-414), HTTP in a header."""
    said = [value.decode("latin-1") for key, value in scope["headers"] if key == b"traceparent"][:1]
    if scope["path"] == "/mcp" and b'"traceparent"' in body:
        with contextlib.suppress(ValueError, RecursionError, TypeError, KeyError):
            said.insert(0, str(json.loads(body)["params"]["_meta"]["traceparent"]))
    return said


async def _body(scope: Scope, receive: Receive, most_bytes: int) -> tuple[bytes, Receive]:
    """The whole body, and `receive` for an application that finds it there; raises _Refused when it is too large."""
    headers = dict(scope["headers"])
    if b"content-length" not in headers and b"transfer-encoding" not in headers:
        return b"", receive
    too_large = _Refused(413, "body", f"A request's body may have {most_bytes:,} bytes.")
    said = headers.get(b"content-length", b"0")
    if not said.isdigit() or int(said[:20]) > most_bytes:
        raise too_large
    parts, size, is_more = [], 0, True
    while is_more:
        message = await receive()
        if message["type"] != "http.request":
            raise _Refused(408, "left", "The request did not arrive.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        is_more = message.get("more_body", False)
        if size > most_bytes:
            raise too_large
    body = b"".join(parts)
    whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return whole.pop() if whole else await receive()

    return body, replay
