"""The smoke run: the very image, run here as a Fly machine would run it, must answer as itself.

Each check is a function that returns what it saw; the sentence in front of it is the claim that it supports.
"""

import asyncio
import contextlib
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import docker
import docker.errors
import httpx2
from mcp import MCPError
from mcp.client import Client
from mcp.shared.dispatcher import ProgressFnT
from mcp.types import TextContent

from code_insight_deploy import images
from code_insight_deploy.apps import App
from code_insight_deploy.errors import SmokeFailed
from code_insight_deploy.proofs import BuiltImage, Evidence, Smoked

START_SECONDS = 30.0
ANSWER_SECONDS = 60.0
TOOLS = {"list_repositories", "add_repository", "overview", "read", "search", "outline"}
TOOLS |= {"symbol", "references", "dependencies", "history"}
HEADERS = ("content-security-policy", "x-content-type-options")
SAMPLE = {
    "README.md": "# Greenhouse\n\nKeeps plants alive.\n",
    "greenhouse/watering.py": (
        '"""When to water."""\n\n\ndef litres_needed(area: float, dryness: float) -> float:\n'
        '    """Litres for a bed of `area` square metres."""\n    return area * dryness\n'
    ),
    "greenhouse/plan.py": "from greenhouse.watering import litres_needed\n\nTODAY = litres_needed(4.0, 0.5)\n",
}
SYMBOL, DEFINED_IN = "litres_needed", "greenhouse/watering.py"
Era = Literal["legacy", "auto"]
Say = Callable[[str], None]


class Unexpected(Exception):
    """Something was seen that is not as it should be."""


@dataclass(frozen=True, slots=True)
class Run:
    """What the checks look at, and what they have seen so far."""

    running: images.Running
    image: BuiltImage
    app: App
    say: Say
    evidence: list[Evidence] = field(default_factory=list)

    def check(self, claim: str, look: Callable[["Run"], str]) -> None:
        """Keep what `look` sees as evidence of `claim`; raise SmokeFailed, with the container's output, otherwise."""
        started = time.monotonic()
        try:
            seen = look(self)
        except (Unexpected, MCPError, ExceptionGroup, httpx2.HTTPError, docker.errors.APIError, OSError) as error:
            raise self.failed(claim, error) from error
        found = Evidence(claim=claim, seen=seen, seconds=round(time.monotonic() - started, 3))
        self.evidence.append(found)
        self.say(f"{found.seconds:6.2f} s  {claim}: {seen}")

    def failed(self, claim: str, error: Exception) -> SmokeFailed:
        """That `claim` does not hold, with the end of what the container printed."""
        printed = self.running.output().strip() or "(nothing)"
        return SmokeFailed(
            f"{self.image.reference}, {claim}: {type(error).__name__}: {error}\nThe container's last lines:\n{printed}",
            "Nothing was released; the app is as it was.",
        )


def smoke(client: docker.DockerClient, image: BuiltImage, app: App, say: Say) -> Smoked:
    """Run `image` as `app` would be run; returns what was seen. Raises SmokeFailed at the first thing that is wrong."""
    with sample_repositories() as folder, images.running(client, image, app, folder) as running:
        run = Run(running, image, app, say)
        run.check("starts within the machine's limits", answers_info)
        run.check("/info names the tree that was built", names_its_tree)
        run.check("/info?ready says that it may be sent requests", is_ready)
        run.check("the landing page comes with its headers", shows_landing_page)
        run.check("MCP lists the tools in the handshake's era", lambda run: lists_tools(run, "legacy"))
        run.check("MCP lists the tools in the modern era", lambda run: lists_tools(run, "auto"))
        run.check("a repository is added and understood", answers_about_a_repository)
        run.check("memory stayed within the machine's", stayed_in_memory)
        run.check("SIGTERM ends it in time", ends_when_asked)
        return Smoked(image=image, evidence=tuple(run.evidence))


@contextlib.contextmanager
def sample_repositories() -> Iterator[Path]:
    """A folder that anybody may read, with one small git repository in it: /sample."""
    with tempfile.TemporaryDirectory(prefix="code-insight-smoke-") as temporary:
        folder = Path(temporary)
        sample = folder / "sample"
        for name, text in SAMPLE.items():
            (sample / name).parent.mkdir(parents=True, exist_ok=True)
            (sample / name).write_text(text, encoding="utf-8")
        who = ["-c", "user.name=smoke", "-c", "user.email=smoke@example.invalid", "-c", "commit.gpgsign=false"]
        for arguments in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "A greenhouse"]):
            subprocess.run(["git", "-C", str(sample), *arguments], check=True, capture_output=True)
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder


def answers_info(run: Run) -> str:
    """The probe of Fly's own checks must answer."""
    return _wait_for_200(run, run.app.probe)


def is_ready(run: Run) -> str:
    """Nothing is configured to be indexed, so readiness must come as soon as the tools are loaded."""
    return _wait_for_200(run, "/info?ready")


def _wait_for_200(run: Run, path: str) -> str:
    """Ask until `path` answers 200; fail at once when the process has ended."""
    started = time.monotonic()
    while time.monotonic() < started + START_SECONDS:
        with contextlib.suppress(httpx2.HTTPError):
            if httpx2.get(f"{run.running.address}{path}", timeout=2).status_code == httpx2.codes.OK:
                return f"200 after {time.monotonic() - started:.2f} s"
        time.sleep(0.02)
        run.running.container.reload()
        if run.running.container.status == "exited":
            raise Unexpected(f"it ended with {run.running.container.attrs['State']['ExitCode']}")
    raise Unexpected(f"no 200 within {START_SECONDS:.0f} s")


def names_its_tree(run: Run) -> str:
    """The tree baked in, as the process says it."""
    said = httpx2.get(f"{run.running.address}/info", timeout=ANSWER_SECONDS).json()
    if said.get("tree") != run.image.tree:
        raise Unexpected(f"it says {said.get('tree')}, and {run.image.tree} was built")
    return f"{said['name']} {said['version']}, tree {said['tree']}"


def shows_landing_page(run: Run) -> str:
    """HTML, with the headers that keep a hostile repository's text from running in a browser."""
    answer = httpx2.get(f"{run.running.address}/", timeout=ANSWER_SECONDS)
    missing = [name for name in HEADERS if name not in answer.headers]
    if answer.status_code != httpx2.codes.OK or missing or "text/html" not in answer.headers.get("content-type", ""):
        raise Unexpected(f"status {answer.status_code}, {answer.headers.get('content-type')}, missing: {missing}")
    return f"{len(answer.content)} bytes, {', '.join(HEADERS)}"


def lists_tools(run: Run, era: Era) -> str:
    """The tools that a client of that era is shown."""

    async def ask() -> list[str]:
        async with Client(f"{run.running.address}/mcp", mode=era, read_timeout_seconds=ANSWER_SECONDS) as client:
            return [tool.name for tool in (await client.list_tools()).tools]

    names = asyncio.run(ask())
    if missing := TOOLS - set(names):
        raise Unexpected(f"missing: {', '.join(sorted(missing))}")
    return f"{len(names)} tools"


def answers_about_a_repository(run: Run) -> str:
    """Add the sample, and ask two questions of which the answers are known."""
    progress = asyncio.run(_add_and_ask(f"{run.running.address}/mcp"))
    return f"{SYMBOL} found in {DEFINED_IN}, {progress} notifications of progress"


async def _add_and_ask(address: str) -> int:
    heard: list[float] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001 -- its protocol
        heard.append(progress)

    async with Client(address, mode="auto", read_timeout_seconds=ANSWER_SECONDS) as client:
        added = await _ask(client, "add_repository", hear, url="/repositories/sample")
        overview = await _ask(client, "overview", repository="sample")
        found = await _ask(client, "search", query=SYMBOL, repository="sample")
    for answer, expected in ((added, "sample"), (overview, "Greenhouse|greenhouse/"), (found, DEFINED_IN)):
        if not re.search(expected, answer):
            raise Unexpected(f"{expected!r} is not in the answer: {answer[:400]}")
    if not heard:
        raise Unexpected("add_repository told of no progress")
    return len(heard)


async def _ask(client: Client, tool: str, hear: ProgressFnT | None = None, **arguments: str) -> str:
    """The text of the answer, as a model would read it. Raises Unexpected when the tool failed."""
    answer = await client.call_tool(tool, arguments, progress_callback=hear)
    text = "\n".join(block.text for block in answer.content if isinstance(block, TextContent))
    if answer.is_error:
        raise Unexpected(f"{tool} failed: {text[:400]}")
    return text


def stayed_in_memory(run: Run) -> str:
    """What the engine counts for the container, and that nothing was killed for it."""
    container = run.running.container
    counted = container.stats(stream=False)
    usage = counted["memory_stats"] if isinstance(counted, dict) else {}
    container.reload()
    if container.attrs["State"]["OOMKilled"]:
        raise Unexpected("the kernel killed a process for its memory")
    most = usage.get("max_usage", usage.get("usage", 0))
    return f"{most / 1e6:.0f} of {run.app.memory_bytes / 1e6:.0f} MB"


def ends_when_asked(run: Run) -> str:
    """Exit code 0 within the time that Fly gives."""
    started = time.monotonic()
    container = run.running.container
    container.kill(signal="SIGTERM")
    code = container.wait(timeout=run.app.grace_seconds + ANSWER_SECONDS)["StatusCode"]
    seconds = time.monotonic() - started
    if code != 0 or seconds > run.app.grace_seconds:
        raise Unexpected(f"exit code {code} after {seconds:.1f} s of {run.app.grace_seconds}")
    return f"exit code 0 after {seconds:.1f} s"
