"""What matters for a task, within a budget: whole definitions, no line cut, a reason for each piece."""

import re
from typing import Any

import pytest
from fastmcp import Client

from tests.server.tools.test_tools import ask, data_of, text_of

TASK = "Request.form() does not close the uploaded files when parsing the multipart body raises"


async def answers(client: Client[Any], budget_tokens: int, task: str = TASK) -> str:
    return text_of(await ask(client, "context", repository="starlette", task=task, budget_tokens=budget_tokens))


@pytest.mark.parametrize("budget_tokens", [200, 300, 500, 1_000, 2_000, 4_000, 20_000])
async def test_no_line_is_cut(client: Client[Any], budget_tokens: int) -> None:
    text = await answers(client, budget_tokens)
    assert "(cut:" not in text
    for number, line in re.findall(r"(?m)^ {1,6}(\d+)  (.*)$", text):
        assert len(line) <= 400, number


async def test_what_is_shown_whole_is_what_stands_there(client: Client[Any]) -> None:
    text = await answers(client, 4_000)
    path, first, last = re.findall(r"(?m)^  (\S+):(\d+)-(\d+) .*\n +\2  ", text)[0]
    asked = await ask(client, "read", repository="starlette", path=path, lines=f"{first}-{last}", budget_tokens=20_000)
    shown = re.findall(r"(?m)^ +(\d+)  (.*)$", text.partition(f"  {path}:{first}-{last} ")[2])
    there = re.findall(r"(?m)^ +(\d+)  (.*)$", text_of(asked))
    assert shown[: len(there)] == there


async def test_every_piece_says_why_it_is_there(client: Client[Any]) -> None:
    text = await answers(client, 20_000)
    pieces = re.findall(r"(?m)^  \S+:\d+-\d+ .*$", text)
    assert len(pieces) > 5
    assert all("  — " in piece for piece in pieces)


async def test_a_larger_budget_shows_more_definitions_whole(client: Client[Any]) -> None:
    whole = [
        data_of(await ask(client, "context", repository="starlette", task=TASK, budget_tokens=budget))["whole"]
        for budget in (200, 2_000, 20_000)
    ]
    assert whole == sorted(set(whole))


async def test_a_task_of_which_nothing_occurs_says_so(client: Client[Any]) -> None:
    text = await answers(client, 2_000, "xyzzy plugh")
    assert "No word, name or path of the task occurs here." in text


async def test_a_task_of_100_kb_is_answered(client: Client[Any]) -> None:
    text = await answers(client, 2_000, f"{TASK}\n{'lorem ipsum dolor ' * 5_500}"[:100_000])
    assert "starlette/requests.py" in text
