"""The front page: what this is, what it knows, how to connect, what can be asked; and the page where one can try it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fastmcp import FastMCP
from fastmcp.tools import FunctionTool, Tool

from code_insight.errors import NotFound
from code_insight.store import IndexedCommit, Reader
from code_insight.tools.answers import tokens
from code_insight.web.pages.addresses import Addresses

PROTOCOL_VERSIONS = ("2026-07-28", "2025-11-25")
_SAMPLE_TOKENS = 300
_ASIDE = ("cursor", "budget_tokens")  # arguments that a form shows last
_LEVELS = {
    "surface": "What is there, what is it, and the lines themselves",
    "detail": "Where something is, what it is made of, who uses it",
    "context": "What matters for a task, what a change can break, how it came about",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A repository on the front page."""

    indexed: IndexedCommit
    at: Addresses
    files: int
    lines: int
    symbols: int
    languages: tuple[tuple[str, float, float], ...]  # name, where its part of the bar begins, how long: in percent
    example: Mapping[str, str]  # arguments for a first question of each kind

    @property
    def name(self) -> str:
        return self.indexed.repository.name


@lru_cache(maxsize=256)
def row(indexed: IndexedCommit) -> Row:
    """What the front page says of a repository; counted once for each commit."""
    with Reader(indexed) as reader:
        files, _, symbols = reader.totals()
        known = reader.languages()
        languages = [(name, lines) for name, _, lines in known if name and lines]
        central = reader.central(1)
        path = next((file.path for file in reader.files() if file.lines), "")
    total = sum(lines for _, _, lines in known)
    name, path = (central[0][0].name, central[0][0].path) if central else ("main", path)
    example = {"name": name, "symbol": name, "query": name, "path": path}
    name = indexed.repository.name
    return Row(indexed, Addresses(name), files, total, symbols, tuple(_bar(languages, total)), example)


def _bar(languages: Iterable[tuple[str, int]], total: int) -> Iterable[tuple[str, float, float]]:
    begin = 0.0
    for name, lines in languages:
        share = 100 * lines / total
        if share < 1:
            break
        yield name, round(begin, 2), round(share, 2)
        begin += share


@dataclass(frozen=True, slots=True)
class Question:
    """A tool as a reader sees it."""

    name: str
    title: str
    question: str  # first sentence of its manual
    manual: str  # the rest
    level: str
    may_be_tried: bool  # it changes nothing
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Level:
    """Tools of one family."""

    name: str
    about: str
    questions: tuple[Question, ...]


async def levels(server: FastMCP[None]) -> list[Level]:
    """The tools of the server by their family, in the order in which agents see them."""
    found: dict[str, list[Question]] = {}
    for tool in await server.list_tools():
        question = _question(tool)
        found.setdefault(question.level, []).append(question)
    return [Level(name, _LEVELS.get(name, ""), tuple(questions)) for name, questions in found.items()]


def _question(tool: Tool) -> Question:
    first, _, rest = " ".join((tool.description or "").split()).partition(". ")
    family = tool.fn.__qualname__.partition(".")[0].lower() if isinstance(tool, FunctionTool) else ""
    may_be_tried = bool(tool.annotations and tool.annotations.read_only_hint)
    title = tool.title or tool.name
    return Question(tool.name, title, first.rstrip(".") + ".", rest, family, may_be_tried, tool.parameters)


@dataclass(frozen=True, slots=True)
class Field:
    """One argument in a form."""

    name: str
    about: str
    value: str
    choices: tuple[str, ...]
    is_number: bool
    is_required: bool
    is_aside: bool


def fields(question: Question, given: Mapping[str, str], example: Row | None) -> list[Field]:
    """The form of a tool, made from its schema: what was given, or else an example that has an answer."""
    required = set(question.schema.get("required", ()))
    found = []
    for name, about in question.schema.get("properties", {}).items():
        value = given.get(name, "") if given else _example(name, name in required, example)
        choices = tuple(map(str, about.get("enum", ())))
        default = about.get("default")
        if not value and default not in (None, ""):
            value = str(default)
        is_number = about.get("type") == "integer"
        found.append(
            Field(name, about.get("description", ""), value, choices, is_number, name in required, name in _ASIDE)
        )
    return sorted(found, key=lambda one: one.is_aside)


def _example(name: str, is_required: bool, row: Row | None) -> str:
    if row is None:
        return ""
    if name == "repository":
        return row.name
    return row.example.get(name, "") if is_required else ""


@dataclass(frozen=True, slots=True)
class Tried:
    """A question that was asked, and its answer, both as they are on the wire."""

    request: str
    curl: str
    text: str
    data: str
    is_error: bool
    tokens: int
    milliseconds: int


async def ask(server: FastMCP[None], question: Question, given: Mapping[str, str], url: str) -> Tried:
    """The answer that an agent gets; raises NotFound for a tool that changes something."""
    if not question.may_be_tried:
        raise NotFound(f"{question.name} changes what the server holds.", "It is for agents, through MCP.")
    arguments = dict(_arguments(question, given))
    began = time.perf_counter()
    result = await server.call_tool(question.name, arguments)
    milliseconds = round(1_000 * (time.perf_counter() - began))
    text = "\n".join(block.text for block in result.content if hasattr(block, "text"))
    params = {"name": question.name, "arguments": arguments}
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    data = json.dumps(result.structured_content, indent=2, ensure_ascii=False)
    shown = json.dumps(request, indent=2, ensure_ascii=False)
    return Tried(shown, _curl(request, url), text, data, bool(result.is_error), tokens(text), milliseconds)


@dataclass(frozen=True, slots=True)
class Sample:
    """A question that the front page shows, with its answer."""

    indexed: IndexedCommit
    symbol: str
    answer: str  # "" when it has none


async def sample(server: FastMCP[None], rows: Iterable[Row], known: Sample | None) -> Sample | None:
    """Who uses what is used most in the smallest repository; `known` when it is about the same commit."""
    row = min(rows, key=lambda row: (row.files, row.name), default=None)
    if row is None or (known and known.indexed == row.indexed):
        return known if row else None
    symbol = row.example["symbol"]
    arguments = {"repository": row.name, "symbol": symbol, "budget_tokens": _SAMPLE_TOKENS}
    result = await server.call_tool("references", arguments)
    text = "\n".join(block.text for block in result.content if hasattr(block, "text"))
    return Sample(row.indexed, symbol, "" if result.is_error else text)


def _arguments(question: Question, given: Mapping[str, str]) -> Iterable[tuple[str, object]]:
    """What was filled in, in the types of the schema; what is as it is by default is left out, as an agent would."""
    properties = question.schema.get("properties", {})
    for name, value in given.items():
        about = properties.get(name, {})
        if value == "" or value == str(about.get("default")):
            continue
        yield name, int(value) if about.get("type") == "integer" and value.isdigit() and len(value) < 10 else value


def _curl(request: Mapping[str, Any], url: str) -> str:
    body = json.dumps(request, ensure_ascii=True).replace("'", "\\u0027")
    accept = "-H 'Accept: application/json, text/event-stream'"
    return f"curl -s {url} {accept} -H 'Content-Type: application/json' -d '{body}'"
