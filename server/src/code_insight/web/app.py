"""One ASGI application: MCP at /mcp behind the Host and Origin guard, pages at / and /repositories/."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence

from fastmcp import FastMCP
from mcp_types import INVALID_REQUEST
from sse_starlette.sse import AppStatus
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from code_insight.access import Issuer
from code_insight.catalog import Catalog
from code_insight.tools import build_server
from code_insight.web.pages import page_routes
from code_insight.web.shell import warm

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


def build_app(catalog: Catalog, version: str, allowed_hosts: Sequence[str], issuer: Issuer | None = None) -> Starlette:
    """Pages and MCP over one catalog; `allowed_hosts` are the names under which /mcp may be asked, beside localhost."""
    server = build_server(catalog, version)
    return mounted(server, page_routes(catalog, server, version, issuer), allowed_hosts)


def mounted(server: FastMCP[None], routes: Sequence[BaseRoute], allowed_hosts: Sequence[str]) -> Starlette:
    """An MCP server at /mcp of an application that owns `routes`.

    The guard covers /mcp alone: a health check asks by an address, not by a name. SSE rather than JSON answers, because
    only then does a client that goes away end the work that it asked for.
    """
    AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]  # otherwise a signal cuts the answers that are on their way
    mcp_app = server.http_app(
        path="/mcp",
        stateless_http=True,
        json_response=False,
        host_origin_protection=True,
        allowed_hosts=[*LOCAL_HOSTS, *allowed_hosts],
        allowed_origins=[f"https://{host}" for host in allowed_hosts],
    )

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with mcp_app.lifespan(mcp_app):
            # FastMCP imports 400 modules at a legacy client's first call; better now than then.
            warming = asyncio.create_task(warm(1.0, lambda: server._state_store))  # noqa: SLF001
            yield
            warming.cancel()

    # A route and not a mount: a mount would answer for every path that no page has, and for pages asked with POST.
    return Starlette(routes=[Route("/mcp", endpoint=_PlainErrors(mcp_app)), *routes], lifespan=lifespan)


class _PlainErrors:
    """The MCP application, which tells who sends no JSON-RPC so in one sentence, and not in pydantic's words."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {}
        body = b""

        async def plainly(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and message["status"] == 400:
                start = message
                return
            if start and message["type"] == "http.response.body":
                body += message.get("body", b"")
                if message.get("more_body"):
                    return
                start, message = _plain(start, body)
                await send(start)
            await send(message)

        await self._app(scope, receive, plainly)


def _plain(start: Message, body: bytes) -> tuple[Message, Message]:
    if b"pydantic" in body:
        error = {"code": INVALID_REQUEST, "message": "That is not one JSON-RPC request or notification."}
        body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()
        kept = [header for header in start["headers"] if header[0].lower() != b"content-length"]
        start = {**start, "headers": [*kept, (b"content-length", str(len(body)).encode())]}
    return start, {"type": "http.response.body", "body": body}
