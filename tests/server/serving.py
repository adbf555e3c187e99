"""The program in processes of its own: what the command line prints, and a server at a real port."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROGRAM = [sys.executable, "-m", "code_insight"]
_OTHERS = ("FLY_", "OTEL_", "PYTHON")  # variables that are not ours


def environment_of(folder: Path, **settings: str) -> dict[str, str]:
    """The environment of a program whose data is in `folder`/data; settings as in "PORT"."""
    named = {name if name.startswith(_OTHERS) else f"CODE_INSIGHT_{name}": text for name, text in settings.items()}
    return {**os.environ, "CODE_INSIGHT_DATA_DIR": str(folder / "data"), "CODE_INSIGHT_WORKERS": "1", **named}


def run(folder: Path, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    environment = environment_of(folder, **settings)
    return subprocess.run(
        [*PROGRAM, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class Server:
    """`code-insight serve` in a process of its own."""

    def __init__(self, folder: Path, *arguments: str, **settings: str) -> None:
        self.port = free_port()
        self.folder = folder
        self.log = folder / "log.txt"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*PROGRAM, "serve", *arguments],
                env=environment_of(folder, PORT=str(self.port), **settings),
                stdout=log,
                stderr=log,
            )

    def info(self, query: str = "") -> tuple[int, dict[str, Any]]:
        """Status and JSON of /info; waits until somebody listens."""
        deadline = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/info{query}", timeout=20) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, json.load(error)
            except OSError:
                assert time.monotonic() < deadline, self.log.read_text()
                assert self.process.poll() is None, self.log.read_text()
                time.sleep(0.02)

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of a page of a server that listens."""
        status, text, _ = self.ask(path)
        return status, text

    def ask(self, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
        """Status, text and headers, by their names in lower case, of a page of a server that listens."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=sent)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode(), {k.lower(): v for k, v in answer.headers.items()}
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(), {k.lower(): v for k, v in error.headers.items()}

    def wait_until_ready(self) -> dict[str, Any]:
        deadline = time.monotonic() + 30
        while True:
            status, body = self.info("?ready")
            if status == 200:
                return body
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(by)
        return self.process.wait(20)


@contextlib.contextmanager
def serving(folder: Path, *arguments: str, **settings: str) -> Iterator[Server]:
    server = Server(folder, *arguments, **settings)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()
