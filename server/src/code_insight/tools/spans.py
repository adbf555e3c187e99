"""What the span of a request says of MCP: the method, the tool, how it ended; never what was asked."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import ToolResult
from mcp_types.version import KNOWN_PROTOCOL_VERSIONS

from code_insight import tracing
from code_insight.tracing import Attribute, Value

_METHODS = frozenset(
    {
        "completion/complete",
        "initialize",
        "ping",
        "prompts/get",
        "prompts/list",
        "resources/list",
        "resources/read",
        "resources/templates/list",
        "server/discover",
        "tools/call",
        "tools/list",
    }
)


class Spans(Middleware):
    """Names the span of each request as OpenTelemetry's conventions for MCP do: "tools/call overview"."""

    def __init__(self, tools: Collection[str]) -> None:
        self._tools = frozenset(tools)

    async def on_request(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        asked = context.fastmcp_context and context.fastmcp_context.request_context
        method = context.method if context.method in _METHODS else "other"
        tool = getattr(context.message, "name", "") if method == "tools/call" else ""
        about: dict[Attribute, Value] = {Attribute.METHOD: method}
        if tool in self._tools:
            about |= {Attribute.TOOL: tool, Attribute.OPERATION: "execute_tool"}
        if (version := getattr(asked, "protocol_version", "")) in KNOWN_PROTOCOL_VERSIONS:
            about[Attribute.PROTOCOL] = version
        # A page that asks a tool is no request of MCP, and keeps its name.
        tracing.note(about, (f"{method} {tool}" if tool in self._tools else method) if asked else "")
        try:
            result = await call_next(context)
        except Exception as error:
            tracing.note({Attribute.ERROR: type(error).__name__})
            raise
        if isinstance(result, ToolResult) and result.is_error:
            said = (result.structured_content or {}).get("error", {})
            tracing.note({Attribute.ERROR: "tool_error", Attribute.ERROR_CODE: said.get("code", "internal")})
        return result
