"""Words in their shortest form: the humps of identifiers, the stems of words, and which of them say nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?(?:[a-z]|[^\W\d_A-Z])+")  # "HTTP", "Response", "max", "größe"
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]+")  # scripts without spaces
_IN_WORD = re.compile(r"\w")
_SUFFIXES = (
    "ations", "ation", "ators", "ating", "ator", "ated", "ates", "ions", "ings", "ate", "ion", "ing", "ers", "ied",
    "ies", "ed", "er", "es", "ly", "s", "e", "y",
)  # fmt: skip
_STOP = frozenset(
    """
    a about after all also an and any are as at be because been before being between bug but by can cannot case cases
    code correctly could cve define defined definition do does doesn doing done don due each etc even every expected
    file files find fix fixed fixes fixing following for from function get given gives happens has hasn have how http
    https i if implement implementation implemented in instead into is isn issue issues it its just like made make
    makes making may me method might module must my need needed needs no not now of on one only or org other our out
    place please problem properly really refs regression same see seem should shouldn show since so some such than
    thanks that the their them then there these they this those to too try trying two up us use used uses using version
    very via was wasn way we were what when where whether which while who why will with without won work working works
    would www you your
    """.split()  # noqa: SIM905
)


def terms_of(text: str) -> Iterator[tuple[str, str]]:
    """(stem, word) of each word of a text that tells something, identifiers taken apart, in order."""
    for match in HUMP.finditer(text):
        word = match[0].lower()
        if not word.isascii() and _UNSPACED.fullmatch(word):
            yield from ((word[at : at + 2], word[at : at + 2]) for at in range(max(1, len(word) - 1)))
        elif is_telling(word):
            yield stem(word), word


def is_telling(word: str) -> bool:
    """Whether a word in lower case tells something."""
    return len(word) >= 3 and word not in _STOP


def whole(word: str) -> str:
    """The stem of an identifier or a file's name as one word, however its parts are joined."""
    return stem(word.lower().replace("_", "").replace("-", ""))


def exactly(word: str) -> str:
    """The term of an identifier as it stands, in any case: what has its parts alone does not have it."""
    return f"={word.lower()}"


def exact_word(term: str) -> str:
    """The word that a term is `exactly`; "" when it is a stem."""
    return term[1:] if term.startswith("=") else ""


def is_compound(word: str) -> bool:
    """Whether an identifier has more than one part."""
    return len(HUMP.findall(word)) > 1


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """What words of one meaning begin with: "parsing", "parsed", "parser" and "parses" with "pars"."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 4 and not word.endswith("ss"):
            return stem(word[: -len(suffix)])
    return word


def places_of(term: str, text: str, folded: str) -> Iterator[int]:
    """Where a text has a word of that stem, by itself or as a hump, or `exactly` a word; `folded` is in lower case."""
    if word := exact_word(term):
        yield from _places_of_word(word, folded)
        return
    at = folded.find(term)
    while at >= 0:
        if not term.isascii() and _UNSPACED.fullmatch(term):
            yield at
        elif _begins(text, at):
            match = HUMP.match(text, at)
            if match and stem(match[0].lower()) == term:
                yield at
        at = folded.find(term, at + len(term))


def _places_of_word(word: str, folded: str) -> Iterator[int]:
    at = folded.find(word)
    while at >= 0:
        end = at + len(word)
        if not _IN_WORD.match(folded[at - 1 : at]) and not _IN_WORD.match(folded, end):
            yield at
        at = folded.find(word, end)


def _begins(text: str, at: int) -> bool:
    """Whether a hump begins here: after no letter, or with a capital after or before a small letter."""
    if at == 0 or not text[at - 1].isalpha():
        return True
    following = text[at + 1 : at + 2]
    return text[at].isupper() and (not text[at - 1].isupper() or following.islower())
