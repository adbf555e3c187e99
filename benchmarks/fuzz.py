"""Random questions and random source files, against a real server: it answers, in time, in its budget, and lives on.

    python benchmarks/fuzz.py [SECONDS] [SEED]

Half of the time goes to the arguments of all tools, made from their schemas, from names that the index has, and from
texts that programs stumble over; half to repositories of files that were cut, spliced, nested and flipped from
tests/samples. The same seed makes the same cases. Prints a table, and each failure with all that is needed to see it
again; ends with 1 then.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import shutil
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from commits import commit, git
from servers import ours, resident_mib, started, wait_for_info

TOP = Path(__file__).resolve().parent.parent
SAMPLES = [path for path in sorted((TOP / "tests/samples").rglob("*")) if path.is_file()]
SECONDS_MAX = 15.0  # for any answer
FILES = 40  # of a repository
BYTES_MAX = 200_000  # of a file
STUMBLES = [
    *(
        "",
        " ",
        "\0",
        "\n",
        "\r\n",
        "\ufeff",
        "\u202e",
        "\u200b",
        "\ud7ff",
        "\U000e0041",
        "\x1b[31m",
        "é",
        "İ",
        "ß",
        "ﬀ",
    ),
    *"'\"\\`%_*?[](){}|^$./-@:;#&<>=~!𝕏",
    *("..", "//", "../", "--", "@{-1}", "::", "\\u{202e}", "\\x00", "(?i)", "(a*)*", "[^", "a{1000}", "\\p{L}", "\\b"),
    *(
        "NEAR(",
        "AND",
        "OR",
        "NOT",
        "NULL",
        "None",
        "true",
        "0",
        "-1",
        "1e309",
        "NaN",
        "9" * 30,
        "x.y.z",
        "x::y",
        "*.py",
    ),
    *("a" * 300, "é" * 300, "(" * 200, "a|" * 150, ".*" * 100, "HEAD", "main", "../../etc/passwd", "/etc/passwd"),
    *("file:///etc", "https://github.com/a/b", "https://127.0.0.1/x", "C:\\x", "con"),
]
VALUES: list[Any] = [None, True, 0, -1, 1.5, 10**30, [], {}, [1], {"a": 1}, "x"]
FORBIDDEN = {chr(n) for n in (*range(9), 11, 12, *range(14, 32), 127, 0x202E, 0x200B, 0x2066, 0xE0041)}


@dataclass(slots=True)
class Row:
    """What was tried of one kind."""

    cases: int = 0
    errors: int = 0  # answers that say what is wrong with the question
    slowest_seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


class Asker:
    """Asks a server's tools, and checks each answer."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/mcp"
        self._tools: dict[str, dict[str, Any]] = {}

    def message(self, method: str, params: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and JSON-RPC message of an answer."""
        about = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": about}}
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        headers |= {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method}
        if "name" in params:
            headers["Mcp-Name"] = params["name"]
        request = urllib.request.Request(self._url, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, _message(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _message(error.read().decode())

    def tools(self) -> dict[str, dict[str, Any]]:
        """The properties of each tool's arguments."""
        if not self._tools:
            listed = self.message("tools/list", {})[1]["result"]["tools"]
            self._tools = {tool["name"]: tool["inputSchema"].get("properties", {}) for tool in listed}
        return self._tools

    def ask(self, row: Row, tool: str, arguments: dict[str, Any], seconds_max: float = SECONDS_MAX) -> dict[str, Any]:
        """The result, whose faults are in `row`."""
        began = time.monotonic()
        status, message = self.message("tools/call", {"name": tool, "arguments": arguments})
        seconds = time.monotonic() - began
        row.cases += 1
        row.slowest_seconds = max(row.slowest_seconds, seconds)
        result: dict[str, Any] = message.get("result", {})
        row.errors += bool(result.get("isError"))
        budget = {"budget_tokens": self.tools()[tool].get("budget_tokens", {}).get("default", 2_000), **arguments}
        if fault := _fault(status, message, budget["budget_tokens"]) or ("slow" if seconds > seconds_max else ""):
            row.failures.append(
                f"{fault}: {tool} {json.dumps(arguments)[:2000]} → {status} {json.dumps(message)[:600]}"
            )
        return result


def _message(text: str) -> dict[str, Any]:
    lines = [line[5:] for line in text.splitlines() if line.startswith("data:")]
    try:
        found = json.loads(lines[-1] if lines else text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _fault(status: int, message: dict[str, Any], budget_tokens: Any) -> str:
    """What is wrong with an answer; "" for nothing."""
    if status >= 500:
        return "a defect"
    if status >= 400:
        return ""  # refused as a message, before any tool
    result = message.get("result", {})
    text = "".join(block.get("text", "") for block in result.get("content", []))
    if result.get("isError"):
        code = (result.get("structuredContent") or {}).get("error", {}).get("code", "internal")
        return "a defect" if code in ("internal", "storage_failed") else _seen(text)
    if len(text.encode()) > 4 * budget_tokens:
        return "over budget"
    return _seen(text)


def _seen(text: str) -> str:
    return "invisible characters" if FORBIDDEN & set(text) else ""


class Questions:
    """Makes arguments."""

    def __init__(self, tools: dict[str, dict[str, Any]], known: dict[str, list[str]], chance: random.Random) -> None:
        """`known` are values that have an answer, by the names of arguments."""
        self._tools, self._known, self._chance = tools, known, chance
        self._names = [name for names in known.values() for name in names]

    def question(self) -> tuple[str, dict[str, Any]]:
        """A tool and its arguments: half of the time ones that may have an answer, else anything."""
        is_calm = self._chance.random() < 0.5
        tool = self._chance.choice([name for name in self._tools if name != "add_repository"] * 4 + ["add_repository"])
        asked = {}
        for name, about in self._tools[tool].items():
            if "default" not in about or self._chance.random() < (0.2 if is_calm else 0.4):
                asked[name] = self._calm(name, about) if is_calm else self._value(name, about)
        if is_calm:
            return tool, asked
        if self._chance.random() < 0.03:
            asked[self._chance.choice(STUMBLES)] = self._chance.choice(VALUES)
        if asked and self._chance.random() < 0.03:
            asked.pop(self._chance.choice(list(asked)))
        return tool, asked

    def _calm(self, name: str, about: dict[str, Any]) -> Any:
        if about.get("type") == "integer":
            return self._chance.randint(about.get("minimum", 0), about.get("maximum", 100))
        return self._chance.choice(about.get("enum") or self._known.get(name) or self._names)

    def _value(self, name: str, about: dict[str, Any]) -> Any:
        chance = self._chance
        if chance.random() < 0.02:
            return chance.choice(VALUES)
        if "enum" in about:
            return chance.choice(about["enum"])
        if about.get("type") == "integer":
            low, high = about.get("minimum", 0), about.get("maximum", 100)
            return chance.choice([low, high, chance.randint(low, high), chance.randint(low, high), low - 1, high + 1])
        if name in self._known and chance.random() < 0.9:
            return chance.choice(self._known[name])
        return self._text()[: about.get("maxLength", 1_000) + (chance.random() < 0.01)]

    def _text(self) -> str:
        chance = self._chance
        parts = [chance.choice(self._names if chance.random() < 0.6 else STUMBLES) for _ in range(chance.randint(1, 4))]
        text = chance.choice(["", "", " ", ".", "/"]).join(parts)
        if text and chance.random() < 0.2:
            at = chance.randrange(len(text))
            text = text[:at] + chr(chance.choice([chance.randrange(127), chance.randrange(0xD800)])) + text[at + 1 :]
        return text


def damaged_source(chance: random.Random) -> tuple[str, bytes]:
    """A file's name and text: a sample that was cut, spliced, nested, repeated or flipped, or noise of its tokens."""
    first, second = chance.choice(SAMPLES), chance.choice(SAMPLES)
    text, other = first.read_bytes(), second.read_bytes()
    for _ in range(chance.randint(1, 4)):
        text = chance.choice(CHANGES)(text, other, chance)[:BYTES_MAX]
    return f"{chance.randrange(10**9)}{first.suffix or '.txt'}", text


def _cut(text: bytes, _: bytes, chance: random.Random) -> bytes:
    return text[: chance.randrange(len(text) + 1)]


def _spliced(text: bytes, other: bytes, chance: random.Random) -> bytes:
    at, start = chance.randrange(len(text) + 1), chance.randrange(len(other) + 1)
    return text[:at] + other[start : start + 500] + text[at:]


def _flipped(text: bytes, _: bytes, chance: random.Random) -> bytes:
    changed = bytearray(text)
    for _again in range(chance.randint(1, 50) if changed else 0):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _nested(text: bytes, _: bytes, chance: random.Random) -> bytes:
    opening, closing = chance.choice(
        [(b"(", b")"), (b"[", b"]"), (b"{", b"}"), (b"a<", b">"), (b"if x:\n ", b""), (b"$(", b")")]
    )
    depth = int(10 ** chance.randint(1, 4))
    return text + opening * depth + (closing * depth if chance.random() < 0.5 else b"")


def _repeated(text: bytes, _: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(text) + 1)
    return text[:at] + text[at : at + chance.randint(1, 40)] * chance.choice([10, 1_000, 20_000]) + text[at:]


def _tokens(text: bytes, other: bytes, chance: random.Random) -> bytes:
    words = (text + b" " + other).split()
    between: bytes = chance.choice([b" ", b"", b"\n"])
    return between.join(chance.choices(words or [b"x"], k=chance.choice([10, 1_000, 20_000])))


CHANGES: list[Callable[[bytes, bytes, random.Random], bytes]] = [_cut, _spliced, _flipped, _nested, _repeated, _tokens]


def damaged_repository(folder: Path, chance: random.Random) -> None:
    """A git repository of damaged files."""
    folder.mkdir()
    for _ in range(FILES):
        name, text = damaged_source(chance)
        (folder / name).write_bytes(text)
    git(folder, "init", "-q", "-b", "main")
    commit(folder)


def whole_repository(folder: Path) -> dict[str, list[str]]:
    """A git repository of this server's source and the samples; values that have an answer, by arguments' names."""
    for part in ("server/src", "tests/samples"):
        shutil.copytree(TOP / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    git(folder, "init", "-q", "-b", "main")
    commit(folder)
    files = [path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts]
    names = {name for path in files for name in re.findall(r"(?:def|class) (\w+)", path.read_text("utf-8", "ignore"))}
    return {
        "repository": [f"local/{folder.name}", folder.name, f"{folder.name}@HEAD", ""],
        "path": [str(path.relative_to(folder)) for path in files]
        + ["server", "tests/samples", "server/src/code_insight"],
        "name": sorted(names),
        "symbol": sorted(names),
        "query": [*sorted(names)[::3], "how is a page kept", "def \\w+", "commit"],
        "language": ["python", "go", "rust"],
        "ref": ["main", "HEAD", "a" * 40],
        "lines": ["1-20", "5-", "7"],
        "cursor": [""],
    }


def fuzz_questions(asker: Asker, seconds: float, known: dict[str, list[str]], chance: random.Random) -> Row:
    """Asks at random until the time is over."""
    row, ends = Row(), time.monotonic() + seconds
    questions = Questions(asker.tools(), known, chance)
    while time.monotonic() < ends:
        asker.ask(row, *questions.question())
    return row


def fuzz_sources(asker: Asker, seconds: float, folder: Path, seed: int) -> Row:
    """Adds repositories of damaged files, and asks about each, until the time is over."""
    row, ends, number = Row(), time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        number += 1
        made = folder / f"damaged{number}"
        damaged_repository(made, random.Random(f"{seed}/{number}"))
        before = len(row.failures)
        added = asker.ask(row, "add_repository", {"url": str(made)}, 120)
        if added.get("isError"):
            row.failures.append(f"not indexed: {json.dumps(added)[:600]}")
        for tool, asked in _about(f"local/{made.name}", sorted(path.name for path in made.iterdir() if path.is_file())):
            asker.ask(row, tool, asked)
        row.failures[before:] = [f"repository {number} of seed {seed}: {text}" for text in row.failures[before:]]
    return row


def _about(repository: str, files: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for tool in ("overview", "outline", "dependencies", "history"):
        yield tool, {"repository": repository}
    yield "search", {"repository": repository, "query": "return"}
    for file in files[::4]:
        for tool in ("outline", "read", "dependencies"):
            yield tool, {"repository": repository, "path": file}


def main(seconds: float = 60.0, seed: int = 1) -> int:
    """Fuzzes, prints, and says 1 when something failed."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        made = Path(folder) / "made"
        made.mkdir()
        server = ours(Path(folder) / "data", "", "")
        more = {"CODE_INSIGHT_LOCAL_FOLDERS": str(made), "CODE_INSIGHT_REPOSITORIES_MAX": "10000"}
        server = replace(server, environment={**server.environment, **more})
        process, port = stack.enter_context(started(server))
        wait_for_info(port, time.monotonic())
        asker, rows, ready = Asker(port), {}, Row()
        known = whole_repository(made / "whole")
        if asker.ask(ready, "add_repository", {"url": str(made / "whole")}, 300).get("isError") or ready.failures:
            raise SystemExit(f"There is nothing to ask about: {ready}")
        before = resident_mib(process.pid)
        rows["arguments of tools"] = fuzz_questions(asker, seconds / 2, known, random.Random(seed))
        rows["source files"] = fuzz_sources(asker, seconds / 2, made, seed)
        alive = process.poll() is None
        after = resident_mib(process.pid) if alive else 0.0
    print(
        f"Seed {seed}. The server {'lives' if alive else 'HAS DIED'}: {before:.0f} MiB before, {after:.0f} MiB after.\n"
    )
    print("| what | answers | of them errors that explain | slowest, s | failures |\n|---|---|---|---|---|")
    for what, row in rows.items():
        print(f"| {what} | {row.cases:,} | {row.errors:,} | {row.slowest_seconds:.1f} | {len(row.failures)} |")
    failures = [failure for row in rows.values() for failure in row.failures]
    print("".join(f"\n{failure}" for failure in failures[:20]))
    return 1 if failures or not alive else 0


if __name__ == "__main__":
    sys.exit(main(*(kind(text) for kind, text in zip((float, int), sys.argv[1:], strict=False))))
