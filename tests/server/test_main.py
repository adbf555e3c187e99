"""The program as people and clients run it: real processes, real ports, real signals."""

import asyncio
import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from tests.server.git_server import GitHost
from tests.server.places import Repository
from tests.server.serving import PROGRAM, environment_of, run, serving

# serve


def test_a_server_says_who_it_is_before_it_is_ready(tmp_path: Path, host: GitHost) -> None:
    wanted = host.url("hang/repository")
    hosts = {"CLONE_HOSTS": host.authority, "CLONE_PRIVATE_ADDRESSES": "true", "CA_FILE": str(host.ca_file)}
    fly = {"FLY_MACHINE_ID": "m1", "FLY_REGION": "ams", "FLY_APP_NAME": "test001"}
    with serving(tmp_path, REPOSITORIES=wanted, SOURCE_TREE="a" * 40, **hosts, **fly) as server:
        status, body = server.info()
        assert status == 200
        assert (body["name"], body["tree"], body["ready"], body["waiting_for"]) == (
            "code-insight",
            "a" * 40,
            False,
            [wanted],
        )
        assert (body["machine"]["id"], body["machine"]["region"], body["machine"]["app"]) == ("m1", "ams", "test001")
        assert server.info("?ready")[0] == 503


def test_a_server_is_ready_when_its_repository_answers(tmp_path: Path, repository: Repository) -> None:
    oid = repository.git("rev-parse", "HEAD")
    with serving(tmp_path, str(repository.folder)) as server:
        assert server.wait_until_ready()["repositories"] == [{"name": "local/flask", "commit": oid}]
        asked = run(tmp_path, "ask", "overview", "repository=flask", "--url", f"http://127.0.0.1:{server.port}/mcp")
    assert asked.returncode == 0
    assert "local/flask" in asked.stdout


def test_a_server_without_a_repository_is_ready(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert server.wait_until_ready()["repositories"] == []


def test_a_server_indexes_from_a_host_at_its_start(tmp_path: Path, host: GitHost, hosted: Repository) -> None:
    hosts = {"CLONE_HOSTS": host.authority, "CLONE_PRIVATE_ADDRESSES": "true", "CA_FILE": str(host.ca_file)}
    with serving(tmp_path, REPOSITORIES=host.url(hosted.folder.name), **hosts) as server:
        assert server.wait_until_ready()["repositories"][0]["commit"] == hosted.git("rev-parse", "HEAD")


def test_a_server_that_knows_its_repository_is_ready_before_it_has_looked_again(
    tmp_path: Path, repository: Repository
) -> None:
    assert run(tmp_path, "index", str(repository.folder)).returncode == 0
    repository.git_dir.rename(tmp_path / "gone")
    with serving(tmp_path, str(repository.folder)) as server:
        assert len(server.wait_until_ready()["repositories"]) == 1


def test_a_repository_that_cannot_be_indexed_is_said_and_the_server_lives(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with serving(tmp_path, str(tmp_path / "plain")) as server:
        deadline = time.monotonic() + 20
        while "is not indexed" not in server.log.read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert "plain is not a git repository" in server.log.read_text()
        assert server.info("?ready")[0] == 503
        assert server.info()[0] == 200


@pytest.mark.parametrize(
    ("by", "when"),
    [
        (signal.SIGTERM, "starting"),
        (signal.SIGTERM, "ready"),
        (signal.SIGINT, "ready"),
        (signal.SIGTERM, "indexing"),
    ],
)
def test_a_signal_ends_a_server_well(tmp_path: Path, host: GitHost, by: signal.Signals, when: str) -> None:
    hosts = {"CLONE_HOSTS": host.authority, "CLONE_PRIVATE_ADDRESSES": "true", "CA_FILE": str(host.ca_file)}
    wanted = {"REPOSITORIES": host.url("hang/repository")} if when == "indexing" else {}
    host.requests.clear()
    with serving(tmp_path, **hosts, **wanted) as server:
        server.info()
        if when == "ready":
            server.wait_until_ready()
        deadline = time.monotonic() + 20
        while when == "indexing" and not host.requests and time.monotonic() < deadline:
            time.sleep(0.02)
        began = time.monotonic()
        assert server.end(by) == 0, server.log.read_text()
        assert time.monotonic() - began < 5
        assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("era", ["legacy", "2026-07-28"])
async def test_a_call_in_flight_is_answered_after_a_signal(
    tmp_path: Path, host: GitHost, hosted: Repository, by: signal.Signals, era: str
) -> None:
    hosts = {"CLONE_HOSTS": host.authority, "CLONE_PRIVATE_ADDRESSES": "true", "CA_FILE": str(host.ca_file)}
    host.may_answer.clear()
    host.requests.clear()
    with serving(tmp_path, **hosts) as server:
        server.wait_until_ready()
        async with Client(f"http://127.0.0.1:{server.port}/mcp", mode=era) as client:
            await client.list_tools()  # otherwise the client asks for them when it has its answer
            url = host.url(f"late/{hosted.folder.name}")
            calling = asyncio.create_task(client.call_tool("add_repository", {"url": url}))
            await _until(lambda: bool(host.requests))
            server.process.send_signal(by)
            await _until(lambda: not _listens(server.port))
            host.may_answer.set()
            answer = await asyncio.wait_for(calling, 10)
        assert "is indexed" in answer.content[0].text
        assert await asyncio.to_thread(server.process.wait, 20) == 0
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("era", ["legacy", "2026-07-28"])
async def test_a_call_that_outlasts_a_signal_ends_in_an_error_and_hangs_nobody(
    tmp_path: Path, host: GitHost, by: signal.Signals, era: str
) -> None:
    hosts = {"CLONE_HOSTS": host.authority, "CLONE_PRIVATE_ADDRESSES": "true", "CA_FILE": str(host.ca_file)}
    host.requests.clear()
    with serving(tmp_path, **hosts) as server:
        server.wait_until_ready()
        began = time.monotonic()
        async with Client(f"http://127.0.0.1:{server.port}/mcp", mode=era) as client:
            calling = asyncio.create_task(client.call_tool("add_repository", {"url": host.url("hang/signal")}))
            await _until(lambda: bool(host.requests))
            server.process.send_signal(by)
            [answer] = await asyncio.wait_for(asyncio.gather(calling, return_exceptions=True), 20)
        assert isinstance(answer, Exception)
        assert await asyncio.to_thread(server.process.wait, 20) == 0
        assert time.monotonic() - began < 15


async def _until(claim: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(claim):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_port_that_is_taken_is_an_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ran = run(tmp_path, "serve", PORT=str(taken.getsockname()[1]))
    assert ran.returncode == 1
    assert "address already in use" in ran.stderr


# Settings and usage.


@pytest.mark.parametrize("command", [["serve"], ["stdio"], ["index", "/x"], ["ask", "tools"]])
def test_wrong_settings_end_every_command_with_one_message(tmp_path: Path, command: list[str]) -> None:
    ran = run(tmp_path, *command, PORT="x", JOBS="0")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert [line.partition("=")[0] for line in ran.stderr.splitlines()] == ["CODE_INSIGHT_PORT", "CODE_INSIGHT_JOBS"]


@pytest.mark.parametrize("arguments", [[], ["fly"], ["index"], ["ask"], ["serve", "--fast"]])
def test_wrong_usage_is_explained(tmp_path: Path, arguments: list[str]) -> None:
    ran = run(tmp_path, *arguments)
    assert ran.returncode == 2
    assert ran.stderr.startswith("usage: code-insight")


def test_the_version_is_printed(tmp_path: Path) -> None:
    assert run(tmp_path, "--version").stdout.startswith("code-insight 0.")


# index and ask


def test_index_says_what_it_did(tmp_path: Path, repository: Repository) -> None:
    oid = repository.git("rev-parse", "--short=12", "HEAD")
    first, second = (run(tmp_path, "index", str(repository.folder)) for _ in range(2))
    assert first.stdout.startswith(f"local/flask @ {oid} is indexed: 3 files read in ")
    assert second.stdout == f"local/flask @ {oid} was indexed already\n"
    assert (first.returncode, second.returncode) == (0, 0)


def test_index_takes_a_ref(tmp_path: Path, repository: Repository) -> None:
    repository.git("tag", "v1.0")
    first = repository.git("rev-parse", "--short=12", "HEAD")
    repository.commit({"b.txt": "b\n"})
    assert f"@ {first} is indexed" in run(tmp_path, "index", str(repository.folder), "--ref", "v1.0").stdout


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://github.com/a/b", "Only https URLs are cloned"),
        ("https://evil.example/a/b", "not indexed by this server"),
        ("/nonexistent", "There is no folder /nonexistent"),
    ],
)
def test_index_says_why_it_cannot(tmp_path: Path, url: str, problem: str) -> None:
    ran = run(tmp_path, "index", url)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert problem in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose data holds the repository `flask`; nobody changes it."""
    folder = tmp_path_factory.mktemp("asked")
    Repository(folder / "flask").commit({"src/app.py": "class Flask:\n    def route(self):\n        pass\n"})
    assert run(folder, "index", str(folder / "flask")).returncode == 0
    return folder


def test_ask_prints_the_answer_an_agent_would_see(asked: Path) -> None:
    ran = run(asked, "ask", "symbol", "repository=flask", "name=Flask.route")
    assert ran.returncode == 0, ran.stderr
    assert "src/app.py" in ran.stdout
    assert ran.stderr == ""


def test_ask_prints_json_when_asked_to(asked: Path) -> None:
    answer = json.loads(run(asked, "ask", "list_repositories", "--json").stdout)
    assert "local/flask" in answer["text"]


def test_ask_tells_an_error_by_its_exit_code(asked: Path) -> None:
    ran = run(asked, "ask", "overview", "repository=flsk")
    assert ran.returncode == 1
    assert "local/flask" in ran.stdout


def test_ask_lists_the_tools(asked: Path) -> None:
    listed, unknown = (run(asked, "ask", tool) for tool in ("tools", "nonsense"))
    assert "overview: " in listed.stdout
    assert (listed.returncode, unknown.returncode) == (0, 2)
    assert unknown.stdout == listed.stdout


# stdio


async def test_a_client_is_answered_over_stdio(asked: Path) -> None:
    transport = StdioTransport(PROGRAM[0], [*PROGRAM[1:], "stdio"], env=environment_of(asked), keep_alive=False)
    async with Client(transport) as client:
        names = {tool.name for tool in await client.list_tools()}
        result = await client.call_tool("overview", {"repository": "flask"})
    assert {"overview", "search", "read", "add_repository"} <= names
    assert "local/flask" in result.content[0].text


def test_stdio_ends_with_its_client_and_prints_nothing_of_its_own(asked: Path) -> None:
    ran = subprocess.run(
        [*PROGRAM, "stdio"],
        env=environment_of(asked),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, "")
    assert "Traceback" not in ran.stderr
