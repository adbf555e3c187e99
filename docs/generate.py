"""Writes docs/tools.md from the tools, docs/clients.md from the words of the front page, docs/faults.md from the rows
that the tests let happen: `make docs`.

A test compares each page with what it is made of.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from code_insight.catalog import Catalog, CatalogLimits
from code_insight.clone_url import ClonePolicy
from code_insight.tools import INSTRUCTIONS, build_server
from code_insight.web.pages.clients import clients
from fastmcp import Client

PAGE = Path(__file__).with_name("tools.md")


async def definitions() -> list[dict[str, Any]]:
    """What `tools/list` answers."""
    with tempfile.TemporaryDirectory() as folder:
        server = build_server(Catalog(Path(folder), CatalogLimits(ClonePolicy(()))), "docs")
        async with Client(server) as client:
            tools = await client.list_tools()
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]


def page(tools: list[dict[str, Any]]) -> str:
    """The page in Markdown."""
    size = -(-sum(len(json.dumps(tool, separators=(",", ":"))) for tool in tools) // 4)
    parts = [
        "# Tools",
        f"Made from the tools by `make docs`. All definitions together cost {round(size, -2):,} tokens (bytes / 4).",
        "What an agent is told at the beginning:",
        "\n".join(f"> {line}" for line in INSTRUCTIONS.splitlines()),
    ]
    parts += [section for tool in tools for section in _tool(tool)]
    return "\n\n".join(parts) + "\n"


def _tool(tool: dict[str, Any]) -> list[str]:
    schema = tool["inputSchema"]
    required = set(schema.get("required", ()))
    rows = [_argument(name, about, name in required) for name, about in schema["properties"].items()]
    kind = "reads only" if tool["annotations"]["readOnlyHint"] else "changes what the server holds"
    table = "\n".join(["| argument | type | default | meaning |", "|---|---|---|---|", *rows])
    return [f"## `{tool['name']}`", tool["description"], f"*{tool['title']}; {kind}.*", table]


def _argument(name: str, about: dict[str, Any], required: bool) -> str:
    kind = " \\| ".join(f"`{value}`" for value in about["enum"]) if "enum" in about else about["type"]
    bounds = [f"{word} {about[key]:,}" for key, word in _BOUNDS.items() if key in about]
    default = "required" if required else f"`{json.dumps(about.get('default'))}`"
    return f"| `{name}` | {', '.join([kind, *bounds])} | {default} | {about.get('description', '')} |"


_BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "minLength": "characters at least",
    "maxLength": "characters at most",
}


FAULTS = Path(__file__).with_name("faults.md")
ABOUT_FAULTS = """\
# What may go wrong in a release, and how it ends

Made by `make docs` of the rows in `tests/deploy/release/faults.py`. `make test` lets every one of them happen, to a
release of the real image by the real commands against [flysim](flysim.md): an app runs one release, verified; then this
goes wrong while another is released. The end must be the one in the table, by each engine; then the test asks the
platform, the registry and the public address itself, and what it finds must be what the release said. An error must say
the next step. Afterwards, with the fault gone, another release must be verified, and the token must be found nowhere:
in nothing that was printed, no file, no error, no argument of a program.

And the process of a release is killed, as by `kill -9`, after each entry that it writes to its ledger, from the first
to the last: of an app's first release, and of a later one by each engine. Each time the next release must take it up,
be verified, and find the ledger whole.

| end | exit code | what it means |
|---|---|---|
| verified | 0 | the new image runs on every machine and answers the public |
| refused | 10 | nothing was changed anywhere |
| untouched | 20 | the release stopped; every machine is as it was, and answers as before |
| rolled back | 30 | the release stopped; what ran before runs again, verified |
| reported | 31, 40 | neither could be proven from here; what each machine runs is told |

A dash: tried with one engine, since the code that decides it is the same for both."""


def faults_page(rows: tuple[Any, ...]) -> str:
    """The page in Markdown."""
    parts = [ABOUT_FAULTS]
    for group in dict.fromkeys(row.group for row in rows):
        lines = [_fault(row) for row in rows if row.group == group]
        parts += [f"## {group}", "\n".join(["| what goes wrong | `machines` | `flyctl` |", "|---|---|---|", *lines])]
    return "\n\n".join(parts) + "\n"


def _fault(row: Any) -> str:
    return f"| {row.wrong} | {row.ends['machines']} | {row.ends.get('flyctl', '–')} |"


def rows() -> tuple[Any, ...]:
    """What may go wrong, as the tests have it."""
    sys.path.insert(0, str(PAGE.parents[1]))
    from tests.deploy.release.faults import ROWS

    return ROWS


CLIENTS = Path(__file__).with_name("clients.md")
ABOUT_CLIENTS = """\
# Connecting clients

Made by `make docs` of the words on the server's front page. There they have the server's own URL; here it is the one of
`make serve`. `tests/smoke/test_clients.py` follows them with the clients that can be installed without an account: it
runs the command, and the client reaches the running container (Claude Code, Codex, Gemini CLI, and the `mcp-remote`
that Claude Desktop starts). The files of Cursor and VS Code are not tried with those programs.

A server asks for a token only where its operator says so ([who may ask](operating.md#who-may-ask)). Afterwards ask your
agent something that it cannot know: *What is local/code-insight, and where does it start?*"""


def clients_page() -> str:
    """The page in Markdown."""
    parts = [ABOUT_CLIENTS]
    for one in clients("http://localhost:8080/mcp"):
        with_token = f"With a token:\n\n```{one.language}\n{one.with_token}\n```"
        parts += [f"## {one.name}", one.steps, f"```{one.language}\n{one.text}\n```", f"Then: {one.check}", with_token]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    CLIENTS.write_text(clients_page(), "utf-8")
    PAGE.write_text(page(asyncio.run(definitions())), "utf-8")
    FAULTS.write_text(faults_page(rows()), "utf-8")
