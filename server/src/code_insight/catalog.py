"""Which repositories this server holds, and the IndexedCommit that a question about one of them speaks of."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import queue
import shutil
import threading
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from code_insight import access, ancestry, clone_url, git, keeping, store, tracing
from code_insight.clone_url import ClonePolicy, CloneUrl
from code_insight.errors import (
    Busy,
    Cancelled,
    FetchFailed,
    Forbidden,
    InsightError,
    NotFound,
    StorageFailed,
    TookTooLong,
    UrlRejected,
)
from code_insight.model import Commit, HistoryEnd, Repository, Symbol
from code_insight.queries import centrality, entries
from code_insight.store import IndexedCommit, Lineage, Reader, Survey, Writer
from code_insight.tracing import Attribute

if TYPE_CHECKING:
    from code_insight import indexing
    from code_insight.parsing import IdlePool

_log = logging.getLogger(__name__)

_FOLDER_CHARACTERS = 200  # a name in a file system has at most 255 bytes
_FIRST_DEPTH = 20  # commits that are fetched when a history is deepened; ten times as many each time it is not enough
_MOST_PACKS = 8
_SECONDS_BETWEEN_MENDINGS = 60.0
_WAITING_MAX = 8  # for a place to index
_QUIET_SECONDS = 10.0  # after the last change of a repository, before it is surveyed
_PLACE_SECONDS = 0.5  # that a question waits for a place to parse
_PAST_SECONDS = 10.0  # that reading an older commit for one answer may take
_FEW_BLOBS = 200  # new in a commit: the survey of the one before holds till later


@dataclass(frozen=True, slots=True)
class CatalogLimits:
    """What may be added, and what adding it may cost."""

    clone: ClonePolicy
    local_folders: tuple[Path, ...] = ()  # folders below which local repositories may be added
    ca_file: str = ""  # certificates for https; "" for those of the system
    repositories: int = 100  # that this server holds at most
    store_bytes: int = 16 << 30  # that they may take on disk together
    configured: tuple[str, ...] = ()  # URLs and folders of those that go last when it is more
    jobs: int = 2  # that index at the same time
    job_seconds: float = 900.0  # that one of them may take, waiting included
    git: git.GitLimits = git.GitLimits()
    file_bytes: int = 1 << 20
    total_bytes: int = 1 << 29
    commits: int = 3
    history: ancestry.HistoryLimits = ancestry.HistoryLimits()
    workers: int = 2
    parse_seconds: float = 10.0  # that the symbols of one file may take
    idle_seconds: float = 0.0  # that a worker which has parsed waits for more
    redact_secrets: bool = False  # in texts and in words of commits, before they are indexed


@dataclass(frozen=True, slots=True)
class Added:
    """What adding a repository did."""

    indexed: IndexedCommit
    was_known: bool  # nothing was to be done
    blobs_parsed: int
    seconds: float
    history: HistoryEnd  # how far back its history goes now


@dataclass(slots=True)
class Catalog:
    """The repositories below one folder; every call reads what is there now, so any process may add to it."""

    folder: Path
    limits: CatalogLimits
    _jobs: threading.BoundedSemaphore = field(init=False)
    _waiting: threading.BoundedSemaphore = field(init=False)
    _closing: threading.Event = field(default_factory=threading.Event, init=False)
    _to_deepen: queue.SimpleQueue[IndexedCommit] = field(default_factory=queue.SimpleQueue, init=False)
    _mended_at: dict[str, float] = field(default_factory=dict, init=False)
    _deepening: threading.Lock = field(default_factory=threading.Lock, init=False)
    _surveys: dict[str, threading.Timer] = field(default_factory=dict, init=False)  # by the name of the repository
    _parsers: IdlePool | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self._jobs = threading.BoundedSemaphore(self.limits.jobs)
        self._waiting = threading.BoundedSemaphore(self.limits.jobs + _WAITING_MAX)

    def close(self, wait_seconds: float = 3.0) -> None:
        """Jobs that run have been cancelled, and their processes are gone, if that took no longer than asked."""
        self._closing.set()
        for _ in range(self.limits.jobs):
            self._jobs.acquire(timeout=wait_seconds / self.limits.jobs)
        if self._parsers:
            self._parsers.close()

    def repositories(self) -> list[Repository]:
        """All repositories that the caller may see, by name, whether or not a commit of them is whole."""
        return [held for held in self._everything() if access.current.get().may_see(held.name)]

    def _everything(self) -> list[Repository]:
        found = []
        for home in self._homes():
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                about = json.loads((home / "repository.json").read_text("utf-8"))
                found.append(Repository(str(about["name"]), str(about["url"])))
        return sorted(found, key=lambda repository: repository.name)

    def _homes(self) -> Iterator[Path]:
        with contextlib.suppress(FileNotFoundError, PermissionError):
            yield from (self.folder / "repositories").iterdir()

    def newest(self) -> list[IndexedCommit]:
        """For each repository with a whole commit, the one that questions speak of."""
        found: list[IndexedCommit] = []
        for repository in self.repositories():
            with contextlib.suppress(StorageFailed):  # a damaged index hides no other
                found += self._commits(repository)[:1]
        return found

    def held(self) -> list[IndexedCommit]:
        """The same for a probe, which is told names and commits: the files are not compared with their seals."""
        found: list[IndexedCommit] = []
        for repository in self.repositories():
            with contextlib.suppress(StorageFailed):
                found += store.commits(repository, self._home_of(repository) / "index.db")[:1]
        return found

    def _commits(self, repository: Repository) -> tuple[IndexedCommit, ...]:
        """The commits of an index that is what was written; one that is not is made anew from now on."""
        index = self._home_of(repository) / "index.db"
        try:
            store.check(index)
            return store.commits(repository, index)
        except StorageFailed as error:
            if store.is_damaged(index, error):
                self._mend_later(repository)
            raise

    def _mend_later(self, repository: Repository) -> None:
        now = time.monotonic()
        if now - self._mended_at.get(repository.name, -_SECONDS_BETWEEN_MENDINGS) < _SECONDS_BETWEEN_MENDINGS:
            return
        self._mended_at[repository.name] = now
        _log.error("the index of %s is damaged, and is made anew", repository.name)
        threading.Thread(target=self._mend, args=(repository,), daemon=True).start()

    def _mend(self, repository: Repository) -> None:
        try:
            self.deepen_later(self.add(repository.url))
        except InsightError as error:
            _log.error("the index of %s is not made anew: %s", repository.name, error)
        else:
            _log.info("the index of %s is whole again", repository.name)

    def find(self, repository: str) -> IndexedCommit:
        """The commit that "flask", "pallets/flask", "github.com/pallets/flask" or "flask@<commit or ref>" speaks of.

        Any end of the name that begins at a slash will do, while only one repository has it. Raises NotFound with
        what is known otherwise.
        """
        everything = self.repositories()
        name, revision = _parted(repository, everything)
        held = _held(name, everything)
        tracing.note({Attribute.REPOSITORY: held.name})
        commits = self._commits(held)
        if not commits:
            raise NotFound(f"{held.name} is not indexed yet.", "Call add_repository with its URL.")
        if not revision:
            keeping.note_use(self._home_of(held), commits[0].commit.oid)
            return commits[0]
        for indexed in commits:
            if revision in indexed.refs or (len(revision) >= 7 and indexed.commit.oid.startswith(revision)):
                keeping.note_use(self._home_of(held), indexed.commit.oid)
                return indexed
        known = ", ".join(" ".join((indexed.commit.oid[:12], *filter(None, indexed.refs))) for indexed in commits)
        raise NotFound(
            f"No commit '{revision}' of {held.name} is indexed.",
            f"Indexed: {known}. Another one: add_repository with its URL and ref.",
        )

    def add(self, url: str, ref: str = "", call: git.Call | None = None) -> Added:
        """The commit that `ref` ("" for the default branch) names now is indexed and answers from here on.

        Does nothing but look when it is indexed already. Raises UrlRejected, NotFound, FetchFailed, RepositoryEmpty,
        RepositoryTooLarge, StorageFailed, TookTooLong, Cancelled, Busy, Forbidden; what was indexed before is
        untouched then.
        """
        began = time.monotonic()
        call = self._with_deadline(call or git.Call(), began + self.limits.job_seconds)
        if ref:
            git.valid_ref(ref)
        if not access.current.get().may_add:
            raise Forbidden("You may not add repositories to this server.", "list_repositories names those it has.")
        source = self._source(url)
        tracing.note({Attribute.REPOSITORY: source.repository.name})
        with (
            tracing.span("index", {Attribute.REPOSITORY: source.repository.name}),
            self._job(call),
            self._home(source.repository, call) as home,
        ):
            git_dir, commit = source.fetched(home, ref, call, self.limits)
            known, parsed = self._index(git_dir, commit, ref, home, call)
            commits = store.commits(source.repository, home / "index.db")
            indexed = next(commit for commit in commits if ref in commit.refs)
            if len(commits) == 1 or parsed > _FEW_BLOBS:
                _keep_survey(home, indexed, _survey(indexed))
                _give_back_memory()
            history = self._extend(source, home, indexed, call)
            keeping.note_use(home, indexed.commit.oid)
            keeping.forget_uses(home, [commit.commit.oid for commit in commits])
            self._make_room(home)
        return Added(indexed, known, parsed, time.monotonic() - began, history)

    def _index(self, git_dir: Path, commit: Commit, ref: str, home: Path, call: git.Call) -> tuple[bool, int]:
        """Whether the commit was known, and how many blobs were parsed."""
        from code_insight import indexing  # the workers' machinery: only who indexes pays for its import

        source, may = self._indexing(git_dir, call)
        done = indexing.index_commit(source, commit, ref, home / "index.db", may, keeping.last_used(home))
        return done.was_known, done.blobs_parsed

    def _indexing(self, git_dir: Path, call: git.Call) -> tuple[indexing.Source, indexing.IndexLimits]:
        """From where commits are read and by whom they are parsed, and what that may cost."""
        from code_insight import indexing, parsing

        limits = self.limits
        parse = parsing.ParseLimits(limits.workers, limits.parse_seconds)
        with self._lock:
            self._parsers = self._parsers or parsing.IdlePool(parse, limits.idle_seconds)
        source = indexing.Source(git_dir, limits.git, call, self._parsers)
        return source, indexing.IndexLimits(
            limits.file_bytes,
            limits.total_bytes,
            commits=limits.commits,
            parse=parse,
            redact_secrets=limits.redact_secrets,
        )

    def _make_room(self, busy: Path) -> None:
        """What is held takes no more than allowed on disk, if what is in use lets it."""
        wanted = {url.rstrip("/").removesuffix(".git") for url in self.limits.configured}
        configured = [self._home_of(held) for held in self._everything() if held.url in wanted]
        store.close_idle()  # else what goes would take up its space for as long as nobody asks
        for name in keeping.make_room(self.folder, self.limits.store_bytes, busy, configured):
            _log.warning("%s was taken away: CODE_INSIGHT_STORE_BYTES_MAX is reached", unquote(name))

    def _extend(self, source: _Folder | _Remote, home: Path, indexed: IndexedCommit, call: git.Call) -> HistoryEnd:
        """How far back the history goes after one more step; what hinders it does not hinder other answers."""
        try:
            with tracing.span("history"):
                return source.extend(home, indexed.commit.oid, call, self.limits).end
        except (Cancelled, StorageFailed):
            raise
        except InsightError as error:
            _log.warning("the history of %s is not read: %s", indexed.repository.name, error)
            return HistoryEnd.SHALLOW

    def deepen(self, indexed: IndexedCommit, call: git.Call | None = None) -> Iterator[HistoryEnd]:
        """How far back the history of a commit goes, after each of the steps that lead as far as it can be had.

        A shallow history is fetched, ever more of it. Others may add to the repository between two steps. Raises what
        `add` raises; what was read before is kept.
        """
        source = self._source(indexed.repository.url)
        call = self._with_deadline(call or git.Call(), time.monotonic() + self.limits.job_seconds)
        depth = _FIRST_DEPTH
        while True:
            with self._job(call), self._home(indexed.repository, call, must_exist=True) as home:
                found = source.extend(home, indexed.commit.oid, call, self.limits)
                if found.end is HistoryEnd.SHALLOW and depth <= 10 * self.limits.history.commits:
                    is_more = source.fetch_deeper(home, indexed.commit.oid, depth, call, self.limits)
                    depth *= 10
                else:
                    is_more = found.end is HistoryEnd.PENDING
                if not is_more and depth > _FIRST_DEPTH:  # a small change alone is not worth packing everything again
                    source.tidy(home, call, self.limits)
                self._make_room(home)
            yield found.end
            if not is_more:
                return

    def survey(self, indexed: IndexedCommit, call: git.Call | None = None) -> None:
        """The commit has a survey of its own. Raises what `add` raises."""
        call = self._with_deadline(call or git.Call(), time.monotonic() + self.limits.job_seconds)
        with self._job(call):
            found = _survey(indexed)  # takes a second of a large repository, in which others may add to it
        if found:
            with self._home(indexed.repository, call, must_exist=True) as home:
                _keep_survey(home, indexed, found)

    def symbols_at(self, indexed: IndexedCommit, oid: str, blobs: Collection[int]) -> dict[int, list[Symbol]]:
        """The symbols of some blobs of an older commit of the same repository; those that cannot be told are left out.

        They are parsed anew and not kept, as far as their objects are on this machine and there is a place to parse
        them at once: no question waits for who adds repositories. The blobs are given by the beginnings of their names
        (`store.short`).
        """
        from code_insight import indexing  # the same

        call = self._with_deadline(git.Call(), time.monotonic() + _PAST_SECONDS)
        if not self._jobs.acquire(timeout=_PLACE_SECONDS):
            return {}
        try:
            source = self._source(indexed.repository.url)
            git_dir = source.git_dir_in(self._home_of(indexed.repository))
            return indexing.symbols_at(*self._indexing(git_dir, call), oid, blobs)
        except InsightError as error:
            _log.info("commit %s of %s is not read: %s", oid[:12], indexed.repository.name, error)
            return {}
        finally:
            self._jobs.release()

    def deepen_later(self, added: Added) -> None:
        """The history of a commit will be deepened beside everything else, if there is more of it, after those before.

        And it will have a survey of its own, unless there is a newer one in the next seconds: to work one out for each
        of many changes would cost far more than the changes, and make every answer wait meanwhile.
        """
        indexed = added.indexed
        if added.history in (HistoryEnd.PENDING, HistoryEnd.SHALLOW):
            self._to_deepen.put(indexed)
            threading.Thread(target=self._deepen_all, daemon=True).start()
        later = threading.Timer(_QUIET_SECONDS, self._survey_quietly, (indexed,))
        later.daemon = True
        with self._lock:
            before = self._surveys.get(indexed.repository.name)
            self._surveys[indexed.repository.name] = later
        if before:
            before.cancel()
        later.start()

    def _survey_quietly(self, indexed: IndexedCommit) -> None:
        with self._lock:
            if self._surveys.get(indexed.repository.name) is threading.current_thread():
                del self._surveys[indexed.repository.name]
        try:
            self.survey(indexed)
        except InsightError as error:
            if not self._closing.is_set():
                _log.warning("%s is not surveyed: %s", indexed.repository.name, error)

    def wait(self, seconds: float) -> None:
        """What was to be deepened later has been, if that took no longer."""
        deadline = time.monotonic() + seconds
        while not self._to_deepen.empty() and time.monotonic() < deadline:
            time.sleep(0.02)
        if self._deepening.acquire(timeout=max(0, deadline - time.monotonic())):
            self._deepening.release()

    def _deepen_all(self) -> None:
        with self._deepening, contextlib.suppress(queue.Empty):
            while True:
                indexed = self._to_deepen.get_nowait()
                try:
                    with tracing.span("deepen", {Attribute.REPOSITORY: indexed.repository.name}):
                        end = [*self.deepen(indexed)][-1]
                    _log.info("the history of %s goes back as far as: %s", indexed.repository.name, end)
                except InsightError as error:
                    if not self._closing.is_set():
                        _log.warning("the history of %s is not complete: %s", indexed.repository.name, error)

    def _with_deadline(self, call: git.Call, deadline: float) -> git.Call:
        def cancelled() -> bool:
            if time.monotonic() > deadline:
                raise TookTooLong("Adding the repository took too long.", "Try again: what was indexed so far is kept.")
            return self._closing.is_set() or call.cancelled()

        return git.Call(cancelled, call.progress)

    def _source(self, url: str) -> _Folder | _Remote:
        if url.startswith(("/", "~", "./", "../")) or url == ".":
            return _Folder.parse(url, self.limits.local_folders, {held.name: held.url for held in self._everything()})
        parsed = clone_url.parse(url, self.limits.clone)
        if not access.current.get().may_see(parsed.name):
            raise FetchFailed("There is no repository at that URL for you.", "Check the URL.")
        return _Remote(Repository(parsed.name, parsed.url), parsed)

    @contextlib.contextmanager
    def _job(self, call: git.Call) -> Iterator[None]:
        """One of the few places for indexing; waits for one, as long as the caller does. Raises Busy if many do."""
        if not self._waiting.acquire(blocking=False):
            raise Busy("Many repositories are being added just now.", "Try again in 60 seconds.")
        try:
            while not self._jobs.acquire(timeout=0.2):
                call.progress("Waiting for other repositories", 0)
                _check(call)
            try:
                yield
            finally:
                self._jobs.release()
        finally:
            self._waiting.release()

    @contextlib.contextmanager
    def _home(self, repository: Repository, call: git.Call, *, must_exist: bool = False) -> Iterator[Path]:
        """The repository's folder, with nobody else indexing it: in this process or in another."""
        home = self._home_of(repository)
        about = home / "repository.json"
        try:
            if not about.exists() and len(self._everything()) >= self.limits.repositories:
                raise StorageFailed("This server holds as many repositories as it may.", "Ask one of those it has.")
            locks = self.folder / "locks"
            locks.mkdir(parents=True, exist_ok=True)
            with (locks / home.name).open("w") as lock:
                _wait_for(lock.fileno(), call)
                if must_exist and not about.exists():
                    raise NotFound(f"{repository.name} is not held any more.", "Add it again.")
                home.mkdir(parents=True, exist_ok=True)  # who held the lock before may have failed, and taken it away
                if not about.exists():
                    _write(about, json.dumps({"name": repository.name, "url": repository.url}))
                try:
                    yield home
                except BaseException as error:
                    if not _is_worth_keeping(home / "index.db", repository, error):
                        shutil.rmtree(home, ignore_errors=True)
                    raise
        except OSError as error:
            reason = error.strerror or "unknown"
            raise StorageFailed(
                f"The index folder cannot be written: {reason}.",
                "The operator sets CODE_INSIGHT_DATA_DIR to a writable one.",
            ) from error

    def _home_of(self, repository: Repository) -> Path:
        folder = quote(repository.name, safe="")
        if len(folder) > _FOLDER_CHARACTERS:
            folder = folder[:_FOLDER_CHARACTERS] + "-" + hashlib.sha256(folder.encode()).hexdigest()[:12]
        return self.folder / "repositories" / folder


@dataclass(frozen=True, slots=True)
class _Folder:
    """A repository on this machine; its objects are read where they are."""

    repository: Repository
    git_dir: Path

    @staticmethod
    def parse(text: str, allowed: tuple[Path, ...], held: dict[str, str]) -> _Folder:
        try:
            folder = Path(text).expanduser().resolve()
            str(folder).encode()
            is_there = folder.is_dir()
        except (OSError, RuntimeError, ValueError):  # too long, a loop of links, an unknown ~user, not UTF-8
            raise UrlRejected("That is not the path of a folder.", "Give a plain absolute path.") from None
        if not _is_below(folder, allowed):
            raise UrlRejected(
                "Local folders are not indexed by this server."
                if not allowed
                else "That folder is not below an allowed one.",
                "Give an https URL; the operator can allow folders with CODE_INSIGHT_LOCAL_FOLDERS.",
            )
        name = f"local/{folder.name}"
        if held.get(name, str(folder)) != str(folder):  # another folder of that name came first
            name += "-" + hashlib.sha256(str(folder).encode()).hexdigest()[:6]
        if not is_there or not access.current.get().may_see(name):
            raise NotFound(f"There is no folder {text}.", "Check the path.")
        return _Folder(Repository(name, str(folder)), git.git_dir_of(folder))

    def fetched(self, _home: Path, ref: str, _call: git.Call, limits: CatalogLimits) -> tuple[Path, Commit]:
        """Where the commit is that `ref` names now, and what it says of itself."""
        if not all(_is_below(place, limits.local_folders) for place in git.places(self.git_dir, limits.git)):
            raise UrlRejected(
                "That folder's repository is elsewhere.", "Give the folder that has the repository in it."
            )
        oid = git.resolve(self.git_dir, ref, limits.git)
        return self.git_dir, git.commit(self.git_dir, oid, limits.git)

    def git_dir_in(self, _home: Path) -> Path:
        return self.git_dir

    def extend(self, home: Path, oid: str, call: git.Call, limits: CatalogLimits) -> Lineage:
        return ancestry.extend(self.git_dir, oid, home / "index.db", limits.history, limits.git, call)

    def fetch_deeper(self, _home: Path, _oid: str, _depth: int, _call: git.Call, _limits: CatalogLimits) -> bool:
        return False  # a shallow clone that somebody made is left as it is

    def tidy(self, home: Path, call: git.Call, limits: CatalogLimits) -> None:
        """Nothing here is ours."""


@dataclass(frozen=True, slots=True)
class _Remote:
    """A repository that is fetched over https into a bare one of our own."""

    repository: Repository
    url: CloneUrl

    def fetched(self, home: Path, ref: str, call: git.Call, limits: CatalogLimits) -> tuple[Path, Commit]:
        """The same of a host, after what is new there has come here."""
        addresses = clone_url.public_addresses(self.url, limits.clone)
        call.progress("Asking the remote", 0)
        with tracing.span("look"):
            remote = git.remote_ref(self.url, addresses, ref, limits.git, call, limits.ca_file)
        objects = home / "objects.git"
        if self._indexed(home, remote.oid) and (held := self._held(objects, remote.oid, limits)):
            return objects, held
        git.create_bare(objects, limits.git)
        with tracing.span("fetch"):
            oid = git.fetch(objects, self.url, addresses, remote, limits.git, call, limits.ca_file)
        if git.packs(objects) > _MOST_PACKS:
            git.compact(objects, limits.git, call)
        return objects, git.commit(objects, oid, limits.git)

    def git_dir_in(self, home: Path) -> Path:
        return home / "objects.git"

    def extend(self, home: Path, oid: str, call: git.Call, limits: CatalogLimits) -> Lineage:
        return ancestry.extend(home / "objects.git", oid, home / "index.db", limits.history, limits.git, call)

    def fetch_deeper(self, home: Path, oid: str, depth: int, call: git.Call, limits: CatalogLimits) -> bool:
        """The commit has come with so many before it."""
        addresses = clone_url.public_addresses(self.url, limits.clone)
        depth = min(depth, limits.history.commits + 1)
        ref = git.RemoteRef(oid, oid)
        git.fetch(home / "objects.git", self.url, addresses, ref, limits.git, call, limits.ca_file, depth)
        return True

    def tidy(self, home: Path, call: git.Call, limits: CatalogLimits) -> None:
        """What was fetched of the history is in the index, and gone here: one pack is left."""
        if git.packs(home / "objects.git") > 1:
            git.compact(home / "objects.git", limits.git, call)

    def _held(self, objects: Path, oid: str, limits: CatalogLimits) -> Commit | None:
        try:
            return git.commit(objects, oid, limits.git) if (objects / "HEAD").exists() else None
        except FetchFailed:
            return None

    def _indexed(self, home: Path, oid: str) -> bool:
        try:
            return any(indexed.commit.oid == oid for indexed in store.commits(self.repository, home / "index.db"))
        except StorageFailed:  # damaged: it will be made anew
            return False


def _is_below(folder: Path, roots: tuple[Path, ...]) -> bool:
    return any(folder.is_relative_to(root.resolve()) for root in roots)


def _is_worth_keeping(index: Path, repository: Repository, error: BaseException) -> bool:
    """Whether a repository whose indexing has failed holds a whole commit, or facts that shorten the next try."""
    if not index.exists():
        return False
    if not isinstance(error, InsightError) or isinstance(error, (Cancelled, TookTooLong)):
        return True
    try:
        return bool(store.commits(repository, index))
    except StorageFailed:
        return True


def _check(call: git.Call) -> None:
    if call.cancelled():
        raise Cancelled("The call was cancelled.")


def _wait_for(lock: int, call: git.Call) -> None:
    """Holds an advisory lock (flock(2)): gone with its process, however that ends."""
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            call.progress("Waiting for another indexer of this repository", 0)
            _check(call)
            time.sleep(0.1)
        else:
            return


def _write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, "utf-8")
    part.replace(path)


def _plain(name: str) -> str:
    return name.strip().removeprefix("https://").strip("/").removesuffix(".git")


def _survey(indexed: IndexedCommit) -> Survey | None:
    """What matters most in a commit; None when it has a survey of its own already."""
    with tracing.span("survey"), Reader(indexed) as reader:
        if reader.is_surveyed():
            return None
        central = tuple((symbol.blob, symbol.position, users) for symbol, users in centrality.central(reader))
        return Survey(central, tuple((one.what, one.name, one.target) for one in entries.entry_points(reader)))


def _keep_survey(home: Path, indexed: IndexedCommit, found: Survey | None) -> None:
    if found:
        with Writer(home / "index.db") as writer:
            writer.set_survey(indexed.commit.oid, found)


def _give_back_memory() -> None:
    """What a long work has let go is the system's again, which the C library puts off for ever (glibc: malloc_trim)."""
    import ctypes  # only who indexes pays for its import

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _held(name: str, everything: list[Repository]) -> Repository:
    found = _ending_with(name, everything)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(held.name for held in found)
        raise NotFound(f"'{name}' may be any of {names}.", "Give the longer name.")
    raise NotFound(f"No repository '{name[:200]}'.", _known(_plain(name), [held.name for held in everything]))


def _parted(asked: str, everything: list[Repository]) -> tuple[str, str]:
    """Name and revision of "name@revision"; a folder, and so a name, may have an @ in it, and so may a branch."""
    for end in (len(asked), *(place for place in reversed(range(len(asked))) if asked[place] == "@")):
        if _ending_with(asked[:end], everything):
            return asked[:end], asked[end + 1 :]
    name, _, revision = asked.partition("@")
    return name, revision


def _ending_with(name: str, everything: list[Repository]) -> list[Repository]:
    """The repository of exactly this name, or those whose names end with it, from a slash on."""
    wanted = _plain(name)
    exact = [held for held in everything if held.name == wanted]
    return exact or [held for held in everything if held.name.endswith(f"/{wanted}")]


def _known(wanted: str, names: list[str]) -> str:
    import difflib  # only on this path: it costs the start of the server otherwise

    if not names:
        return "This server holds none yet. Add one with add_repository."
    near = difflib.get_close_matches(wanted.rpartition("/")[2], [name.rpartition("/")[2] for name in names], 3, 0.5)
    first = [name for name in names if name.rpartition("/")[2] in near]
    listed = list(dict.fromkeys([*first, *names]))[:10]
    more = f" and {len(names) - len(listed)} more" if len(names) > len(listed) else ""
    return f"Known: {', '.join(listed)}{more}. Add another one with add_repository."
