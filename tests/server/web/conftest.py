"""Places: the application over the library and over nothing, asked in memory; and a real port."""

import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
import uvicorn
from code_insight.catalog import Catalog
from code_insight.web.app import build_app
from starlette.applications import Starlette

from tests.server.indexed import index, shelf
from tests.server.places import catalog_at

HOST = "insight.example.invalid"
MARKUP = '"><img src=x onerror=alert(1)>.py'


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Starlette, click, markdown-it-py, uvicorn, and a small tree in every language."""
    return shelf(tmp_path_factory.getbasetemp())


@contextlib.asynccontextmanager
async def browser(application: Starlette) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser at the front page's origin."""
    transport = httpx2.ASGITransport(app=application)
    async with httpx2.AsyncClient(transport=transport, base_url=f"https://{HOST}") as client:
        yield client


@pytest.fixture
async def web(library: Catalog) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser before the pages of the library."""
    async with browser(build_app(library, "1.2.3", [HOST])) as client:
        yield client


@pytest.fixture
async def bare(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser before a server that holds no repository."""
    async with browser(build_app(catalog_at(tmp_path), "1.2.3", [])) as client:
        yield client


@pytest.fixture
async def harmed(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser before a repository full of markup."""
    index(
        tmp_path,
        {
            "README.md": "# <script>alert(1)</script>x\n\nThis is <b>not</b> & what \"you\" 'think' it is.\n",
            MARKUP: "def f():\n    pass\n",
        },
    )
    async with browser(build_app(catalog_at(tmp_path), "1.2.3", [])) as client:
        yield client


@pytest.fixture(scope="session")
def port(library: Catalog) -> Iterator[int]:
    """A real port at which uvicorn serves the library."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(build_app(library, "1.2.3", [HOST]), http="h11", ws="none", log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        assert server.started
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(10)
