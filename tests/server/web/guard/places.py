"""Places: a small application behind the guard, at a real port."""

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import uvicorn
from code_insight.web.guard.asking import Guard, GuardLimits
from code_insight.web.guard.connections import ConnectionLimits, protocol

SECRET = "the words of a secret"


class Application:
    """/echo gives the body back, /wait answers when it is told to, /large is long, and /broken is."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.waiting = 0
        self.left = 0  # those that went away while they waited
        self._may_end: asyncio.Event | None = None

    def release(self) -> None:
        """All that waits is answered."""
        assert self.loop
        assert self._may_end
        self.loop.call_soon_threadsafe(self._may_end.set)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.loop = asyncio.get_running_loop()
        self._may_end = self._may_end or asyncio.Event()
        body = b""
        match scope["path"]:
            case "/wait":
                self.waiting += 1
                try:
                    await self._may_end.wait()
                finally:
                    self.waiting -= 1
            case "/large":
                body = b"x" * (8 << 20)
            case "/broken":
                logging.getLogger("application").warning("about to break")
                raise RuntimeError(SECRET)
            case _:
                body = (await receive())["body"]
        headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Door:
    """The port of an application, and raw connections to it."""

    def __init__(self, port: int, application: Application, server: uvicorn.Server) -> None:
        self.port, self.application, self._server = port, application, server

    @property
    def connections(self) -> int:
        return len(self._server.server_state.connections)

    def connect(self, data: bytes = b"") -> socket.socket:
        """A connection over which `data` has been sent."""
        made = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        made.sendall(data)
        return made

    def ask(self, data: bytes) -> bytes:
        """All that is answered until the other side closes."""
        with self.connect(data) as connection:
            return all_of(connection)


def all_of(connection: socket.socket) -> bytes:
    """What is received until the other side closes, or resets."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(1 << 16):
            found += part
    return found


def wait_until(claim: Any, seconds: float = 10.0) -> None:
    """`claim()` is true now; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def get(path: str, *headers: str, close: bool = True) -> bytes:
    """A request without a body."""
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", *headers, *(["Connection: close"] if close else [])]
    return "\r\n".join([*lines, "", ""]).encode()


@contextlib.contextmanager
def door(
    limits: GuardLimits | None = None,
    connections: ConnectionLimits | None = None,
    *,
    is_on_fly: bool = False,
    observer: Any = None,
) -> Iterator[Door]:
    """An application behind a guard while the context lasts."""
    application = Application()
    guard = Guard(application, limits or GuardLimits(), is_on_fly=is_on_fly, observer=observer)
    config = uvicorn.Config(
        guard,
        http=protocol(connections or ConnectionLimits()),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        wait_until(lambda: server.started)
        try:
            yield Door(listening.getsockname()[1], application, server)
        finally:
            server.should_exit = True
            thread.join(10)
