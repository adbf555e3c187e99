"""The running container shows itself to browsers, probes and MCP clients of both eras, and keeps its index."""

import asyncio
import re

import httpx2
import pytest
from code_insight_deploy.proofs import BuiltImage
from fastmcp.exceptions import ToolError

from tests.smoke.conftest import Start, wait_for_info
from tests.smoke.places import ERAS, Era, Service, address_of, ask, ask_raw, client

TOOLS = {"list_repositories", "add_repository", "overview", "read", "search", "outline"}
TOOLS |= {"symbol", "references", "dependencies"}


def test_the_landing_page_is_html_that_runs_nothing_foreign(server: Service) -> None:
    answer = httpx2.get(f"{server.address}/")
    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "code-insight" in answer.text


def test_everything_that_the_landing_page_loads_is_in_the_image(server: Service) -> None:
    page = httpx2.get(f"{server.address}/").text
    loaded = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert loaded
    assert {httpx2.get(f"{server.address}{path}").status_code for path in loaded} == {200}


def test_info_names_the_tree_that_was_built(server: Service, image: BuiltImage) -> None:
    said = httpx2.get(f"{server.address}/info").json()
    assert said["name"] == "code-insight"
    assert said["tree"] == image.tree
    assert {"version", "index_format", "ready", "repositories", "uptime_seconds", "machine"} <= set(said)


def test_info_is_ready_when_nothing_was_asked_to_be_indexed(server: Service) -> None:
    assert httpx2.get(f"{server.address}/info?ready").status_code == 200


def test_a_page_of_another_site_cannot_speak_mcp(server: Service) -> None:
    headers = {"Origin": "https://elsewhere.example", "Accept": "application/json, text/event-stream"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    assert httpx2.post(f"{server.address}/mcp", json=body, headers=headers).status_code == 403


@pytest.mark.parametrize("era", ERAS)
async def test_tools_are_listed_with_their_manual(server: Service, era: Era) -> None:
    async with client(server.address, era) as asking:
        tools = await asking.list_tools()
    assert {tool.name for tool in tools} >= TOOLS
    assert all(tool.description for tool in tools)


@pytest.mark.parametrize("era", ERAS)
async def test_a_repository_is_added_and_questions_about_it_are_answered(server: Service, era: Era) -> None:
    await ask(server.address, "add_repository", era, url="/repositories/sample")
    assert "sample" in await ask(server.address, "list_repositories", era)
    assert "Greenhouse" in await ask(server.address, "overview", era, repository="sample")
    found = await ask(server.address, "search", era, query="litres_needed", repository="sample")
    assert "greenhouse/watering.py" in found
    lines = await ask(server.address, "read", era, repository="sample", path="greenhouse/plan.py")
    assert "TODAY = litres_needed(4.0, 0.5)" in lines
    used = await ask(server.address, "references", era, repository="sample", symbol="litres_needed")
    assert "greenhouse/plan.py" in used


async def test_progress_is_told_while_a_repository_is_indexed(started: Start) -> None:
    heard: list[float] = []
    async with client(address_of(started()), hear=heard.append) as asking:
        await asking.call_tool("add_repository", {"url": "/repositories/many"})
    assert len(heard) > 1
    assert heard == sorted(heard)


async def test_what_is_not_known_is_answered_with_what_is(server: Service) -> None:
    await ask(server.address, "add_repository", url="/repositories/sample")
    answer = await ask_raw(server.address, "overview", repository="sampel")
    assert answer.is_error
    assert "sample" in str(answer.content)


async def test_a_folder_that_was_not_allowed_is_refused(server: Service) -> None:
    answer = await ask_raw(server.address, "add_repository", url="/etc")
    assert answer.is_error


async def test_the_index_outlives_the_process(server: Service) -> None:
    await ask(server.address, "add_repository", url="/repositories/sample")
    server.container.restart()
    wait_for_info(server.address)
    assert "sample" in await ask(server.address, "list_repositories")
    found = await ask(server.address, "search", query="litres_needed", repository="sample")
    assert "greenhouse/watering.py" in found


async def test_without_a_place_for_its_index_it_answers_and_refuses_to_add(services: dict[str, Service]) -> None:
    homeless = services["homeless"].address
    assert await ask(homeless, "list_repositories")
    with pytest.raises(ToolError) as refused:
        await ask(homeless, "add_repository", url="/repositories/sample")
    assert re.search(r"/data|read-only|written", str(refused.value))
    assert httpx2.get(f"{homeless}/info").status_code == 200


async def test_configured_repositories_are_queryable_once_it_says_ready(started: Start) -> None:
    address = address_of(started(CODE_INSIGHT_REPOSITORIES="/repositories/sample /repositories/many"))
    for _ in range(300):
        if (status := httpx2.get(f"{address}/info?ready").status_code) == 200:
            break
        assert status == 503
        await asyncio.sleep(0.1)
    listed = await ask(address, "list_repositories")
    assert "sample" in listed
    assert "many" in listed


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGINT"])
async def test_a_call_in_flight_is_finished_before_the_process_ends(started: Start, signal: str) -> None:
    container = started()
    working = asyncio.Event()
    async with client(address_of(container), hear=lambda _: working.set()) as asking:
        await asking.list_tools()  # the client would ask for it after the call, to check the answer against
        adding = asyncio.create_task(asking.call_tool("add_repository", {"url": "/repositories/many"}))
        await asyncio.wait_for(working.wait(), 30)
        assert not adding.done()
        await asyncio.to_thread(container.kill, signal=signal)
        answer = await asyncio.wait_for(adding, 30)
    assert "many" in str(answer.content)
    assert await asyncio.to_thread(container.wait, timeout=30) == {"StatusCode": 0}
