"""What a release can prove things with, before and after the rest is loaded."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import httpx2
import pytest
from code_insight import access
from code_insight.access import Principal
from code_insight.web.info import Identity, Readiness, payload, response
from code_insight.web.shell import Shell
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

IDENTITY = Identity("1.2.3", "a" * 40, "2", {"id": "m1", "version": "v1"})
HELD = [{"name": "github.com/pallets/flask", "commit": "b" * 40}]


def test_info_names_version_tree_format_machine_and_repositories() -> None:
    body = payload(IDENTITY, Readiness((), is_loaded=True), lambda: HELD)
    assert (body["version"], body["tree"], body["index_format"]) == ("1.2.3", "a" * 40, "2")
    assert body["machine"] == {"id": "m1", "version": "v1"}
    assert body["repositories"] == HELD
    assert body["ready"] is True


def test_what_is_unknown_is_null() -> None:
    body = payload(Identity("1.2.3", "", "2", {}), Readiness(()), list)
    assert body["tree"] is body["machine"] is None


def test_repositories_are_not_asked_for_before_all_is_loaded() -> None:
    def broken() -> list[dict[str, str]]:
        raise AssertionError

    assert payload(IDENTITY, Readiness(()), broken)["repositories"] == []


@pytest.mark.parametrize(
    ("loaded", "waiting", "asked", "status"),
    [
        (False, (), True, 503),
        (False, (), False, 200),
        (True, ("https://x",), True, 503),
        (True, ("https://x",), False, 200),
        (True, (), True, 200),
    ],
)
def test_readiness_is_a_status_only_for_who_asks_for_it(
    *, loaded: bool, waiting: tuple[str, ...], asked: bool, status: int
) -> None:
    body = payload(IDENTITY, Readiness(waiting, is_loaded=loaded), list)
    found, headers, data = response(body, must_be_ready=asked)
    assert found == status
    assert dict(headers)[b"cache-control"] == b"no-store"
    assert dict(headers)[b"content-length"] == str(len(data)).encode()
    assert json.loads(data)["waiting_for"] == list(waiting)


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/team/secret",
        "https://git.example.com:443/team/secret.git/",
        "https://git.example.com:0443/team/secret",
        "https://GIT.example.com/team/secret",
        "{folder}/secret",
        "{folder}/secret/.",
        "{folder}/secret/../secret/",
        "{folder}/link",
        "~nobody-of-this-name/secret",
    ],
)
def test_what_is_waited_for_is_hidden_however_it_is_written(tmp_path: Path, url: str) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    readiness = Readiness((url.format(folder=tmp_path),))
    hidden = ("git.example.com/team/*", "local/secret")
    for principal, count in ((Principal(hidden=hidden), 0), (Principal(hidden=hidden, sees=hidden), 1)):
        before = access.current.set(principal)
        body = payload(IDENTITY, readiness, list)
        access.current.reset(before)
        assert len(body["waiting_for"]) == count
        assert body["ready"] is False


async def _front(_request: Any) -> PlainTextResponse:
    return PlainTextResponse("front")


async def _run(shell: Shell, asking: Any) -> None:
    """`asking` is done within the shell's lifespan."""
    received: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    sent: asyncio.Queue[Any] = asyncio.Queue()
    received.put_nowait({"type": "lifespan.startup"})
    running = asyncio.create_task(shell({"type": "lifespan"}, received.get, sent.put))
    assert (await asyncio.wait_for(sent.get(), 5))["type"] == "lifespan.startup.complete"
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=shell), base_url="http://localhost") as client:
        await asyncio.wait_for(asking(client), 10)
    received.put_nowait({"type": "lifespan.shutdown"})
    await asyncio.wait_for(running, 10)


async def test_info_answers_while_the_rest_is_imported_and_pages_wait_for_it() -> None:
    may_go = threading.Event()

    def load() -> Starlette:
        assert may_go.wait(10)
        return Starlette(routes=[Route("/", _front)])

    async def asking(client: httpx2.AsyncClient) -> None:
        assert (await client.get("/info")).json()["ready"] is False
        assert (await client.get("/info?ready")).status_code == 503
        page = asyncio.create_task(client.get("/"))
        await asyncio.sleep(0.05)
        assert not page.done()
        may_go.set()
        assert (await page).text == "front"
        assert (await client.get("/info?ready=1")).status_code == 200
        assert (await client.head("/info")).content == b""

    await _run(Shell(IDENTITY, Readiness(()), load, lambda: HELD, lambda: None), asking)


async def test_what_cannot_be_loaded_is_reported() -> None:
    failures: list[bool] = []

    def load() -> Starlette:
        raise RuntimeError("broken")

    async def asking(client: httpx2.AsyncClient) -> None:
        while not failures:
            await asyncio.sleep(0.01)
        assert (await client.get("/info")).json()["ready"] is False

    await _run(Shell(IDENTITY, Readiness(()), load, list, lambda: failures.append(True)), asking)
