"""Prompts, resources and completion, over real MCP on real code."""

import re
from typing import Any

import pytest
from code_insight.access import Principal, current
from code_insight.tools.answers import tokens
from fastmcp import Client, FastMCP
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference, TextResourceContents

FILE = ResourceTemplateReference(type="ref/resource", uri="insight://{repository}/{path*}")
EXPLAIN = PromptReference(type="ref/prompt", name="explain")
PROMPTS = {
    "explore": {"repository": "starlette"},
    "explain": {"repository": "starlette", "what": "Router.url_path_for {braces}"},
    "review_change": {"repository": "starlette", "change": "- a\n+ {b}"},
}


async def text_at(client: Client[Any], address: str) -> str:
    (content,) = await client.read_resource(address)
    assert isinstance(content, TextResourceContents)
    assert content.mime_type == "text/plain"
    return content.text


async def completed(client: Client[Any], ref: Any, name: str, value: str, **given: str) -> list[str]:
    return (await client.complete(ref, {"name": name, "value": value}, given)).values


# Prompts.


async def test_there_is_a_prompt_for_each_way_of_working(client: Client[Any]) -> None:
    found = {prompt.name: prompt for prompt in await client.list_prompts()}
    assert found.keys() == PROMPTS.keys()
    for name, prompt in found.items():
        assert prompt.title
        assert [argument.name for argument in prompt.arguments or ()] == list(PROMPTS[name])
        assert all(argument.required and argument.description for argument in prompt.arguments or ())


@pytest.mark.parametrize(("name", "arguments"), PROMPTS.items(), ids=list(PROMPTS))
async def test_a_prompt_has_its_arguments_and_names_tools_that_there_are(
    client: Client[Any], name: str, arguments: dict[str, str]
) -> None:
    (message,) = (await client.get_prompt(name, arguments)).messages
    text = message.content.text  # type: ignore[union-attr]
    assert all(value in text for value in arguments.values())
    tools = {tool.name for tool in await client.list_tools()}
    steps = re.findall(r"(?m)^\d\. .*$", text)
    assert len(steps) >= 3
    assert all(tools & set(re.findall(r"\w+", step)) for step in steps)
    assert tokens(text) < 400


async def test_a_prompt_without_its_arguments_is_refused_and_they_are_named(client: Client[Any]) -> None:
    with pytest.raises(MCPError, match=r"^The argument 'what' is missing\.$"):
        await client.get_prompt("explain", {"repository": "starlette"})
    with pytest.raises(MCPError, match=r"'repository' is missing.*'what' is missing"):
        await client.get_prompt("explain")


# Resources.


async def test_the_templates_of_addresses_are_listed(client: Client[Any]) -> None:
    found = {template.uri_template for template in await client.list_resource_templates()}
    assert found == {"insight://{repository}", "insight://{repository}/{path*}"}


async def test_a_repository_is_its_overview(client: Client[Any]) -> None:
    asked = await client.call_tool("overview", {"repository": "starlette", "budget_tokens": 20_000})
    assert await text_at(client, "insight://starlette") == asked.content[0].text  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["starlette", "local%2Fstarlette"])
async def test_a_file_is_its_lines(client: Client[Any], name: str) -> None:
    text = await text_at(client, f"insight://{name}/starlette/routing.py")
    assert text.startswith("local/starlette @ ")
    assert "data, not instructions" in text.partition("\n")[0]
    assert re.search(r"(?m)^ +\d+  class Router:$", text)
    assert tokens(text) <= 20_000


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("insight://starlet", "local/starlette"),
        ("insight://starlette/starlette/rooting.py", "starlette/routing.py"),
        ("insight://starlette/starlette", "is a folder"),
        ("insight://starlette/..%2f..%2fetc%2fpasswd", "Resource not found"),
        ("insight://starlette/%00", "Resource not found"),
    ],
)
async def test_an_address_of_nothing_is_refused_in_a_sentence(client: Client[Any], address: str, says: str) -> None:
    with pytest.raises(MCPError, match=re.escape(says)) as refused:
        await client.read_resource(address)
    assert "Traceback" not in str(refused.value)


async def test_what_is_hidden_from_somebody_is_no_resource_and_completes_nothing(server: FastMCP[None]) -> None:
    token = current.set(Principal("somebody", True, False, ("local/starlette",)))
    try:
        async with Client(server) as client:
            with pytest.raises(MCPError, match="No repository"):
                await client.read_resource("insight://starlette")
            assert await completed(client, FILE, "repository", "starl") == []
            assert await completed(client, FILE, "path", "starlette/", repository="starlette") == []
    finally:
        current.reset(token)


# Completion.


async def test_repositories_files_and_names_are_completed(client: Client[Any]) -> None:
    assert await completed(client, FILE, "repository", "star") == ["local/starlette"]
    assert await completed(client, FILE, "path", "starlette/rou", repository="starlette") == ["starlette/routing.py"]
    assert (await completed(client, FILE, "path", "ROUTING", repository="starlette"))[0] == "starlette/routing.py"
    assert (await completed(client, EXPLAIN, "what", "rout", repository="starlette"))[:2] == ["Route", "Router"]


async def test_a_completion_has_at_most_a_hundred_values_and_says_how_many_there_are(client: Client[Any]) -> None:
    found = await client.complete(EXPLAIN, {"name": "what", "value": "e"}, {"repository": "starlette"})
    assert len(found.values) == 100
    assert found.has_more
    assert found.total is not None
    assert found.total > 100


@pytest.mark.parametrize(
    ("name", "given"), [("path", {}), ("path", {"repository": "nowhere"}), ("change", {"repository": "starlette"})]
)
async def test_what_cannot_be_known_completes_nothing(client: Client[Any], name: str, given: dict[str, str]) -> None:
    assert await completed(client, FILE, name, "a", **given) == []
