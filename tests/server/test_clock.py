"""The clock of the machine is set while work is going on: nothing waits or ends by it, and nothing false is said."""

import asyncio
import contextlib
import http.client
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastmcp import Client

from tests.server.faults import Faults
from tests.server.git_server import GitHost
from tests.server.places import Repository
from tests.server.serving import serving

TWO_DAYS = 2 * 86_400


@pytest.fixture
def clock(tmp_path: Path) -> Faults:
    """The clock of programs that are started with its environment; it is right."""
    return Faults(tmp_path)


def _wait_for(claim: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# A worker is at a file, and stays there until it is told to go on.
PARSING = """
import sys, time
from pathlib import Path
from code_insight.parsing import ParseLimits, ParserPool

def stay(facts):
    Path("began").touch()
    while not Path("go").exists():
        time.sleep(0.01)
    return "parsed"

if __name__ == "__main__":
    with ParserPool(ParseLimits(workers=1, wall_seconds=float(sys.argv[1]))) as pool:
        print(dict(pool.parse_many([("a", "python", b"x = 1")], stay))["a"])
"""


Start = Callable[[float], "subprocess.Popen[str]"]


@pytest.fixture
def parsing(tmp_path: Path, clock: Faults) -> Iterator[Start]:
    """Starts a program that parses one file, which may take so many seconds; a worker is at it."""
    (tmp_path / "parsing.py").write_text(PARSING)
    started: list[subprocess.Popen[str]] = []

    def start(seconds: float) -> "subprocess.Popen[str]":
        command = [sys.executable, "parsing.py", str(seconds)]
        running = subprocess.Popen(command, cwd=tmp_path, env=clock.environment, stdout=subprocess.PIPE, text=True)
        started.append(running)
        _wait_for((tmp_path / "began").exists)
        return running

    yield start
    (tmp_path / "go").touch()
    for running in started:
        running.kill()
        running.communicate()


def test_a_file_that_is_being_parsed_when_the_clock_is_set_forward_keeps_its_time(
    tmp_path: Path, clock: Faults, parsing: Start
) -> None:
    running = parsing(60)
    clock.set_clock(TWO_DAYS)
    with pytest.raises(subprocess.TimeoutExpired):
        running.wait(1)
    (tmp_path / "go").touch()
    assert running.communicate(timeout=20)[0] == "parsed\n"


def test_a_file_that_is_being_parsed_when_the_clock_is_set_back_gets_no_more_time(
    clock: Faults, parsing: Start
) -> None:
    running = parsing(1)
    clock.set_clock(-TWO_DAYS)
    assert running.communicate(timeout=20)[0] == "parse_timeout\n"


@pytest.mark.parametrize("jump", [-TWO_DAYS, TWO_DAYS])
async def test_a_server_whose_clock_jumps_serves_indexes_and_limits_as_before(
    tmp_path: Path, clock: Faults, host: GitHost, hosted: Repository, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    Repository(tmp_path / "before").commit({"a.py": "def before(): ...\n"})
    hosts = {"CLONE_HOSTS": host.authority, "CLONE_PRIVATE_ADDRESSES": "true", "CA_FILE": str(host.ca_file)}
    limits = {"CLIENT_REQUESTS_PER_MINUTE": "180", "CLONE_SECONDS_MAX": "2", "LOCAL_FOLDERS": str(tmp_path)}
    host.may_answer.clear()
    host.requests.clear()
    for name, value in clock.environment.items():
        monkeypatch.setenv(name, value)
    with serving(tmp_path, **hosts, **limits) as server:
        monkeypatch.undo()
        server.wait_until_ready()
        async with Client(f"http://127.0.0.1:{server.port}/mcp", mode="2026-07-28") as client:

            async def ask(tool: str, **arguments: str) -> str:
                answer = await client.call_tool(tool, arguments, raise_on_error=False)
                return str(answer.content[0].text)

            today = time.strftime("%Y-%m-%d", time.gmtime())
            await ask("add_repository", url=str(tmp_path / "before"))
            assert _checked(server.get("/")[1]) == ["just now"]
            adding = asyncio.create_task(ask("add_repository", url=host.url(f"late/{hosted.folder.name}")))
            await asyncio.to_thread(_wait_for, lambda: bool(host.requests))
            clock.set_clock(jump)
            assert "before" in await ask("symbol", repository="before", name="before")
            host.may_answer.set()
            assert "is indexed" in await asyncio.wait_for(adding, 20)

            assert _checked(server.get("/")[1]) == [today if jump < 0 else "2 days ago", "just now"]
            began = time.monotonic()
            assert "took longer than 2 s" in await ask("add_repository", url=host.url("hang/clock"))
            assert time.monotonic() - began < 15
        assert _allowed(server.port, 300) < 300
        clock.set_clock(0)
        assert _allowed(server.port, 30) < 30
        _wait_for(lambda: _allowed(server.port, 1) == 1, 10)
    assert "Traceback" not in server.log.read_text()


def _checked(page: str) -> list[str]:
    """When each repository was looked at last, as the page says it."""
    return re.findall(r"checked <time [^>]*>([^<]+)</time>", page)


def _allowed(port: int, requests: int) -> int:
    """How many of so many requests are answered; the others hear that they may come again soon."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    found = []
    with contextlib.closing(connection):
        for _ in range(requests):
            connection.request("GET", "/robots.txt")
            with connection.getresponse() as answer:
                answer.read()
                found.append(answer.status)
                assert answer.status == 200 or int(answer.headers["Retry-After"]) < 60
    assert set(found) <= {200, 429}
    return found.count(200)
