"""The outermost ASGI application: answers `/info` at once, and everything else when the rest is loaded.

Importing an MCP server takes most of a second of CPU; a machine that Fly has just started must say who it is before
that. So the port is bound first, and the application is imported in a thread beside the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from code_insight.web.info import Identity, Readiness, payload, response

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_log = logging.getLogger(__name__)


class Shell:
    """An ASGI application around one that takes long to import.

    `load` runs in a thread and returns the application; `failed` is called when it raises.
    """

    def __init__(
        self,
        identity: Identity,
        readiness: Readiness,
        load: Callable[[], Any],
        repositories: Callable[[], list[dict[str, str]]],
        failed: Callable[[], None],
    ) -> None:
        self._identity, self._readiness = identity, readiness
        self._load, self._repositories, self._failed = load, repositories, failed
        self._loaded = asyncio.Event()
        self._stopping = asyncio.Event()
        self._app: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http" and scope["path"] == "/info" and scope["method"] in ("GET", "HEAD"):
            await self._info(scope, send)
        elif scope["type"] == "http":
            await self._loaded.wait()
            await self._app(scope, receive, send)

    async def _info(self, scope: Scope, send: Send) -> None:
        described = (self._identity, self._readiness, self._repositories)
        # Until there are indexes to read, a thread would only wait for the one that imports.
        body = await asyncio.to_thread(payload, *described) if self._readiness.is_loaded else payload(*described)
        asked = scope["query_string"].split(b"&")
        status, headers, encoded = response(body, must_be_ready=b"ready" in asked or b"ready=" in asked)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else encoded})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        running = asyncio.create_task(self._run())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._stopping.set()
        await running
        await send({"type": "lifespan.shutdown.complete"})

    async def _run(self) -> None:
        """The application, from its import to its end."""
        try:
            self._app = await asyncio.to_thread(_without_collecting, self._load)
        except Exception:
            _log.exception("The server could not be loaded.")
            self._failed()
            return
        async with self._app.router.lifespan_context(self._app):
            self._readiness.is_loaded = True
            self._loaded.set()
            await self._stopping.wait()


def _without_collecting(load: Callable[[], Any]) -> Any:
    """What `load` returns. What it has made lives for ever, so the collector need not look at it: a tenth of the
    start, and a third of the CPU of a busy server."""
    gc.disable()
    try:
        return load()
    finally:
        gc.freeze()
        gc.set_threshold(20_000, 50, 100)
        gc.enable()


async def warm(later_seconds: float, work: Callable[[], object]) -> None:
    """`work` has been done in a thread, a little later; what it raises does not matter."""
    await asyncio.sleep(later_seconds)
    with contextlib.suppress(Exception):
        await asyncio.to_thread(work)
