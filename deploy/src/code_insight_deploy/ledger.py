"""The ledger: what happened in each release of an app, in a file that shows when somebody has changed it.

One line of JSON per entry; each holds the hash of the one before and its own. A line is written and on the disk before
whatever it announces is done. The chain shows a changed, missing or moved entry; it cannot show that the last ones were
cut off, which `audit` sees by asking the app itself.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

from code_insight_deploy.errors import LedgerBroken
from code_insight_deploy.targets import Secret, redacted

Say = Callable[[str], None]
FIRST = "0" * 64
"""What stands for the hash of the entry before the first."""
MOST_BYTES = 64 * 1024 * 1024
STATE = "code-insight-deploy"
STATE_VARIABLE = "CODE_INSIGHT_STATE_DIR"


class Kind(StrEnum):
    """What an entry tells of."""

    BEGUN = "begun"
    BUILT = "built"
    SMOKED = "smoked"
    PUBLISHED = "published"
    PLANNED = "planned"
    CHANGING = "changing"
    """Written before each change; whether it was made has to be read when no `changed` follows."""
    CHANGED = "changed"
    APPLIED = "applied"
    VERIFIED = "verified"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"


ENDS = frozenset({Kind.VERIFIED, Kind.ROLLED_BACK, Kind.FAILED})
PROVEN = frozenset({Kind.VERIFIED, Kind.ROLLED_BACK})
"""After these it was seen what runs; `data` says it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger."""

    number: int
    """From 1."""
    at: str
    """2026-01-01T00:00:00.000Z"""
    kind: Kind
    release: str
    data: Mapping[str, Any]
    previous: str
    digest: str
    """SHA-256 of all the rest; 64 hex digits."""


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where ledgers and locks are unless told otherwise."""
    if named := environment.get(STATE_VARIABLE):
        return Path(named)
    home = Path(environment.get("HOME") or Path.home())
    return Path(environment.get("XDG_STATE_HOME") or home / ".local" / "state") / STATE


def _silent(_: str) -> None:
    """Says nothing."""


def now_text() -> str:
    """The time as entries have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Ledger:
    """The ledger of one app on one target."""

    def __init__(self, folder: Path, target: str, app: str, say: Say = _silent) -> None:
        self.path = folder / target / f"{app}.jsonl"
        self._say = say

    def append(self, kind: Kind | str, release: str, **data: Any) -> Entry:
        """Write an entry and have it on the disk; returns it. Values may be dataclasses; whatever looks like a token is
        left out. Raises LedgerBroken when the chain does not hold, or the file cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._opened() as file:
                entries = self._read(file, mend=True)
                entry = _entry(entries[-1] if entries else None, Kind(kind), release, data)
                file.write(_line(entry))
                file.flush()
                os.fsync(file.fileno())
            if not entries:
                _sync(self.path.parent)
        except OSError as error:
            raise LedgerBroken(
                f"the ledger {self.path} cannot be written: {error.strerror}",
                "Make room for it, or name another folder in CODE_INSIGHT_STATE_DIR.",
            ) from error
        return entry

    def entries(self) -> tuple[Entry, ...]:
        """All of them, the oldest first; none when nothing was ever released from here. Raises LedgerBroken."""
        if not self.path.exists():
            return ()
        try:
            with self._opened() as file:
                return tuple(self._read(file, mend=False))
        except OSError as error:
            raise LedgerBroken(
                f"the ledger {self.path} cannot be read: {error.strerror}", "Look at its owner and mode."
            ) from error

    def last_verified(self) -> Entry | None:
        """The newest entry after which it was seen what runs: `verified` or `rolled_back`."""
        return next((entry for entry in reversed(self.entries()) if entry.kind in PROVEN), None)

    def unfinished(self) -> tuple[Entry, ...]:
        """The entries of the newest release, if it began and did not end; none otherwise."""
        entries = self.entries()
        if not entries:
            return ()
        newest = [entry for entry in entries if entry.release == entries[-1].release]
        return () if any(entry.kind in ENDS for entry in newest) else tuple(newest)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """The file, by nobody else open at the same time. No link is followed to it."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(self.path, flags, 0o600), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file

    def _read(self, file: BinaryIO, *, mend: bool) -> list[Entry]:
        """All entries. A last line without an end is of a crash in the middle of writing it, and is cut off."""
        content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise self._broken(0, f"the file has more than {MOST_BYTES} bytes")
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            torn = len(content) - whole
            self._say(f"{self.path.name}: its last line was never finished, and is cut off ({torn} bytes)")
            if mend:
                file.truncate(whole)
        return self._chained(content[:whole].splitlines())

    def _chained(self, lines: list[bytes]) -> list[Entry]:
        entries: list[Entry] = []
        for number, line in enumerate(lines, start=1):
            try:
                said = json.loads(line)
                entry = Entry(**{**said, "kind": Kind(said["kind"])})
            except (ValueError, TypeError, KeyError) as error:
                raise self._broken(number, "it is no entry") from error
            if entry.digest != _digest(entry):
                raise self._broken(number, "it was changed after it was written")
            if (entry.number, entry.previous) != (number, entries[-1].digest if entries else FIRST):
                raise self._broken(number, "it does not follow the one before")
            entries.append(entry)
        return entries

    def _broken(self, number: int, why: str) -> LedgerBroken:
        return LedgerBroken(
            f"the ledger {self.path} does not hold at entry {number}: {why}",
            "Find out who changed it. To go on without what it says, move the file away; the next release starts anew.",
        )


def _entry(before: Entry | None, kind: Kind, release: str, data: Mapping[str, Any]) -> Entry:
    plain = json.loads(redacted(json.dumps(data, default=_plain)))
    entry = Entry(
        number=before.number + 1 if before else 1,
        at=now_text(),
        kind=kind,
        release=release,
        data=plain,
        previous=before.digest if before else FIRST,
        digest="",
    )
    return dataclasses.replace(entry, digest=_digest(entry))


def _plain(value: Any) -> Any:
    """What JSON has no word for, one level down. A secret inside a value comes by here as well."""
    if isinstance(value, Secret):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not go into a ledger")


def _said(entry: Entry) -> dict[str, Any]:
    return {field.name: getattr(entry, field.name) for field in dataclasses.fields(entry)}


def _digest(entry: Entry) -> str:
    rest = {name: value for name, value in _said(entry).items() if name != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _line(entry: Entry) -> bytes:
    return json.dumps(_said(entry), separators=(",", ":")).encode() + b"\n"


def _sync(folder: Path) -> None:
    """Have the folder's own entries on the disk: a new file is not found after a crash without."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
