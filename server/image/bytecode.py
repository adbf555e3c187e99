"""Writes bytecode for the third-party modules that a running server imports, and for no others.

Run by the environment's own interpreter while the image is built: `python bytecode.py FOLDER` compiles below FOLDER.
Everything compiled would be 2 x as many bytes, most of them never read. The list is found by use: a one-tool FastMCP
server is started and asked over HTTP in both eras of the protocol, and what the interpreter then has compiled is used.
It depends on no line of code-insight, so that a change of its source leaves the layer of the dependencies as it is;
what code-insight imports beyond that is named in BEYOND_FASTMCP, and a container test fails when a module of the
running server has no bytecode.
"""

import contextlib
import http.client
import importlib
import importlib.util
import json
import py_compile
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

BEYOND_FASTMCP = (
    "anyio.from_thread",
    "cachetools._cached",
    "cachetools._decorator",
    "jinja2.ext",
    "jinja2.loaders",
    "markdown_it",
    "markupsafe",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.sdk.trace.export",
    "pebble",
    "re2",
    "requests",
    "starlette.middleware.gzip",
    "starlette.responses",
    "starlette.staticfiles",
    "tree_sitter",
)
MODERN = "2026-07-28"
HANDSHAKE = "2025-11-25"
PATIENCE_SECONDS = 30.0
HEAD_BYTES = 16
UNCHECKED_HASH = (1).to_bytes(4, "little")


def main(folder: Path) -> None:
    """Compile below `folder` what a server uses; print how many modules that were."""
    sys.dont_write_bytecode = False
    import_named_modules(folder)
    with serving() as port:
        ask_in_both_eras(port)
    used = sorted(folder.rglob("__pycache__/*.pyc"))
    for bytecode in used:
        make_timeless(bytecode)
    print(f"bytecode of {len(used)} modules below {folder}")


def import_named_modules(folder: Path) -> None:
    """Import BEYOND_FASTMCP and every grammar that is installed."""
    for name in BEYOND_FASTMCP:
        importlib.import_module(name)
    for grammar in sorted(folder.rglob("tree_sitter_*/__init__.py")):
        importlib.import_module(grammar.parent.name)


@contextlib.contextmanager
def serving() -> Iterator[int]:
    """The port of 127.0.0.1 on which a one-tool server answers, in the way in which code-insight serves."""
    import uvicorn
    from fastmcp import Context, FastMCP
    from fastmcp.exceptions import ToolError
    from fastmcp.tools import ToolResult

    mcp = FastMCP("bytecode")

    @mcp.tool(output_schema=None)
    async def echo(text: str, context: Context) -> ToolResult:
        """Say it again, or fail when there is nothing to say."""
        await context.set_state("text", text)  # the store behind it is imported when it is first used
        await context.report_progress(1, 1, "half")
        if not text:
            raise ToolError("nothing to say")
        return ToolResult(content=text, structured_content={"length": len(text)})

    app = mcp.http_app(path="/mcp", stateless_http=True, host_origin_protection=True, allowed_hosts=["127.0.0.1:*"])
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", http="h11"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)


def wait_until(is_true: object) -> None:
    """Return once `is_true()` holds; raise TimeoutError after PATIENCE_SECONDS."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_true():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise TimeoutError("the server did not start")
        time.sleep(0.01)


def ask_in_both_eras(port: int) -> None:
    """Ask for the list of tools, for an answer, for a refusal and for an unknown path."""
    for era in (HANDSHAKE, MODERN):
        post(port, era, "tools/list", {})
        post(port, era, "tools/call", {"name": "echo", "arguments": {"text": "a"}, "_meta": {"progressToken": 1}})
        post(port, era, "tools/call", {"name": "echo", "arguments": {"text": ""}})
        post(port, era, "tools/call", {"name": "echo", "arguments": {"text": 3}})
    client = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": {"name": "bytecode", "version": "0"}}
    post(port, HANDSHAKE, "initialize", client)
    post(port, MODERN, "server/discover", {})
    post(port, HANDSHAKE, "ping", {}, host="elsewhere.example")


def post(port: int, era: str, method: str, params: dict[str, object], host: str = "127.0.0.1") -> None:
    """Send one request of that era; what comes back does not matter, only what was imported to say it."""
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json", "Host": f"{host}:1"}
    headers["MCP-Protocol-Version"] = era
    if era == MODERN:
        headers["Mcp-Method"] = method
        headers |= {"Mcp-Name": str(params["name"])} if "name" in params else {}
        prefix = "io.modelcontextprotocol/"
        meta = {f"{prefix}protocolVersion": era, f"{prefix}clientCapabilities": {}}
        given = params.get("_meta")
        params = {**params, "_meta": meta | (given if isinstance(given, dict) else {})}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    connection.request("POST", "/mcp", body, headers)
    answer = connection.getresponse()
    text = re.sub(r"\s+", " ", answer.read().decode())
    print(f"{method} {era}: {answer.status} {text[:100]}")
    connection.close()


def make_timeless(bytecode: Path) -> None:
    """Write the .pyc again, without a time in it, and so that it is never compared with its source.

    The code is compiled anew, since the interpreter marshals what it has in use in more than one way. Where an import
    hook has changed the code (beartype's does, and marks the file's name), it stays, under a new head (PEP 552).
    """
    source = Path(importlib.util.source_from_cache(str(bytecode)))
    if ".opt-" in bytecode.name:
        code = bytecode.read_bytes()[HEAD_BYTES:]
        head = importlib.util.MAGIC_NUMBER + UNCHECKED_HASH + importlib.util.source_hash(source.read_bytes())
        bytecode.write_bytes(head + code)
        return
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(source), cfile=str(bytecode), doraise=True, invalidation_mode=mode)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
