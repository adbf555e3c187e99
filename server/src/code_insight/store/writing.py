"""The one writer of an index file: facts by blob as they come, then a commit in one transaction."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from code_insight.model import Change, Commit, FileRole, PastCommit, SkipReason
from code_insight.store import past, seals, survey
from code_insight.store.compression import compressed, decompressed
from code_insight.store.connections import close_idle
from code_insight.store.packing import PackedFacts, packed_numbers, unpacked_numbers
from code_insight.store.schema import (
    FORMAT_VERSION,
    KNOWN_TIME,
    TABLES,
    connect_to_write,
    discard,
    is_ours,
    storage_errors,
)
from code_insight.store.vocabulary import as_indexed, packed, unpacked, words_of

_NAMES_CACHED = 300_000
_FEW_TEXTS = 1_000  # whose words are looked for in them; those of more are read from the index of words
_CUT_BYTES = 32_768  # of a word, after which the index of words cuts it off: FTS5_MAX_TOKEN_SIZE of SQLite
_NO_USES: Mapping[str, float] = {}
_TRY_AGAIN = -1  # facts_version of a text at which the parser failed
# The files of a commit that were skipped for what may be otherwise now; ?2 is _TRY_AGAIN, ?3 the bytes a file may have.
_SECOND_LOOK = (
    "SELECT 1 FROM file LEFT JOIN blob USING (blob) WHERE file.commit_ = commit_.commit_ AND file.skip_reason <> ''"
    " AND (blob.facts_version = ?2 OR (file.skip_reason = 'too_large' AND file.size_bytes <= ?3))"
)
_BATCHES = 4  # of blobs that are one transaction: each writes the same pages of names and words again
_LOG_BYTES = 16 << 20  # of SQLite's log, after which it is emptied
_PARTS = 16  # of the vocabulary; more are made one


@dataclass(frozen=True, slots=True)
class NewBlob:
    """What is to be kept of one blob."""

    oid: str
    language: str
    data: bytes  # the text in UTF-8
    facts: PackedFacts
    skip_reason: SkipReason | None  # why its symbols are missing


@dataclass(frozen=True, slots=True)
class NewFile:
    """One path of the commit that is being indexed."""

    path: str
    oid: str
    blob: int  # 0 when nothing of it is in the index
    size_bytes: int
    role: FileRole
    skip_reason: SkipReason | None


@dataclass(frozen=True, slots=True)
class Base:
    """A commit of the index, of whose files another one has most."""

    number: int
    tree: str
    files: int


class Writer:
    """Owns the write connection of one index file; a context manager."""

    def __init__(self, path: Path, facts_version: int = 0) -> None:
        """`facts_version` is that of the facts that will be written; 0 for who writes none.

        Raises IndexDamaged, and changes nothing, when the file is not what the writer before left.
        """
        self._facts_version = facts_version
        self._names: dict[str, int] = {}
        self._waiting = 0  # batches of blobs that are not committed yet
        self._path = path
        self._written: set[int] = set()  # segments of the file, but for those in its log
        seals.check(path)
        with storage_errors("opened"):
            _discard_other_formats(path)
            self._sealed = seals.unseal(path)
            close_idle()  # one that was opened when nobody could write would share that with ours
            self._db = _open(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(sqlite3.Error):  # a full disk must not hide the error that is on its way
            if self._db.in_transaction:
                self._db.execute("COMMIT")
            self._db.execute("PRAGMA busy_timeout = 100")  # ms: what a reader still needs stays in the log
            self._empty_log("TRUNCATE")
        close_idle()  # the log goes with the last connection
        self._db.close()
        with contextlib.suppress(OSError):  # without a seal, SQLite alone vouches for the file
            seals.seal(self._path, self._sealed, self._written)

    def _empty_log(self, mode: str) -> None:
        """What is in the log is in the file, if no reader needs it; only who has read the log may empty it."""
        try:
            self._written |= seals.segments_in(seals.log_of(self._path))
        except OSError:
            self._sealed = b""  # nobody knows what was written: all of the file is looked at
        self._db.execute(f"PRAGMA wal_checkpoint({mode})")

    def blob_of(self, oid: str, language: str) -> tuple[int, SkipReason | None] | None:
        """The number of a blob whose facts are known, and why its symbols are missing if they are."""
        query = "SELECT blob, skip_reason FROM blob WHERE oid = ? AND language = ? AND facts_version = ?"
        with storage_errors("read"):
            row = self._db.execute(query, (oid, language, self._facts_version)).fetchone()
        return (int(row[0]), SkipReason(row[1]) if row[1] else None) if row else None

    def files_known(self) -> dict[tuple[str, str], NewFile]:
        """(path, oid) → the file as an earlier commit has it: such a file needs no second look.

        Without those that were skipped for more than their content: for a mode, or for a limit that may have changed.
        """
        query = (
            "SELECT DISTINCT path, file.oid, blob, file.size_bytes, role, file.skip_reason FROM file"
            " JOIN commit_ USING (commit_) LEFT JOIN blob USING (blob)"
            " WHERE commit_.facts_version = ? AND blob.facts_version IS NOT ?"
            " AND (blob > 0 OR file.skip_reason IN ('binary', 'undecodable', 'minified', 'lfs_pointer'))"
        )
        with storage_errors("read"):
            rows = self._db.execute(query, (self._facts_version, _TRY_AGAIN))
            return {(row[0], row[1]): _known_file(*row) for row in rows}

    def base(self, file_bytes: int) -> Base | None:
        """The commit that was indexed last; None when some of its files need a second look, under this limit too."""
        query = (
            "SELECT commit_, tree,"  # noqa: S608
            " (SELECT COUNT(*) FROM file WHERE file.commit_ = commit_.commit_) FROM commit_"
            " WHERE commit_ = (SELECT commit_ FROM commit_ WHERE facts_version = ?1 ORDER BY indexed_at DESC LIMIT 1)"
            f" AND NOT EXISTS ({_SECOND_LOOK}) AND NOT EXISTS (SELECT 1 FROM file"
            " WHERE file.commit_ = commit_.commit_ AND blob > 0 AND size_bytes > ?3)"
        )
        with storage_errors("read"):
            row = self._db.execute(query, (self._facts_version, _TRY_AGAIN, file_bytes)).fetchone()
        return Base(*row) if row else None

    def add_blobs(self, blobs: Sequence[NewBlob]) -> list[int]:
        """The numbers of the blobs, whose facts are in the index now; nobody sees them before a commit names them."""
        with storage_errors("written"), self._transaction(may_wait=True):
            self._number_names({name for new in blobs for name in new.facts.names})
            numbers = [self._insert_blob(new) for new in blobs]
            self._insert_words(zip(numbers, (new.data for new in blobs), strict=True))
            self._insert_facts([(number, new.facts) for number, new in zip(numbers, blobs, strict=True)])
            return numbers

    def _insert_blob(self, new: NewBlob) -> int:
        data = new.data
        cursor = self._db.execute(
            "INSERT INTO blob (oid, language, facts_version, size_bytes, lines, text, skip_reason, error_lines)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                new.oid,
                new.language,
                self._facts_version,
                len(data),
                data.count(b"\n") + (not data.endswith(b"\n") and bool(data)),
                compressed(data),
                new.skip_reason,
                new.facts.error_lines,
            ),
        )
        return cursor.lastrowid or 0

    def _insert_words(self, texts: Iterable[tuple[int, bytes]]) -> None:
        rows = ((blob, as_indexed(data)) for blob, data in texts)
        self._db.executemany("INSERT INTO word_index (rowid, words) VALUES (?, ?)", rows)

    def _insert_facts(self, numbered: list[tuple[int, PackedFacts]]) -> None:
        """Each table is filled in its own order, which touches each of its pages once."""
        symbols, derived, occurrences, used = [], [], [], []
        for blob, facts in numbered:
            names = [self._names[name] for name in facts.names]
            for position, (parent, name, *rest) in enumerate(facts.symbols):
                symbols.append((blob, position, parent, names[name], *rest))
            derived += [(names[base], blob, position) for base, position in facts.derived]
            occurrences += [(names[name], blob, kinds, places) for name, kinds, places in facts.occurrences]
            used.append((blob, packed_numbers(sorted(names[name] for name, *_ in facts.occurrences))))
        occurrences.sort()
        self._db.executemany("INSERT INTO symbol VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", symbols)
        self._db.executemany("INSERT INTO derived VALUES (?, ?, ?)", sorted(derived))
        self._db.executemany("INSERT INTO occurrence VALUES (?, ?, ?, ?)", occurrences)
        self._db.executemany("INSERT INTO used VALUES (?, ?)", used)
        imports = ((blob, *row) for blob, facts in numbered for row in facts.imports)
        self._db.executemany("INSERT INTO import VALUES (?, ?, ?, ?, ?)", imports)
        evidence = ((blob, facts.evidence) for blob, facts in numbered if facts.evidence)
        self._db.executemany("INSERT INTO evidence VALUES (?, ?)", evidence)

    def _number_names(self, names: set[str]) -> None:
        """All these names have a number in `_names`."""
        if len(self._names) > _NAMES_CACHED:
            self._names.clear()
        missing = sorted(names - self._names.keys())
        self._db.executemany("INSERT OR IGNORE INTO name (text) VALUES (?)", ((name,) for name in missing))
        query = "SELECT text, name FROM name WHERE text IN (SELECT value FROM json_each(?))"
        self._names.update(self._db.execute(query, (json.dumps(missing, ensure_ascii=False),)))

    def add_commit(
        self,
        commit: Commit,
        ref: str,
        files: Iterable[NewFile],
        keep: int,
        last_used: Mapping[str, float] = _NO_USES,
        instead: tuple[Base, Collection[str]] | None = None,
    ) -> None:
        """The commit is visible, whole, with these files, or as it was when there are none.

        With `instead`, it has them instead of those of a base that have these paths, and all others of the base too.

        All but the `keep` last used are gone with the blobs that only they had; an added one counts as used.
        """
        now = int(time.time())
        with storage_errors("written"), self._transaction():
            row = self._db.execute("SELECT commit_, facts_version FROM commit_ WHERE oid = ?", (commit.oid,)).fetchone()
            number, facts_version = map(int, row or (0, 0))
            files = list(files)
            is_new = bool(facts_version != self._facts_version or files or instead)
            if is_new:
                number = self._insert_commit(number, commit, files, now, instead)
            self._db.execute("INSERT OR REPLACE INTO ref VALUES (?, ?, ?)", (ref, number, now))
            self._forget_all_but(number, keep, last_used, is_new=is_new)
            self._merge_vocabulary()

    def _insert_commit(
        self,
        older: int,
        commit: Commit,
        files: Sequence[NewFile],
        now: int,
        instead: tuple[Base, Collection[str]] | None,
    ) -> int:
        """The number of the commit, which replaces itself as it was before where `older` is not 0.

        No two have been indexed at one time: what is kept of an answer is kept by number and time.
        """
        [(last,)] = self._db.execute("SELECT COALESCE(MAX(indexed_at), 0) FROM commit_")
        now = max(now, last + 1)
        for table in ("commit_", "file", "central", "entry"):
            self._db.execute(f"DELETE FROM {table} WHERE commit_ = ?", (older,))  # noqa: S608
        cursor = self._db.execute(
            "INSERT INTO commit_ (commit_, oid, tree, time, subject, facts_version, indexed_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (older or None, commit.oid, commit.tree, commit.time, commit.subject, self._facts_version, now),
        )
        number = cursor.lastrowid or 0
        self._db.executemany(
            "INSERT INTO file VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((number, new.path, new.oid, new.blob, new.size_bytes, new.role, new.skip_reason) for new in files),
        )
        if instead:
            base, paths = instead
            self._db.execute(
                "INSERT INTO file SELECT ?, path, oid, blob, size_bytes, role, skip_reason FROM file"
                " WHERE commit_ = ? AND path NOT IN (SELECT value FROM json_each(?))",
                (number, base.number, json.dumps([*paths], ensure_ascii=False)),
            )
        survey.carry_over(self._db, number)
        self._list_words(number, [new.blob for new in files])
        return number

    def set_survey(self, oid: str, found: survey.Survey) -> None:
        """That is the survey of an indexed commit now."""
        with storage_errors("written"), self._transaction():
            survey.keep(self._db, oid, found)

    def has_commit(self, oid: str, file_bytes: int = 0) -> bool:
        """Whether this commit is in the index, whole, with the facts of this version; with all files that are allowed.

        It has not if it was indexed when files had to be smaller, or if one of its texts is to be tried again.
        """
        query = f"SELECT 1 FROM commit_ WHERE oid = ?4 AND facts_version = ?1 AND NOT EXISTS ({_SECOND_LOOK})"  # noqa: S608
        with storage_errors("read"):
            row = self._db.execute(query, (self._facts_version, _TRY_AGAIN, file_bytes, oid)).fetchone()
        return row is not None

    def try_again(self, parse_seconds: float) -> None:
        """Texts at which the parser failed are to be tried again, when a file may take longer now than ever before.

        They answer as they do until a commit that has them is indexed again.
        """
        with storage_errors("written"), self._transaction():
            [(most,)] = self._db.execute("SELECT COALESCE(MAX(value), '0') FROM meta WHERE key = 'parse_seconds'")
            if parse_seconds > float(most):
                failed = "UPDATE OR IGNORE blob SET facts_version = ? WHERE skip_reason IS NOT NULL"
                self._db.execute(failed, (_TRY_AGAIN,))
                self._db.execute("INSERT OR REPLACE INTO meta VALUES ('parse_seconds', ?)", (str(parse_seconds),))

    def past_commit(self, oid: str) -> past.Known | None:
        """A commit of the past whose changes are in the index."""
        with storage_errors("read"):
            return past.known(self._db, oid)

    def add_past(self, commits: Sequence[tuple[PastCommit, Sequence[Change]]]) -> list[int]:
        """The numbers of commits of the past, which are in the index now; no history names them yet."""
        with storage_errors("written"), self._transaction():
            return past.add(self._db, commits)

    def lineage(self, oid: str) -> past.Lineage:
        """What is known of the history of an indexed commit."""
        with storage_errors("read"):
            return past.lineage(self._db, oid)

    def set_lineage(self, oid: str, found: past.Lineage) -> None:
        """That is the history of an indexed commit now."""
        with storage_errors("written"), self._transaction():
            past.set_lineage(self._db, oid, found)

    def _forget_all_but(self, added: int, keep: int, last_used: Mapping[str, float], *, is_new: bool) -> None:
        """Kept are, in this order: the commit just added, that of the default branch, those that were used last."""
        rows = self._db.execute(
            f"SELECT commit_.commit_, oid, MAX({KNOWN_TIME.format('indexed_at')},"  # noqa: S608
            f" COALESCE(MAX({KNOWN_TIME.format('checked_at')}), 0)), COUNT(ref),"
            " COALESCE(MAX(ref = ''), 0) FROM commit_ LEFT JOIN ref USING (commit_) GROUP BY commit_.commit_"
        ).fetchall()

        def key(row: tuple[int, str, int, int, int]) -> tuple[object, ...]:
            commit, oid, seen_at, refs, is_default = row
            return commit != added, not is_default, -int(max(seen_at, last_used.get(oid, 0))), not refs, -commit

        kept = [row[0] for row in sorted(rows, key=key)[: max(1, keep)]]
        if len(kept) == len(rows) and not is_new:
            return  # no blob has lost a file
        marks = ",".join(map(str, kept))
        for table in ("commit_", "file", "central", "entry", "lineage", "ref"):
            self._db.execute(f"DELETE FROM {table} WHERE commit_ NOT IN ({marks})")  # noqa: S608
        orphans = self._db.execute("SELECT blob, text FROM blob WHERE blob NOT IN (SELECT blob FROM file)").fetchall()
        for blob, text in orphans:
            self._db.execute(
                "INSERT INTO word_index (word_index, rowid, words) VALUES ('delete', ?, ?)",
                (blob, as_indexed(decompressed(text))),
            )
            [(names,)] = self._db.execute("SELECT names FROM used WHERE blob = ?", (blob,))
            used = ((name, blob) for name in unpacked_numbers(names))
            self._db.executemany("DELETE FROM occurrence WHERE name = ? AND blob = ?", used)
            for table in ("blob", "symbol", "derived", "used", "import", "evidence"):
                self._db.execute(f"DELETE FROM {table} WHERE blob = ?", (blob,))  # noqa: S608

    def _list_words(self, commit: int, blobs: Sequence[int]) -> None:
        """The vocabulary has the words of these blobs of a commit, as it has those of all other commits' blobs."""
        new = (
            "FROM blob WHERE blob IN (SELECT value FROM json_each(?))"
            " AND NOT EXISTS (SELECT 1 FROM file WHERE file.blob = blob.blob AND commit_ <> ?)"
        )
        which = json.dumps(blobs), commit
        [(texts,)] = self._db.execute(f"SELECT COUNT(*) {new}", which)
        if not texts:
            return
        words, longest = self._all_words() if texts > _FEW_TEXTS else (b"", _CUT_BYTES)
        if longest < _CUT_BYTES:
            self._db.execute("DELETE FROM vocabulary")
        else:
            rows = self._db.execute(f"SELECT text {new}", which)
            words = b"\n".join(sorted(set().union(*(words_of(decompressed(text)) for (text,) in rows))))
        self._db.execute("INSERT INTO vocabulary (words) VALUES (?)", (packed(words),))

    def _all_words(self) -> tuple[bytes, int]:
        """The words of all texts in their order, with line ends between them, and the length of the longest."""
        self._db.execute("CREATE VIRTUAL TABLE temp.word USING fts5vocab (main, word_index, row)")
        query = "SELECT CAST(GROUP_CONCAT(term, char(10)) AS BLOB), MAX(length(CAST(term AS BLOB))) FROM temp.word"
        [(words, longest)] = self._db.execute(query)
        self._db.execute("DROP TABLE temp.word")
        return words, longest

    def _merge_vocabulary(self) -> None:
        """Few parts again: the small ones become one, and the large one with them when they are half of it."""
        rows = self._db.execute("SELECT part, length(words) FROM vocabulary ORDER BY 2 DESC").fetchall()
        if len(rows) <= _PARTS:
            return
        (_, largest), *small = rows
        merged = [part for part, _ in (rows if 2 * sum(size for _, size in small) > largest else small)]
        words: set[bytes] = set()
        for part in merged:
            [(data,)] = self._db.execute("SELECT words FROM vocabulary WHERE part = ?", (part,))
            words.update(unpacked(data).split())
            self._db.execute("DELETE FROM vocabulary WHERE part = ?", (part,))
        self._db.execute("INSERT INTO vocabulary (words) VALUES (?)", (packed(b"\n".join(sorted(words))),))

    @contextlib.contextmanager
    def _transaction(self, *, may_wait: bool = False) -> Iterator[None]:
        """What is written inside is in the file whole or not at all; if it may wait, with what follows, or at exit."""
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself: a full disk
                self._db.execute("ROLLBACK")
            self._waiting = 0
            self._names.clear()
            raise
        self._waiting = self._waiting + 1 if may_wait else 0
        if self._waiting % _BATCHES:
            return
        self._db.execute("COMMIT")
        log = seals.log_of(self._path)
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            self._empty_log("PASSIVE")


def _discard_other_formats(path: Path) -> None:
    """A file of another format, or none that SQLite can read, will be made anew."""
    if path.exists() and not is_ours(path):
        discard(path)


def _open(path: Path) -> sqlite3.Connection:
    """The file's write connection; the tables are there."""
    db = connect_to_write(path)
    try:
        db.execute("BEGIN IMMEDIATE")
        if not db.execute("SELECT 1 FROM sqlite_master").fetchone():
            for statement in TABLES.split(";"):
                db.execute(statement)
            db.execute("INSERT INTO meta VALUES ('version', ?), ('made', ?)", (str(FORMAT_VERSION), uuid.uuid4().hex))
        db.execute("COMMIT")
    except BaseException:
        db.close()
        raise
    return db


def _known_file(path: str, oid: str, blob: int, size_bytes: int, role: str, reason: str | None) -> NewFile:
    return NewFile(path, oid, blob, size_bytes, FileRole(role), SkipReason(reason) if reason else None)
