"""Commit → IndexedCommit: each blob once; what is skipped is kept with its reason."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from code_insight import git, languages, parsing, tracing
from code_insight.errors import Cancelled, FetchFailed, RepositoryEmpty, RepositoryTooLarge, StorageFailed
from code_insight.model import NO_FACTS, Commit, Facts, FileRole, SkipReason, Symbol, TreeEntry
from code_insight.redaction import redacted
from code_insight.store import Base, NewBlob, NewFile, PackedFacts, Writer, is_damaged, pack, set_aside, short
from code_insight.tracing import Attribute

_BATCH_BLOBS = 1_000
_BATCH_BYTES = 2 << 20
_BYTES_PER_WORKER = 1 << 20  # below, a second worker would cost more to start than it parses
_PAST_BYTES = 4 << 20  # of a commit of the past, of which nothing is kept
_DOCUMENTS = frozenset({"markdown", "rst", "text"})
_LFS = b"version https://git-lfs.github.com/spec/v1"
_NOTHING = pack(NO_FACTS)
_REDACTED = 1 << 16  # added to the version of facts
_MODES = {"120000": SkipReason.SYMLINK, "160000": SkipReason.SUBMODULE}


@dataclass(frozen=True, slots=True)
class IndexLimits:
    """What one index may hold and cost."""

    file_bytes: int = 1 << 20  # of one file; a larger one is listed and not indexed
    total_bytes: int = 1 << 29  # of all files that are indexed
    line_characters: int = 20_000  # a longer line is a machine's: minified, or data
    commits: int = 3  # kept per repository
    parse: parsing.ParseLimits = parsing.ParseLimits()
    redact_secrets: bool = False  # before anything is made of a text

    @property
    def facts_version(self) -> int:
        """Of what is made of a text: another one is made anew."""
        return parsing.VERSION + (_REDACTED if self.redact_secrets else 0)


@dataclass(frozen=True, slots=True)
class Source:
    """Where git reads a commit, what that may cost, who waits for it, and who parses it if it is little."""

    git_dir: Path
    limits: git.GitLimits
    call: git.Call
    idle: parsing.IdlePool


@dataclass(frozen=True, slots=True)
class Indexed:
    """What indexing a commit did."""

    blobs_parsed: int  # 0 when all were known
    was_known: bool  # the commit was in the index already


def index_commit(
    source: Source, commit: Commit, ref: str, index: Path, limits: IndexLimits, last_used: Mapping[str, float]
) -> Indexed:
    """The commit is in the index file, whole, and named by `ref`; facts of blobs that were known are used again.

    Of more commits than may be kept, those go that were used longest ago. A damaged index is set aside and made anew.
    Raises RepositoryEmpty, RepositoryTooLarge, StorageFailed, Cancelled, and what `git` raises; the index then still
    holds the commits that it held.
    """
    try:
        return _index_commit(source, commit, ref, index, limits, last_used)
    except StorageFailed as error:
        if not is_damaged(index, error):
            raise
        set_aside(index)
        return _index_commit(source, commit, ref, index, limits, last_used)


def _index_commit(
    source: Source, commit: Commit, ref: str, index: Path, limits: IndexLimits, last_used: Mapping[str, float]
) -> Indexed:
    if limits.redact_secrets:
        commit = replace(commit, subject=redacted(commit.subject))
    with Writer(index, limits.facts_version) as writer:
        writer.try_again(limits.parse.wall_seconds)
        if writer.has_commit(commit.oid, limits.file_bytes):
            writer.add_commit(commit, ref, (), limits.commits, last_used)
            return Indexed(blobs_parsed=0, was_known=True)
        entries, instead = _to_look_at(source, commit, writer.base(limits.file_bytes))
        if not entries and not instead:
            raise RepositoryEmpty("The commit has no files.", "Push some files, then add the repository again.")
        job = _Job(writer, limits, source)
        with tracing.span("parse", {Attribute.FILES: len(entries)}):  # git reads, workers parse, facts are written
            files = job.files(entries, {} if instead else writer.files_known())
            tracing.note({Attribute.BLOBS_PARSED: job.parsed})
        with tracing.span("write", {Attribute.FILES: len(files)}):
            writer.add_commit(commit, ref, files, limits.commits, last_used, instead)
        return Indexed(blobs_parsed=job.parsed, was_known=False)


def _to_look_at(
    source: Source, commit: Commit, base: Base | None
) -> tuple[list[TreeEntry], tuple[Base, set[str]] | None]:
    """The files of a commit that stand instead of a base's, whose others it has too; or all that it has."""
    if base:
        with contextlib.suppress(FetchFailed):  # what a host had before is not always kept
            entries, paths = git.changed(source.git_dir, base.tree, commit.tree, source.limits, source.call)
            if len(paths) < base.files and base.files + len(entries) <= source.limits.files:
                return entries, (base, paths)
    return git.tree(source.git_dir, commit.oid, source.limits, source.call), None


@dataclass(frozen=True, slots=True)
class _Text:
    """A file that is worth parsing, or at least reading."""

    entry: TreeEntry
    language: languages.Language | None
    data: bytes  # in UTF-8


class _Job:
    """One run over the files of a commit; collects a `NewFile` for each path."""

    def __init__(self, writer: Writer, limits: IndexLimits, source: Source) -> None:
        self._writer, self._limits, self._source, self._call = writer, limits, source, source.call
        self._files: dict[str, NewFile] = {}
        self._same: dict[tuple[str, str], list[TreeEntry]] = {}  # (oid, language) on its way → further paths of it
        self._roles: dict[str, FileRole] = {}
        self.parsed = 0

    def files(self, entries: list[TreeEntry], known: Mapping[tuple[str, str], NewFile]) -> list[NewFile]:
        """The files of these entries in the order of their paths; those with text have a blob in the index.

        What is known by path and blob needs no second look.
        """
        unknown = []
        for entry in entries:
            if reason := self._skip_unread(entry):
                self._keep(entry, 0, reason)
            elif file := known.get((entry.path, entry.oid)):
                self._files[entry.path] = file
            else:
                unknown.append(entry)
        self._check_total(unknown)
        self._index(unknown)
        return [self._files[path] for path in sorted(self._files)]

    def _skip_unread(self, entry: TreeEntry) -> SkipReason | None:
        if reason := _MODES.get(entry.mode):
            return reason
        if not is_safe_path(entry.path):
            return SkipReason.UNSAFE_PATH
        return SkipReason.TOO_LARGE if entry.size_bytes > self._limits.file_bytes else None

    def _check_total(self, entries: list[TreeEntry]) -> None:
        total = sum(entry.size_bytes for entry in entries)
        if total > self._limits.total_bytes:
            raise RepositoryTooLarge(
                f"The commit has {total >> 20:,} MiB of text; this server indexes {self._limits.total_bytes >> 20:,}.",
                "The operator can raise CODE_INSIGHT_TOTAL_BYTES_MAX.",
            )

    def _keep(self, entry: TreeEntry, blob: int, reason: SkipReason | None) -> None:
        role = self._roles.get(entry.path) or role_of(entry.path, None)
        self._files[entry.path] = NewFile(entry.path, entry.oid, blob, entry.size_bytes, role, reason)

    def _index(self, entries: list[TreeEntry]) -> None:
        total = len(entries)
        workers = min(self._limits.parse.workers, 1 + sum(entry.size_bytes for entry in entries) // _BYTES_PER_WORKER)
        many = parsing.ParserPool(replace(self._limits.parse, workers=workers))
        batch = _Batch(self._writer, self._keep_all)

        def done(text: _Text, facts: PackedFacts | SkipReason) -> None:
            self.parsed += 1
            batch.add(text, facts)
            self._call.progress("Indexing", self.parsed * 100 // total)
            if self._call.cancelled():
                raise Cancelled("Indexing was cancelled.", "What was indexed before still answers.")

        with many if workers > 1 else self._source.idle.taken() as pool:
            self._with_facts(pool, entries, done)
            batch.flush()

    def _keep_all(self, text: _Text, blob: int, reason: SkipReason | None) -> None:
        """Every path of the commit that has this text in this language has the blob."""
        language = text.language.name if text.language else ""
        for entry in (text.entry, *self._same.pop((text.entry.oid, language), ())):
            self._keep(entry, blob, reason)

    def _with_facts(
        self,
        pool: parsing.ParserPool,
        entries: list[TreeEntry],
        done: Callable[[_Text, PackedFacts | SkipReason], None],
    ) -> None:
        """Each new text is done once: when a worker is done with it, or at once if there is nothing to parse in it."""

        def to_parse() -> Iterator[tuple[_Text, str, bytes]]:
            for text in self._texts(entries):
                if text.language and text.language.has_symbols:
                    yield text, text.language.name, text.data
                else:
                    done(text, _NOTHING)

        for text, facts in pool.parse_many(to_parse(), pack):
            done(text, facts)

    def _texts(self, entries: list[TreeEntry]) -> Iterator[_Text]:
        source = self._source
        contents = git.blobs(source.git_dir, (entry.oid for entry in entries), source.limits, source.call)
        for entry, (_, data) in zip(entries, contents, strict=True):
            text = _text_of(data, self._limits)
            if isinstance(text, SkipReason):
                self._keep(entry, 0, text)
                continue
            head = text[: languages.HEAD_CHARACTERS]
            language = languages.language_of(entry.path, head)
            name = language.name if language else ""
            self._roles[entry.path] = role_of(entry.path, language, head)
            if known := self._writer.blob_of(entry.oid, name):
                self._keep(entry, *known)
            elif (entry.oid, name) in self._same:
                self._same[entry.oid, name].append(entry)
            else:
                self._same[entry.oid, name] = []
                yield _Text(entry, language, text.encode())


class _Batch:
    """Texts that are written together, so that a commit of the database costs a file little."""

    def __init__(self, writer: Writer, stored: Callable[[_Text, int, SkipReason | None], None]) -> None:
        self._writer, self._stored = writer, stored
        self._texts: list[_Text] = []
        self._blobs: list[NewBlob] = []
        self._bytes = 0

    def add(self, text: _Text, facts: PackedFacts | SkipReason) -> None:
        failed = facts if isinstance(facts, SkipReason) else None
        found = _NOTHING if isinstance(facts, SkipReason) else facts
        language = text.language.name if text.language else ""
        self._texts.append(text)
        self._blobs.append(NewBlob(text.entry.oid, language, text.data, found, failed))
        self._bytes += text.entry.size_bytes
        if len(self._blobs) >= _BATCH_BLOBS or self._bytes >= _BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        numbers = self._writer.add_blobs(self._blobs)
        for text, new, number in zip(self._texts, self._blobs, numbers, strict=True):
            self._stored(text, number, new.skip_reason)
        self._texts, self._blobs, self._bytes = [], [], 0


def _text_of(data: bytes, limits: IndexLimits) -> str | SkipReason:
    if data.startswith(_LFS):
        return SkipReason.LFS_POINTER
    if b"\0" in data[:8000]:  # git's own rule: buffer_is_binary() in xdiff-interface.c
        return SkipReason.BINARY
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return SkipReason.UNDECODABLE
    if "\0" in text:
        return SkipReason.BINARY
    most = limits.line_characters
    if len(text) > most and max(map(len, text.split("\n"))) > most:
        return SkipReason.MINIFIED
    return redacted(text) if limits.redact_secrets else text


def symbols_at(source: Source, limits: IndexLimits, oid: str, blobs: Collection[int]) -> dict[int, list[Symbol]]:
    """The symbols of those blobs of a commit (the beginnings of their names, see `short`) that can be parsed.

    Nothing is kept. Raises what `git` raises.
    """
    entries: dict[str, TreeEntry] = {}
    left = _PAST_BYTES
    for entry in git.tree(source.git_dir, oid, source.limits, source.call):
        if short(entry.oid) in blobs and entry.mode not in _MODES and is_safe_path(entry.path):
            left -= entry.size_bytes
            if entry.size_bytes <= limits.file_bytes and left >= 0:
                entries[entry.path] = entry

    def texts() -> Iterator[tuple[str, str, bytes]]:
        oids = [entry.oid for entry in entries.values()]
        for entry, (_, data) in zip(
            entries.values(), git.blobs(source.git_dir, oids, source.limits, source.call), strict=True
        ):
            text = _text_of(data, limits)
            if isinstance(text, str) and (language := languages.language_of(entry.path, text)):
                yield entry.path, language.name, text.encode()

    with source.idle.taken() as pool:
        parsed = [(path, facts) for path, facts in pool.parse_many(texts()) if not isinstance(facts, SkipReason)]
    return {short(entries[path].oid): _symbols(path, facts) for path, facts in parsed}


def _symbols(path: str, facts: Facts) -> list[Symbol]:
    language = languages.language_of(path)
    place = path, language.name if language else "", role_of(path, language), 0
    return [
        Symbol._make((*place, position, fact.parent, fact.name, fact.kind, fact.container, *fact[4:]))
        for position, fact in enumerate(facts.symbols)
    ]


def is_safe_path(path: str) -> bool:
    """Whether a path is plain UTF-8 of at most 1,024 bytes and 64 segments, none of them empty, "." or ".."."""
    segments = path.split("/")
    is_short = len(path.encode()) <= 1024 and len(segments) <= 64
    return is_short and git.NO_CHARACTER not in path and not {"", ".", ".."} & set(segments)


def role_of(path: str, language: languages.Language | None, head: str = "") -> FileRole:
    """What a file is for, from its path, its language and the first characters of its text."""
    if languages.is_vendored(path):
        return FileRole.VENDORED
    if languages.is_generated(path, head):
        return FileRole.GENERATED
    if languages.is_test_path(path):
        return FileRole.TEST
    return FileRole.DOCUMENT if language and language.name in _DOCUMENTS else FileRole.SOURCE
