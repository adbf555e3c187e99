"""The history of an indexed commit → the index: the newest first, in bounded steps, each commit of the past once."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from code_insight import git
from code_insight.errors import Cancelled, FetchFailed, RepositoryTooLarge, TookTooLong
from code_insight.model import Change, HistoryEnd, PastCommit
from code_insight.redaction import redacted
from code_insight.store import Lineage, Writer

_BATCH = 200


@dataclass(frozen=True, slots=True)
class HistoryLimits:
    """How far back an index goes, and how much of that is read at once."""

    commits: int = 20_000  # of the history of one commit
    step_commits: int = 500  # that one step reads from git
    step_seconds: float = 5.0  # after which one step begins no further batch
    redact_secrets: bool = False  # in the words of commits

    def is_reached(self, found: Lineage) -> bool:
        """Whether there is nothing further back that an index would hold."""
        is_full = found.end is HistoryEnd.BOUND and len(found.numbers) >= self.commits
        return is_full or found.end is HistoryEnd.ROOT


def extend(
    git_dir: Path, oid: str, index: Path, limits: HistoryLimits, git_limits: git.GitLimits, call: git.Call
) -> Lineage:
    """The index goes one step further back in the history of a commit that it holds; what it knows of that now.

    Commits whose parents are not there are the edge of a shallow clone: what they changed cannot be known. Raises
    StorageFailed, Cancelled, and what `git` raises; what was read before is kept.
    """
    with Writer(index) as writer:
        known = writer.lineage(oid)
        if limits.is_reached(known):
            return known
        with git.commit_reader(git_dir, git_limits, call) as read:
            walk = _Walk(
                writer,
                _redacting(read) if limits.redact_secrets else read,
                lambda batch: _changes(git_dir, batch, git_limits, call),
                limits,
                call,
            )
            found = walk.from_tip(oid)
        writer.set_lineage(oid, found)
        return found


def _redacting(read: Callable[[str], PastCommit | None]) -> Callable[[str], PastCommit | None]:
    def clean(oid: str) -> PastCommit | None:
        commit = read(oid)
        return commit and commit._replace(subject=redacted(commit.subject))

    return clean


def _changes(git_dir: Path, commits: list[PastCommit], limits: git.GitLimits, call: git.Call) -> list[list[Change]]:
    """What commits changed; nothing of one that git cannot compare: its objects are lost, or it takes too long."""
    try:
        return git.changes(git_dir, commits, limits, call)
    except (FetchFailed, RepositoryTooLarge, TookTooLong):
        if len(commits) == 1:
            return [[]]
        return [changes for commit in commits for changes in _changes(git_dir, [commit], limits, call)]


class _Walk:
    """From a commit back through its parents, the newest first, as `git log` does."""

    def __init__(
        self,
        writer: Writer,
        read: Callable[[str], PastCommit | None],
        changes: Callable[[list[PastCommit]], list[list[Change]]],
        limits: HistoryLimits,
        call: git.Call,
    ) -> None:
        self._writer, self._read, self._changes = writer, read, changes
        self._limits, self._call = limits, call
        self._heap: list[tuple[int, int, str]] = []
        self._parents: dict[str, tuple[str, ...]] = {}  # of every commit that was met
        self._numbers: dict[str, int] = {}
        self._new: dict[str, PastCommit] = {}
        self._batch: list[PastCommit] = []
        self._read_count = 0
        self._is_shallow = False

    def from_tip(self, oid: str) -> Lineage:
        """The history of a commit, as far as one step leads."""
        deadline = time.monotonic() + self._limits.step_seconds
        order: list[str] = []
        rest: tuple[int, ...] = ()
        end = HistoryEnd.ROOT
        if not self._meet(oid):
            raise FetchFailed("The commit is not there any more.", "Add the repository again.")
        while self._heap:
            if len(order) >= self._limits.commits:
                end = HistoryEnd.BOUND
                break
            current = heapq.heappop(self._heap)[2]
            if not self._heap and current != oid:
                known = self._writer.lineage(current)
                if self._limits.is_reached(known):
                    rest, end = known.numbers, known.end
                    break
            if self._go_past(current):
                order.append(current)
            if self._read_count >= self._limits.step_commits or time.monotonic() > deadline:
                end = HistoryEnd.PENDING
                break
            if self._call.cancelled():
                raise Cancelled("Reading the history was cancelled.")
        self._digest()
        numbers = (*(self._numbers[oid] for oid in order), *rest)[: self._limits.commits]
        return Lineage(numbers, HistoryEnd.SHALLOW if self._is_shallow and end is HistoryEnd.ROOT else end)

    def _meet(self, oid: str) -> bool:
        """Whether the commit is known, or there to be read; it will be gone past in its time."""
        if oid in self._parents:
            return True
        if known := self._writer.past_commit(oid):
            self._numbers[oid], self._parents[oid], when = known
        elif commit := self._read(oid):
            self._new[oid], self._parents[oid], when = commit, commit.parents, commit.time
        else:
            return False
        heapq.heappush(self._heap, (-when, len(self._parents), oid))
        return True

    def _go_past(self, oid: str) -> bool:
        """Whether the commit belongs to the history, with what it changed: all its parents are there."""
        met = [
            self._meet(parent) for parent in self._parents[oid]
        ]  # every one of them, also after one that is not there
        is_whole = all(met)
        self._is_shallow |= not is_whole
        if commit := self._new.pop(oid, None):
            if not is_whole:
                return False
            self._batch.append(commit)
            self._read_count += 1
            if len(self._batch) >= _BATCH:
                self._digest()
        return True

    def _digest(self) -> None:
        """What the commits that were read have changed is in the index."""
        if not self._batch:
            return
        self._call.progress("Reading history", min(99, self._read_count * 100 // self._limits.step_commits))
        changes = self._changes(self._batch)
        numbers = self._writer.add_past(list(zip(self._batch, changes, strict=True)))
        self._numbers.update(zip((commit.oid for commit in self._batch), numbers, strict=True))
        self._batch.clear()
