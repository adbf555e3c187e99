"""What a task in words speaks of: an issue's text, a stack trace, a question."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from code_insight.queries.stems import is_telling, terms_of, whole

_MOST_TERMS = 48
_MOST_PLACES = 40
_MOST_NAMES = 40
_FIRST_LINE = 2.0  # what a word of it counts for: it says in short what all is about

_BETWEEN = re.compile(r"""[\s"'`()\[\]{}<>,;|=]+""")
_LONGEST = 300  # characters of a path or name
_PLACE = re.compile(
    r"((?:[A-Za-z]:)?[\w.+@~/-]*[\w+~-]\.[A-Za-z]\w{0,7}|[\w.+@~-]*(?:/[\w.+@~-]+)+)(?::(\d{1,7}))?\b.*"
)
_WHOLE = re.compile(r"\w[\w-]*")
_NAME = re.compile(r"[A-Za-z_$][\w$]*(?:(?:\.|::|->|#)[A-Za-z_$][\w$]*)*(\(\))?")
_LOOKS_LIKE_CODE = re.compile(r"[a-z0-9][A-Z]|[A-Z]{2,}[a-z]|\w_\w|\w(?:\.|::|->|#)\w|^_")
_QUOTED = re.compile(r"`+([^`\n]{1,200})`+")


@dataclass(frozen=True, slots=True)
class Place:
    """A path that a task names."""

    path: str
    line: int = 0  # 0 for none


@dataclass(frozen=True, slots=True)
class Task:
    """What a task speaks of."""

    terms: dict[str, float]  # stem → what it counts for, the weightiest first
    words: dict[str, str]  # stem → a word of it
    wholes: dict[str, float]  # stem of a whole word, identifiers in one piece → what it counts for
    places: tuple[Place, ...]  # in order; the lines of a stack trace among them
    names: tuple[str, ...]  # that look like code, in order


def task_of(text: str) -> Task:
    """What the text speaks of; takes a time linear in its length."""
    places = tuple(dict.fromkeys(_places(text)))[:_MOST_PLACES]
    first, _, rest = text.strip().partition("\n")
    counts: Counter[str] = Counter()
    words: dict[str, str] = {}
    for stem, word in terms_of(text):
        counts[stem] += 1
        words.setdefault(stem, word)
    in_first = {stem for stem, _ in terms_of(first)} if rest else set()
    weights = {stem: (1 + math.log(count)) * (_FIRST_LINE if stem in in_first else 1) for stem, count in counts.items()}
    wholes = dict.fromkeys(_wholes(text), 1.0) | dict.fromkeys(_wholes(first), _FIRST_LINE)
    best = sorted(weights, key=lambda stem: (-weights[stem], -len(stem), stem))[:_MOST_TERMS]
    terms = {stem: weights[stem] for stem in best}
    return Task(terms, words, wholes, places, tuple(dict.fromkeys(_names(text)))[:_MOST_NAMES])


def _wholes(text: str) -> Iterator[str]:
    return (whole(word) for word in _WHOLE.findall(text) if len(word) <= _LONGEST and is_telling(word.lower()))


def _places(text: str) -> Iterator[Place]:
    """Paths, with the line where one follows: "a.py", line 12 · a.go:12 · a.cs:line 12 · (A.java:12)."""
    for word in _BETWEEN.split(text.replace('", line ', ":").replace(":line ", ":")):
        if len(word) <= _LONGEST and (match := _PLACE.fullmatch(word.replace("\\", "/"))):
            yield Place(match[1], int(match[2] or 0))


def _names(text: str) -> Iterator[str]:
    for quoted in _QUOTED.finditer(text):
        if match := _NAME.fullmatch(quoted[1].strip()):
            yield match[0].removesuffix("()")
    for match in _NAME.finditer(text):
        if len(match[0]) <= _LONGEST and (match[1] or _LOOKS_LIKE_CODE.search(match[0])):
            yield match[0].removesuffix("()")
