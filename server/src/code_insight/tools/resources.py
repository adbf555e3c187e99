"""Resources: a repository and its files under addresses that a client can attach; and what completes them."""

from __future__ import annotations

import logging
from collections.abc import Callable

import anyio
import anyio.to_thread
from fastmcp import FastMCP
from fastmcp.exceptions import ResourceError
from mcp_types import Completion, CompletionArgument, CompletionContext, PromptReference, ResourceTemplateReference

from code_insight.catalog import Catalog
from code_insight.errors import InsightError
from code_insight.store import Reader
from code_insight.tools.answers import MOST_BUDGET_TOKENS, Answer, visible
from code_insight.tools.surface import Surface

_REPOSITORY = "insight://{repository}"
_FILE = "insight://{repository}/{path*}"
_MOST = 100  # values of a completion; the protocol allows no more
_NAMED = ("what",)  # arguments of prompts that may be the name of a symbol


def add_resources(server: FastMCP[None], catalog: Catalog, limiter: anyio.CapacityLimiter) -> None:
    """The server offers each repository and each of its files, and completes their names.

    A name with slashes is percent-encoded: insight://github.com%2Fpallets%2Fflask/src/flask/app.py; any end of it that
    only one repository has will do: insight://flask/src/flask/app.py.
    """
    surface = Surface(catalog)

    async def text_of(ask: Callable[[], Answer]) -> str:
        try:
            return (await anyio.to_thread.run_sync(ask, limiter=limiter)).text
        except InsightError as error:
            raise ResourceError(visible(str(error)), log_level=logging.DEBUG) from error

    async def repository(repository: str) -> str:
        """What a repository is: the answer of the tool overview."""
        return await text_of(lambda: surface.overview(repository, budget_tokens=MOST_BUDGET_TOKENS))

    async def file(repository: str, path: str) -> str:
        """The lines of a file, numbered: the answer of the tool read."""
        return await text_of(lambda: surface.read(repository, path, budget_tokens=MOST_BUDGET_TOKENS))

    async def complete(
        _ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion:
        given = (context.arguments if context else None) or {}
        found = await anyio.to_thread.run_sync(
            lambda: _completed(catalog, argument.name, argument.value, given), limiter=limiter
        )
        return Completion(values=found[:_MOST], total=len(found), has_more=len(found) > _MOST)

    server.resource(_REPOSITORY, title="Repository", mime_type="text/plain")(repository)
    server.resource(_FILE, title="File", mime_type="text/plain")(file)
    server.completion(complete)


def _completed(catalog: Catalog, argument: str, value: str, given: dict[str, str]) -> list[str]:
    """What an argument may be, given its beginning and the other arguments; empty where that is not known."""
    if argument == "repository":
        return _like(value, [held.name for held in catalog.repositories()])
    try:
        indexed = catalog.find(given.get("repository", ""))
    except InsightError:
        return []
    with Reader(indexed) as reader:
        if argument == "path":
            return _like(value, [file.path for file in reader.files() if file.blob])
        return _like(value, reader.symbol_names()) if argument in _NAMED and value else []


def _like(value: str, names: list[str]) -> list[str]:
    """The names that have the value in them, whatever its case: at their beginning, after a slash, anywhere."""
    low = value.lower()
    having = [name for name in names if low in name.lower()]
    return sorted(having, key=lambda name: (not name.lower().startswith(low), f"/{low}" not in name.lower(), name))
