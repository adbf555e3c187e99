"""One release of an app at a time: on this machine by a locked file, and across operators by a word on the app itself.

The file's lock ends with its process, however that ends. The word is metadata of the app's first machine: who, from
where, until when. It is read and written under that machine's lease, so that of two operators one comes first; it is
renewed while the release lasts, so that one who died blocks nobody for long. A word of one who held the same file's
lock before blocks nobody at all: the file says whose words may have been left behind. An app without machines has the
file only.
"""

import contextlib
import fcntl
import getpass
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any

from code_insight_deploy.errors import Ambiguous, DeployError, LeaseHeld, Locked
from code_insight_deploy.machines import Machines

Say = Callable[[str], None]

KEY = "release_lock"
HELD_SECONDS = 120
"""For which the word holds without being renewed."""
SKEW_SECONDS = 30
"""By how much clocks of two operators may differ."""
GUARD_SECONDS = 15
"""Of the lease under which the word is read and written."""
PATIENCE_SECONDS = 20.0
"""For how long a lease may be in the way: a little more than one that flyctl has left behind lasts."""
PAUSE_SECONDS = 0.5
LOOKS, LOOK_SECONDS = 5, 0.05
MOST_BYTES = 4096
MOST_LEFT = 100
"""Words of which the file keeps count; by then the oldest have ended by themselves."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who is releasing."""

    user: str
    host: str
    pid: int
    release: str
    since: str
    """2026-01-01T00:00:00Z"""
    until: float = 0.0
    """Seconds since 1970; 0 when it holds for as long as the process lives."""
    id: str = field(default_factory=lambda: secrets.token_hex(8))

    def __str__(self) -> str:
        return f"{self.user} on {self.host} (process {self.pid}, release {self.release or '?'}, since {self.since})"

    @property
    def has_ended(self) -> bool:
        """Whether the word has not been renewed in time."""
        return time.time() > self.until + SKEW_SECONDS

    def written(self, *, until: float) -> str:
        """As it stands in the file and on the machine."""
        names = ("user", "host", "pid", "release", "since", "id")
        return json.dumps({**{name: getattr(self, name) for name in names}, "until": round(until)})


def read_holder(text: str) -> Holder | None:
    """Who is named in `text`; None when it names nobody."""
    try:
        said = json.loads(text)
        return Holder(
            user=str(said["user"]),
            host=str(said["host"]),
            pid=int(said["pid"]),
            release=str(said["release"]),
            since=str(said["since"]),
            until=float(said["until"]),
            id=str(said["id"]),
        )
    except (ValueError, TypeError, KeyError):
        return None


class Lock:
    """A lock that is held; `check` before anything is changed."""

    def __init__(self) -> None:
        self._taken_by: Holder | None = None

    def check(self) -> None:
        """Raises Locked when somebody else has taken the lock over, as they may after it was not renewed in time."""
        if self._taken_by:
            raise _locked(self._taken_by, "Start again when they have finished; what has been done is in `history`.")

    def lose(self, to: Holder) -> None:
        """Somebody else has it now."""
        self._taken_by = to


@contextlib.contextmanager
def held(
    target: str, machines: Machines, app: str, folder: Path, say: Say, *, release: str = "", seconds: int = HELD_SECONDS
) -> Iterator[Lock]:
    """Hold the lock of `app` on the target of that name until the end of the `with` statement.

    Raises Locked, naming the holder, when somebody else is releasing to it. A word on the machine that was not renewed
    for `seconds` is taken over, and that is said.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    me = Holder(user=_user(), host=socket.gethostname(), pid=os.getpid(), release=release, since=now)
    with (
        _local(folder / target / f"{app}.lock", me) as left,
        _remote(_Word(machines, app, me, left, say, seconds)) as lock,
    ):
        yield lock


def holder(target: str, machines: Machines, app: str, folder: Path) -> Holder | None:
    """Who is releasing to `app` now; None for nobody. Changes nothing."""
    with contextlib.suppress(OSError), (folder / target / f"{app}.lock").open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return read_holder(file.read(MOST_BYTES).decode("utf-8", "replace"))
    there = _there(machines, app)
    found = read_holder(there[1]) if there else None
    return None if found is None or found.has_ended else found


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())


def _locked(other: Holder | None, next_step: str) -> Locked:
    return Locked(f"another release to this app is under way: {other or 'its holder is not named'}", next_step)


# On this machine


@contextlib.contextmanager
def _local(path: Path, me: Holder) -> Iterator[set[str]]:
    """Ids of those who held this lock before and may have left their word on the app: they have all ended. It is empty
    at the end of the `with` statement when no word is left, ours included; else the file keeps it for the next one.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "r+b", buffering=0) as file:
        try:
            _lock(file)
        except BlockingIOError:
            other = read_holder((file.read(MOST_BYTES) or b"").decode("utf-8", "replace"))
            raise _locked(other, "Wait for it to end, or end that process; the lock ends with it.") from None
        left = _left_behind((file.read(MOST_BYTES) or b"").decode("utf-8", "replace"))
        said = {**json.loads(me.written(until=0)), "left": sorted(left)[:MOST_LEFT]}
        _rewrite(file, json.dumps(said))
        left.add(me.id)
        try:
            yield left
        finally:
            _rewrite(file, json.dumps({"left": sorted(left)[:MOST_LEFT]}) if left else "")


def _left_behind(text: str) -> set[str]:
    """Of whom the file says that their words may still be there: whoever held its lock last, and those before."""
    try:
        said = json.loads(text)
        return {str(id_) for id_ in [*said.get("left", ()), said.get("id")] if id_}
    except (ValueError, TypeError, AttributeError):
        return set()


def _rewrite(file: FileIO, text: str) -> None:
    """A word that is cut off in the middle names nobody; that is as if it were not there."""
    file.seek(0)
    file.truncate(0)
    file.write(text.encode())


def _lock(file: FileIO) -> None:
    """Lock it, or raise BlockingIOError; whoever only looks whether it is locked does so for no longer than this."""
    for _ in range(LOOKS):
        with contextlib.suppress(BlockingIOError):
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(LOOK_SECONDS)
    return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


# Across operators


@dataclass(frozen=True, slots=True)
class _Word:
    """What we say on the app's first machine."""

    machines: Machines
    app: str
    me: Holder
    left: set[str]
    """Whose words are not regarded: they have ended. Those that are known to be gone are taken out."""
    say: Say
    seconds: int

    def take(self) -> bool:
        """Write it; False when the app has no machine. Raises Locked."""
        until = time.monotonic() + PATIENCE_SECONDS
        while there := _there(self.machines, self.app):
            try:
                description = f"release lock: {self.me}"
                with self.machines.lease(self.app, there[0], seconds=GUARD_SECONDS, description=description):
                    self._take_over(there[0])
                    return True
            except LeaseHeld as held_by:
                self._refuse_if_held(there[1])
                if time.monotonic() > until:
                    raise Locked(held_by.happened, held_by.next_step) from held_by
                time.sleep(PAUSE_SECONDS)
        return False

    def _take_over(self, machine: str) -> None:
        word = self.machines.metadata(self.app, machine).get(KEY, "")
        self._refuse_if_held(word)
        if other := read_holder(word):
            self.say(
                f"taking over the lock of {other}, who has {'ended' * (other.id in self.left) or 'not renewed it'}"
            )
        self._write(machine)

    def _refuse_if_held(self, word: str) -> None:
        other = read_holder(word)
        if other and self._is_held(other):
            until = datetime.fromtimestamp(other.until, UTC).isoformat(timespec="seconds")
            next_step = f"Wait for it to end. If it has died, its lock ends by itself at {until}, if not renewed."
            raise _locked(other, next_step)

    def _is_held(self, other: Holder) -> bool:
        return other.id not in self.left and not other.has_ended

    def _write(self, machine: str) -> None:
        try:
            text = self.me.written(until=time.time() + self.seconds)
            self.machines.set_metadata(self.app, machine, KEY, text)
        except Ambiguous:
            found = read_holder(self.machines.metadata(self.app, machine).get(KEY, ""))
            if found is None or found.id != self.me.id:
                raise

    def renew(self, lock: Lock, over: threading.Event) -> None:
        """Again and again, until it is over."""
        while not over.wait(self.seconds / 3):
            with contextlib.suppress(DeployError):  # the next time, or the word ends and somebody takes it over
                self._renew_once(lock)

    def _renew_once(self, lock: Lock) -> None:
        there = _there(self.machines, self.app)
        other = read_holder(there[1]) if there else None
        if other and self._is_held(other):
            lock.lose(other)
        elif there:
            self._write(there[0])

    def give_back(self) -> None:
        """Take away every word of ours and of those who have ended."""
        for machine in self.machines.observe(self.app).machines:
            found = read_holder(str((machine.config.get("metadata") or {}).get(KEY, "")))
            if found and found.id in self.left:
                self.machines.delete_metadata(self.app, machine.id, KEY)
        self.left.clear()


@contextlib.contextmanager
def _remote(word: _Word) -> Iterator[Lock]:
    lock, over = Lock(), threading.Event()
    is_said = word.take()
    renewing = threading.Thread(target=word.renew, args=(lock, over), daemon=True)
    if is_said:
        renewing.start()
    try:
        yield lock
    finally:
        over.set()
        if is_said:
            renewing.join()
        with contextlib.suppress(DeployError):  # it ends by itself
            word.give_back()


def _there(machines: Machines, app: str) -> tuple[str, str] | None:
    """The app's first machine, and the word on it; None when the app has none."""
    for machine in machines.observe(app).machines:
        metadata: Mapping[str, Any] = machine.config.get("metadata") or {}
        return machine.id, str(metadata.get(KEY, ""))
    return None
