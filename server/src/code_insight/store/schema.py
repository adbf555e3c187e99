"""The tables of an index file, and how one is opened.

One file per repository. Facts hang on blobs, so a commit costs what changed; a commit is one row in `commit_`, written
last and in one transaction with its files: it is whole, or it is not there.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from code_insight.errors import IndexDamaged, StorageFailed
from code_insight.store import compression, seals

# What is on disk; another number means another file, made anew.
# 1  2026-11: the first.
# 2  2026-11: facts of an older parser stay beside the new ones, and answer, until a commit is whole again.
# 3  2026-11: evidence of what names mean, by blob.
# 4  2026-11: places of occurrences in half the space; words instead of trigrams.
# 5  2026-11: the history of a commit.
# 6  2026-11: what names are attributes of, as numbers.
# 7  2026-11: the survey of a commit: entry points, and which symbols matter by what uses mean.
# 8  2026-11: which file this is; the types that name a base, by it; imports under another name, by the first.
# 9  2026-11: what a name is an attribute of, with its places; bindings in columns.
# 10 2026-11: Zstandard instead of zlib.
# 11 2026-11: the names that a blob uses, instead of an index of occurrences by blob.
FORMAT_VERSION = 11

# What SQLite says of a file that is not an index of ours: not a database, a damaged one, one without our tables.
_NO_INDEX = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR)
# What reading a row raises whose bytes are not what was written.
_NO_SENSE = (compression.Damaged, ValueError, KeyError)
STORAGE_ERRORS = (sqlite3.Error, *_NO_SENSE)

# A time of the index as it counts: one that is to come is from before the clock was set back, and nobody knows when.
KNOWN_TIME = "CASE WHEN {0} <= strftime('%s', 'now') + 60 THEN {0} ELSE 0 END"

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE blob (
  blob INTEGER PRIMARY KEY,
  oid TEXT NOT NULL,
  language TEXT NOT NULL,
  facts_version INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  lines INTEGER NOT NULL,
  text BLOB NOT NULL,
  skip_reason TEXT,
  error_lines TEXT NOT NULL,
  UNIQUE (oid, language, facts_version)
);
CREATE VIRTUAL TABLE word_index USING fts5(words, tokenize = "ascii tokenchars '_'", detail = none, content = '');
CREATE TABLE vocabulary (part INTEGER PRIMARY KEY, words BLOB NOT NULL);

CREATE TABLE name (name INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE symbol (
  blob INTEGER NOT NULL,
  position INTEGER NOT NULL,
  parent INTEGER NOT NULL,
  name INTEGER NOT NULL,
  kind TEXT NOT NULL,
  container TEXT NOT NULL,
  start_line INTEGER NOT NULL,
  end_line INTEGER NOT NULL,
  name_line INTEGER NOT NULL,
  name_column INTEGER NOT NULL,
  signature TEXT NOT NULL,
  doc TEXT NOT NULL,
  bases TEXT NOT NULL,
  PRIMARY KEY (blob, position)
) WITHOUT ROWID;
CREATE INDEX symbol_by_name ON symbol (name, blob);
CREATE TABLE derived (
  base INTEGER NOT NULL,
  blob INTEGER NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (base, blob, position)
) WITHOUT ROWID;
CREATE INDEX derived_by_blob ON derived (blob);
CREATE TABLE occurrence (
  name INTEGER NOT NULL,
  blob INTEGER NOT NULL,
  kinds INTEGER NOT NULL,
  places BLOB NOT NULL,
  PRIMARY KEY (name, blob)
) WITHOUT ROWID;
CREATE TABLE used (blob INTEGER PRIMARY KEY, names BLOB NOT NULL);
CREATE TABLE import (
  blob INTEGER NOT NULL,
  line INTEGER NOT NULL,
  module TEXT NOT NULL,
  name TEXT NOT NULL,
  alias TEXT NOT NULL
);
CREATE INDEX import_by_blob ON import (blob);
CREATE INDEX import_by_name ON import (name) WHERE alias <> '';
CREATE TABLE evidence (blob INTEGER PRIMARY KEY, data BLOB NOT NULL);

CREATE TABLE commit_ (
  commit_ INTEGER PRIMARY KEY,
  oid TEXT NOT NULL UNIQUE,
  tree TEXT NOT NULL,
  time INTEGER NOT NULL,
  subject TEXT NOT NULL,
  facts_version INTEGER NOT NULL,
  indexed_at INTEGER NOT NULL,
  is_surveyed INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE file (
  commit_ INTEGER NOT NULL,
  path TEXT NOT NULL,
  oid TEXT NOT NULL,
  blob INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  role TEXT NOT NULL,
  skip_reason TEXT,
  PRIMARY KEY (commit_, path)
) WITHOUT ROWID;
CREATE INDEX file_by_blob ON file (blob, commit_);
CREATE TABLE central (
  commit_ INTEGER NOT NULL,
  place INTEGER NOT NULL,
  blob INTEGER NOT NULL,
  position INTEGER NOT NULL,
  users INTEGER NOT NULL,
  PRIMARY KEY (commit_, place)
) WITHOUT ROWID;
CREATE TABLE entry (
  commit_ INTEGER NOT NULL,
  place INTEGER NOT NULL,
  what TEXT NOT NULL,
  name TEXT NOT NULL,
  target TEXT NOT NULL,
  PRIMARY KEY (commit_, place)
) WITHOUT ROWID;
CREATE TABLE author (
  author INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  email TEXT NOT NULL,
  UNIQUE (email, name)
);
CREATE TABLE past (
  past INTEGER PRIMARY KEY,
  oid BLOB NOT NULL UNIQUE,
  parents BLOB NOT NULL,
  author INTEGER NOT NULL,
  authored INTEGER NOT NULL,
  time INTEGER NOT NULL,
  files INTEGER NOT NULL,
  subject TEXT NOT NULL
);
CREATE TABLE path (path INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE change (
  path INTEGER NOT NULL,
  past INTEGER NOT NULL,
  parent INTEGER NOT NULL,
  source INTEGER NOT NULL,
  old INTEGER NOT NULL,
  new INTEGER NOT NULL,
  added INTEGER,
  removed INTEGER,
  hunks BLOB,
  PRIMARY KEY (path, past, parent)
) WITHOUT ROWID;
CREATE INDEX change_by_past ON change (past);
CREATE INDEX change_by_source ON change (source) WHERE source NOT IN (0, path);
CREATE TABLE lineage (commit_ INTEGER PRIMARY KEY, pasts BLOB NOT NULL, ends TEXT NOT NULL);
CREATE TABLE ref (ref TEXT PRIMARY KEY, commit_ INTEGER NOT NULL, checked_at INTEGER NOT NULL) WITHOUT ROWID;
"""


@contextlib.contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """What SQLite raises inside leaves as StorageFailed, with what was being done; so does a text that is damaged."""
    try:
        yield
    except STORAGE_ERRORS as error:
        raise storage_failed(doing, error) from error


def storage_failed(doing: str, error: Exception) -> StorageFailed:
    """What to raise of an error of SQLite, or of a damaged text."""
    reason = str(error)
    full = "full" in reason or "disk I/O" in reason
    step = "Free some space on the server's disk." if full else "The server's operator finds details in its log."
    return StorageFailed(f"The index could not be {doing}: {reason}.", step)


def is_ours(path: Path) -> bool:
    """Whether a file is an index of this format; see `connect_if_ours`."""
    db = connect_if_ours(path)
    if db:
        db.close()
    return db is not None


def connect_if_ours(path: Path) -> sqlite3.Connection | None:
    """A connection that cannot write; None when the file is not an index, of another format, or damaged.

    Raises sqlite3.Error when that cannot be told now: the file is locked, or there are no rights, memory or space.
    """
    with contextlib.ExitStack() as stack:
        try:
            db = stack.enter_context(contextlib.closing(connect_to_read(path)))
            row = db.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
        except sqlite3.Error as error:
            if _code(error) not in _NO_INDEX:
                raise
            return None
        if not row or str(row[0]) != str(FORMAT_VERSION):
            return None
        stack.pop_all()
        return db


def is_damaged(path: Path, seen: StorageFailed | None = None) -> bool:
    """Whether what was seen in the file makes no sense, or SQLite, which reads all of it, finds a fault in it."""
    cause = seen.__cause__ if seen else None
    if isinstance(seen, IndexDamaged):
        return True
    if isinstance(cause, _NO_SENSE) or (isinstance(cause, sqlite3.Error) and _code(cause) == sqlite3.SQLITE_CORRUPT):
        return True
    try:
        with contextlib.closing(connect_to_read(path)) as db:
            return bool(db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",))
    except sqlite3.Error as error:
        return _code(error) in _NO_INDEX


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; Python's own errors, of a text that does not decode, count as damage."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF


def discard(path: Path) -> None:
    """There is no index at `path` any more."""
    seals.unseal(path)
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def set_aside(path: Path) -> None:
    """There is no index at `path` any more; the damaged one is beside it, in place of the one before."""
    with contextlib.suppress(FileNotFoundError):
        path.replace(path.with_name(path.name + ".damaged"))
    discard(path)


class Reading(sqlite3.Connection):
    """A connection that cannot write."""

    sees_changes: bool = True  # not of a file that is read as it stands
    state: tuple[int, ...] = ()  # of the file, when the connection was taken


_AS_IT_STANDS = "mode=ro&immutable=1"
_Any = TypeVar("_Any", bound=sqlite3.Connection)


def connect_to_read(path: Path) -> Reading:
    """A connection that cannot write. Where nobody can write beside the file, it is read as it stands."""
    try:
        return _connect_to_read(path, "mode=ro")
    except sqlite3.OperationalError:
        log = path.with_name(path.name + "-wal")
        if log.exists() and log.stat().st_size:  # without it, the file may be half of one state and half of another
            raise
        return _connect_to_read(path, _AS_IT_STANDS)


def _connect_to_read(path: Path, mode: str) -> Reading:
    connection = sqlite3.connect(
        f"{path.as_uri()}?{mode}", uri=True, isolation_level=None, check_same_thread=False, factory=Reading
    )
    connection.sees_changes = mode != _AS_IT_STANDS
    return _prepared(
        connection,
        "PRAGMA query_only = ON",
        "PRAGMA trusted_schema = OFF",
        "PRAGMA cell_size_check = ON",
        "PRAGMA cache_size = -4000",
        "SELECT 1 FROM meta",
    )


def connect_to_write(path: Path) -> sqlite3.Connection:
    """A connection for the one writer, who alone empties the write-ahead log; readers never wait for it."""
    return _prepared(
        sqlite3.connect(path, isolation_level=None, timeout=30.0, check_same_thread=False),
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = NORMAL",
        "PRAGMA wal_autocheckpoint = 0",
        "PRAGMA cache_size = -4000",
    )


def _prepared(connection: _Any, *statements: str) -> _Any:
    try:
        for statement in statements:
            connection.execute(statement).fetchone()
    except BaseException:
        connection.close()
        raise
    return connection
