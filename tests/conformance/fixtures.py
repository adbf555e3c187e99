"""What the conformance suites ask a server for, behind the application, guard and connections of the product.

Runs as a program; its argument is the port.
"""

import base64
import json
import struct
import sys
import zlib
from typing import Annotated, Any

import uvicorn
from code_insight.web.app import mounted
from code_insight.web.guard.asking import Guard, GuardLimits
from code_insight.web.guard.connections import ConnectionLimits, protocol
from fastmcp import Context, FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.prompts import Message
from fastmcp.tools import ToolResult
from fastmcp.tools.function_tool import FunctionTool
from mcp.shared.exceptions import MCPError
from mcp_types import (
    AudioContent,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    EmbeddedResource,
    ImageContent,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
    TextResourceContents,
)
from mcp_types.jsonrpc import MISSING_REQUIRED_CLIENT_CAPABILITY
from pydantic import Field

server: FastMCP[None] = FastMCP("conformance", version="0", dereference_schemas=False, mask_error_details=True)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


_PNG = (
    b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    + _chunk(b"IDAT", zlib.compress(b"\0\xff\0\0"))
    + _chunk(b"IEND", b"")
)
_WAV = b"RIFF" + struct.pack("<I4s4sIHHIIHH4sIH", 38, b"WAVE", b"fmt ", 16, 1, 1, 8_000, 16_000, 2, 16, b"data", 2, 0)
_IMAGE = ImageContent(type="image", data=_encoded(_PNG), mime_type="image/png")


def _text(text: str) -> TextContent:
    return TextContent(type="text", text=text)


def _embedded(uri: str, mime_type: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


# Tools.


@server.tool(output_schema=None)
def test_simple_text() -> str:
    """A text."""
    return "This is a simple text response for testing."


@server.tool(output_schema=None)
def test_image_content() -> ToolResult:
    """A picture of one red point."""
    return ToolResult(content=[_IMAGE])


@server.tool(output_schema=None)
def test_audio_content() -> ToolResult:
    """A moment of silence."""
    return ToolResult(content=[AudioContent(type="audio", data=_encoded(_WAV), mime_type="audio/wav")])


@server.tool(output_schema=None)
def test_embedded_resource() -> ToolResult:
    """A resource within the answer."""
    return ToolResult(content=[_embedded("test://embedded-resource", "text/plain", "This is embedded.")])


@server.tool(output_schema=None)
def test_multiple_content_types() -> ToolResult:
    """A text, a picture and a resource."""
    resource = _embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}')
    return ToolResult(content=[_text("Multiple content types test:"), _IMAGE, resource])


@server.tool(output_schema=None)
def test_error_handling() -> str:
    """An error that the caller may read."""
    raise ToolError("This tool intentionally returns an error for testing")


@server.tool(output_schema=None)
async def test_tool_with_progress(ctx: Context) -> str:
    """Three steps of progress."""
    for step in (0, 50, 100):
        await ctx.report_progress(step, 100)
    return "done"


@server.tool(output_schema=None)
async def test_tool_with_logging(ctx: Context) -> str:
    """Three messages, which clients of the older protocol read."""
    for message in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.session.send_log_message(level="info", data=message, logger=None, related_request_id=ctx.request_id)
    return "done"


def _address(name: str = "", address: dict[str, str] | None = None) -> str:
    """Takes what its schema says."""
    return f"{name} {address}"


_ADDRESS = {"type": "object", "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}
server.add_tool(
    FunctionTool(
        fn=_address,
        name="json_schema_2020_12_tool",
        description="A tool whose schema refers to its own definitions.",
        parameters={
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "$defs": {"address": _ADDRESS},
            "properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"}},
            "additionalProperties": False,
        },
    )
)


# Tools that need an answer of their client first (2026-07-28).


def _form(message: str, name: str, kind: str = "string") -> ElicitRequest:
    schema = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _sampling(question: str, tokens: int = 100) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=_text(question))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=tokens))


def _has(ctx: Context, key: str, field: str = "") -> bool:
    """Whether the client has answered a request, and with this field in its form."""
    given = (ctx.input_responses or {}).get(key)
    if not field:
        return given is not None
    return isinstance(given, ElicitResult) and given.action == "accept" and field in (given.content or {})


def _answered(ctx: Context, key: str) -> str:
    return json.dumps((ctx.input_responses or {})[key].model_dump(mode="json", by_alias=True, exclude_none=True))


@server.tool(output_schema=None)
def test_input_required_result_elicitation(ctx: Context) -> str | InputRequiredResult:
    """Asks for a name."""
    if _has(ctx, "user_name", "name"):
        return f"Hello, {_answered(ctx, 'user_name')}!"
    return InputRequiredResult(input_requests={"user_name": _form("What is your name?", "name")})


@server.tool(output_schema=None)
def test_input_required_result_sampling(ctx: Context) -> str | InputRequiredResult:
    """Asks the client's model."""
    if _has(ctx, "capital_question"):
        return _answered(ctx, "capital_question")
    return InputRequiredResult(input_requests={"capital_question": _sampling("What is the capital of France?")})


@server.tool(output_schema=None)
def test_input_required_result_list_roots(ctx: Context) -> str | InputRequiredResult:
    """Asks for the client's roots."""
    if _has(ctx, "client_roots"):
        return _answered(ctx, "client_roots")
    return InputRequiredResult(input_requests={"client_roots": ListRootsRequest()})


@server.tool(output_schema=None)
def test_input_required_result_request_state(ctx: Context) -> str | InputRequiredResult:
    """Asks to confirm, and remembers by the client."""
    if _has(ctx, "confirm") and ctx.request_state == "asked":
        return "state-ok"
    requests: dict[str, Any] = {"confirm": _form("Please confirm", "ok", "boolean")}
    return InputRequiredResult(input_requests=requests, request_state="asked")


@server.tool(output_schema=None)
def test_input_required_result_multiple_inputs(ctx: Context) -> str | InputRequiredResult:
    """Asks for three things at once."""
    requests: dict[str, Any] = {
        "user_name": _form("What is your name?", "name"),
        "greeting": _sampling("Generate a greeting", 50),
        "client_roots": ListRootsRequest(),
    }
    if all(_has(ctx, key) for key in requests):
        return "done"
    return InputRequiredResult(input_requests=requests, request_state="asked")


@server.tool(output_schema=None)
def test_input_required_result_multi_round(ctx: Context) -> str | InputRequiredResult:
    """Asks twice."""
    if ctx.request_state == "second" and _has(ctx, "step2"):
        return "done"
    if ctx.request_state == "first" and _has(ctx, "step1"):
        step: dict[str, Any] = {"step2": _form("Step 2: What is your favorite color?", "color")}
        return InputRequiredResult(input_requests=step, request_state="second")
    return InputRequiredResult(
        input_requests={"step1": _form("Step 1: What is your name?", "name")}, request_state="first"
    )


@server.tool(output_schema=None)
def test_input_required_result_tampered_state(ctx: Context) -> str | InputRequiredResult:
    """Remembers by the client, who must not change it."""
    if ctx.request_state == "asked":
        return "done"
    return InputRequiredResult(
        input_requests={"confirm": _form("Please confirm", "ok", "boolean")}, request_state="asked"
    )


def _capabilities(ctx: Context) -> Any:
    return ctx.session.client_params.capabilities if ctx.session.client_params else None


@server.tool(output_schema=None)
def test_input_required_result_capabilities(ctx: Context) -> str | InputRequiredResult:
    """Asks only for what the client can do."""
    can = _capabilities(ctx)
    requests: dict[str, Any] = {}
    if can and can.sampling:
        requests["question"] = _sampling("What is the capital of France?")
    if can and can.elicitation:
        requests["user_name"] = _form("What is your name?", "name")
    return InputRequiredResult(input_requests=requests) if requests else "The client can do neither."


@server.tool(output_schema=None)
def test_missing_capability(ctx: Context) -> str:
    """Needs a client with a model."""
    can = _capabilities(ctx)
    if can and can.sampling:
        return "done"
    missing: dict[str, Any] = {"requiredCapabilities": {"sampling": {}}}
    raise MCPError(code=MISSING_REQUIRED_CLIENT_CAPABILITY, message="Sampling is needed.", data=missing)


# Resources and prompts.


@server.resource("test://static-text", mime_type="text/plain")
def static_text() -> str:
    """A text."""
    return "This is the content of the static text resource."


@server.resource("test://static-binary", mime_type="image/png")
def static_binary() -> bytes:
    """A picture."""
    return _PNG


@server.resource("test://template/{id}/data", mime_type="application/json")
def template(id: str) -> str:  # noqa: A002
    """A text for each id."""
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


@server.prompt
def test_simple_prompt() -> str:
    """A text."""
    return "This is a simple prompt for testing."


@server.prompt
def test_prompt_with_arguments(
    arg1: Annotated[str, Field(description="the first")], arg2: Annotated[str, Field(description="the second")]
) -> str:
    """A text with two words in it."""
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@server.prompt
def test_prompt_with_embedded_resource(resourceUri: str) -> list[Message]:  # noqa: N803
    """A resource within the prompt."""
    resource = _embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
    return [Message(resource), Message("Please process the embedded resource above.")]


@server.prompt
def test_prompt_with_image() -> list[Message]:
    """A picture within the prompt."""
    return [Message(_IMAGE), Message("Please analyze the image above.")]


@server.prompt
def test_input_required_result_prompt(ctx: Context) -> Any:
    """Asks for a context first."""
    if _has(ctx, "user_context"):
        return [Message(_answered(ctx, "user_context"))]
    return InputRequiredResult(input_requests={"user_context": _form("What context should the prompt use?", "context")})


@server.completion
def complete(ref: Any, argument: Any, context: Any) -> list[str]:
    """Words that begin as the argument does."""
    return [word for word in ("paris", "park", "party") if word.startswith(argument.value)]


def main() -> None:
    """Serves until it is ended."""
    port = int(sys.argv[1])
    guard = Guard(mounted(server, [], []), GuardLimits(client_requests_per_minute=0))
    config = uvicorn.Config(guard, port=port, http=protocol(ConnectionLimits()), ws="none", log_level="error")
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
