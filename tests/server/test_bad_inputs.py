"""Every row of tests/bad_inputs.jsonl, against a real server; after each it lives, answers, and has nothing to regret.

A row has an id, what it is, and steps; `because` says why the answer is not what a first guess may be. A step is one of
mcp (a message to /mcp, by default a plain call), http, raw (bytes), tool, add (a repository of bad_repositories),
leave (a client that goes away), crowd (many calls at once), same (two calls that must be answered alike), damage (an
index file).
"""

import concurrent.futures
import contextlib
import copy
import hashlib
import http.client
import json
import os
import random
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.server.bad_repositories import REPOSITORIES
from tests.server.git_server import GitHost
from tests.server.places import Repository
from tests.server.serving import Server, serving

ROWS = [json.loads(line) for line in (Path(__file__).parent.parent / "bad_inputs.jsonl").read_text().splitlines()]
OURS = "insight.example.invalid"
INSIDE = "127.0.0.1 localhost localhost. 0x7f000001 127.1 0 10.0.0.1 172.19.0.1 192.168.1.1"
VERSION = "2026-07-28"


@dataclass(frozen=True, slots=True)
class _Place:
    folder: Path
    host: GitHost
    open: Server  # clones from our git host, which has a private address
    by_name: Server  # allows hosts by names that lead inside, but no private address

    def server(self, step: dict[str, Any]) -> Server:
        return self.by_name if step.get("server") == "by_name" else self.open


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, host: GitHost) -> Iterator[_Place]:
    """Two servers, and a git host that hosts `plain`; both servers' folder has `plain` too."""
    folder = tmp_path_factory.mktemp("bad")
    files: dict[str, str | bytes] = {
        "README.md": "# Plain\n",
        "src/app.py": "def work(): ...\n",
        "picture.bin": b"\0\1",
    }
    Repository(folder / "plain").commit(files)
    Repository(folder / "hidden").commit(files)
    digest = hashlib.sha256(b"GOODTOKEN").hexdigest()
    access = f'anonymous = "adds"\nhidden = ["local/hidden"]\n[tokens.good]\nsha256 = "{digest}"\n'
    (folder / "access.toml").write_text(access)
    hosted = Repository(host.root / "plain")
    hosted.commit(files)
    hosted.git("update-server-info")
    common = {"LOCAL_FOLDERS": str(folder), "CA_FILE": str(host.ca_file), "ALLOWED_HOSTS": OURS}
    common |= {"CLIENT_REQUESTS_PER_MINUTE": "0", "CLIENT_REQUESTS_AT_ONCE": "64", "GIT_MEMORY_BYTES_MAX": str(1 << 29)}
    common |= {"CLONE_SECONDS_MAX": "6", "JOB_SECONDS_MAX": "12", "REPOSITORIES": f"{folder}/plain {folder}/hidden"}
    common |= {"ACCESS_FILE": str(folder / "access.toml")}
    hosts = f"github.com {host.authority}"
    inside = f"{INSIDE} git.example.invalid:{host.server_port}"
    for name in ("open", "by_name"):
        (folder / name).mkdir()
    with (
        serving(folder / "open", CLONE_HOSTS=hosts, CLONE_PRIVATE_ADDRESSES="true", **common) as first,
        serving(folder / "by_name", CLONE_HOSTS=inside, **common) as second,
    ):
        for server in (first, second):
            server.wait_until_ready()
        yield _Place(folder, host, first, second)


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_a_bad_input_is_answered_and_the_server_lives_on(place: _Place, row: dict[str, Any]) -> None:
    servers = {id(server): server for server in (place.open, place.by_name)}.values()
    logged = [server.log.stat().st_size for server in servers]
    for step in row["steps"]:
        kind = next(kind for kind in _STEPS if kind in step)
        _STEPS[kind](place, step, step["expect"])
    for server, before in zip(servers, logged, strict=True):
        began = time.monotonic()
        assert server.info()[0] == 200
        assert time.monotonic() - began < 1
        assert server.process.poll() is None
        with server.log.open("rb") as log:
            log.seek(before)
            said = log.read().decode()
        assert "Traceback" not in said
        assert " ERROR " not in said or "damage" in row["steps"][0]
        assert not {secret for secret in ("SECRETPW", "WRONGTOKEN", "CANARY") if secret in said}


def test_no_row_stands_twice() -> None:
    assert len({row["id"] for row in ROWS}) == len(ROWS)


# What steps are made of.


def _meant(value: Any, place: _Place) -> Any:
    """A value of a row as it is sent: what is long is written there in short, and what is ours by a name."""
    if isinstance(value, list):
        return [_meant(part, place) for part in value]
    if not isinstance(value, dict):
        return _named(value, place) if isinstance(value, str) else value
    if "repeat" in value:
        unit, times = value["repeat"]
        return unit * times + (_meant(value["then"], place) if "then" in value else "")
    if "parts" in value:
        return "".join(_meant(part, place) for part in value["parts"])
    if "alternatives" in value:
        return "|".join(f"w{number}" for number in range(value["alternatives"]))
    if "joined" in value:
        return " OR ".join(f"abc{number}" for number in range(value["joined"]))
    return {key: _meant(part, place) for key, part in value.items()}


def _named(value: str, place: _Place) -> str:
    name = value.partition("/")[2]
    if value.startswith("@host/"):
        return place.host.url(name)
    if value.startswith("@pinned/"):
        return f"https://git.example.invalid:{place.host.server_port}/{name}"
    if value.startswith("@local/"):
        return str(place.folder / name)
    if value.startswith("@name/"):
        return f"{place.host.authority}/{name}"
    if value.startswith("@page/"):
        return f"/repositories/{place.host.authority}/{name}"
    return value


def _call(tool: str = "overview", arguments: Any = None) -> dict[str, Any]:
    about = {"io.modelcontextprotocol/protocolVersion": VERSION, "io.modelcontextprotocol/clientCapabilities": {}}
    params = {"name": tool, "arguments": {"repository": "plain"} if arguments is None else arguments, "_meta": about}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def _merged(whole: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """`whole` with what `patch` says; null of a parameter takes it away, and so does "@absent"."""
    merged = copy.copy(whole)
    for key, value in patch.items():
        if value == "@absent" or (value is None and key != "id"):
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict) and key != "arguments":
            merged[key] = _merged(merged[key], value)
        else:
            merged[key] = value
    return merged


@dataclass(slots=True)
class _Answer:
    status: int | None
    headers: dict[str, str]
    text: str
    seconds: float

    @property
    def message(self) -> dict[str, Any]:
        """The JSON-RPC message, also of a stream of events: the last one."""
        lines = [line[5:] for line in self.text.splitlines() if line.startswith("data:")]
        found = json.loads(lines[-1] if lines else self.text)
        return found if isinstance(found, dict) else {}

    @property
    def code(self) -> Any:
        message = self.message
        if "error" in message:
            return message["error"]["code"]
        return message["result"].get("structuredContent", {}).get("error", {}).get("code")


def _ask(
    server: Server, method: str, path: str, headers: dict[str, Any], body: bytes | None, *, chunked: bool = False
) -> _Answer:
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=40)
    with contextlib.closing(connection):
        connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            for one in value if isinstance(value, list) else [value]:
                connection.putheader(name, one)
        if chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        elif body is not None:
            connection.putheader("Content-Length", str(len(body)))
        # The path may be as bad as it is in the row; and who is refused early may find the door closed.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.endheaders()
            if chunked:
                for start in range(0, len(body or b""), 60_000):
                    part = (body or b"")[start : start + 60_000]
                    connection.send(b"%x\r\n%b\r\n" % (len(part), part))
                connection.send(b"0\r\n\r\n")
            elif body:
                connection.send(body)
        answer = connection.getresponse()
        text = answer.read().decode()
        found = {name.lower(): value for name, value in answer.getheaders()}
    return _Answer(answer.status, found, text, time.monotonic() - began)


def _tool(server: Server, tool: str, arguments: Any) -> _Answer:
    return _message(server, _call(tool, arguments), {"Mcp-Name": tool})


def _message(server: Server, message: Any, headers: dict[str, Any]) -> _Answer:
    ours = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    ours |= {"MCP-Protocol-Version": VERSION, "Mcp-Method": "tools/call", "Mcp-Name": "overview"}
    text = message if isinstance(message, str) else json.dumps(message).replace('"@NaN"', "NaN")
    sent = {name: value for name, value in {**ours, **headers}.items() if value is not None}
    return _ask(server, "POST", "/mcp", sent, text.encode())


def _check(answer: _Answer, expect: dict[str, Any], place: _Place) -> None:
    seen = f"{answer.status} {answer.headers} {answer.text[:2000]}"
    statuses = expect.get("status")
    assert statuses is None or answer.status in (statuses if isinstance(statuses, list) else [statuses]), seen
    if "is_error" in expect:
        assert answer.message["result"].get("isError", False) is expect["is_error"], seen
    if "code" in expect:
        codes = expect["code"] if isinstance(expect["code"], list) else [expect["code"]]
        assert answer.code in codes, seen
    for part in expect.get("has", []):
        assert part in answer.text, seen
    for part in expect.get("has_not", []):
        assert part not in answer.text, seen
    for name, part in expect.get("has_header", {}).items():
        assert part in answer.headers.get(name, ""), seen
    assert answer.seconds * 1000 < expect.get("within_ms", 40_000)
    if "no_file" in expect:
        assert not list(place.folder.rglob(expect["no_file"]))
        assert not Path(expect["no_file"]).exists()


def _children(server: Server) -> list[str]:
    """The command lines of the processes that the server has started, and of theirs."""
    found, parents = [], [server.process.pid]
    while parents:
        tasks = Path(f"/proc/{parents.pop()}/task")
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for task in tasks.iterdir():
                for child in (task / "children").read_text().split():
                    parents.append(int(child))
                    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                        found.append(Path(f"/proc/{child}/cmdline").read_text().replace("\0", " "))
    return found


def _memory_mb(server: Server) -> float:
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _open_files(server: Server) -> int:
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


def _wait_until(claim: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# The steps.


def _mcp_step(place: _Place, step: dict[str, Any], expect: dict[str, Any]) -> None:
    asked = _meant(step["mcp"], place)
    headers = asked.get("headers", {})
    if asked.get("chunked"):
        answer = _ask(place.open, "POST", "/mcp", headers, asked["text"].encode(), chunked=True)
    else:
        answer = _message(place.open, asked.get("text") or _merged(_call(), asked.get("call", {})), headers)
    _check(answer, expect, place)


def _http_step(place: _Place, step: dict[str, Any], expect: dict[str, Any]) -> None:
    asked = _meant(step["http"], place)
    answer = _ask(place.open, asked.get("method", "GET"), asked["path"], asked.get("headers", {}), None)
    _check(answer, expect, place)


def _raw_step(place: _Place, step: dict[str, Any], expect: dict[str, Any]) -> None:
    data = _meant(step["raw"], place).encode("latin-1")
    memory, files = _memory_mb(place.open), _open_files(place.open)
    with contextlib.ExitStack() as held:
        for _ in range(step.get("connections", 1) - 1):
            held.enter_context(socket.create_connection(("127.0.0.1", place.open.port), 10)).sendall(data)
        if held:
            assert place.open.info()[0] == 200
        _check(_raw(place.open, data, close=bool(expect.get("closed"))), expect, place)
    if "memory_mb" in expect:
        assert _memory_mb(place.open) - memory < expect["memory_mb"]
    if expect.get("open_files_as_before"):
        _wait_until(lambda: _open_files(place.open) <= files, 15)


def _raw(server: Server, data: bytes, *, close: bool) -> _Answer:
    """What is answered to bytes; with `close`, the connection has been closed afterwards, as it should be."""
    began, found = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(data)
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65_536):
                found += part
                if not close:
                    break
    head = found.split(b"\r\n", 1)[0].split(b" ")
    status = int(head[1]) if len(head) > 1 else None
    return _Answer(status, {}, found.decode("latin-1"), time.monotonic() - began)


def _tool_step(place: _Place, step: dict[str, Any], expect: dict[str, Any]) -> None:
    server = place.server(step)
    before = len(place.host.requests)
    answer = _tool(server, step["tool"], _meant(step["arguments"], place))
    _check(answer, expect, place)
    asked = place.host.requests[before:]
    if expect.get("no_git"):
        assert asked == []
    if "not_asked" in expect:
        assert [request for request in asked if expect["not_asked"] in request] == []


def _add_step(place: _Place, step: dict[str, Any], expect: dict[str, Any]) -> None:
    name = step["add"]
    folder = (place.host.root if step.get("hosted") else place.folder) / name
    if not folder.exists():
        REPOSITORIES[name](Repository(folder))
    url = place.host.url(name) if step.get("hosted") else str(folder)
    _check(_tool(place.open, "add_repository", {"url": url}), expect, place)


def _leave_step(place: _Place, step: dict[str, Any], expect: dict[str, Any]) -> None:
    asked = step["leave"]
    message = json.dumps(_call(asked["tool"], _meant(asked["arguments"], place)))
    lines = [
        "POST /mcp HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(message)}",
    ]
    lines += ["Accept: application/json, text/event-stream", f"MCP-Protocol-Version: {VERSION}"]
    lines += ["Mcp-Method: tools/call", f"Mcp-Name: {asked['tool']}", "", message]
    before = len(place.host.requests)
    with socket.create_connection(("127.0.0.1", place.open.port), 10) as connection:
        connection.sendall("\r\n".join(lines).encode())
        _wait_until(lambda: len(place.host.requests) > before, 10)
        assert any("git" in child for child in _children(place.open))
    _wait_until(
        lambda: not any(" ls-remote " in child for child in _children(place.open)), expect["no_git_within_ms"] / 1000
    )


def _crowd_step(place: _Place, step: dict[str, Any], expect: dict[str, Any]) -> None:
    arguments = _meant(step["arguments"], place)
    with concurrent.futures.ThreadPoolExecutor(step["crowd"]) as crowd:
        calls = [crowd.submit(_tool, place.open, step["tool"], arguments) for _ in range(step["crowd"])]
        while not all(call.done() for call in calls):
            began = time.monotonic()
            assert place.open.info()[0] == 200
            assert time.monotonic() - began < expect["info_within_ms"] / 1000
            concurrent.futures.wait(calls, timeout=0.2)
    for call in calls:
        assert call.result().status in expect["status"]
        if call.result().status == 200:
            assert call.result().code in expect["codes"]


def _same_step(place: _Place, step: dict[str, Any], expect: dict[str, Any]) -> None:
    answers = [_tool(place.open, asked["tool"], asked["arguments"]) for asked in step["same"]]
    for answer in answers:
        _check(answer, expect, place)
    names = [asked["arguments"]["repository"] for asked in step["same"]]
    assert answers[0].text.replace(names[0], "…") == answers[1].text.replace(names[1], "…")


def _damage_step(place: _Place, step: dict[str, Any], expect: dict[str, Any]) -> None:
    name = f"damaged_{step['damage']}"
    Repository(place.folder / name).commit({"README.md": "# Whole\n" + "text that may be damaged\n" * 5_000})
    _check(_tool(place.open, "add_repository", {"url": str(place.folder / name)}), {"is_error": False}, place)
    asked = ("read", {"repository": f"local/{name}", "path": "README.md", "lines": "2-40"})
    whole = _tool(place.open, *asked).message["result"]["content"]
    homes = place.open.folder / "data" / "repositories"
    if step["damage"] == "another":
        shutil.copy(homes / "local%2Fplain" / "index.db", homes / f"local%2F{name}" / "index.db")
    else:
        _damage(homes / f"local%2F{name}" / "index.db", step["damage"])
    _check(_tool(place.open, *asked), expect, place)

    def is_whole_again() -> bool:
        answer = _tool(place.open, *asked).message["result"]
        assert answer.get("isError") or answer["content"] == whole
        return not answer.get("isError")

    _wait_until(is_whole_again, 30)


def _damage(index: Path, how: str) -> None:
    data = bytearray(index.read_bytes())
    match how:
        case "empty":
            data.clear()
        case "garbage":
            data = bytearray(random.Random(1).randbytes(6_000))
        case "cut":
            del data[len(data) * 999 // 1000 :]
        case "longer":
            data += bytes(4_096)
        case "zeros":
            data[8_192:12_288] = bytes(4_096)
        case _:
            data[len(data) // 2] ^= 1
    index.write_bytes(data)


_STEPS = {
    "damage": _damage_step,
    "mcp": _mcp_step,
    "http": _http_step,
    "raw": _raw_step,
    "add": _add_step,
    "leave": _leave_step,
    "crowd": _crowd_step,
    "same": _same_step,
    "tool": _tool_step,
}
