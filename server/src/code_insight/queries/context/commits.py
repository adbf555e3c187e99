"""Commits of the past that say the same as a task, and the files that they changed."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from code_insight.queries.stems import terms_of
from code_insight.queries.together import present_path
from code_insight.store import PastEntry, Reader

_MOST = 20  # commits
_LEAST_WORDS = 2  # that one must share with the task
_MOST_FILES = 20  # a commit of more files says little about any of them


@dataclass(frozen=True, slots=True)
class Similar:
    """A commit whose subject has words of a task."""

    entry: PastEntry
    score: float
    paths: tuple[str, ...]  # of files that are still here, in alphabetical order


def similar(reader: Reader, terms: Mapping[str, float]) -> list[Similar]:
    """The commits that are most like the task, best first; a newer one before an older one that is as much like it."""
    past = reader.past()
    having = [(entry, has) for entry in past.all_entries() if (has := _words(entry.subject, terms))]
    if not having:
        return []
    counts = Counter(stem for _, has in having for stem in has)
    rarity = {stem: terms[stem] * math.log(1 + len(past) / count) for stem, count in counts.items()}
    least = min(_LEAST_WORDS, len(terms))
    scored = sorted(
        ((-sum(rarity[stem] for stem in has), entry.age, entry) for entry, has in having if len(has) >= least),
        key=lambda one: one[:2],
    )
    best = {entry.age: (-score, entry) for score, _, entry in scored if entry.files <= _MOST_FILES}
    ages = list(best)[:_MOST]
    here, renames = {file.path for file in reader.files()}, past.renames()
    paths: dict[int, set[str]] = defaultdict(set)
    for age, path in past.paths_with(ages):
        if now := present_path(path, renames, here):
            paths[age].add(now)
    return [Similar(best[age][1], best[age][0], tuple(sorted(paths[age]))) for age in ages]


def _words(subject: str, terms: Mapping[str, float]) -> frozenset[str]:
    low = subject.lower()
    if not any(stem in low for stem in terms):
        return frozenset()
    return frozenset(stem for stem, _ in terms_of(subject) if stem in terms)
