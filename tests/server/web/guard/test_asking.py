"""Requests: how large, how many, of whom; what is hidden and what is written down."""

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest
from code_insight.web.guard import logs
from code_insight.web.guard.asking import GuardLimits

from tests.server.web.guard.places import SECRET, all_of, door, get, wait_until


def _status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def _post(size: int, body: bytes = b"", *headers: str, path: str = "/echo") -> bytes:
    lines = (f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {size}", *headers, "Connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _chunked(*sizes: int) -> bytes:
    head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (size, b"a" * size) for size in sizes) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (_post(1_000, b"a" * 1_000), 200),
        (_post(1_001, b"a" * 1_001), 413),
        (_post(99_999_999_999), 413),
        (_chunked(400, 600), 200),
        (_chunked(400, 601), 413),
        (_chunked(100_000), 413),
    ],
)
def test_a_body_has_a_largest_size(data: bytes, status: int) -> None:
    with door(GuardLimits(body_bytes=1_000)) as place:
        answer = place.ask(data)
        assert _status(answer) == status
        assert answer.count(b"a" * 1_000) == (status == 200)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (["X-A: " + "a" * 15_000], 200),
        (["X-A: " + "a" * 30_000], 431),
        (["X-A: b"] * 90, 200),
        (["X-A: b"] * 101, 431),
        (["X-A: " + "a" * 200_000], 400),
    ],
)
def test_headers_have_a_largest_size(headers: list[str], status: int) -> None:
    with door() as place:
        found = _status(place.ask(get("/echo", *headers)))
        # how much of them is read at once decides who refuses them
        assert found in ({431, 400} if status >= 400 else {200})


def test_a_client_may_ask_so_often_and_hears_when_to_come_back() -> None:
    with door(GuardLimits(client_requests_per_minute=3)) as place:
        answers = [place.ask(get("/echo")) for _ in range(4)]
    assert [_status(answer) for answer in answers] == [200, 200, 200, 429]
    seconds = int(re.findall(rb"(?i)retry-after: (\d+)", answers[-1])[0])
    assert 1 <= seconds <= 20
    assert f"Try again in {seconds} seconds." in answers[-1].decode()


@pytest.mark.parametrize(
    "headers", [["X-A: b"] * 101, ["Authorization: Bearer x"], ["Authorization: Bearer x", "Authorization: Bearer y"]]
)
def test_who_is_refused_for_what_they_say_has_asked_too(headers: list[str]) -> None:
    with door(GuardLimits(client_requests_per_minute=2)) as place:
        answers = [_status(place.ask(get("/echo", *headers))) for _ in range(3)]
    assert answers[-1] == 429
    assert 429 not in answers[:2]


def test_mcp_is_refused_in_the_words_of_its_protocol() -> None:
    with door(GuardLimits(client_requests_per_minute=1)) as place:
        refused = [place.ask(_post(0, path="/mcp")) for _ in range(2)][1]
    body = json.loads(refused.partition(b"\r\n\r\n")[2])
    assert (body["jsonrpc"], body["id"], body["error"]["code"]) == ("2.0", None, -32000)
    assert 1 <= body["error"]["data"]["retry_after"] <= 60


@pytest.mark.parametrize(
    ("first", "second", "are_one"),
    [
        ("198.51.100.1", "198.51.100.1", True),
        ("198.51.100.1", "198.51.100.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::1%eth0", "::1", True),
        ("not:an:address", "not:an:address", True),
    ],
)
def test_on_fly_the_proxy_says_who_asks(first: str, second: str, *, are_one: bool) -> None:
    with door(GuardLimits(client_requests_per_minute=1), is_on_fly=True) as place:
        answers = [place.ask(get("/echo", f"Fly-Client-IP: {address}")) for address in (first, second)]
    assert [_status(answer) for answer in answers] == [200, 429 if are_one else 200]


def test_elsewhere_a_header_says_nothing() -> None:
    with door(GuardLimits(client_requests_per_minute=1)) as place:
        asked = [place.ask(get("/echo", f"Fly-Client-IP: 198.51.100.{n}")) for n in range(2)]
    assert [_status(answer) for answer in asked] == [200, 429]


def test_a_client_may_ask_so_much_at_once_and_others_still_may() -> None:
    with door(GuardLimits(client_requests_at_once=2), is_on_fly=True) as place:
        waiting = [place.connect(get("/wait", "Fly-Client-IP: 198.51.100.1")) for _ in range(2)]
        wait_until(lambda: place.application.waiting == 2)
        assert _status(place.ask(get("/echo", "Fly-Client-IP: 198.51.100.1"))) == 429
        assert _status(place.ask(get("/echo", "Fly-Client-IP: 198.51.100.2"))) == 200
        place.application.release()
        assert [_status(all_of(connection)) for connection in waiting] == [200, 200]
        wait_until(lambda: _status(place.ask(get("/echo", "Fly-Client-IP: 198.51.100.1"))) == 200)
        for connection in waiting:
            connection.close()


def test_all_clients_together_may_ask_so_much_at_once() -> None:
    with door(GuardLimits(requests_at_once=2), is_on_fly=True) as place:
        waiting = [place.connect(get("/wait", f"Fly-Client-IP: 198.51.100.{n}")) for n in range(2)]
        wait_until(lambda: place.application.waiting == 2)
        refused = place.ask(get("/echo", "Fly-Client-IP: 198.51.100.9"))
        assert _status(refused) == 503
        assert b"retry-after: 1" in refused
        place.application.release()
        for connection in waiting:
            all_of(connection)
            connection.close()


def test_half_a_body_is_not_at_work() -> None:
    with door(GuardLimits(requests_at_once=1, client_requests_at_once=1)) as place:
        halves = [place.connect(_post(10, b"abc")) for _ in range(5)]
        assert _status(place.ask(get("/echo"))) == 200
        for connection in halves:
            connection.close()


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What is logged, as JSON, one object a line."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logs._Json())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


def _lines(written: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_an_error_of_ours_is_hidden_and_can_be_found(logged: io.StringIO) -> None:
    with door() as place:
        answer = place.ask(get("/broken"))
    assert _status(answer) == 500
    assert SECRET not in answer.decode()
    [request_id] = re.findall(r"x-request-id: ([0-9a-f]{16})", answer.decode())
    assert f"Request {request_id}." in answer.decode()
    lines = [line for line in _lines(logged) if line.get("request_id") == request_id]
    assert [line["message"] for line in lines] == ["about to break", "A request could not be answered.", "request"]
    assert SECRET in str(lines[1]["traceback"])
    assert lines[2]["status"] == 500


def test_a_request_is_written_down_without_what_may_be_secret(logged: io.StringIO) -> None:
    with door(is_on_fly=True) as place:
        place.ask(get("/echo?access_token=CANARY", "Authorization: Bearer CANARY", "Fly-Client-IP: 198.51.100.7"))
        place.ask(_post(6, b"CANARY"))
    assert "CANARY" not in logged.getvalue()
    first = next(line for line in _lines(logged) if line["message"] == "request")
    assert (first["method"], first["path"], first["status"]) == ("GET", "/echo", 401)
    assert first["client"] == "198.51.100.7"


def test_probes_are_written_down_only_when_something_is_wrong(logged: io.StringIO) -> None:
    with door(GuardLimits(client_requests_per_minute=1)) as place:
        place.ask(get("/info"))
        place.ask(get("/info"))
    assert [line["status"] for line in _lines(logged) if line["message"] == "request"] == [429]


@pytest.mark.parametrize("form", ["text", "json"])
def test_nobody_can_begin_a_line_of_the_log(form: str) -> None:
    formatter = logs._Json() if form == "json" else logs._Text()
    record = logging.LogRecord("x", logging.INFO, "", 0, "a\nb\r\x1b[31m\u2028%s", ("c\nd",), None)
    record.__dict__.update(logs.fields(path="/e\nf"))
    line = formatter.format(record)
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line


def test_every_answer_says_that_nothing_of_it_may_be_run() -> None:
    with door(GuardLimits(body_bytes=10)) as place:
        for data in (get("/echo"), get("/broken"), _post(11)):
            answer = place.ask(data).decode().lower()
            assert "x-content-type-options: nosniff" in answer
            assert "content-security-policy: default-src 'none'" in answer
            assert "strict-transport-security: " in answer
