"""Connections: half a request, an idle client, a client that does not read, too many of them."""

import socket
import time

import pytest
from code_insight.web.guard.asking import GuardLimits
from code_insight.web.guard.connections import ConnectionLimits

from tests.server.web.guard.places import all_of, door, get, wait_until

SOON = ConnectionLimits(receive_seconds=0.3, send_seconds=0.3)
HALVES = [
    b"",
    b"GET / HT",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A",
    b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc",
    b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
]


@pytest.mark.parametrize("half", HALVES)
def test_half_a_request_is_given_up_in_time(half: bytes) -> None:
    with door(connections=SOON) as place:
        began = time.monotonic()
        assert place.ask(half).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 5
        wait_until(lambda: place.connections == 0)


@pytest.mark.parametrize("half", HALVES[1:])
def test_a_request_that_drips_is_given_up_in_time(half: bytes) -> None:
    with door(connections=SOON) as place, place.connect() as connection:
        began = time.monotonic()
        for byte in half + b"x" * 1000:
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                break
            if not place.connections and time.monotonic() - began > 0.1:
                break
            time.sleep(0.01)
        assert time.monotonic() - began < 5
        wait_until(lambda: place.connections == 0)


@pytest.mark.parametrize("half", HALVES[1:])
def test_half_a_request_behind_a_whole_one_is_given_up_in_time(half: bytes) -> None:
    with door(connections=SOON) as place:
        began = time.monotonic()
        assert place.ask(get("/echo", close=False) + half).startswith(b"HTTP/1.1 200 ")
        assert time.monotonic() - began < 8


def test_a_request_that_came_in_time_may_be_answered_late() -> None:
    with door(connections=SOON) as place, place.connect(get("/wait")) as connection:
        wait_until(lambda: place.application.waiting == 1)
        connection.settimeout(0.6)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        place.application.release()
        connection.settimeout(10)
        assert all_of(connection).startswith(b"HTTP/1.1 200 ")


def test_a_connection_serves_one_request_after_the_other() -> None:
    with door(GuardLimits(client_requests_per_minute=0), SOON) as place, place.connect() as connection:
        began = time.monotonic()
        while time.monotonic() < began + 3 * SOON.receive_seconds:
            connection.sendall(get("/echo", close=False))
            assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_does_not_read_is_given_up() -> None:
    with door(connections=SOON) as place, place.connect(get("/large")):
        wait_until(lambda: place.connections == 1)
        wait_until(lambda: place.connections == 0)


@pytest.mark.parametrize(
    "half", ["", "GET / HT", "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\na"]
)
def test_idle_connections_lock_nobody_out(half: str) -> None:
    with door(connections=ConnectionLimits(connections=20, receive_seconds=60)) as place:
        idle = [place.connect(half.encode()) for _ in range(60)]
        try:
            for _ in range(5):
                assert place.ask(get("/echo")).startswith(b"HTTP/1.1 200 ")
            assert place.connections <= 20
        finally:
            for connection in idle:
                connection.close()


def test_who_was_idle_longest_makes_room() -> None:
    with door(connections=ConnectionLimits(connections=8)) as place:
        held = [place.connect() for _ in range(8)]
        wait_until(lambda: place.connections == 8)
        with place.connect():
            assert all_of(held[0]) == b""
            held[1].setblocking(False)
            with pytest.raises(BlockingIOError):
                held[1].recv(1)
        for connection in held:
            connection.close()


def test_who_is_at_work_makes_no_room() -> None:
    with door(connections=ConnectionLimits(connections=8)) as place:
        working = [place.connect(get("/wait")) for _ in range(8)]
        wait_until(lambda: place.application.waiting == 8)
        refused = place.ask(b"")
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in refused
        place.application.release()
        for connection in working:
            assert all_of(connection).startswith(b"HTTP/1.1 200 ")
            connection.close()


def test_thousands_of_half_requests_leave_nothing_behind() -> None:
    with door(connections=ConnectionLimits(connections=64, receive_seconds=0.5)) as place:
        opened: list[socket.socket] = []
        for number in range(3_000):
            opened.append(place.connect(b"GET / HTTP/1.1\r\nX-A: "))
            if number % 100 == 99:  # as many as one process may hold open here
                assert place.ask(get("/echo")).startswith(b"HTTP/1.1 200 ")
                while opened:
                    opened.pop().close()
        wait_until(lambda: place.connections == 0)
