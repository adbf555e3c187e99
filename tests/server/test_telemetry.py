"""Traces: a server in a process of its own, a collector that reads what it sends, a real MCP client."""

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from mcp_types import ResourceTemplateReference

from tests.server.collector import Collector, closed_port_url, collecting
from tests.server.git_server import GitHost
from tests.server.places import Repository
from tests.server.serving import PROGRAM, Server, environment_of, run, serving

ERAS = ("legacy", "2026-07-28")
TOKEN = "a1" * 32
CANARY = "quetzalcoatl"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


def _to(collector: Collector, **settings: str) -> dict[str, str]:
    """Settings of a server that sends its spans soon."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "LOG_FORMAT": "json",
        **settings,
    }


def _client(server: Server, era: str = "legacy", **headers: str) -> "Client[Any]":
    url = f"http://127.0.0.1:{server.port}/mcp"
    return Client(StreamableHttpTransport(url, headers=headers), mode=era)


def _lines(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log.read_text().splitlines()]


# What is said.


@pytest.mark.parametrize("era", ERAS)
async def test_a_tool_call_is_one_span_with_its_query_below(
    tmp_path: Path, repository: Repository, collector: Collector, era: str
) -> None:
    with serving(tmp_path, str(repository.folder), **_to(collector)) as server:
        server.wait_until_ready()
        async with _client(server, era) as client:
            await client.call_tool("symbol", {"repository": "flask", "name": "Flask"})
        call = collector.wait_for("tools/call symbol")
        query = collector.wait_for("query")
        line = next(line for line in _lines(server) if line.get("tool") == "symbol")
    assert (call.kind, call.parent, call.failed) == ("SERVER", "", False)
    assert (query.kind, query.parent, query.trace) == ("INTERNAL", call.id, call.trace)
    assert call.attributes.pop("mcp.protocol.version") in ("2025-11-25", "2026-07-28")
    assert call.attributes == {
        "http.request.method": "POST",
        "http.route": "/mcp",
        "http.response.status_code": 200,
        "mcp.method.name": "tools/call",
        "gen_ai.tool.name": "symbol",
        "gen_ai.operation.name": "execute_tool",
        "vcs.repository.name": "local/flask",
        "code_insight.request.id": line["request_id"],
    }
    assert (line["trace_id"], line["repository"], line["asked"]) == (call.trace, "local/flask", "tools/call")
    assert {"service.name", "service.version", "service.instance.id"} <= collector.about.keys()
    assert collector.about["service.name"] == "code-insight"


@pytest.mark.parametrize(
    ("tool", "arguments", "code"),
    [("symbol", {"name": "Nothing"}, "not_found"), ("read", {"path": 7}, "invalid_argument")],
)
async def test_an_answer_that_is_an_error_fails_its_span_and_says_which_kind(
    tmp_path: Path, repository: Repository, collector: Collector, tool: str, arguments: dict[str, Any], code: str
) -> None:
    with serving(tmp_path, str(repository.folder), **_to(collector)) as server:
        server.wait_until_ready()
        async with _client(server) as client:
            await client.call_tool(tool, {"repository": "flask", **arguments}, raise_on_error=False)
        call = collector.wait_for(f"tools/call {tool}")
        line = next(line for line in _lines(server) if line.get("tool") == tool)
    assert call.failed
    assert (call.attributes["error.type"], call.attributes["code_insight.error.code"]) == ("tool_error", code)
    assert line["error"] == code


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("carrier", ["message", "header"])
async def test_the_span_of_a_client_is_the_parent(
    tmp_path: Path, repository: Repository, collector: Collector, carrier: str, era: str
) -> None:
    meta = {"traceparent": TRACEPARENT} if carrier == "message" else None
    headers = {"traceparent": TRACEPARENT} if carrier == "header" else {"traceparent": f"00-{'f' * 32}-{'1' * 16}-01"}
    with serving(tmp_path, str(repository.folder), **_to(collector)) as server:
        server.wait_until_ready()
        async with _client(server, era, **headers) as client:
            await client.call_tool("overview", {"repository": "flask"}, meta=meta)
        call = collector.wait_for("tools/call overview")
    assert (call.trace, call.parent) == (TRACE, PARENT)


async def test_what_is_no_traceparent_is_nobodys_parent(
    tmp_path: Path, repository: Repository, collector: Collector
) -> None:
    bad: list[Any] = ["", "00-" + "0" * 32 + f"-{PARENT}-01", f"ff-{TRACE}-{PARENT}-01", TRACEPARENT * 99, 7, [], {}]
    with serving(tmp_path, str(repository.folder), **_to(collector)) as server:
        server.wait_until_ready()
        async with _client(server) as client:
            for value in bad:
                await client.call_tool("overview", {"repository": "flask"}, meta={"traceparent": value})
        calls = collector.wait_until(
            lambda spans: (
                found if len(found := [s for s in spans if s.name == "tools/call overview"]) == len(bad) else []
            )
        )
    assert {call.parent for call in calls} == {""}
    assert len({call.trace for call in calls}) == len(bad)


async def test_a_repository_that_is_added_is_fetched_parsed_and_written(
    tmp_path: Path, host: GitHost, hosted: Repository, collector: Collector
) -> None:
    hosted.commit(message="second")  # so that there is a past to be fetched
    hosts = {"CLONE_HOSTS": host.authority, "CLONE_PRIVATE_ADDRESSES": "true", "CA_FILE": str(host.ca_file)}
    with serving(tmp_path, **hosts, **_to(collector)) as server:
        server.wait_until_ready()
        async with _client(server) as client:
            await client.call_tool("add_repository", {"url": host.url(hosted.folder.name)})
        call = collector.wait_for("tools/call add_repository")
        index = collector.wait_for("index")
        collector.wait_for("deepen")
    parts = [span for span in collector.spans if span.parent == index.id]
    assert index.parent == call.id
    assert [part.name for part in parts] == ["look", "fetch", "parse", "write", "survey", "history"]
    assert {part.trace for part in parts} == {call.trace}
    assert parts[2].attributes == {"code_insight.files": 1, "code_insight.blobs_parsed": 1}
    assert call.attributes["vcs.repository.name"] == index.attributes["vcs.repository.name"]


async def test_no_span_says_what_a_client_wrote_or_a_repository_holds(
    tmp_path: Path, repository: Repository, collector: Collector
) -> None:
    repository.commit({f"{CANARY}.py": f"def {CANARY}():\n    '''{CANARY}'''\n", "README.md": CANARY}, CANARY)
    (tmp_path / "access.toml").write_text(f'[tokens.alice]\nsha256 = "{hashlib.sha256(TOKEN.encode()).hexdigest()}"\n')
    access = {"ACCESS_FILE": str(tmp_path / "access.toml")}
    state = {"traceparent": TRACEPARENT, "tracestate": f"a={CANARY}", "baggage": f"a={CANARY}"}
    headers = {"authorization": f"Bearer {TOKEN}", "user-agent": CANARY, "x-forwarded-for": CANARY, **state}
    with serving(tmp_path, str(repository.folder), **access, **_to(collector)) as server:
        server.wait_until_ready()
        async with _client(server, **headers) as client:
            for tool, arguments in (
                ("search", {"query": CANARY}),
                ("symbol", {"repository": "flask", "name": CANARY}),
                ("symbol", {"repository": "flask", "name": f"No{CANARY}"}),
                ("symbol", {"repository": CANARY, "name": CANARY}),
                ("read", {"repository": "flask", "path": f"{CANARY}.py"}),
                ("read", {"repository": f"flask@{CANARY}", "path": f"{CANARY}.py", CANARY: CANARY}),
                ("context", {"repository": "flask", "task": CANARY}),
                ("add_repository", {"url": f"https://{CANARY}:{CANARY}@example.com/{CANARY}?{CANARY}"}),
                (CANARY, {CANARY: CANARY}),
            ):
                with contextlib.suppress(Exception):
                    await client.call_tool(tool, arguments, raise_on_error=False, meta=state)
            for asking in (
                client.read_resource(f"insight://local/flask/{CANARY}.py"),
                client.read_resource(f"insight://{CANARY}"),
                client.get_prompt(CANARY, {CANARY: CANARY}),
                client.complete(
                    ResourceTemplateReference(type="ref/resource", uri="insight://{repository}/{path*}"),
                    {"name": "path", "value": CANARY},
                ),
            ):
                with contextlib.suppress(Exception):
                    await asking
        for path in (f"/{CANARY}", f"/repositories/local/flask?a={CANARY}", f"/try?tool=search&query={CANARY}"):
            server.get(path)
        for method, data in (("GET", None), (CANARY.upper(), None), ("POST", json.dumps({"method": CANARY}).encode())):
            asked = urllib.request.Request(f"http://127.0.0.1:{server.port}/mcp", data, method=method)
            with contextlib.suppress(OSError), urllib.request.urlopen(asked, timeout=10):
                pass
        assert server.get("/")[0] == 200
        assert server.end() == 0
    names = {span.name for span in collector.spans}
    assert {"tools/call search", "tools/call", "resources/read", "GET /repositories", "GET other", "GET /try"} <= names
    assert {span.trace for span in collector.spans if span.name == "tools/call search"} == {TRACE}
    everything = b"".join(collector.raw).lower()
    assert CANARY.encode() not in everything
    assert TOKEN.encode() not in everything
    assert b"user-agent" not in everything


def test_probes_and_requests_that_are_refused_are_no_spans(tmp_path: Path, collector: Collector) -> None:
    with serving(tmp_path, CLIENT_REQUESTS_PER_MINUTE="150", **_to(collector)) as server:
        server.wait_until_ready()
        statuses = {server.get("/")[0]}
        for _ in range(1_000):
            if 429 not in statuses:
                statuses.add(server.get("/")[0])
        assert server.end() == 0
    assert statuses == {200, 429}
    assert {span.attributes.get("http.response.status_code") for span in collector.spans} == {200}
    assert {span.name for span in collector.spans} == {"GET /"}


def test_the_environment_has_the_last_word_on_who_this_is(tmp_path: Path, collector: Collector) -> None:
    named = {"OTEL_SERVICE_NAME": "mine", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test"}
    with serving(tmp_path, **_to(collector), **named) as server:
        server.wait_until_ready()
        server.get("/")
        collector.wait_for("GET /")
    assert (collector.about["service.name"], collector.about["deployment.environment.name"]) == ("mine", "test")


# What does not work.


async def test_a_collector_that_is_not_there_costs_one_line_and_no_answer(
    tmp_path: Path, repository: Repository
) -> None:
    endpoint = f"{closed_port_url()}/key-{CANARY}"
    nowhere = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_TIMEOUT": "2"}
    many = {"OTEL_BSP_SCHEDULE_DELAY": "10", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1", "OTEL_BSP_MAX_QUEUE_SIZE": "4"}
    with serving(tmp_path, str(repository.folder), LOG_FORMAT="json", **nowhere, **many) as server:
        server.wait_until_ready()
        async with _client(server) as client:
            for _ in range(20):
                answer = await client.call_tool("overview", {"repository": "flask"})
                assert answer.structured_content
        deadline = time.monotonic() + 10
        while not _complaints(server) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert server.end() == 0
        assert len(complaints := _complaints(server)) == 1
        assert CANARY not in server.log.read_text()
    assert "refused" in complaints[0]["message"]


def _complaints(server: Server) -> list[dict[str, Any]]:
    return [line for line in _lines(server) if line["level"] != "INFO"]


def test_a_collector_that_takes_traces_again_is_said_too(tmp_path: Path, collector: Collector) -> None:
    collector.status = 401
    with serving(tmp_path, **_to(collector)) as server:
        server.wait_until_ready()
        for _ in range(3):
            before = collector.requests
            server.get("/")
            deadline = time.monotonic() + 10
            while collector.requests == before and time.monotonic() < deadline:
                time.sleep(0.02)
        collector.status = 200
        server.get("/no/such/page")
        collector.wait_for("GET other")
        assert server.end() == 0
        said = [line["message"] for line in _lines(server) if "traces" in line["message"]]
    assert len(said) == 2
    assert "401" in said[0]
    assert said[1] == "traces are taken by the collector again"


@pytest.mark.parametrize("hangs", [False, True])
def test_a_signal_flushes_what_waits_within_a_bound(tmp_path: Path, collector: Collector, *, hangs: bool) -> None:
    collector.hangs = hangs
    with serving(tmp_path, **{**_to(collector), "OTEL_BSP_SCHEDULE_DELAY": "600000"}) as server:
        server.wait_until_ready()
        for _ in range(5):
            server.get("/")
        assert not collector.requests
        began = time.monotonic()
        assert server.end(signal.SIGTERM) == 0
        assert time.monotonic() - began < 8
    assert len(collector.spans) == (0 if hangs else 5)


def test_the_doctor_asks_the_collector(tmp_path: Path, collector: Collector) -> None:
    well = run(tmp_path, "doctor", **_to(collector))
    collector.status = 403
    refused = run(tmp_path, "doctor", **_to(collector))
    nowhere = run(tmp_path, "doctor", OTEL_EXPORTER_OTLP_ENDPOINT=closed_port_url())
    assert (well.returncode, refused.returncode, nowhere.returncode) == (0, 2, 2)
    assert "ok     traces    taken by the collector" in well.stdout
    assert re.search(r"wrong  traces    .*403", refused.stdout)
    assert re.search(r"wrong  traces    .*refused.*\n.*OTEL_EXPORTER_OTLP_", nowhere.stdout)
    assert not collector.spans
    assert "Traceback" not in well.stderr + refused.stderr + nowhere.stderr


# What is not asked for.


@pytest.mark.parametrize(
    ("settings", "is_on"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "mine"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces"}, True),
    ],
)
def test_nothing_of_it_is_imported_unless_it_is_asked_for(
    tmp_path: Path, settings: dict[str, str], *, is_on: bool
) -> None:
    with serving(tmp_path, PYTHONPROFILEIMPORTTIME="1", **settings) as server:
        server.wait_until_ready()
        server.get("/")
        assert server.end() == 0
        imported = server.log.read_text()
    assert "code_insight.catalog" in imported
    for module in ("opentelemetry.sdk", "code_insight.telemetry", "opentelemetry.exporter", "google.protobuf"):
        assert (module in imported) is is_on


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"OTEL_TRACES_EXPORTER": "jaeger"}, "OTEL_TRACES_EXPORTER='jaeger': otlp or none is expected"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf is expected"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "a URL such as http://localhost:4318 is expected"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://me:secret@collector:4318"}, "without a user"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "authorization Basic secret"}, "name=value,name=value is expected"),
    ],
)
def test_settings_that_no_collector_could_be_reached_by_are_named_without_secrets(
    tmp_path: Path, settings: dict[str, str], message: str
) -> None:
    ran = run(tmp_path, "serve", **{"OTEL_TRACES_EXPORTER": "otlp", **settings})
    assert ran.returncode == 2
    assert message in ran.stderr
    assert "secret" not in ran.stderr


def test_a_command_that_is_no_server_does_not_mind_them(tmp_path: Path) -> None:
    ran = run(tmp_path, "ask", "tools", OTEL_TRACES_EXPORTER="otlp", OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    assert ran.returncode == 0, ran.stderr


def test_headers_are_sent_and_may_be_written_as_the_specification_says(tmp_path: Path, collector: Collector) -> None:
    headers = "authorization=Basic%20c2VjcmV0, x-team = a"
    with serving(tmp_path, **_to(collector), OTEL_EXPORTER_OTLP_HEADERS=headers) as server:
        server.wait_until_ready()
        server.get("/")
        collector.wait_for("GET /")
        assert "c2VjcmV0" not in server.log.read_text()


def test_traces_without_the_packages_for_them_are_refused_with_what_to_do(tmp_path: Path) -> None:
    ours = tmp_path / "packages"
    ours.mkdir()
    for installed in map(Path, (path for path in sys.path if path.endswith("site-packages"))):
        for package in installed.iterdir():
            if package.name != "opentelemetry" and not package.name.endswith(".pth"):
                (ours / package.name).symlink_to(package)
        (ours / "opentelemetry").mkdir()
        for part in (installed / "opentelemetry").iterdir():
            if part.name not in ("sdk", "exporter"):
                (ours / "opentelemetry" / part.name).symlink_to(part)
    source = Path(__file__).parents[2] / "server" / "src"
    without = {"PYTHONPATH": os.pathsep.join((str(source), str(ours)))}
    command = [PROGRAM[0], "-S", *PROGRAM[1:]]
    ran = subprocess.run(
        [*command, "serve"],
        env=environment_of(tmp_path, OTEL_TRACES_EXPORTER="otlp", **without),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 2
    assert ran.stderr.strip() == "OTEL_… asks for traces: install code-insight[otel], or set OTEL_TRACES_EXPORTER=none"
    asked = subprocess.run(
        [*command, "ask", "tools"],
        env=environment_of(tmp_path, **without),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert asked.returncode == 0, asked.stderr
