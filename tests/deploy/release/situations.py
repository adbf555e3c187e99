"""What is so while a release is tried: each a `with` statement around an operator, undone at its end."""

import contextlib
import dataclasses
import json
import os
import socket
import socketserver
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from code_insight_deploy import locks, release
from code_insight_deploy.flysim import Fault, When
from code_insight_deploy.machines import Machines

from tests.deploy.release.places import COLOURS, TOML, Operator

Given = Callable[[Operator], AbstractContextManager[None]]
"""What is so until the end of the `with` statement."""
WAIT_SECONDS = 20
ALWAYS = 0
"""As `times`: to every call."""


def all_of(*givens: Given) -> Given:
    """Each of them is so."""

    @contextlib.contextmanager
    def given(operator: Operator) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for each in givens:
                stack.enter_context(each(operator))
            yield

    return given


# What flysim does wrong on order


def fault(effect: str, operation: str, *, nth: int = 1, times: int = 1, at: str = "", **more: Any) -> Given:
    """Calls that are about the operator's app or its images go wrong; from the line `at` on, when one is named."""
    ordered = Fault(when=When(operation=operation, nth=nth, times=times), effect=effect, **more)  # type: ignore[arg-type]

    @contextlib.contextmanager
    def given(operator: Operator) -> Iterator[None]:
        def order() -> None:
            operator.sim.faults.add(_for(operator, ordered))

        if at:
            operator.told.waiting[at] = order
        else:
            order()
        yield

    return given


def _for(operator: Operator, ordered: Fault) -> Fault:
    of_images = ordered.when.operation.startswith("registry_")
    is_global = ordered.when.operation == "create_app"
    app = "*" if is_global else "code-insight" if of_images else operator.app
    return dataclasses.replace(ordered, when=dataclasses.replace(ordered.when, app=app))


@contextlib.contextmanager
def serves_another_image(operator: Operator) -> Iterator[None]:
    """The registry hands out the image that runs instead of whichever is asked for, from the release's own look on."""
    other = _machines(operator)[0]["image_ref"]["digest"]
    with fault("other_image", "registry_*_manifest", at="● build", times=ALWAYS, body=other)(operator):
        yield


@contextlib.contextmanager
def way_back_is_lost(operator: Operator) -> Iterator[None]:
    """The registry loses the image that runs; it is pushed again afterwards, as the error advises."""
    runs = _machines(operator)[0]["image_ref"]["digest"]
    operator.sim.delete_image("code-insight", runs)
    yield
    push_again(operator)


@contextlib.contextmanager
def way_back_is_lost_meanwhile(operator: Operator) -> Iterator[None]:
    """As that, while machines are being changed."""
    runs = _machines(operator)[0]["image_ref"]["digest"]
    operator.told.waiting["● deploy"] = lambda: operator.sim.delete_image("code-insight", runs)
    yield
    push_again(operator)


def push_again(operator: Operator) -> None:
    """Both colours are in the registry."""
    now = operator.repository.git("rev-parse", "--abbrev-ref", "HEAD")
    for colour in COLOURS:
        operator.repository.git("checkout", "--quiet", colour)
        with operator.run() as run:
            from code_insight_deploy import source

            release.published(run, source.source_tree(operator.repository.folder))
    operator.repository.git("checkout", "--quiet", now)


# What others do to the app


def _ask(operator: Operator, method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {operator.sim.token()}"}
    url = f"{operator.sim.flaps_url}/v1/apps/{operator.app}{path}"
    answer = httpx2.request(method, url, json=body, headers=headers, timeout=60)
    assert answer.status_code < httpx2.codes.BAD_REQUEST, answer.text
    return answer.json() if answer.content else None


def _machines(operator: Operator) -> list[Any]:
    found: list[Any] = _ask(operator, "GET", "/machines")
    return found


def put_to_sleep(verb: str, state: str) -> Given:
    """Somebody stops or suspends the machines just before they are changed."""

    @contextlib.contextmanager
    def given(operator: Operator) -> Iterator[None]:
        def sleep() -> None:
            for machine in _machines(operator):
                _ask(operator, "POST", f"/machines/{machine['id']}/{verb}", {})
                wait = f"/machines/{machine['id']}/wait?state={state}&timeout=20&version={machine['version']}"
                _ask(operator, "GET", wait)

        operator.told.waiting["● deploy"] = sleep
        yield

    return given


@contextlib.contextmanager
def leases_end(operator: Operator) -> Iterator[None]:
    """Afterwards time has passed, so that leases which somebody has left behind have ended."""
    yield
    over = Fault(when=When(operation="get_machine", app=operator.app, times=ALWAYS), effect="lease_held", seconds=0)
    operator.sim.faults.add(over)
    for machine in _machines(operator):
        _ask(operator, "GET", f"/machines/{machine['id']}")
    operator.sim.faults.clear()


@contextlib.contextmanager
def somebody_releases(operator: Operator) -> Iterator[None]:
    """Another operator elsewhere holds the lock of the app."""
    with (
        Machines(operator.target) as machines,
        locks.held("local", machines, operator.app, operator.state / "elsewhere", print, release="theirs"),
    ):
        yield


@contextlib.contextmanager
def we_release(operator: Operator) -> Iterator[None]:
    """Another release runs on this very machine."""
    with (
        Machines(operator.target) as machines,
        locks.held("local", machines, operator.app, operator.state, print, release="ours"),
    ):
        yield


@contextlib.contextmanager
def somebody_has_died(operator: Operator) -> Iterator[None]:
    """Another operator was killed two hours ago in the middle of a release."""
    died = locks.Holder("eve", "elsewhere", 4711, "theirs", "2026-01-01T00:00:00Z")
    word = died.written(until=time.time() - 7200)
    _ask(operator, "POST", f"/machines/{_machines(operator)[0]['id']}/metadata/{locks.KEY}", {"value": word})
    yield


# The operator's own things


def token_of(**rights: Any) -> Given:
    """The token is another one."""

    @contextlib.contextmanager
    def given(operator: Operator) -> Iterator[None]:
        good, operator.token = operator.token, operator.sim.token(**rights)
        operator.other_tokens.append(operator.token)
        yield
        operator.token = good

    return given


def token_is(text: str) -> Given:
    """FLY_API_TOKEN is this text."""

    @contextlib.contextmanager
    def given(operator: Operator) -> Iterator[None]:
        operator.environment = {**operator.sim.environment(), "FLY_API_TOKEN": text}
        yield
        operator.environment = None

    return given


def token_expires(operation: str, *, at: str = "", nth: int = 1) -> Given:
    """The token is good until such a call; afterwards the operator gets another."""

    @contextlib.contextmanager
    def given(operator: Operator) -> Iterator[None]:
        with fault("expire_token", operation, at=at, nth=nth)(operator):
            yield
        operator.other_tokens.append(operator.token)
        operator.token = operator.sim.token()

    return given


def file_says(*changes: tuple[str, str]) -> Given:
    """The app's file has these texts in place of others."""
    text = TOML
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return file_is(text)


def file_is(text: str) -> Given:
    """The app's file."""

    @contextlib.contextmanager
    def given(operator: Operator) -> Iterator[None]:
        operator.file = operator.state / "fly.toml"
        operator.file.write_text(text, encoding="utf-8")
        yield
        operator.file = None

    return given


@contextlib.contextmanager
def file_is_missing(operator: Operator) -> Iterator[None]:
    operator.file = operator.state / "missing.toml"
    yield
    operator.file = None


@contextlib.contextmanager
def file_is_of_another_app(operator: Operator) -> Iterator[None]:
    operator.named = operator.app
    yield
    operator.named = ""


def order(**asked: Any) -> Given:
    """The operator asks for something else."""

    @contextlib.contextmanager
    def given(operator: Operator) -> Iterator[None]:
        before, operator.order = operator.order, {**operator.order, **asked}
        yield
        operator.order = before

    return given


@contextlib.contextmanager
def name_is_taken(operator: Operator) -> Iterator[None]:
    """Somebody else's app has the name, and is not shown to us; afterwards another name is chosen."""
    operator.sim.create_app(operator.app, "other")
    with fault("answer", "get_app", times=ALWAYS, status=404)(operator):
        yield
    operator.app = f"app-{uuid.uuid4().hex[:8]}"


def interrupted(at: str) -> Given:
    """Ctrl-C is pressed when that line is read."""

    @contextlib.contextmanager
    def given(operator: Operator) -> Iterator[None]:
        def interrupt() -> None:
            raise KeyboardInterrupt

        operator.told.waiting[at] = interrupt
        yield

    return given


# The clone


@contextlib.contextmanager
def dirty(operator: Operator) -> Iterator[None]:
    left = operator.repository.folder / "left-behind.txt"
    left.write_text("nobody committed me", encoding="utf-8")
    yield
    left.unlink()


@contextlib.contextmanager
def not_a_repository(operator: Operator) -> Iterator[None]:
    git = operator.repository.folder / ".git"
    away = git.rename(operator.repository.folder.parent / "git-is-here")
    yield
    away.rename(git)


@contextlib.contextmanager
def no_commit(operator: Operator) -> Iterator[None]:
    branch = operator.repository.git("symbolic-ref", "HEAD")
    operator.repository.git("symbolic-ref", "HEAD", "refs/heads/empty")
    yield
    operator.repository.git("symbolic-ref", "HEAD", branch)


@contextlib.contextmanager
def no_git(operator: Operator) -> Iterator[None]:
    """There is no program git."""
    empty = operator.state / "empty"
    empty.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(empty))
        yield


def committed(path: str, text: str) -> Given:
    """The commit that is released has this file as well; it is taken back afterwards."""

    @contextlib.contextmanager
    def given(operator: Operator) -> Iterator[None]:
        operator.repository.write(path, text)
        operator.repository.commit(path)
        yield
        operator.repository.git("reset", "--quiet", "--hard", "HEAD~1")

    return given


# The Docker engine


@contextlib.contextmanager
def docker_is_at(address: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", address)
        yield


@contextlib.contextmanager
def no_docker(operator: Operator) -> Iterator[None]:
    with docker_is_at(f"unix://{os.devnull}/no-engine.sock"):
        yield


@contextlib.contextmanager
def no_base(operator: Operator) -> Iterator[None]:
    good, operator.base = operator.base, "127.0.0.1:1/no-such-image:1"
    yield
    operator.base = good


def docker_dies(at: str) -> Given:
    """The engine hangs up in the middle of its answer to a call whose address has `at` in it, and answers no more."""

    @contextlib.contextmanager
    def given(operator: Operator) -> Iterator[None]:
        path = operator.state.parent / "docker.sock"
        with _Mortal.serving(path, at.encode()) as mortal, docker_is_at(f"unix://{path}"):
            yield
            assert mortal.is_dead, "the engine was not asked for that"

    return given


class _Mortal(socketserver.ThreadingUnixStreamServer):
    """The engine's socket, as long as it lives."""

    daemon_threads = True
    last_call = b""
    is_dead = False

    @classmethod
    @contextlib.contextmanager
    def serving(cls, path: Path, last_call: bytes) -> "Iterator[_Mortal]":
        path.unlink(missing_ok=True)
        with cls(str(path), _Passing) as server:
            server.last_call = last_call
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            try:
                yield server
            finally:
                server.shutdown()
                thread.join()


class _Passing(socketserver.BaseRequestHandler):
    """Passes bytes to the engine and back."""

    server: _Mortal

    def handle(self) -> None:
        if self.server.is_dead:
            return
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect("/var/run/docker.sock")
            back = threading.Thread(target=self._pass, args=(engine, self.request))
            back.start()
            self._pass(self.request, engine)
            back.join()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                if source is self.request and self.server.last_call in part.partition(b"\r\n")[0]:
                    self.server.is_dead = True
                sink.sendall(part)
                if self.server.is_dead and sink is self.request:
                    break
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


# The ledger


@contextlib.contextmanager
def ledger_was_changed(operator: Operator) -> Iterator[None]:
    """Somebody has changed an entry of the ledger; afterwards it is put right."""
    path = operator.state / "local" / f"{operator.app}.jsonl"
    good = path.read_bytes()
    first, _, rest = good.partition(b"\n")
    path.write_bytes(json.dumps({**json.loads(first), "release": "another"}).encode() + b"\n" + rest)
    yield
    path.write_bytes(good)


@contextlib.contextmanager
def ledger_cannot_be_written(operator: Operator) -> Iterator[None]:
    """Where the ledger would be is something that is no file."""
    path = operator.state / "local" / f"{operator.app}.jsonl"
    away = path.rename(path.with_suffix(".away"))
    path.mkdir()
    yield
    path.rmdir()
    away.rename(path)
