"""A service on a port of this machine that answers what a test tells it to, and remembers what it was asked."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from code_insight_deploy.targets import Secret, Target

CANARY = "fo1_canary-7d1c6a52b0"
"""A token that is to be found nowhere afterwards."""


@dataclass(frozen=True)
class Asked:
    """One request, as it came."""

    method: str
    path: str
    """With its query."""
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """One answer; `cut` ends the connection after the headers, or before them when it is "at once"."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: str = ""

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Service:
    """Where it answers, what it was asked, and what it answers: the next of `script`, else what `answer` says."""

    answer: Callable[[Asked], Reply] = lambda _: Reply(404)
    script: list[Reply] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    host: str = ""

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def target(self, token: str = CANARY) -> Target:
        """All services of a platform at this one address."""
        return Target(
            name="test",
            machines_url=self.url,
            api_url=self.url,
            registry=self.host,
            flyctl="flyctl",
            token=Secret(token),
            url_of=lambda app: f"{self.url}/{app}",
        )


class Handler(BaseHTTPRequestHandler):
    """Hands each request to the service."""

    protocol_version = "HTTP/1.1"
    service: Service

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        asked = Asked(self.command, self.path, {key.lower(): value for key, value in self.headers.items()}, body)
        self.service.asked.append(asked)
        reply = self.service.script.pop(0) if self.service.script else self.service.answer(asked)
        self.close_connection = bool(reply.cut)
        if reply.cut != "at once":
            self._send(reply)

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.content)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD" and not reply.cut:
            with contextlib.suppress(ConnectionError):
                self.wfile.write(reply.content)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Tests read `asked` instead."""


@contextlib.contextmanager
def serving(answer: Callable[[Asked], Reply] | None = None, script: list[Reply] | None = None) -> Iterator[Service]:
    """A service that answers until the end of the `with` statement."""
    service = Service(script=script or [])
    if answer:
        service.answer = answer
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"service": service}))
    service.host = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
