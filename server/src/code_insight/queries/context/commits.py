"""Commits of the past: those that say the same as a task, what they changed, and what was changed lately."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from code_insight.queries.stems import terms_of
from code_insight.queries.together import present_path
from code_insight.store import PastEntry, Reader

_MOST = 20  # commits
_LEAST_WORDS = 2  # that one must share with the task
_MOST_FILES = 20  # a commit of more files says little about any of them
_LATELY = 50  # commits
_HALF = 5  # commits later, a change counts for half


@dataclass(frozen=True, slots=True)
class Similar:
    """A commit whose subject has words of a task."""

    entry: PastEntry
    score: float
    paths: tuple[str, ...]  # of files that are still here, in alphabetical order


class Commits:
    """The history of a commit, asked for a task."""

    def __init__(self, reader: Reader) -> None:
        self._past = reader.past()
        self._entries = self._past.all_entries()
        self._here = {file.path for file in reader.files()}
        self._renames = self._past.renames()

    def similar(self, terms: Mapping[str, float]) -> list[Similar]:
        """The commits that are most like the task, best first; a newer one before an older one as much like it."""
        having = [(entry, has) for entry in self._entries if (has := _words(entry.subject, terms))]
        counts = Counter(stem for _, has in having for stem in has)
        rarity = {stem: terms[stem] * math.log(1 + len(self._past) / count) for stem, count in counts.items()}
        least = min(_LEAST_WORDS, len(terms))
        scored = sorted(
            ((-sum(rarity[stem] for stem in has), entry.age, entry) for entry, has in having if len(has) >= least),
            key=lambda one: one[:2],
        )
        best = [(-score, entry) for score, _, entry in scored if entry.files <= _MOST_FILES][:_MOST]
        paths = self._paths(entry.age for _, entry in best)
        return [Similar(entry, score, tuple(sorted(paths[entry.age]))) for score, entry in best]

    def lately(self) -> dict[str, float]:
        """Path → how much the newest commits changed the file: what was worked on goes on."""
        newest = [entry.age for entry in self._entries[:_LATELY] if entry.files <= _MOST_FILES]
        found: dict[str, float] = defaultdict(float)
        for age, paths in self._paths(newest).items():
            for path in paths:
                found[path] += 1 / (1 + age / _HALF) / math.sqrt(len(paths))
        return found

    def _paths(self, ages: Iterable[int]) -> dict[int, set[str]]:
        """Age → the files that the commit changed, where they are now."""
        found: dict[int, set[str]] = defaultdict(set)
        for age, path in self._past.paths_with(ages):
            if now := present_path(path, self._renames, self._here):
                found[age].add(now)
        return found


def _words(subject: str, terms: Mapping[str, float]) -> frozenset[str]:
    low = subject.lower()
    if not any(stem in low for stem in terms):
        return frozenset()
    return frozenset(stem for stem, _ in terms_of(subject) if stem in terms)
