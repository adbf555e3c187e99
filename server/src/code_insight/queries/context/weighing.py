"""Which files matter for a task: several kinds of evidence, each a score of files, and their weighted sum.

The scores of a kind are divided by the greatest of them, so that no kind has to know what those of another mean.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from code_insight.model import SourceFile, Symbol
from code_insight.queries.context.commits import Commits
from code_insight.queries.context.task import Place, Task, task_of
from code_insight.queries.relevance import Relevant, relevant, role_weight
from code_insight.queries.stems import exact_word, terms_of, whole
from code_insight.queries.symbols import matching, rank
from code_insight.store import IndexedCommit, Reader

# What each kind of evidence counts for, measured by benchmarks/accuracy/localisation.py.
_WHOLE, _BEST, _SEVERAL, _IN_PATH, _PLACES, _NAMED, _CHANGED, _LATELY = 1.0, 1.0, 0.5, 0.75, 3.0, 0.3, 0.5, 0.5
_FOLDER = 0.5  # what a folder's name counts for beside a file's
_NAMED_BY_PATH = 20  # files that are looked at because of their paths
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


@dataclass(frozen=True, slots=True)
class Reason:
    """One of them."""

    kind: ReasonKind
    what: str  # line, words, name of a symbol, commit; "" where there is nothing more to say


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
        if self.task.is_paths_alone and self.places:
            self.task = replace(task, terms={}, wholes={})
        self.named = self._named()
        if self.task.is_names_alone and self.named and self.task.identifiers:
            self.task = replace(task, terms={}, wholes={})
        self.terms = self.task.identifiers | self.task.terms
        self.in_path = self._in_path()
        commits = Commits(reader)
        self.commits = commits.similar(self.task.terms)
        best = sorted(self.in_path, key=lambda path: (-self.in_path[path], path))[:_NAMED_BY_PATH]
        also = [*best, *(place.path for place in self.places), *(symbol.path for symbol in self.named)]
        self.relevant = {one.file.path: one for one in relevant(reader, self.terms, self._known.values(), also)}
        self._lately = {path: score for path, score in commits.lately().items() if path in self.relevant}
        self.files = self._files()  # all for which something speaks, best first

    def _files(self) -> list[Ranked]:
        scores: dict[str, float] = defaultdict(float)
        for weight, found in self._evidence():
            greatest = max(found.values(), default=1.0) or 1.0
            for path, score in found.items():
                scores[path] += weight * score / greatest
        ranked = [
            Ranked(file, score * role_weight(file), self._reasons(file))
            for path, score in scores.items()
            if (file := self._known[path]).blob
        ]
        return sorted(ranked, key=lambda one: (-one.score, one.file.path))

    def _evidence(self) -> list[tuple[float, dict[str, float]]]:
        """(weight, path → score) of each kind."""
        passages = {path: _scores(one) for path, one in self.relevant.items()}
        changed: dict[str, float] = defaultdict(float)
        for commit in self.commits:
            for path in commit.paths:
                changed[path] += commit.score / len(commit.paths)
        return [
            (_WHOLE, {path: one.score for path, one in self.relevant.items()}),
            (_BEST, {path: scores[0] for path, scores in passages.items()}),
            (_SEVERAL, {path: sum(s / 2**n for n, s in enumerate(scores)) for path, scores in passages.items()}),
            (_IN_PATH, self.in_path),
            (_PLACES, _falling(place.path for place in self.places)),
            (_NAMED, _falling(symbol.path for symbol in self.named)),
            (_CHANGED, changed),
            (_LATELY, self._lately),
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
        """Those words of the task, identifiers first and without their parts, then the weightiest."""
        identifiers = [self.task.words[term] for term in terms if exact_word(term)]
        parts = {stem for identifier in identifiers for stem, _ in terms_of(identifier)}
        return ", ".join(self.task.words[term] for term in self.terms if term in terms and term not in parts)

    def _in_path(self) -> dict[str, float]:
        """Path → how much the words of the task are words of it; rare ones count for more."""
        holders: dict[str, dict[str, float]] = defaultdict(dict)
        for path, file in self._known.items():
            for stem, share in _components(path) if file.blob else ():
                if stem in self.task.wholes:
                    holders[stem].setdefault(path, share * role_weight(file))
        found: dict[str, float] = defaultdict(float)
        for stem, paths in holders.items():
            rarity = math.log(1 + len(self._known) / len(paths)) * self.task.wholes[stem]
            for path, share in paths.items():
                found[path] += share * rarity
        return found

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
                found += [replace(place, path=path) for path in meant]
        return found

    def _named(self) -> list[Symbol]:
        """The symbols here that the task names, in the order in which it does."""
        found: list[Symbol] = []
        for name in self.task.names:
            symbols = matching(self._reader, name)
            if len(symbols) <= _EVERYDAY:
                found += sorted(symbols, key=rank)
        return found


def _scores(one: Relevant) -> list[float]:
    """Those of its passages, its name among them, the greatest first."""
    return sorted([one.name_score, *(passage.score for passage in one.passages)], reverse=True)


def _falling(paths: Iterable[str]) -> dict[str, float]:
    """The first counts most."""
    return {path: 1 / place for place, path in enumerate(dict.fromkeys(paths), start=1)}


def _components(path: str) -> Iterator[tuple[str, float]]:
    """The folders of a path, and the file's name without its suffix, each as one word: (stem, what it counts for)."""
    *folders, name = path.split("/")
    yield whole(name.partition(".")[0] or name), 1.0
    yield from ((whole(folder), _FOLDER) for folder in folders)


def _common_end(one: list[str], other: list[str]) -> int:
    count = 0
    for left, right in zip(reversed(one), reversed(other), strict=False):
        if left != right:
            break
        count += 1
    return count
