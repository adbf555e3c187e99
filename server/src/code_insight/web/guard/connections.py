"""Connections: a request arrives in time, an answer is taken in time, and who is idle makes room for who is not.

uvicorn has a deadline for idle connections only. Half a header, or half a body, would keep its place for ever, and
`limit_concurrency` counts such connections too: a hundred of them would lock everybody out.
"""

from __future__ import annotations

import asyncio
import functools
from dataclasses import dataclass
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 25\r\n"
    b"content-type: text/plain; charset=utf-8\r\n\r\nAll connections are busy."
)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one connection may take, and how many there may be."""

    connections: int = 256
    receive_seconds: float = 10.0  # for a request to arrive whole
    send_seconds: float = 30.0  # for an answer that waits to be read to move on


def protocol(limits: ConnectionLimits) -> Any:
    """What uvicorn makes a connection with; for its option `http`."""
    return functools.partial(_Bounded, limits)


class _Bounded(H11Protocol):
    """HTTP/1.1 on one connection."""

    def __init__(self, limits: ConnectionLimits, *args: Any, **about: Any) -> None:
        super().__init__(*args, **about)
        self._limits = limits
        self._arriving: asyncio.TimerHandle | None = None  # runs while a request is not here as a whole
        self._stuck: asyncio.TimerHandle | None = None  # runs while the other side does not read
        self.idle_since = self.loop.time()

    @property
    def is_idle(self) -> bool:
        """Whether nobody works for it: no request is here as a whole, or its answer has been given."""
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections and not self._make_room():
            transport.write(_REFUSAL)
            transport.close()
        else:
            self._expect()

    def _make_room(self) -> bool:
        """Whether the connection that has been idle longest is closed, for another one."""
        idle = [other for other in self.connections if isinstance(other, _Bounded) and other is not self]
        idle = [other for other in idle if other.is_idle]
        if not idle:
            return False
        longest = min(idle, key=lambda other: other.idle_since)
        longest.transport.abort()
        self.connections.discard(longest)  # uvicorn hears of it a moment later
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_no_more()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._expect()
        super().data_received(data)

    def handle_events(self) -> None:
        super().handle_events()
        state = self.conn.their_state
        if state is h11.SEND_BODY:  # also of a request that came in one packet with the one before it
            self._expect()
        elif state is not h11.IDLE:
            self._expect_no_more()

    def on_response_complete(self) -> None:
        self.idle_since = self.loop.time()
        super().on_response_complete()

    def _expect(self) -> None:
        if self._arriving is None:
            self._arriving = self.loop.call_later(self._limits.receive_seconds, self._too_late)

    def _expect_no_more(self) -> None:
        if self._arriving is not None:
            self._arriving.cancel()
            self._arriving = None

    def _too_late(self) -> None:
        """The request has not come in time: that is said where no answer has begun, and the connection ends."""
        if self.transport.is_closing():
            return
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers = [("connection", "close"), ("content-length", "0")]
            for event in (
                h11.Response(status_code=408, headers=headers, reason=b"Request Timeout"),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stuck is None:
            self._stuck = self.loop.call_later(self._limits.send_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None
