"""Processes to measure: our server, a one-tool FastMCP server, a bare Starlette application; each on a free port."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCHEDULED = 2  # CPUCLOCK_SCHED of Linux: the time that the scheduler has counted, in nanoseconds
STARLETTE = """
import sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

async def info(request):
    return JSONResponse({"status": "ok"})

uvicorn.run(Starlette(routes=[Route("/info", info)]), port=int(sys.argv[1]), log_level="warning")
"""
ONE_TOOL = """
import sys, uvicorn
from fastmcp import FastMCP
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

server = FastMCP("floor")

@server.tool(output_schema=None)
def echo(text: str) -> str:
    "Say it again."
    return text

async def info(request):
    return JSONResponse({"status": "ok"})

mcp_app = server.http_app(path="/mcp", stateless_http=True)
app = Starlette(routes=[Route("/info", info), Mount("/", app=mcp_app)], lifespan=mcp_app.lifespan)
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
"""


@dataclass(frozen=True, slots=True)
class Server:
    """How a server is started, and one question that it answers."""

    name: str
    arguments: tuple[str, ...]  # after the interpreter; "{port}" stands for the port
    environment: Mapping[str, str]
    tool: str = ""
    question: Mapping[str, str] | None = None


def floors() -> tuple[Server, Server]:
    """The bare Starlette application, and the one-tool FastMCP server."""
    return (
        Server("bare Starlette", ("-c", STARLETTE, "{port}"), {}),
        Server("one-tool FastMCP", ("-c", ONE_TOOL, "{port}"), {}, "echo", {"text": "hello"}),
    )


def ours(data_dir: Path, repository: str, symbol: str) -> Server:
    """Our server over the indexes in `data_dir`."""
    environment = {
        "CODE_INSIGHT_DATA_DIR": str(data_dir),
        "CODE_INSIGHT_PORT": "{port}",
        "CODE_INSIGHT_CLIENT_REQUESTS_PER_MINUTE": "0",  # the one client here stands for many
        "CODE_INSIGHT_CLIENT_REQUESTS_AT_ONCE": "128",
    }
    question = {"repository": repository, "name": symbol}
    return Server("code-insight", ("-m", "code_insight", "serve"), environment, "symbol", question)


@contextlib.contextmanager
def started(server: Server) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The process and its port; the process is gone afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = [argument.replace("{port}", str(port)) for argument in server.arguments]
    environment = {key: value.replace("{port}", str(port)) for key, value in server.environment.items()}
    dropped = ("CODE_INSIGHT_", "PYTHONDONTWRITEBYTECODE")  # a deployed server has its bytecode
    clean = {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
    process = subprocess.Popen([sys.executable, *arguments], env={**clean, **environment}, stderr=subprocess.DEVNULL)
    try:
        yield process, port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def wait_for_info(port: int, began: float) -> float:
    """Seconds from `began` until GET /info is 200."""
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", "/info")
            if connection.getresponse().read():
                return time.perf_counter() - began
        if time.perf_counter() - began > 60:
            raise TimeoutError("/info did not answer within 60 s")
        time.sleep(0.002)


def wait_until_ready(port: int) -> None:
    """All of the server is there: /info?ready is 200; of a server that knows no such thing, at once."""
    for _ in range(3_000):
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", "/info?ready")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.01)
    raise TimeoutError("the server was not ready within 30 s")


def call(port: int, tool: str, arguments: Mapping[str, Any]) -> str:
    """The text that a tool answers with; raises RuntimeError when the answer is an error."""
    result = ask(port, "tools/call", {"name": tool, "arguments": dict(arguments)})
    if result.get("isError"):
        raise RuntimeError(f"{tool} did not answer: {str(result)[:500]}")
    return str(result["content"][0]["text"])


def ask(port: int, method: str, parameters: Mapping[str, Any], connection: Any = None) -> dict[str, Any]:
    """The result of one request in the protocol of 2026-07-28, without any client library, over a connection of its own
    if none is given."""
    version = "2026-07-28"
    meta = {"io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientCapabilities": {}}
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**parameters, "_meta": meta}}
    headers = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": version,
        "mcp-method": method,
        **({"mcp-name": parameters["name"]} if "name" in parameters else {}),
    }
    connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("POST", "/mcp", json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    if answer.getheader("content-type", "").startswith("text/event-stream"):
        text = next(line for line in text.splitlines()[::-1] if line.startswith("data:") and '"id"' in line)[5:]
    if answer.status != 200 or "result" not in json.loads(text):
        raise RuntimeError(f"{method} was answered with {answer.status}: {text[:500]}")
    found: dict[str, Any] = json.loads(text)["result"]
    return found


def cpu_seconds(pid: int) -> float:
    """CPU time that a living process has used (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_of_threads(pid: int) -> float:
    """CPU seconds of all threads of a living process, those that have ended too (clock_getcpuclockid(3))."""
    return time.clock_gettime(~pid << 3 | _SCHEDULED)


def cpu_of_tree(pid: int) -> float:
    """CPU seconds of a living process, of its living children, and of those that have ended, to 10 ms (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    children = (
        child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    )
    return own + sum(map(cpu_of_tree, map(int, children)))


def resident_mib(pid: int) -> float:
    """Resident memory of a living process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def index_this_repository(data_dir: Path) -> str:
    """The name under which this repository is in the index of `data_dir`."""
    return index_repository(Path(__file__).resolve().parent.parent, data_dir)


def index_repository(folder: Path, data_dir: Path) -> str:
    """The name under which a local repository is in the index of `data_dir`."""
    environment = {**os.environ, "CODE_INSIGHT_DATA_DIR": str(data_dir)}
    command = [sys.executable, "-m", "code_insight", "index", str(folder)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return f"local/{folder.name}"
