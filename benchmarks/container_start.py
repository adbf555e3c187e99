"""`docker run` → `/info` 200 → first tools/call answered: our image beside one made in the plain way, interleaved.

python benchmarks/container_start.py [ROUNDS]

The plain image is what one writes first: Python's slim image, `uv sync`, `uv run uvicorn`, no bytecode; in it stands a
one-tool FastMCP server of the same version. Both are made on $BASE, and run with the memory and CPU of fly.toml.
"""

from __future__ import annotations

import io
import os
import socket
import statistics
import sys
import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import docker
import servers
from code_insight_deploy import apps, images, source
from docker.models.containers import Container
from rich.console import Console
from rich.progress import track
from rich.table import Table

TOP = Path(__file__).resolve().parent.parent
PLAIN = "code-insight-benchmark:plain"
UV_VERSION = "0.13.9"
INFO_TARGET, ANSWER_TARGET = 0.15, 0.4
PLAIN_DOCKERFILE = f"""\
ARG BASE
FROM ${{BASE}}
RUN pip install --no-cache-dir --root-user-action ignore uv=={UV_VERSION}
WORKDIR /app
COPY pyproject.toml app.py ./
RUN uv sync --no-dev
EXPOSE 8080
CMD ["uv", "run", "uvicorn", "app:app", "--host", "0.0.0.0", "--port", "8080"]
"""
PLAIN_PROJECT = f"""\
[project]
name = "plain"
version = "0"
requires-python = ">=3.14"
dependencies = ["fastmcp=={version("fastmcp")}", "uvicorn=={version("uvicorn")}"]
"""
PLAIN_APP = servers.ONE_TOOL[: servers.ONE_TOOL.index("uvicorn.run")].replace("import sys, uvicorn", "")


@dataclass(frozen=True, slots=True)
class Contender:
    """An image, and a question that its server answers."""

    name: str
    image: str
    tool: str
    question: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from `docker run`, and memory once the first answer was there."""

    info: float
    answer: float
    memory_bytes: int


def main(rounds: int) -> None:
    """Print the table and the two ratios."""
    base = os.environ.get("BASE") or "python:3.14-slim"
    app = apps.read_app(TOP / "fly.toml")
    with images.engine() as engine:
        built = images.build(engine, TOP, source.source_tree(TOP, allow_dirty=True), base, print)
        build_plain(engine, base)
        contenders = (
            Contender("plain", PLAIN, "echo", {"text": "hello"}),
            Contender("code-insight", built.image_id, "list_repositories", {}),
        )
        for contender in contenders:
            measure(engine, contender, app)  # the page cache
        found: dict[str, list[Start]] = {contender.name: [] for contender in contenders}
        for round_ in track(range(rounds), "starting containers", console=Console(stderr=True)):
            for contender in contenders if round_ % 2 else reversed(contenders):
                found[contender.name].append(measure(engine, contender, app))
    Console(width=110).print(table(found, rounds))
    print(ratios(found))


def build_plain(engine: docker.DockerClient, base: str) -> None:
    """Make the plain image, by the SDK's own means."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as files:
        for name, text in (("Dockerfile", PLAIN_DOCKERFILE), ("pyproject.toml", PLAIN_PROJECT), ("app.py", PLAIN_APP)):
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            files.addfile(member, io.BytesIO(text.encode()))
    context.seek(0)
    engine.images.build(fileobj=context, custom_context=True, tag=PLAIN, buildargs={"BASE": base}, rm=True)


def measure(engine: docker.DockerClient, contender: Contender, app: apps.App) -> Start:
    """Start the image once; the container is gone afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    began = time.perf_counter()
    container = engine.containers.run(
        contender.image,
        detach=True,
        mem_limit=app.memory_bytes,
        memswap_limit=app.memory_bytes,
        nano_cpus=app.cpus * 10**9,
        ports={"8080/tcp": ("127.0.0.1", port)},
    )
    try:
        info = servers.wait_for_info(port, began)
        servers.call(port, contender.tool, contender.question)
        answer = time.perf_counter() - began
        return Start(info, answer, memory_bytes(container))
    finally:
        container.remove(force=True)


def memory_bytes(container: Container) -> int:
    """What the engine counts for the container, without the page cache where that is told apart."""
    counted = container.stats(stream=False)
    usage = counted["memory_stats"] if isinstance(counted, dict) else {}
    detail = usage.get("stats", {})
    return int(detail.get("total_rss", detail.get("anon", usage.get("usage", 0))))


def table(found: Mapping[str, list[Start]], rounds: int) -> Table:
    """One row for each image."""
    printed = Table(title=f"docker run to an answer, {rounds} rounds interleaved, median (least) s")
    for column in ("image", "/info 200", "first tools/call", "MB after it"):
        printed.add_column(column, justify="left" if column == "image" else "right")
    for name, starts in found.items():
        info, answer = [start.info for start in starts], [start.answer for start in starts]
        memory = statistics.median(start.memory_bytes for start in starts) / 1e6
        printed.add_row(name, cell(info), cell(answer), f"{memory:.0f}")
    return printed


def cell(seconds: list[float]) -> str:
    """Median and least."""
    return f"{statistics.median(seconds):.2f} ({min(seconds):.2f})"


def ratios(found: Mapping[str, list[Start]]) -> str:
    """Ours in the plain image's time: by medians, and by the least of each."""
    lines = []
    for what, target in (("info", INFO_TARGET), ("answer", ANSWER_TARGET)):
        plain, ours = ([getattr(start, what) for start in found[name]] for name in ("plain", "code-insight"))
        median, least = statistics.median(ours) / statistics.median(plain), min(ours) / min(plain)
        name = "/info" if what == "info" else "first tools/call"
        lines.append(f"{name}: {median:.2f} x the plain image (least: {least:.2f}; target: at most {target})")
    return "\n".join(lines)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
