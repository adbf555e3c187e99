"""The official MCP Inspector reads the server in both eras."""

from pathlib import Path

import pytest

from tests.smoke.places import ERAS, Era, Service, inspect
from tests.smoke.test_running import TOOLS


@pytest.mark.parametrize("era", ERAS)
def test_the_inspector_lists_the_tools(server: Service, inspector: Path, era: Era) -> None:
    assert inspector.exists()
    assert {tool["name"] for tool in inspect(server.address, era, "tools/list")["tools"]} >= TOOLS


@pytest.mark.parametrize("era", ERAS)
def test_the_inspector_calls_a_tool(server: Service, inspector: Path, era: Era) -> None:
    assert inspector.exists()
    add = ("--tool-name", "add_repository", "--tool-arg", "url=/repositories/sample")
    assert not inspect(server.address, era, "tools/call", *add).get("isError")
    search = ("--tool-name", "search", "--tool-arg", "query=litres_needed", "--tool-arg", "repository=sample")
    assert "greenhouse/watering.py" in str(inspect(server.address, era, "tools/call", *search)["content"])
