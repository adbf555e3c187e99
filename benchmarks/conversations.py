"""Writes docs/conversations/: what an agent asks, and is answered, that explores, explains, and assesses a change.

    python benchmarks/conversations.py [flask] [zod] [cobra]

Each repository is made of three releases that its authors published, a commit for each. The questions are those of the
lists below, asked over HTTP by an MCP client; the answers are the server's own. One that is larger than its budget
ends the script.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code_insight.tools.answers import tokens
from definitions import run, unpack
from fastmcp import Client
from servers import Server, started, wait_for_info

PAGES = Path(__file__).resolve().parent.parent / "docs" / "conversations"
_IDENTITY = ("-c", "user.name=releases", "-c", "user.email=releases@example.invalid", "-c", "core.autocrlf=false")


@dataclass(frozen=True, slots=True)
class Step:
    """One question, and why it is asked."""

    why: str
    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is asked about one repository."""

    name: str
    title: str
    releases: tuple[str, ...]
    fetch: Callable[[str, Path], None]  # the files of a release are in an empty folder afterwards
    explore: tuple[Step, ...]
    explain: tuple[Step, ...]
    assess: tuple[Step, ...]


def _flask(version: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        pip = ["uv", "run", "--no-project", "--with", "pip", "pip"] if shutil.which("uv") else ["pip"]
        run([*pip, "download", "-q", "--no-deps", "--no-binary", ":all:", f"flask=={version}"], scratch)
        _unpacked(next(scratch.glob("*.tar.gz")), scratch, folder)


def _zod(version: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        archive = run(["npm", "pack", "--silent", f"zod@{version}"], scratch).split()[-1]
        _unpacked(scratch / archive, scratch, folder)
    for path in folder.iterdir():  # what the build has made of `src` is no part of a repository
        if path.name not in (".git", "src", "package.json", "README.md", "LICENSE"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _cobra(version: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        answer = run(["go", "mod", "download", "-json", f"github.com/spf13/cobra@{version}"], Path(scratch))
        shutil.copytree(json.loads(answer)["Dir"], folder, copy_function=shutil.copyfile, dirs_exist_ok=True)


def _unpacked(archive: Path, scratch: Path, folder: Path) -> None:
    unpack(archive, scratch / "unpacked")
    (top,) = (scratch / "unpacked").iterdir()
    shutil.copytree(top, folder, dirs_exist_ok=True)


FLASK = Conversation(
    "flask",
    "Flask (Python)",
    ("2.3.3", "3.0.3", "3.1.0"),
    _flask,
    explore=(
        Step("What is this, and where does it start?", "overview", {}),
        Step("How do its parts hang together?", "dependencies", {"path": "src/flask/sansio"}),
        Step("What is in the file that everything goes through?", "search", {"query": "dispatch_request"}),
    ),
    explain=(
        Step(
            "The question of a user, as it came.",
            "context",
            {"task": "How does Flask turn a request into a response, and where do errors of a view go?"},
        ),
        Step("The heart of it, whole.", "symbol", {"name": "Flask.full_dispatch_request"}),
        Step("What does it use?", "references", {"symbol": "Flask.full_dispatch_request", "direction": "out"}),
        Step("Who else handles exceptions?", "references", {"symbol": "Flask.handle_user_exception"}),
    ),
    assess=(
        Step("The signature of this one is to change. What can break?", "impact", {"symbol": "Flask.make_response"}),
        Step("How often does it change, with what?", "history", {"path": "src/flask/app.py"}),
        Step("And the last release: what did it change, and whom does that reach?", "impact", {"commits": "HEAD"}),
    ),
)
ZOD = Conversation(
    "zod",
    "Zod (TypeScript)",
    ("3.25.76", "4.0.0", "4.1.0"),
    _zod,
    explore=(
        Step("What is this, and where does it start?", "overview", {}),
        Step("The folder that most is in.", "overview", {"path": "src/v4/core"}),
        Step("Who imports the core?", "dependencies", {"path": "src/v4/core/schemas.ts", "direction": "in"}),
    ),
    explain=(
        Step(
            "The question of a user, as it came.",
            "context",
            {"task": "safeParse returns an error: where are the issues of an invalid object made and collected?"},
        ),
        Step("The function at the centre.", "symbol", {"name": "finalizeIssue"}),
        Step("Who calls it?", "references", {"symbol": "finalizeIssue"}),
    ),
    assess=(
        Step("Its result is to change. What can break?", "impact", {"symbol": "finalizeIssue"}),
        Step("What did the last release change, and whom does that reach?", "impact", {"commits": "HEAD~1..HEAD"}),
        Step("What is known of the past of that file?", "history", {"path": "src/v4/core/util.ts"}),
    ),
)
COBRA = Conversation(
    "cobra",
    "Cobra (Go)",
    ("v1.7.0", "v1.8.1", "v1.9.1"),
    _cobra,
    explore=(
        Step("What is this, and where does it start?", "overview", {}),
        Step("What is in the file that matters most?", "outline", {"path": "command.go"}),
    ),
    explain=(
        Step(
            "The question of a user, as it came.",
            "context",
            {"task": "In which order do PersistentPreRun, PreRun and Run of a command and its parents run?"},
        ),
        Step("The function that decides.", "symbol", {"name": "Command.execute"}),
        Step("Who calls it?", "references", {"symbol": "Command.execute"}),
    ),
    assess=(
        Step("How flags are parsed is to change. What can break?", "impact", {"symbol": "Command.ParseFlags"}),
        Step("A file as a whole.", "impact", {"path": "args.go"}),
        Step("What did the last release change, and whom does that reach?", "impact", {"commits": "HEAD"}),
        Step("With what does it change?", "history", {"symbol": "Command.ParseFlags"}),
    ),
)
CONVERSATIONS = {one.name: one for one in (FLASK, ZOD, COBRA)}


def made(conversation: Conversation, folder: Path) -> Path:
    """A repository with a commit for each release, at a time that does not change."""
    repository = folder / conversation.name
    repository.mkdir()
    run(["git", "init", "-q", "-b", "main"], repository)
    for number, release in enumerate(conversation.releases):
        for path in repository.iterdir():
            if path.name != ".git":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        conversation.fetch(release, repository)
        run(["git", "add", "--all", "--force"], repository)
        when = f"{1_600_000_000 + number * 31_536_000} +0000"
        command = ["git", *_IDENTITY, "commit", "-q", "-m", f"{conversation.name} {release}", f"--date={when}"]
        run(["env", f"GIT_COMMITTER_DATE={when}", *command], repository)
    return repository


async def asked(conversation: Conversation, url: str) -> str:
    """The page of a conversation."""
    about = (
        f"The repository has a commit for each of the releases {', '.join(conversation.releases)}, as their authors"
        " published them. Each answer is what an agent reads, whole."
    )
    parts = [
        f"# {conversation.title}",
        f"Made by `python benchmarks/conversations.py {conversation.name}`. {about}",
    ]
    async with Client(url) as client:
        for title, steps in (
            ("Explore", conversation.explore),
            ("Explain", conversation.explain),
            ("Assess a change", conversation.assess),
        ):
            parts.append(f"## {title}")
            for step in steps:
                parts += await _answered(client, conversation.name, step)
    return "\n\n".join(parts) + "\n"


async def _answered(client: Client[Any], repository: str, step: Step) -> list[str]:
    arguments = {"repository": repository, "budget_tokens": 1_000, **step.arguments}
    result = await client.call_tool(step.tool, arguments)
    text = "\n".join(block.text for block in result.content if block.type == "text")
    cost = tokens(text)
    if cost > arguments["budget_tokens"]:
        raise SystemExit(f"{step.tool} answered with {cost} tokens, more than {arguments['budget_tokens']}.")
    call = ", ".join(f"{name}={json.dumps(value)}" for name, value in arguments.items() if name != "repository")
    fence = "`" * 5
    return [f"{step.why}", f"**`{step.tool}({call})`** → {cost:,} tokens", f"{fence}text\n{text}\n{fence}"]


def main(names: list[str]) -> None:
    """Write the pages of these conversations, or of all."""
    PAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chosen = [CONVERSATIONS[known] for known in names or CONVERSATIONS]
        repositories = " ".join(str(made(one, folder)) for one in chosen)
        environment = {
            "CODE_INSIGHT_DATA_DIR": str(folder / "data"),
            "CODE_INSIGHT_PORT": "{port}",
            "CODE_INSIGHT_LOCAL_FOLDERS": str(folder),
            "CODE_INSIGHT_REPOSITORIES": repositories,
        }
        with started(Server("code-insight", ("-m", "code_insight", "serve"), environment)) as (_, port):
            wait_for_info(port, time.perf_counter())
            for one in chosen:
                asyncio.run(_add(one, folder, f"http://127.0.0.1:{port}/mcp"))
                page = asyncio.run(asked(one, f"http://127.0.0.1:{port}/mcp"))
                (PAGES / f"{one.name}.md").write_text(page, "utf-8")
                print(f"{one.name}: {tokens(page):,} tokens", file=sys.stderr)


async def _add(conversation: Conversation, folder: Path, url: str) -> None:
    async with Client(url) as client:
        await client.call_tool("add_repository", {"url": str(folder / conversation.name)})


if __name__ == "__main__":
    main(sys.argv[1:])
