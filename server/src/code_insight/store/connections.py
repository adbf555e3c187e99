"""The connections of the last answers, for the next ones: opening one takes as long as a small answer.

Few are kept, for a few seconds, and none longer than its file is what it was: a file that is open takes up its space
when it is gone, and its disk cannot be taken away.
"""

from __future__ import annotations

import atexit
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from code_insight.store.schema import Reading, connect_to_read

_KEPT = 2  # of the files that were read last
_SECONDS_KEPT = 3.0  # after the last answer


@dataclass(slots=True)
class _Idle:
    """Those that nobody uses."""

    _connections: dict[Path, Reading] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _left_at: float = 0.0
    _closer: threading.Thread | None = None

    def pop(self, path: Path, state: tuple[int, ...]) -> Reading | None:
        """Nobody else has it meanwhile."""
        with self._lock:
            connection = self._connections.pop(path, None)
        if connection and connection.state != state:
            connection.close()
            return None
        return connection

    def push(self, path: Path, connection: Reading) -> None:
        with self._lock:
            surplus = [self._connections.pop(path, None)]  # of two answers at once
            self._connections[path] = connection
            surplus += [self._connections.pop(older) for older in [*self._connections][:-_KEPT]]
            self._left_at = time.monotonic()
            if self._closer is None:
                self._closer = threading.Thread(target=self._close_later, daemon=True)
                self._closer.start()
        for left in filter(None, surplus):
            left.close()

    def close(self) -> None:
        with self._lock:
            left = [*self._connections.values()]
            self._connections.clear()
        for connection in left:
            connection.close()

    def _close_later(self) -> None:
        while (seconds := self._left_at + _SECONDS_KEPT - time.monotonic()) > 0:
            time.sleep(seconds)
        with self._lock:
            self._closer = None
        self.close()


_idle = _Idle()
atexit.register(_idle.close)


def take(path: Path) -> Reading:
    """A connection to the file that is at a path now."""
    state = _state_of(path)  # before it is opened: another file may come there meanwhile
    connection = _idle.pop(path, state) or connect_to_read(path)
    connection.state = state
    return connection


def leave(path: Path, connection: Reading) -> None:
    """Whoever reads the file next may have the connection."""
    try:
        if connection.in_transaction:
            connection.execute("COMMIT")
    except sqlite3.Error:  # what was wanted of it has been read
        connection.close()
    else:
        _idle.push(path, connection) if connection.sees_changes else connection.close()


def close_idle() -> None:
    """No connection is open that nobody uses."""
    _idle.close()


def _state_of(path: Path) -> tuple[int, ...]:
    """Another one when the file was changed, or is another file."""
    try:
        file = path.stat()
    except OSError:
        return ()
    return file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns
