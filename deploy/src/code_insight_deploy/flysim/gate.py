"""In front of every listener: what goes wrong with a call by order, and the log of all calls."""

import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from code_insight_deploy.flysim.faults import Asked, Fault, Faults
from code_insight_deploy.flysim.sim import Call

MOST_CALLS = 50_000
BEFORE = frozenset({"answer", "cut", "stall", "timeout_before"})
AFTER = frozenset({"cut_after", "timeout_after"})


class CutError(Exception):
    """The connection is to be cut, and nobody is to be told why."""


class Calls:
    """The log of calls."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=MOST_CALLS)
        self._last = 0
        self._lock = threading.Lock()

    def next_number(self) -> int:
        """The number of a call that begins now."""
        with self._lock:
            self._last += 1
            return self._last

    def add(self, call: Call) -> None:
        """Keep it."""
        self._calls.append(call)

    def since(self, number: int) -> list[Call]:
        """Calls with a higher number, by number."""
        return sorted((call for call in list(self._calls) if call.number > number), key=lambda call: call.number)


@dataclass(frozen=True, slots=True)
class Known:
    """What a listener knows of a call before it is done."""

    operation: str
    app: str = ""
    machine: str = ""
    mutating: bool = False
    body: bytes | None = None
    """The whole body, when it was needed to know this; else it is still to be read."""
    platform: bool = False


@dataclass(slots=True)
class Traffic:
    """What has gone over the wire for one call."""

    bytes_in: int = 0
    bytes_out: int = 0
    status: int = 0
    effects: list[str] = field(default_factory=list)


class Gate:
    """An ASGI application around another."""

    def __init__(
        self,
        listener: Literal["api", "registry", "edge"],
        inner: ASGIApp,
        know: Callable[[Scope, Receive], Any],
        faults: Faults,
        calls: Calls,
        cut: Callable[[tuple[str, int]], None],
        told: Callable[[Scope, Known, int, Fault], None],
    ) -> None:
        """`know` is asked (awaited) what a call is; `told` hears of faults that are not about the wire."""
        self._listener = listener
        self._inner = inner
        self._know = know
        self._faults = faults
        self._calls = calls
        self._cut = cut
        self._told = told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, number = time.time(), self._calls.next_number()
        known: Known = await self._know(scope, receive)
        path = scope["path"] + (f"?{scope['query_string'].decode()}" if scope["query_string"] else "")
        traffic = Traffic()
        asked = Asked(known.operation, scope["method"], scope["path"], known.app, known.machine)
        struck = [] if known.platform else self._faults.strike(asked)
        traffic.effects = [fault.effect for _, fault in struck]
        try:
            await self._pass(scope, receive, send, known, struck, traffic)
        except CutError:
            self._cut(scope["client"])
        finally:
            call = Call(
                number, began, self._listener, known.operation, scope["method"], path, known.app, known.machine,
                traffic.status, known.mutating, traffic.bytes_in, traffic.bytes_out, round(time.time() - began, 4),
                tuple(traffic.effects), known.platform,
            )  # fmt: skip
            self._calls.add(call)

    async def _pass(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        known: Known,
        struck: list[tuple[int, Fault]],
        traffic: Traffic,
    ) -> None:
        after: Fault | None = None
        cut: Fault | None = None
        for number, fault in struck:
            if fault.effect == "delay":
                await asyncio.sleep(fault.seconds)
            elif fault.effect in AFTER:
                after = fault
            elif fault.effect in BEFORE:
                cut = await self._before(scope, receive, send, fault, known.body, traffic) or cut
                if traffic.status:
                    return
            else:
                self._told(scope, known, number, fault)
        wire = Wire(receive, send, traffic, known.body, cut, mute=after is not None)
        scope["flysim.effects"] = [fault for _, fault in struck]
        await self._inner(scope, wire.receive, wire.send)
        if after:
            if after.effect == "timeout_after":
                await asyncio.sleep(after.seconds)
            traffic.status = 0
            raise CutError

    async def _before(
        self, scope: Scope, receive: Receive, send: Send, fault: Fault, body: bytes | None, traffic: Traffic
    ) -> Fault | None:
        """Do what a fault does instead of the call; a fault that strikes in the middle of a body is returned."""
        if fault.effect == "answer":
            wire = Wire(receive, send, traffic, body, None, mute=False)
            await drain(wire.receive)
            await answer_of(fault)(scope, wire.receive, wire.send)
            return None
        if fault.after_bytes:
            return fault
        if fault.effect != "cut":
            await asyncio.sleep(fault.seconds)
        raise CutError


def answer_of(fault: Fault) -> Response:
    """What is answered instead of doing it."""
    body = {"error": "flysim: ordered", "status": "unknown"} if fault.body is None else fault.body
    if isinstance(body, str):
        return PlainTextResponse(body, status_code=fault.status, headers=fault.headers)
    return JSONResponse(body, status_code=fault.status, headers=fault.headers)


class Wire:
    """Counts what passes; plays back a body that was read before; cuts in the middle of one; swallows an answer."""

    def __init__(
        self, receive: Receive, send: Send, traffic: Traffic, body: bytes | None, cut: Fault | None, *, mute: bool
    ) -> None:
        self._receive = receive
        self._send = send
        self._traffic = traffic
        self._body = body
        self._cut = cut
        self._mute = mute

    async def receive(self) -> Message:
        """The next part of the body."""
        if self._body is not None:
            message: Message = {"type": "http.request", "body": self._body, "more_body": False}
            self._body = None
        else:
            message = await self._receive()
        self._traffic.bytes_in += len(message.get("body", b""))
        if self._cut and self._traffic.bytes_in >= self._cut.after_bytes:
            if self._cut.effect != "cut":
                await asyncio.sleep(self._cut.seconds)
            raise CutError
        return message

    async def send(self, message: Message) -> None:
        """The next part of the answer."""
        if message["type"] == "http.response.start":
            self._traffic.status = message["status"]
        self._traffic.bytes_out += len(message.get("body", b""))
        if not self._mute:
            await self._send(message)


async def drain(receive: Receive) -> None:
    """Read what is left of a request's body: an answer that comes too early may be taken for a broken connection."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return


async def whole_body(receive: Receive, most_bytes: int) -> bytes:
    """The body of a request, all of it. Raises CutError when it is larger than `most_bytes`."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most_bytes:
            raise CutError
        if not message.get("more_body") or message["type"] == "http.disconnect":
            return b"".join(parts)


def parsed(body: bytes) -> dict[str, Any]:
    """A JSON object; an empty one for a body that is empty. Raises ValueError for anything else."""
    said = json.loads(body) if body.strip() else {}
    if not isinstance(said, dict):
        raise ValueError("the body must be a JSON object")  # noqa: TRY004
    return said
