"""The history of indexed commits: commits of the past, what each changed, and which of them are whose history."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from code_insight.model import Change, HistoryEnd, Hunk, PastCommit
from code_insight.store.compression import compressed, decompressed
from code_insight.store.schema import storage_errors

_OID_BYTES = 20
_MOST_HUNKS = 5_000  # of one change: more is nobody's work


class Known(NamedTuple):
    """A commit of the past that the index holds, with what it takes to go on from there."""

    number: int
    parents: tuple[str, ...]
    time: int  # seconds since 1970 (UTC) of the committer


@dataclass(frozen=True, slots=True)
class Lineage:
    """The history of one commit, itself first."""

    numbers: tuple[int, ...]
    end: HistoryEnd


NO_LINEAGE = Lineage((), HistoryEnd.PENDING)


class PastChange(NamedTuple):
    """One change of one file in the history of a commit."""

    age: int  # position of its commit in the history, 0 for the newest
    path: str
    source: str  # where the file was before; "" when it is new
    parent: int  # of a merge: which one it is compared with
    old: int  # the beginning of the blob's name (see `short`); 0 when there is none
    new: int
    added: int | None  # lines; None when they are not known
    removed: int | None
    packed: bytes | None

    @property
    def hunks(self) -> tuple[Hunk, ...] | None:
        """Which lines; None when that is not known."""
        if self.packed is None:
            return None
        numbers = array("I", self.packed)
        return tuple(Hunk(*numbers[at : at + 4]) for at in range(0, len(numbers), 4))


class PastEntry(NamedTuple):
    """One commit in the history of another."""

    age: int
    oid: str
    author: str
    email: str
    authored: int
    files: int  # that it changed
    subject: str


def short(oid: str) -> int:
    """The first 64 bits of an object's name, as SQLite keeps a number; 0 for none."""
    return int.from_bytes(bytes.fromhex(oid[:16]), "big", signed=True) if oid else 0


# Writing.


def known(db: sqlite3.Connection, oid: str) -> Known | None:
    """The commit, when the index holds what it changed."""
    row = db.execute("SELECT past, parents, time FROM past WHERE oid = ?", (bytes.fromhex(oid),)).fetchone()
    if row is None:
        return None
    hexadecimal = row[1].hex()
    step = 2 * _OID_BYTES
    return Known(row[0], tuple(hexadecimal[at : at + step] for at in range(0, len(hexadecimal), step)), row[2])


def add(db: sqlite3.Connection, commits: Iterable[tuple[PastCommit, Sequence[Change]]]) -> list[int]:
    """The numbers of commits of the past, which are in the index now with what they changed."""
    return [_add(db, commit, changes) for commit, changes in commits]


def _add(db: sqlite3.Connection, commit: PastCommit, changes: Sequence[Change]) -> int:
    author = _number(db, "author", ("name", "email"), (commit.author, commit.email))
    parents = b"".join(map(bytes.fromhex, commit.parents))
    files = len({change.path for change in changes})
    cursor = db.execute(
        "INSERT INTO past (oid, parents, author, authored, time, files, subject) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (bytes.fromhex(commit.oid), parents, author, commit.authored, commit.time, files, commit.subject),
    )
    number = cursor.lastrowid or 0
    rows = [_row(db, number, change) for change in changes]
    db.executemany("INSERT OR IGNORE INTO change VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    return number


def _row(db: sqlite3.Connection, number: int, change: Change) -> tuple[Any, ...]:
    path = _number(db, "path", ("text",), (change.path,))
    source = path if change.source == change.path else 0
    if change.source and not source:
        source = _number(db, "path", ("text",), (change.source,))
    hunks = change.hunks
    counts: tuple[Any, ...] = (None, None, None)
    if hunks is not None:
        packed = array("I", [value for hunk in hunks for value in hunk]).tobytes()
        added, removed = sum(hunk.new_count for hunk in hunks), sum(hunk.old_count for hunk in hunks)
        counts = added, removed, packed if len(hunks) <= _MOST_HUNKS else None
    return path, number, change.parent, source, short(change.old), short(change.new), *counts


def _number(db: sqlite3.Connection, table: str, columns: tuple[str, ...], values: tuple[str, ...]) -> int:
    """The number of a row of exactly these values, which is there now."""
    where = " AND ".join(f"{column} = ?" for column in columns)
    row = db.execute(f"SELECT {table} FROM {table} WHERE {where}", values).fetchone()  # noqa: S608
    if row:
        return int(row[0])
    marks = ", ".join("?" * len(columns))
    return db.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", values).lastrowid or 0  # noqa: S608


def lineage(db: sqlite3.Connection, oid: str) -> Lineage:
    """What is known of the history of an indexed commit."""
    row = db.execute("SELECT pasts, ends FROM lineage JOIN commit_ USING (commit_) WHERE oid = ?", (oid,)).fetchone()
    return Lineage(tuple(_unpacked(row[0])), HistoryEnd(row[1])) if row else NO_LINEAGE


def set_lineage(db: sqlite3.Connection, oid: str, found: Lineage) -> None:
    """That is the history of an indexed commit; what is nobody's history any more is gone."""
    db.execute(
        "INSERT OR REPLACE INTO lineage SELECT commit_, ?, ? FROM commit_ WHERE oid = ?",
        (compressed(array("I", found.numbers).tobytes()), found.end, oid),
    )
    if found.end is not HistoryEnd.PENDING and len(found.numbers) < _count(db):
        _forget(db)


def _count(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT COUNT(*) FROM past").fetchone()[0])


def _forget(db: sqlite3.Connection) -> None:
    kept = {number for (packed,) in db.execute("SELECT pasts FROM lineage") for number in _unpacked(packed)}
    gone = [(number,) for (number,) in db.execute("SELECT past FROM past") if number not in kept]
    db.executemany("DELETE FROM change WHERE past = ?", gone)
    db.executemany("DELETE FROM past WHERE past = ?", gone)


def _unpacked(packed: bytes) -> array[int]:
    return array("I", decompressed(packed))


# Reading.

_CHANGE = (
    "change.past, path.text, COALESCE(source.text, ''), parent, old, new, added, removed, hunks FROM change"
    " JOIN path USING (path) LEFT JOIN path AS source ON source.path = change.source"
)


class Past:
    """The history of one indexed commit, read through a connection that is open."""

    def __init__(self, db: sqlite3.Connection, commit: int) -> None:
        self._db = db
        row = next(iter(self._rows("SELECT pasts, ends FROM lineage WHERE commit_ = ?", (commit,))), None)
        with storage_errors("read"):
            self._numbers = _unpacked(row[0]) if row else array("I")
        self._ages = {number: age for age, number in enumerate(self._numbers)}
        self.end = HistoryEnd(row[1]) if row else HistoryEnd.PENDING

    def __len__(self) -> int:
        return len(self._numbers)

    def entries(self, ages: Iterable[int]) -> dict[int, PastEntry]:
        """The commits at these places of the history."""
        found = {}
        query = (
            "SELECT oid, author.name, email, authored, files, subject FROM past JOIN author USING (author)"
            " WHERE past = ?"
        )
        for age in ages:
            for oid, *about in self._rows(query, (self._numbers[age],)):
                found[age] = PastEntry(age, oid.hex(), *about)
        return found

    def all_entries(self) -> list[PastEntry]:
        """All commits of the history, the newest first."""
        query = "SELECT past, oid, author.name, email, authored, files, subject FROM past JOIN author USING (author)"
        rows = ((self._ages[past], oid.hex(), *about) for past, oid, *about in self._rows(query) if past in self._ages)
        return sorted(map(PastEntry._make, rows))

    def age_of(self, revision: str) -> int | None:
        """The place of the commit whose name begins with these digits; None when there is none, or several."""
        low, high = revision.ljust(40, "0"), revision.ljust(40, "f")
        query = "SELECT past FROM past WHERE oid BETWEEN ? AND ?"
        rows = self._rows(query, (bytes.fromhex(low), bytes.fromhex(high)))
        ages = [self._ages[past] for (past,) in rows if past in self._ages]
        return ages[0] if len(ages) == 1 else None

    def parents(self) -> list[tuple[int, ...]]:
        """For each commit of the history, by age, the ages of its parents; without those that are not known."""
        rows = self._rows("SELECT past, oid, parents FROM past")
        ages = {oid: self._ages[past] for past, oid, _ in rows if past in self._ages}
        found: list[tuple[int, ...]] = [()] * len(self)
        for _, oid, parents in rows:
            if (age := ages.get(oid)) is not None:
                names = (parents[at : at + _OID_BYTES] for at in range(0, len(parents), _OID_BYTES))
                found[age] = tuple(ages[name] for name in names if name in ages)
        return found

    def changes_at(self, path: str) -> list[PastChange]:
        """What happened to the file at this path, the newest first."""
        return self._changes(f"SELECT {_CHANGE} WHERE path.text = ?", (path,))

    def changes_under(self, folder: str) -> list[PastChange]:
        """What happened to the files below a folder ("" for all), the newest first."""
        if not folder:
            return self._changes(f"SELECT {_CHANGE}")
        return self._changes(f"SELECT {_CHANGE} WHERE path.text >= ? AND path.text < ?", (f"{folder}/", f"{folder}0"))

    def changes_from(self, path: str) -> list[PastChange]:
        """The renames of the file at this path to another one, the newest first."""
        query = f"SELECT {_CHANGE} WHERE change.source = (SELECT path FROM path WHERE text = ?)"  # noqa: S608
        return self._changes(f"{query} AND change.source NOT IN (0, change.path)", (path,))

    def counts_under(self, folder: str) -> list[tuple[int, str, int, int]]:
        """(age, path, lines added, lines removed) of each change below a folder ("" for all), in no special order."""
        where, values = ("path.text >= ? AND path.text < ?", (f"{folder}/", f"{folder}0")) if folder else ("1", ())
        rows = self._rows(f"SELECT path, text FROM path WHERE {where}", values)  # noqa: S608
        names = dict(rows)
        inside = "path IN (SELECT path FROM path WHERE path.text >= ? AND path.text < ?)" if folder else "1"
        query = (
            "SELECT past, path, COALESCE(added, 0), COALESCE(removed, 0) FROM change"  # noqa: S608
            f" WHERE parent = 0 AND {inside}"
        )
        ages = self._ages
        return [(ages[row[0]], names[row[1]], row[2], row[3]) for row in self._rows(query, values) if row[0] in ages]

    def renames(self) -> dict[str, str]:
        """Path → the path to which a commit of the history moved the file last."""
        query = f"SELECT {_CHANGE} WHERE change.source NOT IN (0, change.path)"
        return {change.source: change.path for change in reversed(self._changes(query))}

    def paths_with(self, ages: Iterable[int]) -> Iterator[tuple[int, str]]:
        """(age, path) of all that the commits at these places of the history changed."""
        query = "SELECT DISTINCT text FROM change JOIN path USING (path) WHERE past = ?"
        for age in ages:
            for (path,) in self._rows(query, (self._numbers[age],)):
                yield age, path

    def _changes(self, query: str, values: tuple[Any, ...] = ()) -> list[PastChange]:
        found = []
        for past, *rest in self._rows(query, values):
            if (age := self._ages.get(past)) is not None:
                found.append(PastChange(age, *rest))
        return sorted(found, key=lambda change: (change.age, change.path, change.parent))

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with storage_errors("read"):
            return self._db.execute(query, values).fetchall()
