"""What a task in words speaks of: an issue's text, a stack trace, a question."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from code_insight.queries.stems import exactly, is_compound, is_telling, terms_of, whole

_MOST_TERMS = 48
_MOST_PLACES = 40
_MOST_NAMES = 40
_IDENTIFIER = 0.5  # what one counts for in one piece
_FIRST_LINE = 2.0  # what a word of it counts for: it says in short what all is about

_BETWEEN = re.compile(r"""[\s"'`()\[\]{}<>,;|=]+""")
_LONGEST = 300  # characters of a path or name
_PLACE = re.compile(
    r"((?:[A-Za-z]:)?[\w.+@~/-]*[\w+~-]\.[A-Za-z]\w{0,7}|[\w.+@~-]*(?:/[\w.+@~-]+)+)(?::(\d{1,7}))?\b.*"
)
_CALLED = re.compile(r"\bat (?:async |new )?([\w$.<>]{1,300}) ?\(")  # JavaScript, Java, C#
_INSIDE = re.compile(r"\bin [`']?([\w$.#:]{1,300})")  # Python, Ruby, gdb
_LAST_NAME = re.compile(r"[\w$]+$")
_LAST_IS_INNERMOST = "Traceback (most recent call last):"  # Python
_DIGITS = re.compile(r"\d+")
_WHOLE = re.compile(r"\w[\w-]*")
_NAME = re.compile(r"[A-Za-z_$][\w$]*(?:(?:\.|::|->|#)[A-Za-z_$][\w$]*)*(\(\))?")
_LOOKS_LIKE_CODE = re.compile(r"[a-z0-9][A-Z]|[A-Z]{2,}[a-z]|\w_\w|\w(?:\.|::|->|#)\w|^_")
_SEPARATOR = re.compile(r"\.|::|->|#")
_QUOTED = re.compile(r"`+([^`\n]{1,200})`+")


@dataclass(frozen=True, slots=True)
class Place:
    """A path that a task names."""

    path: str
    line: int = 0  # 0 for none
    function: str = ""  # that a stack trace says the line stands in; "" for none


@dataclass(frozen=True, slots=True)
class Task:
    """What a task speaks of."""

    terms: dict[str, float]  # stem → what it counts for, the weightiest first
    words: dict[str, str]  # stem → a word of it
    identifiers: dict[str, float]  # those of several parts, `exactly` → what one counts for beside its parts
    wholes: dict[str, float]  # stem of a whole word, identifiers in one piece → what it counts for
    places: tuple[Place, ...]  # those with a line first: of a stack trace the innermost before all
    names: tuple[str, ...]  # that look like code, in order
    is_paths_alone: bool = False  # it says nothing beside
    is_names_alone: bool = False


def task_of(text: str) -> Task:
    """What the text speaks of; takes a time linear in its length."""
    places, told, is_paths_alone = _read(text)
    first, _, rest = told.strip().partition("\n")
    counts: Counter[str] = Counter()
    words: dict[str, str] = {}
    for stem, word in terms_of(told):
        counts[stem] += 1
        words.setdefault(stem, word)
    in_first = {stem for stem, _ in terms_of(first)} if rest else set()
    weights = {stem: (1 + math.log(count)) * (_FIRST_LINE if stem in in_first else 1) for stem, count in counts.items()}
    wholes = dict.fromkeys(_wholes(told), 1.0) | dict.fromkeys(_wholes(first), _FIRST_LINE)
    best = sorted(weights, key=lambda stem: (-weights[stem], -len(stem), stem))[:_MOST_TERMS]
    terms = {stem: weights[stem] for stem in best}
    names = tuple(dict.fromkeys(_names(text)))[:_MOST_NAMES]
    identifiers = [name for name in (_SEPARATOR.split(name)[-1] for name in names) if is_compound(name)]
    words |= {exactly(name): name for name in identifiers}
    is_names_alone = all(word.strip("`()") in names for word in text.split())
    alone = is_paths_alone, is_names_alone
    return Task(terms, words, dict.fromkeys(map(exactly, identifiers), _IDENTIFIER), wholes, places, names, *alone)


def _read(text: str) -> tuple[tuple[Place, ...], str, bool]:
    """The places that a text names, its words, and whether all of them are of those paths.

    Words are neither folders of a stack trace nor, again, those of a line that differs in numbers alone.
    """
    frames: list[Place] = []
    others: list[Place] = []
    told: dict[str, str] = {}
    is_paths_alone = True
    for line in text.replace('", line ', ":").replace(":line ", ":").split("\n"):
        words = []
        for word in _BETWEEN.split(line.replace(_LAST_IS_INNERMOST, "")):
            match = _PLACE.fullmatch(word.replace("\\", "/")) if len(word) <= _LONGEST else None
            if match and match[2]:
                frames.append(Place(match[1], int(match[2]), _function(line)))
                word = match[1].rpartition("/")[2]
            elif match:
                others.append(Place(match[1]))
            elif is_paths_alone and any(terms_of(word)):
                is_paths_alone = False
            words.append(word)
        told.setdefault(_DIGITS.sub("0", line), " ".join(words))
    if _LAST_IS_INNERMOST in text:
        frames.reverse()
    return tuple(dict.fromkeys(frames + others))[:_MOST_PLACES], "\n".join(told.values()), is_paths_alone


def _function(line: str) -> str:
    """Which function a line of a stack trace says that it is in."""
    match = _CALLED.search(line) or _INSIDE.search(line)
    name = _LAST_NAME.search(match[1]) if match else None
    return name[0] if name else ""


def _wholes(text: str) -> Iterator[str]:
    return (whole(word) for word in _WHOLE.findall(text) if len(word) <= _LONGEST and is_telling(word.lower()))


def _names(text: str) -> Iterator[str]:
    for quoted in _QUOTED.finditer(text):
        if match := _NAME.fullmatch(quoted[1].strip()):
            yield match[0].removesuffix("()")
    for match in _NAME.finditer(text):
        if len(match[0]) <= _LONGEST and (match[1] or _LOOKS_LIKE_CODE.search(match[0])):
            yield match[0].removesuffix("()")
