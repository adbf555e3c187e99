"""MCP over a real HTTP port: both eras of the protocol, and who may ask."""

import json
from typing import Any

import httpx2
import pytest
from fastmcp import Client

from tests.server.web.conftest import HOST

LEGACY, MODERN = "2025-11-25", "2026-07-28"
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


def initialize(version: str) -> dict[str, Any]:
    information = {"name": "test", "version": "0"}
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": information}
    return {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}


@pytest.mark.parametrize("mode", ["auto", "legacy", MODERN])
async def test_a_client_of_either_era_lists_and_calls_tools(port: int, mode: str) -> None:
    async with Client(f"http://127.0.0.1:{port}/mcp", mode=mode) as client:
        assert {"overview", "symbol", "history"} <= {tool.name for tool in await client.list_tools()}
        result = await client.call_tool("symbol", {"repository": "starlette", "name": "Router"})
        refused = await client.call_tool("symbol", {"repository": "x", "name": "y"}, raise_on_error=False)
    assert (result.structured_content or {})["path"] == "starlette/routing.py"
    assert refused.is_error
    assert (refused.structured_content or {})["error"]["code"] == "not_found"


async def test_the_same_question_has_the_same_answer_in_both_eras(port: int) -> None:
    texts = []
    for mode in ("legacy", MODERN):
        async with Client(f"http://127.0.0.1:{port}/mcp", mode=mode) as client:
            result = await client.call_tool("overview", {"repository": "click"})
            texts.append(result.content[0].text)
    assert texts[0] == texts[1]


async def test_initialize_answers_with_name_instructions_and_version(port: int) -> None:
    async with httpx2.AsyncClient() as client:
        found = await client.post(f"http://127.0.0.1:{port}/mcp", json=initialize(LEGACY), headers=JSON)
    (line,) = [line for line in found.text.splitlines() if line.startswith("data: ")]
    result = json.loads(line.removeprefix("data: "))["result"]
    assert result["serverInfo"]["name"] == "code-insight"
    assert result["protocolVersion"] == LEGACY
    assert "overview" in result["instructions"]
    assert "mcp-session-id" not in found.headers  # any machine may answer the next request


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example.invalid"}, 421),
        ({"origin": "https://evil.example.invalid"}, 403),
        ({"origin": "null"}, 403),
        ({"host": HOST}, 200),
        ({"host": HOST, "origin": f"https://{HOST}"}, 200),
        ({}, 200),
    ],
)
async def test_mcp_is_asked_under_our_names_only(port: int, headers: dict[str, str], status: int) -> None:
    async with httpx2.AsyncClient() as client:
        url = f"http://127.0.0.1:{port}/mcp"
        found = await client.post(url, json=initialize(LEGACY), headers={**JSON, **headers})
    assert found.status_code == status


async def test_pages_are_open_to_any_name(port: int) -> None:
    async with httpx2.AsyncClient() as client:
        for headers in ({"host": "172.16.0.9:8080"}, {"origin": "https://evil.example.invalid"}):
            assert (await client.get(f"http://127.0.0.1:{port}/", headers=headers)).status_code == 200


async def test_a_name_in_the_host_header_is_escaped(port: int) -> None:
    async with httpx2.AsyncClient() as client:
        found = await client.get(f"http://127.0.0.1:{port}/", headers={"host": 'x"><script>alert(1)</script>'})
    assert "<script>" not in found.text


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"jsonrpc": "2.0"}', b"\xff" * 100, b"[" * 20_000])
async def test_nonsense_is_refused_and_the_server_lives_on(port: int, body: bytes) -> None:
    async with httpx2.AsyncClient() as client:
        found = await client.post(f"http://127.0.0.1:{port}/mcp", content=body, headers=JSON)
        assert 400 <= found.status_code < 500
        assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 200
