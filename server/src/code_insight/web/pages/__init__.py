"""The pages for browsers: HTML made here, nothing from elsewhere, and no script that is needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
from fastmcp import FastMCP
from starlette.convertors import Convertor, register_url_convertor
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from code_insight.access import Issuer
from code_insight.catalog import Catalog
from code_insight.errors import InsightError, NotFound, StorageFailed, TookTooLong
from code_insight.model import HistoryEnd
from code_insight.queries import spots
from code_insight.store import IndexedCommit
from code_insight.tools.answers import visible
from code_insight.web import resource
from code_insight.web.pages import landing, neighbours, repository, source
from code_insight.web.pages.addresses import Addresses, Asked, parted, revision_of
from code_insight.web.pages.clients import clients
from code_insight.web.pages.places import Place
from code_insight.web.pages.serving import HEADERS, WEB, Moved, Page, Renderer, answer, is_known, tag_of

_AT_ONCE = 3  # pages that are made; each holds a thread and a connection
_YEAR, _HOUR = 31_536_000, 3_600
_WHOLE = (HistoryEnd.ROOT, HistoryEnd.BOUND)  # histories that grow no more
_STATUSES: Mapping[type[InsightError], int] = {NotFound: 404, StorageFailed: 503, TookTooLong: 503}
T = TypeVar("T")

View = Callable[[Place], Page | Moved]
_VIEWS: Mapping[str, View] = {
    "": repository.repository,
    "tree": repository.tree,
    "file": source.file,
    "symbol": source.symbol,
    "dependencies": repository.dependencies,
    "commits": repository.commits,
    "skipped": repository.skipped,
    "search": repository.found,
}


def page_routes(catalog: Catalog, server: FastMCP[None], version: str, issuer: Issuer | None = None) -> list[BaseRoute]:
    """The routes of all pages, and of what tells who issues tokens if somebody does."""
    pages = _Pages(catalog, server, version)
    static = Mount("/static", app=_Static(directory=WEB / "static"), middleware=[Middleware(GZipMiddleware)])
    return [
        Route("/", pages.front),
        Route("/try", pages.tried),
        Route("/try/{tool}", pages.tried),
        Route("/repositories/{rest:rest}", pages.repository),
        Route("/llms.txt", pages.llms),
        Route("/robots.txt", _robots),
        Route("/favicon.ico", _favicon),
        Route("/server.json", pages.server_json),
        Route("/mcp/server-card", pages.server_card),
        Route("/.well-known/ai-catalog.json", pages.ai_catalog),
        *_who_issues_tokens(issuer),
        static,
        Route("/{rest:rest}", pages.missing),
    ]


class _Rest(Convertor[str]):
    """The rest of a URL's path; Starlette's own ends at a line feed, which a file's name may have."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("rest", _Rest())


class _Pages:
    def __init__(self, catalog: Catalog, server: FastMCP[None], version: str) -> None:
        self._catalog, self._server, self._version = catalog, server, version
        self._renderer = Renderer(version)
        self._sample: landing.Sample | None = None
        self._limiter = anyio.CapacityLimiter(_AT_ONCE)

    async def front(self, request: Request) -> Response:
        """What this is, what it knows, how to connect, which questions it answers."""
        rows = await self._in_thread(self._rows)
        levels = await landing.levels(self._server)
        mcp_url = f"{_origin(request)}/mcp"
        tries = [question for level in levels for question in level.questions if question.may_be_tried]
        example = rows[0] if rows else None
        self._sample = sample = await landing.sample(self._server, rows, self._sample)
        values = {
            "rows": rows,
            "sample": sample,
            "levels": levels,
            "mcp_url": mcp_url,
            "clients": clients(mcp_url),
            "tries": [(question, landing.fields(question, {}, example)) for question in tries],
        }
        return await self._page(request, Page("landing.html", values))

    async def tried(self, request: Request) -> Response:
        """A question, asked of a tool through a form, with the answer that an agent gets."""
        levels = await landing.levels(self._server)
        tries = [question for level in levels for question in level.questions if question.may_be_tried]
        name = request.path_params.get("tool", "overview")
        question = next((question for question in tries if question.name == name), None)
        if question is None:
            error = NotFound(
                f"No tool '{name[:80]}' can be tried here.", f"These can: {', '.join(t.name for t in tries)}."
            )
            return await self._missing(request, error)
        rows = await self._in_thread(self._rows)
        given = {key: value[:2_000] for key, value in list(request.query_params.items())[:20]}
        url = f"{_origin(request)}/mcp"
        values = {
            "question": question,
            "tries": tries,
            "rows": rows,
            "fields": landing.fields(question, given, rows[0] if rows else None),
            "tried": await landing.ask(self._server, question, given, url) if given else None,
        }
        return await self._page(request, Page("try.html", values))

    async def repository(self, request: Request) -> Response:
        """A page of a repository; the same URL and commit give the same page, which is kept."""
        try:
            asked, indexed = await self._in_thread(partial(self._asked, request.path_params["rest"]))
        except InsightError as error:
            return await self._missing(request, error)
        try:
            place = await self._in_thread(partial(self._place, asked, indexed, request.query_params))
            return await self._of_commit(request, asked.view, place)
        except InsightError as error:
            return await self._missing(request, error, indexed, asked.path.rpartition("/")[2])

    def _asked(self, rest: str) -> tuple[Asked, IndexedCommit]:
        """The first reading of the URL whose repository is held; raises what is said of the first one otherwise."""
        refused: NotFound | None = None
        for asked in parted(rest):
            try:
                return asked, self._catalog.find(asked.repository)
            except NotFound as error:
                refused = refused or error
        raise refused or NotFound("No repository is named.", "Begin at the front page.")

    def _place(self, asked: Asked, indexed: IndexedCommit, query: Mapping[str, str]) -> Place:
        name = indexed.repository.name
        at = Addresses(name, revision_of(asked.repository, name))
        return Place(indexed, self._catalog.find(name), at, asked.path, dict(query), spots.seen(indexed))

    async def _of_commit(self, request: Request, view: str, place: Place) -> Response:
        if view not in _VIEWS:
            raise repository.no_such_view(view)
        tag = tag_of(place.indexed, place.newest.commit.oid, place.seen, str(request.url))
        is_final = place.at.revision == place.indexed.commit.oid and place.seen.end in _WHOLE
        seconds = _HOUR if is_final else 0
        body = b"" if is_known(request, tag) else self._renderer.kept(tag)
        if body is None:
            page = await self._in_thread(partial(_VIEWS[view], place))
            if isinstance(page, Moved):
                return RedirectResponse(page.location, 302, HEADERS)
            body = await self._in_thread(partial(self._renderer.html, request, page))
            self._renderer.keep(tag, body)
        return answer(request, body, tag, seconds=seconds)

    async def missing(self, request: Request) -> Response:
        """What there is instead of a page that there is not."""
        error = NotFound(f"There is no page {request.url.path[:200]} here.", "Begin at the front page.")
        return await self._missing(request, error)

    async def _missing(
        self, request: Request, error: InsightError, indexed: IndexedCommit | None = None, sought: str = ""
    ) -> Response:
        at = Addresses(indexed.repository.name) if indexed else None
        values = {"problem": error.problem, "next_step": error.next_step, "at": at, "sought": sought}
        return await self._page(request, Page("missing.html", values, _STATUSES.get(type(error), 400)))

    async def _page(self, request: Request, page: Page) -> Response:
        body = await self._in_thread(partial(self._renderer.html, request, page))
        return answer(request, body, tag_of(body), status=page.status)

    def _rows(self) -> list[landing.Row]:
        return [landing.row(indexed) for indexed in self._catalog.newest()]

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._limiter)

    async def llms(self, request: Request) -> Response:
        """What a language model should know of this server."""
        rows, levels = await self._in_thread(self._rows), await landing.levels(self._server)
        return PlainTextResponse(visible(neighbours.llms_txt(_origin(request), rows, levels)), headers=HEADERS)

    async def server_json(self, request: Request) -> Response:
        """The entry for the MCP registry."""
        return _document(neighbours.server_json(_origin(request), self._version), "application/json")

    async def server_card(self, request: Request) -> Response:
        """Who this server is, for who wants to know it before connecting."""
        return _document(neighbours.server_card(_origin(request), self._version), "application/mcp-server-card+json")

    async def ai_catalog(self, request: Request) -> Response:
        """Where the card is."""
        return _document(neighbours.catalog(_origin(request)), "application/ai-catalog+json")


class _Static(StaticFiles):
    """Files that a browser may keep: for ever where the URL names their content, else for an hour."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        caching = f"public, max-age={_YEAR}, immutable" if scope["query_string"] else f"public, max-age={_HOUR}"
        response.headers.update({**HEADERS, "cache-control": caching})
        return response


def _origin(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"


def _document(value: Mapping[str, Any], media_type: str) -> Response:
    """JSON that a page of any origin may read: it says nothing that is not public."""
    anywhere = {"access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin"}
    headers = {**HEADERS, **anywhere, "cache-control": f"public, max-age={_HOUR}", "vary": "Host"}
    return Response(json.dumps(value, indent=2), headers=headers, media_type=media_type)


def _who_issues_tokens(issuer: Issuer | None) -> list[BaseRoute]:
    url = resource.metadata_url(issuer)
    if not issuer or not url:
        return []

    async def metadata(_request: Request) -> Response:
        return _document(resource.metadata(issuer), "application/json")

    return [Route(urlsplit(url).path, metadata)]


async def _robots(_request: Request) -> Response:
    return PlainTextResponse(neighbours.ROBOTS, headers=HEADERS)


async def _favicon(_request: Request) -> Response:
    return FileResponse(WEB / "static" / "favicon.ico", headers={**HEADERS, "cache-control": f"max-age={_HOUR}"})
