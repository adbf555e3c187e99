"""Writes docs/tools.md from the tools themselves: `make docs`. A test compares the two."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from code_insight.catalog import Catalog, CatalogLimits
from code_insight.clone_url import ClonePolicy
from code_insight.tools import INSTRUCTIONS, build_server
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


if __name__ == "__main__":
    PAGE.write_text(page(asyncio.run(definitions())), "utf-8")
