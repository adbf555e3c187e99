"""Clients that people use are connected as docs/clients.md and the front page say, and reach the running container."""

import json
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from code_insight.web.pages.clients import Client, clients
from fastmcp import Client as Asking
from fastmcp.client.transports import StdioTransport

from tests.places import cannot_run
from tests.smoke.places import HERE, Service
from tests.smoke.test_running import TOOLS

FOLDER = HERE / "clients"
PROGRAMS = FOLDER / "node_modules" / ".bin"
ANSWER_SECONDS = 60.0
QUIET = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
Run = Callable[..., str]


@pytest.fixture(scope="module")
def programs() -> list[Path]:
    """The folders of their programs, installed as package-lock.json says: 700 MB, so only CI does it unasked."""
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if _versions(FOLDER / "package-lock.json") != _versions(FOLDER / "node_modules" / ".package-lock.json"):
        if os.environ.get("CI") != "true":
            cannot_run(f"the clients are not installed; this does it: cd {FOLDER} && {shlex.join(command)}")
        subprocess.run(command, cwd=FOLDER, check=True, capture_output=True, text=True)
    # The launcher of Claude Code is put together by a script of its package, and none is run here.
    native = next((FOLDER / "node_modules" / "@anthropic-ai").glob("claude-code-*/claude"))
    return [native.parent, PROGRAMS]


def _versions(lock: Path) -> set[tuple[str, str]]:
    """(package, version) of what is, or is to be, installed for any machine."""
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"] if lock.exists() else {}
    return {(name, about["version"]) for name, about in packages.items() if name and not about.get("optional")}


@pytest.fixture
def environment(programs: list[Path], tmp_path: Path) -> dict[str, str]:
    """A home in which no client was ever started."""
    path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
    return {"PATH": path, "HOME": str(tmp_path), "GEMINI_CLI_TRUST_WORKSPACE": "true", **QUIET}


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Run:
    """Runs one command there, in the folder of a project; what it says."""
    project = tmp_path / "project"
    project.mkdir()

    def running(command: str, stdin: str = "") -> str:
        ran = subprocess.run(
            shlex.split(command),
            cwd=project,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    return running


def named(name: str, server: Service) -> Client:
    """What the front page of the container says of a client."""
    return next(one for one in clients(f"{server.address}/mcp") if one.name == name)


@pytest.mark.parametrize("name", ["Claude Code", "Gemini CLI"])
def test_a_client_that_was_connected_says_so(server: Service, run: Run, name: str) -> None:
    client = named(name, server)
    run(client.text)
    check = client.check.split("`")[1]
    (line,) = [line for line in run(check).splitlines() if "code-insight" in line]
    assert f"{server.address}/mcp" in line
    assert line.endswith("Connected")


def test_codex_lists_the_tools(server: Service, environment: dict[str, str], run: Run) -> None:
    client = named("Codex", server)
    run(client.text)
    assert f"{server.address}/mcp" in run(client.check.split("`")[1])
    assert set(_asked_of_codex(environment)["tools"]) >= TOOLS


def _asked_of_codex(environment: dict[str, str]) -> dict[str, Any]:
    """What codex knows of its one MCP server, asked through the interface that its editors use."""
    about = {"clientInfo": {"name": "test", "title": "test", "version": "1"}}
    messages = [
        {"id": 1, "method": "initialize", "params": about},
        {"method": "initialized"},
        {"id": 2, "method": "mcpServerStatus/list", "params": {}},
    ]
    command = ["timeout", str(ANSWER_SECONDS), "codex", "app-server"]
    with subprocess.Popen(command, env=environment, stdin=-1, stdout=-1, stderr=subprocess.DEVNULL, text=True) as codex:
        assert codex.stdin is not None
        assert codex.stdout is not None
        codex.stdin.write("".join(f"{json.dumps(message)}\n" for message in messages))
        codex.stdin.flush()
        answer = next(said for said in map(json.loads, codex.stdout) if said.get("id") == 2)
        codex.stdin.close()
        codex.terminate()
    (known,) = answer["result"]["data"]
    assert isinstance(known, dict)
    return known


async def test_what_claude_desktop_starts_lists_the_tools(server: Service, environment: dict[str, str]) -> None:
    configured = json.loads(named("Claude Desktop", server).text)["mcpServers"]["code-insight"]
    command, arguments = configured["command"], configured["args"]
    transport = StdioTransport(command, arguments, env=environment, cwd=str(FOLDER), keep_alive=False)
    async with Asking(transport, timeout=ANSWER_SECONDS) as asking:
        assert {tool.name for tool in await asking.list_tools()} >= TOOLS


@pytest.mark.parametrize("name", ["Claude Code", "Gemini CLI", "Codex"])
def test_a_token_is_kept_as_the_client_wants_it(server: Service, run: Run, tmp_path: Path, name: str) -> None:
    run(named(name, server).with_token)
    kept = [path for path in tmp_path.rglob("*") if path.suffix in (".json", ".toml")]
    wanted = "CODE_INSIGHT_TOKEN" if name == "Codex" else "Bearer <token>"
    assert [path.name for path in kept if wanted in path.read_text(encoding="utf-8")]
