"""How each client is connected: the words of the front page and of docs/clients.md, which tests follow."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

NAME = "code-insight"
_TOKEN = {"headers": {"Authorization": "Bearer <token>"}}


@dataclass(frozen=True, slots=True)
class Client:
    """How one client is connected."""

    name: str
    steps: str
    text: str  # to be copied
    check: str  # how one sees that it is connected
    with_token: str  # the same, for a server that asks for a token
    language: str = "json"  # of both texts
    link: str = ""  # that installs it at once
    link_text: str = ""


def clients(url: str) -> list[Client]:
    """How each client is connected to the server at `url`."""
    return [*_in_a_terminal(url), *_by_file(url)]


def _in_a_terminal(url: str) -> list[Client]:
    bearer = '--header "Authorization: Bearer <token>"'
    claude = f"claude mcp add --transport http {NAME} {url}"
    codex = f"codex mcp add {NAME} --url {url}"
    gemini = f"gemini mcp add --transport http {NAME} {url}"
    return [
        Client(
            "Claude Code",
            "In a terminal, in the folder of your project:",
            claude,
            "`claude mcp list` says Connected; in a session, `/mcp` lists the tools.",
            f"{claude} {bearer}",
            "sh",
        ),
        Client(
            "Codex",
            "In a terminal:",
            codex,
            "`codex mcp list` has it; in a session, `/mcp` lists the tools.",
            f"{codex} --bearer-token-env-var CODE_INSIGHT_TOKEN",
            "sh",
        ),
        Client(
            "Gemini CLI",
            "In a terminal, in the folder of your project, which Gemini must trust:",
            gemini,
            "`gemini mcp list` says Connected; in a session, `/mcp` lists the tools.",
            f"{gemini} {bearer}",
            "sh",
        ),
    ]


def _by_file(url: str) -> list[Client]:
    remote = ["-y", "mcp-remote", url]
    with_token = [*remote, "--header", "Authorization: Bearer <token>"]
    plain = {"type": "http", "url": url}
    return [
        Client(
            "Claude Desktop",
            "Settings, Connectors, Add custom connector, with the URL; or, for a server that only your own machine"
            " reaches, in claude_desktop_config.json (Settings, Developer, Edit Config), with Node.js installed:",
            _json("mcpServers", {"command": "npx", "args": remote}),
            "After a restart the tools are listed under + in a new chat.",
            _json("mcpServers", {"command": "npx", "args": with_token}),
        ),
        Client(
            "Cursor",
            "With one click, or in ~/.cursor/mcp.json, or .cursor/mcp.json in a project:",
            _json("mcpServers", {"url": url}),
            "Cursor Settings, MCP, lists the tools.",
            _json("mcpServers", {"url": url, **_TOKEN}),
            link=f"cursor://anysphere.cursor-deeplink/mcp/install?name={NAME}&config={_base64({'url': url})}",
            link_text="Add to Cursor",
        ),
        Client(
            "VS Code",
            "With one click, or in .vscode/mcp.json:",
            _json("servers", plain),
            "The command MCP: List Servers shows it running; the chat's tools, in agent mode, have those of it.",
            _json("servers", {**plain, **_TOKEN}),
            link=f"vscode:mcp/install?{quote(json.dumps({'name': NAME, **plain}), safe='')}",
            link_text="Add to VS Code",
        ),
        Client(
            "Any other",
            "The transport is Streamable HTTP; this is the form that most clients read:",
            _json("mcpServers", plain),
            "The client lists the tools of code-insight.",
            _json("mcpServers", {**plain, **_TOKEN}),
        ),
    ]


def _json(key: str, server: Mapping[str, object]) -> str:
    return json.dumps({key: {NAME: server}}, indent=2)


def _base64(value: dict[str, str]) -> str:
    return quote(base64.b64encode(json.dumps(value).encode()).decode(), safe="")
