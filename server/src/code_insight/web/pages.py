"""The landing page and a page for each repository: plain HTML, no script needed, nothing from elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from fastmcp import FastMCP
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from code_insight.catalog import Catalog
from code_insight.errors import InsightError, NotFound
from code_insight.store import IndexedCommit, Reader
from code_insight.tools.answers import day
from code_insight.tools.surface import Surface

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).parent
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


def page_routes(catalog: Catalog, server: FastMCP[None], version: str) -> list[BaseRoute]:
    """The routes of all pages."""
    pages = _Pages(catalog, server, version)
    compressed = [Middleware(GZipMiddleware, minimum_size=1_000)]
    return [
        Route("/", pages.landing, middleware=compressed),
        Route("/repositories/{name:path}", pages.repository, middleware=compressed),
        Route("/robots.txt", _robots),
        Mount("/static", app=_Static(directory=_HERE / "static")),
        Route("/{path:path}", pages.missing, middleware=compressed),
    ]


class _Pages:
    def __init__(self, catalog: Catalog, server: FastMCP[None], version: str) -> None:
        self._catalog, self._server, self._version = catalog, server, version

    async def landing(self, request: Request) -> Response:
        """What this is, what it knows, how to connect, which questions it answers."""
        known = await anyio.to_thread.run_sync(lambda: [_row(indexed) for indexed in self._catalog.newest()])
        tools = await self._server.list_tools()
        origin = f"{request.url.scheme}://{request.url.netloc}"
        return self._page(
            request,
            "landing.html",
            repositories=known,
            tools=[_tool(tool.name, tool.description or "") for tool in tools],
            mcp_url=f"{origin}/mcp",
        )

    async def repository(self, request: Request) -> Response:
        """One repository at a glance: the overview that an agent gets."""
        name = request.path_params["name"]
        surface = Surface(self._catalog)
        try:
            indexed = await anyio.to_thread.run_sync(self._catalog.find, name)
            answer = await anyio.to_thread.run_sync(lambda: surface.overview(name, budget_tokens=8_000))
        except NotFound as error:
            return self._page(request, "missing.html", status=404, problem=error.problem, next_step=error.next_step)
        except InsightError as error:
            raise HTTPException(503, str(error)) from error
        text = answer.text.partition("\n\n")[2]
        return self._page(request, "repository.html", repository=_row(indexed), overview=text)

    async def missing(self, request: Request) -> Response:
        """What there is instead of a page that there is not."""
        problem = f"There is no page {request.url.path[:200]} here."
        return self._page(request, "missing.html", status=404, problem=problem, next_step="Begin at the front page.")

    def _page(self, request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
        html = _templates().get_template(template).render(version=self._version, **values)
        tag = f'W/"{hashlib.sha256(html.encode()).hexdigest()[:32]}"'  # weak: the same whether compressed or not
        headers = {**_HEADERS, "etag": tag, "cache-control": "no-cache", "vary": "Host"}
        known = [part.strip() for part in request.headers.get("if-none-match", "").split(",")]
        if status == 200 and tag in known:
            return Response(status_code=304, headers=headers)
        return HTMLResponse(html, status, headers)


class _Static(StaticFiles):
    """Files that a browser may keep for an hour."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update({**_HEADERS, "cache-control": "public, max-age=3600"})
        return response


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # only browsers need it

    loader = FileSystemLoader(_HERE / "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _row(indexed: IndexedCommit) -> Mapping[str, Any]:
    with Reader(indexed) as reader:
        files, _, symbols = reader.totals()
        languages = [(name, lines) for name, _, lines in reader.languages() if name]
    total = sum(lines for _, lines in languages) or 1
    return {
        "name": indexed.repository.name,
        "is_local": indexed.repository.name.startswith("local/"),
        "url": indexed.repository.url,
        "commit": indexed.commit.oid,
        "subject": indexed.commit.subject,
        "day": day(indexed.commit.time),
        "files": files,
        "symbols": symbols,
        "lines": sum(lines for _, lines in languages),
        "languages": [
            {"name": name, "percent": round(100 * lines / total)}
            for name, lines in languages[:5]
            if lines * 100 >= total
        ],
    }


def _tool(name: str, description: str) -> Mapping[str, str]:
    question, _, rest = " ".join(description.split()).partition(". ")
    return {"name": name, "question": question.rstrip("."), "rest": rest}


async def _robots(_request: Request) -> Response:
    return PlainTextResponse("User-agent: *\nAllow: /$\nDisallow: /\n", headers=_HEADERS)
