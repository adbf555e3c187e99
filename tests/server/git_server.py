"""A git host for tests: https on loopback, its own certificate authority, `git http-backend`, and bad manners.

The first part of a path says how a request is answered; any other one is a repository below `root`:

    /redirect/…   302 to another path of this host
    /private/…    401, asking for a password
    /page/…       200, an HTML page
    /hang/…       nothing, until the host is closed
    /drip/…       200, then one byte a tenth of a second
    /endless/…    200, then refs without end
    /cut/<name>   the repository, but the connection ends in the middle of the pack
    /late/<name>  the repository, but not before `may_answer` is set
    /dumb/<name>  its files, as a server without git would give them
    /lie/…        names a commit that is not in what it sends
    /bomb/…       a repository whose one file is 800 MB long, in a pack of a few kilobytes (protocol v2)
"""

import contextlib
import http.server
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import trustme

from tests.server.bad_repositories import delta_bomb

SECRET = "what an internal page says"
_ADVERTISEMENT = "application/x-git-upload-pack-advertisement"
_CUT_AFTER_BYTES = 300


class GitHost(http.server.ThreadingHTTPServer):
    """The host; `requests` are those that it got, as "GET /path"."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, folder: Path, *names: str) -> None:
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", *names).configure_cert(self._tls)
        self.root = folder / "root"
        self.root.mkdir()
        self.requests: list[str] = []
        self.closing = threading.Event()
        self.may_answer = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def authority(self) -> str:
        return f"localhost:{self.server_port}"

    def url(self, path: str) -> str:
        return f"https://{self.authority}/{path}"

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        # The handshake takes place in the thread of the connection, not in the one that accepts all of them.
        return self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who hangs up, or trusts nobody, is expected here."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: GitHost

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        self.server.requests.append(f"{self.command} {self.path}")
        manner = getattr(self, "_" + self.path.split("/")[1], None)
        if manner is None:
            self._repository(self.path)
        else:
            manner()

    do_POST = do_GET  # noqa: N815

    def _start(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def _redirect(self) -> None:
        target = self.server.url("redirected" + self.path.removeprefix("/redirect"))
        self._start(302, Location=target, Content_Length="0")

    def _private(self) -> None:
        self._start(401, WWW_Authenticate='Basic realm="private"', Content_Length="0")

    def _page(self) -> None:
        page = f"<html>{SECRET}</html>".encode()
        self._start(200, Content_Type="text/html", Content_Length=str(len(page)))
        self.wfile.write(page)

    def _hang(self) -> None:
        self.server.closing.wait(60)

    def _drip(self) -> None:
        self._start(200, Content_Type=_ADVERTISEMENT)
        while not self.server.closing.wait(0.1):
            self.wfile.write(b"0")

    def _endless(self) -> None:
        self._start(200, Content_Type=_ADVERTISEMENT)
        self.wfile.write(b"001e# service=git-upload-pack\n0000")
        line = b"003d" + b"a" * 40 + b" refs/heads/%05d\n"
        chunk = b"".join(line % number for number in range(20_000))
        while not self.server.closing.is_set():
            self.wfile.write(chunk)

    def _cut(self) -> None:
        self._repository(self.path.removeprefix("/cut"), cut=True)

    def _late(self) -> None:
        self.server.may_answer.wait(60)
        self._repository(self.path.removeprefix("/late"))

    def _dumb(self) -> None:
        _, _, name, *path = self.path.partition("?")[0].split("/")
        file = self.server.root / name / ".git" / "/".join(path)
        content = file.read_bytes() if file.is_file() else b""
        self._start(200 if content else 404, Content_Type="text/plain", Content_Length=str(len(content)))
        self.wfile.write(content)

    def _lie(self) -> None:
        self._send("1" * 40, delta_bomb(1)[1])

    def _bomb(self) -> None:
        self._send(*delta_bomb())

    def _send(self, oid: str, pack: bytes) -> None:
        """A repository of one commit, in that pack (protocol v2)."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if b"command=ls-refs" in body:
            lines = [f"{oid} HEAD symref-target:refs/heads/main\n", f"{oid} refs/heads/main\n"]
            answer = b"".join(_line(line.encode()) for line in lines) + b"0000"
        elif b"command=fetch" in body:
            pieces = [pack[start : start + 60_000] for start in range(0, len(pack), 60_000)]
            shallow = _line(b"shallow-info\n") + _line(f"shallow {oid}".encode()) + b"0001"
            answer = shallow + _line(b"packfile\n") + b"".join(_line(b"\1" + piece) for piece in pieces) + b"0000"
        else:
            lines = ["version 2\n", "ls-refs\n", "fetch=shallow\n", "object-format=sha1\n"]
            answer = _line(b"# service=git-upload-pack\n") + b"0000" + b"".join(_line(line.encode()) for line in lines)
            answer += b"0000"
        kind = "result" if body else "advertisement"
        self._start(200, Content_Type=f"application/x-git-upload-pack-{kind}", Content_Length=str(len(answer)))
        self.wfile.write(answer)

    def _repository(self, path: str, *, cut: bool = False) -> None:
        """What `git http-backend` answers (RFC 3875)."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = path.partition("?")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        ran = subprocess.run(["git", "http-backend"], env=environment, input=body, capture_output=True, check=False)
        head, _, content = ran.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self._start(int(headers.pop("Status", "200").split()[0]), **headers, Content_Length=str(len(content)))
        is_pack = b"command=fetch" in body
        self.wfile.write(content[:_CUT_AFTER_BYTES] if cut and is_pack else content)


def _line(content: bytes) -> bytes:
    """A line of git's protocol (gitprotocol-common)."""
    return b"%04x" % (len(content) + 4) + content


@contextlib.contextmanager
def running(folder: Path, *names: str) -> Iterator[GitHost]:
    """A host that answers while the context lasts; its certificate is for localhost and `names`."""
    host = GitHost(folder, *names)
    thread = threading.Thread(target=host.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield host
    finally:
        host.closing.set()
        host.shutdown()
        thread.join()
        host.server_close()
