"""Which files matter for a task: several kinds of evidence, each an order of files, fused by their ranks.

Reciprocal rank fusion: no kind has to know what the scores of another mean, and a file that several kinds name comes
before one that a single kind names loudly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from code_insight.model import SourceFile, Symbol
from code_insight.queries.context.commits import Similar, similar
from code_insight.queries.context.task import Place, Task, task_of
from code_insight.queries.relevance import relevant, role_weight
from code_insight.queries.symbols import matching, rank
from code_insight.store import IndexedCommit, Reader

_FUSED = 20  # how fast a rank loses its worth: the k of reciprocal rank fusion
_EVERYDAY = 12  # a name with more definitions says nothing
_HOMONYM_FILES = 3  # a path that may mean more files than these says nothing


class ReasonKind(StrEnum):
    """Why something is in an answer."""

    PLACE = "place"  # the task names the path, and perhaps the line
    NAMED = "named"  # the task names the symbol
    WORDS = "words"  # it has words of the task
    USED_BY = "used_by"  # what matters uses it
    USES = "uses"  # it uses what matters
    COMMIT = "commit"  # a commit that says the same changed it
    TOGETHER = "together"  # it was often changed with what matters


@dataclass(frozen=True, slots=True)
class Reason:
    """One of them."""

    kind: ReasonKind
    what: str  # line, words, name of a symbol, commit, path; "" where there is nothing more to say


@dataclass(frozen=True, slots=True)
class Ranked:
    """One file with what speaks for it."""

    file: SourceFile
    score: float
    reasons: tuple[Reason, ...]


def ranked_paths(indexed: IndexedCommit, text: str) -> list[str]:
    """The paths of the files that matter for a task, best first."""
    with Reader(indexed) as reader:
        return [one.file.path for one in Weighing(reader, task_of(text)).files]


class Weighing:
    """The evidence for one task, and the files that it speaks for."""

    def __init__(self, reader: Reader, task: Task) -> None:
        self._reader, self.task = reader, task
        self._known = {file.path: file for file in reader.files()}
        self.places = self._places()
        self.named = self._named()
        self.commits = similar(reader, task.terms)
        also = [*(place.path for place in self.places), *(symbol.path for symbol in self.named)]
        self.relevant = {one.file.path: one for one in relevant(reader, task.terms, self._known.values(), also)}
        self.files = self._files()  # all for which something speaks, best first

    def _files(self) -> list[Ranked]:
        scores: dict[str, float] = defaultdict(float)
        for weight, order in self._orders():
            for place, path in enumerate(order, start=1):
                scores[path] += weight / (_FUSED + place)
        found = [
            Ranked(file, score * role_weight(file), self._reasons(file))
            for path, score in scores.items()
            if (file := self._known[path]).blob
        ]
        return sorted(found, key=lambda one: (-one.score, one.file.path))

    def _orders(self) -> list[tuple[float, list[str]]]:
        """(weight, paths) for each kind of evidence."""
        best = {path: one.passages[0].score for path, one in self.relevant.items() if one.passages}
        several = {path: sum(passage.score for passage in one.passages[:5]) for path, one in self.relevant.items()}
        changed: dict[str, float] = defaultdict(float)
        for commit in self.commits:
            for path in commit.paths:
                changed[path] += commit.score / len(commit.paths)
        return [
            (1.0, _ordered({path: one.score for path, one in self.relevant.items()})),
            (1.0, _ordered(best)),
            (1.0, _ordered(several)),
            (3.0, list(dict.fromkeys(place.path for place in self.places))),
            (1.0, list(dict.fromkeys(symbol.path for symbol in self.named))),
            (0.5, _ordered(changed)),
        ]

    def _reasons(self, file: SourceFile) -> tuple[Reason, ...]:
        path = file.path
        found = [Reason(ReasonKind.PLACE, str(place.line or "")) for place in self.places if place.path == path]
        found += [Reason(ReasonKind.NAMED, symbol.qualified_name) for symbol in self.named if symbol.path == path]
        if one := self.relevant.get(path):
            found.append(Reason(ReasonKind.WORDS, self.words(one.terms)))
        found += [Reason(ReasonKind.COMMIT, commit.entry.oid[:10]) for commit in self.commits if path in commit.paths]
        return tuple(found)

    def words(self, terms: frozenset[str]) -> str:
        """Those words of the task, the weightiest first."""
        return ", ".join(self.task.words[stem] for stem in self.task.terms if stem in terms)

    def _places(self) -> list[Place]:
        """The files here that the task names by their paths, or by the ends of them."""
        by_name: dict[str, list[str]] = defaultdict(list)
        for path in self._known:
            by_name[path.rpartition("/")[2]].append(path)
        found = []
        for place in self.task.places:
            parts = place.path.split("/")
            same = [(_common_end(parts, path.split("/")), path) for path in by_name.get(parts[-1], ())]
            best = max((common for common, _ in same), default=0)
            meant = [path for common, path in same if common == best]
            if len(meant) <= _HOMONYM_FILES:
                found += [Place(path, place.line) for path in meant]
        return found

    def _named(self) -> list[Symbol]:
        """The symbols here that the task names, in the order in which it does."""
        found: list[Symbol] = []
        for name in self.task.names:
            symbols = matching(self._reader, name)
            if len(symbols) <= _EVERYDAY:
                found += sorted(symbols, key=rank)
        return found


def _ordered(scores: Mapping[str, float]) -> list[str]:
    return sorted(scores, key=lambda path: (-scores[path], path))


def _common_end(one: list[str], other: list[str]) -> int:
    count = 0
    for left, right in zip(reversed(one), reversed(other), strict=False):
        if left != right:
            break
        count += 1
    return count


__all__ = ["Ranked", "Reason", "ReasonKind", "Similar", "Weighing", "ranked_paths"]
