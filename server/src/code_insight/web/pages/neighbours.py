"""What programs read beside the pages: llms.txt, robots.txt, the server's card, its entry for the MCP registry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from code_insight.web.pages.clients import NAME
from code_insight.web.pages.landing import PROTOCOL_VERSIONS, Level, Row

TITLE = "Code Insight MCP"
SENTENCE = "Answers coding agents' questions about git repositories: what, where, who uses it, which commit."
ROBOTS = "User-agent: *\nAllow: /$\nAllow: /llms.txt\nAllow: /static/\nDisallow: /\n"
_SCHEMAS = "https://static.modelcontextprotocol.io/schemas"


def llms_txt(origin: str, rows: Iterable[Row], levels: Iterable[Level]) -> str:
    """What a language model should know of this server (https://llmstxt.org)."""
    lines = [
        f"# {TITLE}",
        "",
        f"> {SENTENCE}",
        "",
        f"MCP endpoint (Streamable HTTP, no key): {origin}/mcp",
        "Every answer names the commit it speaks of and fits a token budget.",
        "",
        "## Tools",
        "",
        *(f"- `{one.name}`: {one.question}" for level in levels for one in level.questions),
        "",
        "## Repositories",
        "",
        *(f"- [{row.name}]({origin}{row.at.repository}): {row.files:,} files, {row.lines:,} lines" for row in rows),
        "",
        "## Optional",
        "",
        f"- [Try a question]({origin}/try): the answer as an agent gets it",
        f"- [State of the server]({origin}/info): version, repositories and commits as JSON",
    ]
    return "\n".join(lines) + "\n"


def server_json(origin: str, version: str) -> dict[str, Any]:
    """The entry for the MCP registry (server.json of 2025-12-11)."""
    return {
        "$schema": f"{_SCHEMAS}/2025-12-11/server.schema.json",
        **_identity(origin, version),
        "remotes": [{"type": "streamable-http", "url": f"{origin}/mcp"}],
    }


def server_card(origin: str, version: str) -> dict[str, Any]:
    """The server's card (SEP-2127): who it is and where it listens, without its tools."""
    remote = {"type": "streamable-http", "url": f"{origin}/mcp", "supportedProtocolVersions": list(PROTOCOL_VERSIONS)}
    return {
        "$schema": f"{_SCHEMAS}/v1/server-card.schema.json",
        **_identity(origin, version),
        "remotes": [remote],
    }


def catalog(origin: str) -> dict[str, Any]:
    """Where the card is, for who knows only the host (AI Catalog 1.0)."""
    entry = {
        "identifier": f"urn:air:{_host(origin)}:mcp:{NAME}",
        "type": "application/mcp-server-card+json",
        "url": f"{origin}/mcp/server-card",
    }
    return {"specVersion": "1.0", "entries": [entry]}


def _identity(origin: str, version: str) -> dict[str, Any]:
    return {
        "name": f"{'.'.join(reversed(_host(origin).split('.')))}/{NAME}",
        "title": TITLE,
        "description": SENTENCE,
        "version": version,
        "websiteUrl": origin,
        "icons": [
            {"src": f"{origin}/static/icon.svg", "mimeType": "image/svg+xml", "sizes": ["any"]},
            {"src": f"{origin}/static/touch.png", "mimeType": "image/png", "sizes": ["180x180"]},
        ],
    }


def _host(origin: str) -> str:
    """The host's name, in the characters that a registry allows."""
    host = urlsplit(origin).hostname or "localhost"
    return "".join(c for c in host if c.isascii() and (c.isalnum() or c in ".-")) or "localhost"
