"""Reads of one whole commit. A query holds an `IndexedCommit`, opens a `Reader` on it, and gets plain values."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from code_insight.model import (
    NO_EVIDENCE,
    REFERENCE_KINDS,
    Commit,
    Evidence,
    FileRole,
    ImportFact,
    Occurrence,
    ReferenceKind,
    Repository,
    SkipReason,
    SourceFile,
    Symbol,
    SymbolKind,
)
from code_insight.store import seals
from code_insight.store.central import central_symbols
from code_insight.store.compression import beginning, decompressed
from code_insight.store.connections import leave, take
from code_insight.store.packing import places, unpack_evidence, unpacked_numbers
from code_insight.store.past import Past
from code_insight.store.schema import KNOWN_TIME, STORAGE_ERRORS, connect_if_ours, storage_errors, storage_failed
from code_insight.store.vocabulary import Piece, pieces_of, unpacked, with_piece, with_stem

_ROLES = {role.value: role for role in FileRole}
_REASONS = {reason.value: reason for reason in SkipReason}
_KINDS = {kind.value: kind for kind in SymbolKind}
_PLAIN = 1 << REFERENCE_KINDS.index(ReferenceKind.NAME)  # the kinds of a name that is nothing but an identifier
_FILE = (
    "file.path, file.oid, file.blob, file.size_bytes, COALESCE(blob.lines, 0), COALESCE(blob.language, ''), file.role,"
    " file.skip_reason"
)
_OF_SYMBOL = (
    "symbol.blob, symbol.position, symbol.parent, name.text, symbol.kind,"
    " symbol.container, symbol.start_line, symbol.end_line, symbol.name_line, symbol.name_column, symbol.signature,"
    " symbol.doc, symbol.bases"
)
_SYMBOL = f"file.path, blob.language, file.role, {_OF_SYMBOL}"
_SYMBOLS_OF_BLOB = f"SELECT blob.language, {_OF_SYMBOL} FROM symbol JOIN name USING (name) JOIN blob USING (blob)"  # noqa: S608
# SQLite keeps no statistics here, and would look through all files of the commit; "+" leaves it the index by blob.
_ITS_FILE = "JOIN file ON file.blob = {}.blob AND +file.commit_ = :commit"
_SYMBOLS_BY_NAME = (
    f"SELECT {_SYMBOL} FROM name JOIN symbol USING (name) JOIN blob USING (blob) {_ITS_FILE.format('symbol')}"  # noqa: S608
)
_SYMBOLS = (
    f"SELECT {_SYMBOL} FROM symbol JOIN name USING (name) JOIN blob USING (blob)"  # noqa: S608
    " JOIN file ON file.blob = symbol.blob AND file.commit_ = :commit"
)


@dataclass(frozen=True, slots=True)
class IndexedCommit:
    """A commit that is in an index, whole. Only `newest`, `find` and `commits` make one."""

    repository: Repository
    commit: Commit
    refs: tuple[str, ...]  # under which it was asked for, "" for the default branch
    indexed_at: int  # seconds since 1970 (UTC)
    checked_at: int  # when a ref was last seen to name it; 0 when none does any more
    index: Path
    row: int


def commits(repository: Repository, index: Path) -> tuple[IndexedCommit, ...]:
    """The commits of one index file; that of the default branch first, then the last one asked for.

    Empty when there is no such file yet, or it is of another version.
    """
    state = seals.state(index)
    key = state, int(time.time()) // _SECONDS_KNOWN
    known, rows = _known_commits.get(index, (None, []))
    if state is None or known != key:
        rows = _commit_rows(index)
        if len(_known_commits) >= _FILES_KNOWN:
            _known_commits.clear()
        _known_commits[index] = key, rows
    return tuple(
        IndexedCommit(
            repository,
            Commit(oid, tree, at, subject),
            tuple((refs or "").split("\n")) if refs is not None else (),
            indexed_at,
            checked_at,
            index,
            row,
        )
        for row, oid, tree, at, subject, indexed_at, checked_at, refs, _ in rows
    )


_FILES_KNOWN = 1_000
_SECONDS_KNOWN = 60  # the order of commits depends on the time of day
_known_commits: dict[Path, tuple[object, list[tuple[Any, ...]]]] = {}  # of each file, as its last writer left it


def _commit_rows(index: Path) -> list[tuple[Any, ...]]:
    if not index.exists():
        return []
    query = (
        "SELECT commit_.commit_, oid, tree, time, subject, indexed_at, COALESCE(MAX(checked_at), 0),"  # noqa: S608
        " GROUP_CONCAT(ref, char(10)), COALESCE(MAX(ref = ''), 0) AS is_default"
        " FROM commit_ LEFT JOIN ref USING (commit_) GROUP BY commit_.commit_"
        f" ORDER BY is_default DESC, MAX({KNOWN_TIME.format('checked_at')}) DESC, indexed_at DESC, 1 DESC"
    )
    with storage_errors("read"):
        db = connect_if_ours(index)
        if db is None:
            return []
        with contextlib.closing(db):
            return db.execute(query).fetchall()


@dataclass(slots=True)
class _Held:
    """What nearly every answer about a commit reads, and what is the same for as long as the commit is there."""

    files: list[SourceFile] | None = None
    languages: dict[str, str] | None = None
    vocabulary: list[bytes] | None = None


@lru_cache(maxsize=2)
def _held(_index: Path, _made: str, _row: int, _oid: str, _indexed_at: int) -> _Held:
    """That of the commits asked last; `made` tells an index file from one that was at its path before."""
    return _Held()


class Reader:
    """Answers about one commit from its index file; a context manager that owns a connection of its own."""

    def __init__(self, indexed: IndexedCommit) -> None:
        self.indexed = indexed
        self._paths: dict[str, frozenset[str]] = {}
        self._uses: tuple[int, list[Occurrence]] = (0, [])
        self._named: tuple[str, list[Symbol]] = ("", [])
        with storage_errors("read"):
            self._db = take(indexed.index)
            self._db.execute("BEGIN")  # one snapshot for the whole answer
            made = str(self._db.execute("SELECT value FROM meta WHERE key = 'made'").fetchone())
        self._held = _held(indexed.index, made, indexed.row, indexed.commit.oid, indexed.indexed_at)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error:
            self._db.close()
        else:
            leave(self.indexed.index, self._db)

    def files(self) -> list[SourceFile]:
        """All files, in the order of their paths."""
        if self._held.files is None:
            self._held.files = [_file(row) for row in self._rows(f"SELECT {_FILE} {_FROM_FILE} ORDER BY path")]
        return self._held.files

    def language_at(self, path: str) -> str:
        """The language of the file at a path of the commit."""
        if self._held.languages is None:
            self._held.languages = {file.path: file.language for file in self.files()}
        return self._held.languages[path]

    def file(self, path: str) -> SourceFile | None:
        """The file at exactly this path."""
        rows = self._rows(f"SELECT {_FILE} {_FROM_FILE} AND path = :path", path=path)
        return next(map(_file, rows), None)

    def text(self, blob: int) -> str:
        """The whole text of a blob."""
        with storage_errors("read"):
            return self.data(blob).decode()

    def data(self, blob: int) -> bytes:
        """The whole text of a blob, in UTF-8."""
        row = next(iter(self._rows("SELECT text FROM blob WHERE blob = :blob", blob=blob)), None)
        with storage_errors("read"):
            return decompressed(row[0]) if row else b""

    def head(self, blob: int, characters: int) -> str:
        """The beginning of the text of a blob, at most so many characters."""
        row = next(iter(self._rows("SELECT text FROM blob WHERE blob = :blob", blob=blob)), None)
        data = beginning(row[0], 4 * characters) if row else b""
        return data.decode("utf-8", "ignore")[:characters]

    def error_lines(self, blob: int) -> list[int]:
        """Where the text of a blob does not follow its grammar."""
        row = next(iter(self._rows("SELECT error_lines FROM blob WHERE blob = :blob", blob=blob)), None)
        return list(json.loads(row[0])) if row else []

    def symbols_in(self, path: str) -> list[Symbol]:
        """The symbols of one file, in the order in which they begin."""
        return [_symbol(row) for row in self._rows(f"{_SYMBOLS} WHERE path = :path ORDER BY position", path=path)]

    def symbols_of(self, file: SourceFile) -> list[Symbol]:
        """The same of a file that is known."""
        return self._symbols_of(file, "ORDER BY position")

    def symbol_of(self, file: SourceFile, position: int) -> Symbol | None:
        """The symbol at a position of a file, None behind the last one."""
        return next(iter(self._symbols_of(file, "AND position = :position", position=position)), None)

    def symbols_of_name(self, file: SourceFile, name: str) -> list[Symbol]:
        """The symbols of a name in a file, in the order in which they begin."""
        number = "(SELECT name FROM name WHERE text = :name)"
        return self._symbols_of(file, f"AND symbol.name = {number} ORDER BY position", name=name)

    def _symbols_of(self, file: SourceFile, which: str, **values: Any) -> list[Symbol]:
        query = f"SELECT {_OF_SYMBOL} FROM symbol JOIN name USING (name) WHERE symbol.blob = :blob {which}"  # noqa: S608
        place = file.path, file.language, file.role
        return [_symbol((*place, *row)) for row in self._rows(query, blob=file.blob, **values)]

    def symbols_of_past(self, name: int, path: str, role: FileRole) -> list[Symbol] | None:
        """The symbols of a blob that a file of the past had, by the beginning of its name (see `short`), as of a file
        at this path; None when the index does not know that blob: it was of no commit that is, or was, indexed.
        """
        first = (name % (1 << 64)).to_bytes(8, "big").hex()
        query = "SELECT blob FROM blob WHERE oid BETWEEN :low AND :high AND skip_reason IS NULL LIMIT 1"
        row = next(iter(self._rows(query, low=first, high=f"{first}g")), None)
        if row is None:
            return None
        query = f"{_SYMBOLS_OF_BLOB} WHERE symbol.blob = :blob ORDER BY position"
        return [_symbol((path, row[0], role, *row[1:])) for row in self._rows(query, blob=row[0])]

    def members_of(self, symbol: Symbol) -> list[Symbol]:
        """What a symbol directly contains, in the order in which it begins."""
        query = f"{_SYMBOLS} WHERE path = :path AND parent = :position ORDER BY position"
        return [_symbol(row) for row in self._rows(query, path=symbol.path, position=symbol.position)]

    def symbol_at(self, path: str, position: int) -> Symbol | None:
        """The symbol at a position of a file, None for -1."""
        query = f"{_SYMBOLS} WHERE path = :path AND position = :position"
        return next(map(_symbol, self._rows(query, path=path, position=position)), None) if position >= 0 else None

    def symbol_defined_at(self, path: str, line: int) -> Symbol | None:
        """The first symbol whose name stands in this line."""
        query = f"{_SYMBOLS} WHERE path = :path AND name_line = :line ORDER BY position LIMIT 1"
        return next(map(_symbol, self._rows(query, path=path, line=line)), None)

    def symbol_around(self, path: str, line: int) -> Symbol | None:
        """The innermost symbol that a line stands in."""
        around = "start_line <= :line AND end_line >= :line"
        query = f"{_SYMBOLS} WHERE path = :path AND {around} ORDER BY position DESC LIMIT 1"
        return next(map(_symbol, self._rows(query, path=path, line=line)), None)

    def names_at(self, blob: int, lines: Sequence[int]) -> dict[int, str]:
        """Line → name of the first symbol whose name stands there, headings left out; of these lines of a blob."""
        query = (
            "SELECT name_line, name.text FROM symbol JOIN name USING (name) WHERE blob = :blob AND kind <> 'heading'"
            " AND name_line IN (SELECT value FROM json_each(:lines)) ORDER BY position DESC"
        )
        return dict(self._rows(query, blob=blob, lines=json.dumps(lines))) if lines else {}

    def symbols_under(self, folder: str, most: int) -> list[Symbol]:
        """The outermost symbols of the files below a folder ("" for all), by path and position."""
        where = "WHERE symbol.parent = -1 AND path >= :low AND path < :high"
        low, high = (f"{folder}/", f"{folder}0") if folder else ("", "\U0010ffff")
        query = f"{_SYMBOLS} {where} ORDER BY path, position LIMIT :most"
        return [_symbol(row) for row in self._rows(query, low=low, high=high, most=most)]

    def symbols_named(self, name: str) -> list[Symbol]:
        """The symbols of exactly this name, by path and position.

        Those of the last name are kept: one answer asks for the name that it is about again and again.
        """
        if self._named[0] != name:
            query = f"{_SYMBOLS_BY_NAME} WHERE name.text = :name ORDER BY path, position"
            self._named = name, [_symbol(row) for row in self._rows(query, name=name)]
        return [*self._named[1]]

    def symbols_of_kind(self, kind: SymbolKind) -> list[Symbol]:
        """All symbols of one kind, by path and position."""
        query = f"{_SYMBOLS} WHERE symbol.kind = :kind ORDER BY path, position"
        return [_symbol(row) for row in self._rows(query, kind=kind)]

    def symbols_inside(self, container: str) -> list[Symbol]:
        """The symbols whose container is exactly this, by path and position."""
        query = f"{_SYMBOLS} WHERE symbol.container = :container ORDER BY path, position"
        return [_symbol(row) for row in self._rows(query, container=container)]

    def aliases_of(self, name: str) -> list[tuple[str, str]]:
        """(path, alias): where a name is imported under another one."""
        query = (
            f"SELECT path, alias FROM import {_ITS_FILE.format('import')}"  # noqa: S608
            " WHERE import.name = :name AND alias <> '' AND alias <> :name ORDER BY 1, 2"
        )
        return [(row[0], row[1]) for row in self._rows(query, name=name)]

    def symbol_names(self) -> list[str]:
        """Each name that a symbol of this commit has, once, in alphabetical order."""
        query = (
            "SELECT text FROM name WHERE name IN (SELECT symbol.name FROM symbol"
            " WHERE blob IN (SELECT blob FROM file WHERE commit_ = :commit)) ORDER BY 1"
        )
        return [row[0] for row in self._rows(query)]

    def derived_from(self, name: str) -> list[Symbol]:
        """The symbols that name `name` among their bases, by path and position."""
        query = (
            f"SELECT {_SYMBOL} FROM derived JOIN symbol USING (blob, position) JOIN name USING (name)"  # noqa: S608
            f" JOIN blob USING (blob) {_ITS_FILE.format('derived')}"
            " WHERE derived.base = (SELECT name FROM name WHERE text = :name) ORDER BY path, position"
        )
        return [_symbol(row) for row in self._rows(query, name=name)]

    def central(self, most: int) -> list[tuple[Symbol, int]]:
        """The symbols that matter most, best first, each with about the number of files that use it."""
        query = (
            f"SELECT {_SYMBOL}, central.users FROM central JOIN symbol USING (blob, position) JOIN name USING (name)"  # noqa: S608
            f" JOIN blob USING (blob) {_ITS_FILE.format('central')}"
            " WHERE central.commit_ = :commit ORDER BY place LIMIT :most"
        )
        return [(_symbol(row[:-1]), int(row[-1])) for row in self._rows(query, most=most)]

    def ranked_by_name(self, most: int) -> list[tuple[Symbol, int]]:
        """The same, as far as names alone tell; worked out anew, from all names of the commit."""
        query = f"{_SYMBOLS} WHERE symbol.blob = :blob AND position = :position LIMIT 1"
        with storage_errors("read"):
            ranked = list(central_symbols(self._db, self.indexed.row, most))
        found = [(self._rows(query, blob=blob, position=position), users) for blob, position, users in ranked]
        return [(_symbol(row), users) for rows, users in found for row in rows]

    def entries(self) -> list[tuple[str, str, str]]:
        """(what, name, target) of the routes and commands of the commit, in their order."""
        query = "SELECT what, name, target FROM entry WHERE commit_ = :commit ORDER BY place"
        return [(row[0], row[1], row[2]) for row in self._rows(query)]

    def is_surveyed(self) -> bool:
        """Whether what `central` and `entries` say was worked out for this commit, and not for one before."""
        return any(row[0] for row in self._rows("SELECT is_surveyed FROM commit_ WHERE commit_ = :commit"))

    def occurrences(self, name: str) -> Iterator[Occurrence]:
        """All uses of a name, by path, then line."""
        query = (
            "SELECT path, role, occurrence.blob, name.text, places FROM name JOIN occurrence USING (name)"  # noqa: S608
            f" {_ITS_FILE.format('occurrence')} WHERE name.text = :name ORDER BY path"
        )
        for row in self._rows(query, name=name):
            yield from _occurrences(*row)

    def occurrences_of(self, name: str, file: SourceFile) -> list[Occurrence]:
        """The uses of a name in one file, by line."""
        query = "SELECT places FROM name JOIN occurrence USING (name) WHERE text = :name AND blob = :blob"
        rows = self._rows(query, name=name, blob=file.blob)
        return [use for (packed,) in rows for use in places(file.path, file.role, file.blob, name, packed)]

    def paths_with(self, name: str) -> frozenset[str]:
        """The files that use a name; read once, since one answer asks for a type again with each of its members."""
        if name not in self._paths:
            query = (
                "SELECT path FROM name JOIN occurrence USING (name)"  # noqa: S608
                f" {_ITS_FILE.format('occurrence')} WHERE name.text = :name"
            )
            self._paths[name] = frozenset(row[0] for row in self._rows(query, name=name))
        return self._paths[name]

    def files_with(self, name: str) -> list[SourceFile]:
        """The files that use a name, and not only as an identifier like any other, in the order of their paths."""
        query = (
            f"SELECT {_FILE} FROM name JOIN occurrence USING (name)"  # noqa: S608
            f" {_ITS_FILE.format('occurrence')} JOIN blob ON blob.blob = file.blob"
            " WHERE name.text = :name AND kinds <> :plain ORDER BY path"
        )
        return [_file(row) for row in self._rows(query, name=name, plain=_PLAIN)]

    def occurrences_in(self, blob: int) -> list[Occurrence]:
        """All uses of names in one blob, by line and column; paths and roles are left empty.

        Those of the last blob are kept: who follows calls asks again for each function of a file.
        """
        if self._uses[0] == blob:
            return self._uses[1]
        query = (
            "SELECT '', 'source', blob, name.text, places FROM json_each(:names) AS used"
            " CROSS JOIN occurrence ON occurrence.name = used.value AND blob = :blob JOIN name USING (name)"
        )
        rows = self._rows(query, blob=blob, names=self._names_used(blob))
        found = [occurrence for row in rows for occurrence in _occurrences(*row)]
        found.sort(key=lambda occurrence: (occurrence.line, occurrence.column))
        self._uses = blob, found
        return found

    def names_defined(self, blob: int) -> set[str]:
        """Those of the names used in one blob that a symbol of the commit has."""
        query = (
            "SELECT text FROM json_each(:names) AS used JOIN name ON name.name = used.value WHERE EXISTS (SELECT 1"
            " FROM symbol JOIN file ON file.blob = symbol.blob AND +file.commit_ = :commit"
            " WHERE symbol.name = name.name)"
        )
        return {row[0] for row in self._rows(query, names=self._names_used(blob))}

    def _names_used(self, blob: int) -> str:
        """The numbers of the names that are used in one blob, as JSON."""
        rows = self._rows("SELECT names FROM used WHERE blob = :blob", blob=blob)
        with storage_errors("read"):
            return json.dumps([number for (names,) in rows for number in unpacked_numbers(names)])

    def evidence(self, blob: int) -> Evidence:
        """What a blob says of what its names mean; empty for a language of which that is not known."""
        row = next(iter(self._rows("SELECT data FROM evidence WHERE blob = :blob", blob=blob)), None)
        with storage_errors("read"):
            return unpack_evidence(row[0]) if row else NO_EVIDENCE

    def imports_of(self, blob: int) -> list[ImportFact]:
        """What a blob imports, by line."""
        query = "SELECT module, name, alias, line FROM import WHERE blob = :blob ORDER BY line, rowid"
        return [ImportFact(*row) for row in self._rows(query, blob=blob)]

    def imports(self) -> list[tuple[int, ImportFact]]:
        """What the blobs of the commit import: (blob, import), by blob and line; each blob once."""
        query = (
            "SELECT blob, module, name, alias, line FROM import"
            " WHERE blob IN (SELECT blob FROM file WHERE commit_ = :commit) ORDER BY blob, line, rowid"
        )
        return [(row[0], ImportFact(*row[1:])) for row in self._rows(query)]

    def blobs_with(self, literal: str) -> set[int] | None:
        """The blobs that may contain a text, whatever its case; None for all: it has no words that tell them apart."""
        return self.blobs_with_pieces(pieces_of(literal))

    def blobs_with_pieces(self, pieces: Iterable[Piece]) -> set[int] | None:
        """The blobs that have a word for each of these pieces; None for all: no piece tells them apart."""
        found: list[set[bytes]] = []
        for piece in pieces:
            words = with_piece(piece, self._vocabulary())
            if words is not None and not words:
                return set()
            found += [words] if words else []
        if not found:
            return None
        match = " AND ".join(f"({' OR '.join(map(_quoted, sorted(words)))})" for words in found)
        return self._matching(match)

    def blobs_by_stem(self, stems: Iterable[str]) -> dict[str, set[int]]:
        """Stem → the blobs that may have a word of it; of a stem that very many words have, not all of them."""
        vocabulary = self._vocabulary()
        found: dict[str, set[int]] = {}
        for stem in stems:
            words = with_stem(stem.casefold().encode(), vocabulary)
            found[stem] = self._matching(" OR ".join(map(_quoted, words))) if words else set()
        return found

    def blobs_by_word(self, words: Iterable[str]) -> dict[str, set[int]]:
        """Word → the blobs that have it, in any case."""
        return {word: self._matching(_quoted(word.casefold().encode())) for word in words}

    def _matching(self, match: str) -> set[int]:
        return {row[0] for row in self._rows("SELECT rowid FROM word_index WHERE word_index MATCH :match", match=match)}

    def _vocabulary(self) -> list[bytes]:
        if self._held.vocabulary is None:
            with storage_errors("read"):
                parts = [unpacked(row[0]) for row in self._rows("SELECT words FROM vocabulary ORDER BY part")]
            self._held.vocabulary = parts
        return self._held.vocabulary

    def totals(self) -> tuple[int, int, int]:
        """How many files, how many of them with text in the index, how many symbols."""
        query = (
            "SELECT COUNT(*), SUM(blob > 0), (SELECT COUNT(*) FROM symbol JOIN file ON file.blob = symbol.blob"
            " AND file.commit_ = :commit) FROM file WHERE commit_ = :commit"
        )
        files, with_text, symbols = next(iter(self._rows(query)))
        return int(files), int(with_text or 0), int(symbols)

    def past(self) -> Past:
        """The history of the commit, as far as the index holds it."""
        return Past(self._db, self.indexed.row)

    def languages(self) -> list[tuple[str, int, int]]:
        """(language, files, lines) of the files with text, most lines first."""
        query = (
            "SELECT language, COUNT(*), SUM(lines) AS total FROM file JOIN blob USING (blob)"
            " WHERE commit_ = :commit GROUP BY language ORDER BY total DESC, language"
        )
        return [(row[0], int(row[1]), int(row[2])) for row in self._rows(query)]

    def _rows(self, query: str, **values: Any) -> Iterable[Any]:
        values["commit"] = self.indexed.row
        try:  # a context manager would take a fifth of a small query
            return self._db.execute(query, values).fetchall()
        except STORAGE_ERRORS as error:
            raise storage_failed("read", error) from error


_FROM_FILE = "FROM file LEFT JOIN blob ON blob.blob = file.blob WHERE commit_ = :commit"


def _file(row: tuple[Any, ...]) -> SourceFile:
    path, oid, blob, size_bytes, lines, language, role, reason = row
    return SourceFile(path, oid, blob, size_bytes, lines, language, _ROLES[role], _REASONS.get(reason))


def _symbol(row: tuple[Any, ...]) -> Symbol:
    path, language, role, blob, position, parent, name, kind, *between, bases = row
    found = tuple(bases.split("\n")) if bases else ()
    return Symbol._make((path, language, _ROLES[role], blob, position, parent, name, _KINDS[kind], *between, found))


def _occurrences(path: str, role: str, blob: int, name: str, packed: bytes) -> list[Occurrence]:
    return places(path, _ROLES[role], blob, name, packed)


def _quoted(word: bytes) -> str:
    return f'"{word.decode()}"'
