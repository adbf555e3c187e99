"""What a pattern says of the words that all which matches has: only texts with such words are looked through."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import Enum
from itertools import groupby, pairwise
from typing import NamedTuple

from code_insight.store import Piece

_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]|\{\d*,?\d*\}|.", re.DOTALL)
_QUANTIFIER = re.compile(r"[*+?]|\{\d+,?\d*\}")
_WORD_CLASS = re.compile(r"\[(?:[0-9]-[0-9]|[a-z]-[a-z]|[A-Z]-[A-Z]|[A-Za-z0-9_]|\\[wd])+\]")
_SPACE_CLASS = re.compile(r"\[(?:[^\w\\\[\]^-]|\\[^\w]|\\[stnr])+\]", re.ASCII)
_OPERATORS = frozenset("^$.*+?(){}[]")
_SPACES = frozenset(["^", "$", r"\s", r"\t", r"\n", r"\r", r"\f", r"\v", r"\A", r"\z"])
_EDGES, _WORDS = frozenset([r"\b", r"\W"]), frozenset([r"\w", r"\d"])
_SHORTEST = 3  # literal characters; fewer stand in many words by chance
# RE2's \b and \W know the words of ASCII alone, the index those of all scripts, folded: "ß" is nothing to RE2, and "ss"
# in the index. So these may stand before or after what begins or ends a word for RE2.
_SOFT_START, _SOFT_END = rb"(?:^|[fiklnst\x80-\xff])", rb"(?:$|[afhijkstwy\x80-\xff])"


class _Kind(Enum):
    LETTER = 1  # this very character of a word
    WORD = 2  # some character of a word
    SPACE = 3  # a character that is in no word, or the start or end of a line
    EDGE = 4  # \b or \W: neither for RE2, which knows ASCII alone
    ANY = 5


class _Item(NamedTuple):
    kind: _Kind
    text: bytes  # of a LETTER, folded
    is_optional: bool
    is_once: bool


def pieces_of_pattern(pattern: str) -> list[list[Piece]]:
    """For each of the alternatives of a pattern, what the words of all that matches it have; empty when nothing is
    plain to see of one of them."""
    if re.search(r"\\[xpPQC0-9]", pattern):  # characters in other words
        return []
    alternatives: list[list[_Item]] = [[]]
    for item in _items(pattern):
        if item is None:
            alternatives.append([])
        else:
            alternatives[-1].append(item)
    found = [list(_pieces(items)) for items in alternatives]
    return found if all(found) else []


def _items(pattern: str) -> Iterator[_Item | None]:
    """The items of a pattern, a group as one of ANY kind; None between alternatives."""
    parts = [*_TOKEN.findall(pattern), ""]
    depth = 0
    for part, following in pairwise(parts):
        depth += {"(": 1, ")": -1}.get(part, 0)
        if depth > 0 or _QUANTIFIER.fullmatch(part):
            continue
        if part == "|":
            yield None
            continue
        is_repeated = _QUANTIFIER.fullmatch(following) is not None
        is_optional = is_repeated and following != "+" and not re.match(r"\{0*[1-9]", following)
        yield _Item(*_kind_of(part), is_optional, not is_repeated)


def _kind_of(token: str) -> tuple[_Kind, bytes]:
    """What one token matches, and its text when that is a letter."""
    escaped = token[1:] if token[0] == "\\" else ""
    plain = escaped if escaped and not escaped.isalnum() else token
    if token in _SPACES or (token.isascii() and _SPACE_CLASS.fullmatch(token)):
        return _Kind.SPACE, b""
    if token in _EDGES:
        return _Kind.EDGE, b""
    if token in _WORDS or _WORD_CLASS.fullmatch(token):
        return _Kind.WORD, b""
    if len(plain) != 1 or token in _OPERATORS:
        return _Kind.ANY, b""
    is_letter = plain.isalnum() or plain == "_" or not plain.isascii()
    return (_Kind.LETTER, plain.casefold().encode("utf-8", "surrogatepass")) if is_letter else (_Kind.SPACE, b"")


def _pieces(items: list[_Item]) -> Iterator[Piece]:
    at = 0
    for is_word, group in groupby(items, key=lambda item: item.kind in (_Kind.LETTER, _Kind.WORD)):
        run = list(group)
        end = at + len(run)
        if is_word and (piece := _piece(run, _boundary(items[:at][::-1]), _boundary(items[end:]))):
            yield piece
        at = end


def _boundary(beside: list[_Item]) -> _Kind:
    """What a run of characters of a word is bounded by: SPACE or EDGE, ANY when it may go on."""
    for item in beside:
        if item.kind not in (_Kind.SPACE, _Kind.EDGE):
            break
        if not item.is_optional:
            return item.kind
    return _Kind.ANY


def _piece(run: list[_Item], before: _Kind, after: _Kind) -> Piece | None:
    """What a word has in which a run of characters stands; None when that is too little to look for."""
    stretches = [list(group) for is_plain, group in groupby(run, key=_is_plain) if is_plain]
    longest = max(stretches, key=len, default=[])
    begins, ends = before is _Kind.SPACE, after is _Kind.SPACE
    is_whole = len(longest) == len(run)
    if len(longest) < _SHORTEST and not (is_whole and begins and ends):
        return None
    text = b"".join(item.text for item in longest)
    is_ascii = all(item.text.isascii() for item in run)
    if is_whole and not (is_ascii and _Kind.EDGE in (before, after)):
        return Piece(text, begins, ends)
    start = b"^" if begins else (_SOFT_START if is_ascii and before is _Kind.EDGE else b"")
    end = b"$" if ends else (_SOFT_END if is_ascii and after is _Kind.EDGE else b"")
    shape = _linear(start + b"".join(map(_shape, run)) + end)
    return Piece(text, begins and run[0] is longest[0], ends and run[-1] is longest[-1], shape)


def _linear(shape: bytes) -> Callable[[bytes], object]:
    """What looks for a shape in a word, in time that does not depend on how it was made up: patterns are strangers'."""
    import re2  # loads a native library: only who uses a pattern pays for it

    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # a byte is a character
    options.log_errors = False
    found: Callable[[bytes], object] = re2.compile(shape, options).search
    return found


def _is_plain(item: _Item) -> bool:
    return item.kind is _Kind.LETTER and item.is_once


def _shape(item: _Item) -> bytes:
    one = b"(?:%s)" % re.escape(item.text) if item.kind is _Kind.LETTER else b"[0-9a-z_]"
    return one if item.is_once else one + (b"*" if item.is_optional else b"+")
