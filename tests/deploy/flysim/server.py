"""The program in the tests' machines: says who it is, and does on demand what goes wrong with programs."""

import http.server
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

RELEASE = os.environ.get("RELEASE", "")
KEPT, GO = Path("/data/kept"), Path("/tmp/go")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/crash":
            os._exit(7)
        if self.path == "/end":
            os._exit(0)
        if self.path == "/go":
            GO.touch()
        if self.path == "/stream":
            self.stream()
            return
        said = {"environment": dict(os.environ), "headers": dict(self.headers), "path": self.path}
        self.answer({**said, "kept": KEPT.read_text() if KEPT.exists() else ""})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        if self.path == "/keep":
            KEPT.write_text(body)
        self.answer({"body": body})

    def answer(self, said: dict[str, Any]) -> None:
        text = json.dumps({"release": RELEASE, **said}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(text)

    def stream(self) -> None:
        """Two events; the second only after somebody has asked for /go."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: first\n\n")
        self.wfile.flush()
        while not GO.exists():
            time.sleep(0.01)
        self.wfile.write(b"data: second\n\n")

    def log_message(self, *_: Any) -> None:
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
