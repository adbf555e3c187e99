"""The words of texts: what a text is found by.

A word is a longest run of letters, digits, "_" and all characters beyond ASCII, whatever its case. An index keeps which
blobs have which word, and all words in a few long texts: what stands within a word is found by looking through those,
which are a fiftieth of what they come from.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from code_insight.store.compression import compressed, decompressed

_WORD_BYTES = re.compile(rb"[0-9A-Za-z_\x80-\xff]")
_FOLDED = bytes(
    ord(chr(byte).lower()) if byte < 128 and _WORD_BYTES.match(bytes([byte])) else byte if byte >= 128 else 32
    for byte in range(256)
)
_SHORT_STEM = 4  # shorter ones stand in many words by chance
_MOST_OF_STEM = 200  # words with one stem in them that are asked for
_MOST_WORDS = 500  # with one piece of a literal in them; more would not narrow anything


class Piece(NamedTuple):
    """What a text with some literal must have in one of its words."""

    text: bytes
    begins: bool  # a word begins with it
    ends: bool  # a word ends with it
    shape: Callable[[bytes], object] | None = None  # finds nothing in a word that is not shaped as it must be


def words_of(text: bytes) -> set[bytes]:
    """The words of a text in UTF-8, folded."""
    return set(_folded(text).split())


def _folded(text: bytes) -> bytes:
    """The text with a space in place of all that is not in a word."""
    if not text.isascii():
        text = text.decode("utf-8", "surrogatepass").casefold().encode("utf-8", "surrogatepass")
    return text.translate(_FOLDED)


def as_indexed(text: bytes) -> str:
    """The text as the index of words takes it: that folds ASCII by itself, and finds the words of `words_of` in it."""
    return text.decode() if text.isascii() else text.decode().casefold()


def pieces_of(literal: str) -> list[Piece]:
    """The pieces of a literal, the longest first; empty when it has nothing of a word in it."""
    folded = _folded(literal.encode("utf-8", "surrogatepass"))
    found = [Piece(match[0], match.start() > 0, match.end() < len(folded)) for match in re.finditer(rb"[^ ]+", folded)]
    return sorted(found, key=lambda piece: -len(piece.text))


def packed(words: bytes) -> bytes:
    """Words with line ends between them, as they are kept."""
    return compressed(b"\n" + words + b"\n")


def unpacked(data: bytes) -> bytes:
    """The text of words: each between two line ends."""
    return decompressed(data)


def with_piece(piece: Piece, vocabulary: Iterable[bytes]) -> set[bytes] | None:
    """The words that have a piece in them; None when they are so many that they say nothing."""
    if piece.begins and piece.ends and not piece.shape:
        return {piece.text}
    found: set[bytes] = set()
    for text in vocabulary:
        for word in _with_piece(piece, text):
            if piece.shape is None or piece.shape(word):
                found.add(word)
            if len(found) > _MOST_WORDS:
                return None
    return found


def _with_piece(piece: Piece, text: bytes) -> Iterator[bytes]:
    wanted = b"\n" * piece.begins + piece.text + b"\n" * piece.ends
    at = text.find(wanted)
    while at >= 0:
        start, end = text.rfind(b"\n", 0, at + 1) + 1, text.find(b"\n", at + 1)
        yield text[start:end]
        at = text.find(wanted, end)


def with_stem(stem: bytes, vocabulary: Iterable[bytes]) -> list[bytes]:
    """The shortest words with a stem in them, at most a few hundred; where it is short, it begins a part of them."""
    found: set[bytes] = set()
    for text in vocabulary:
        found.update(_with_piece(Piece(stem, begins=False, ends=False), text))
    if len(stem) < _SHORT_STEM:
        found = {word for word in found if word.startswith(stem) or b"_" + stem in word}
    return heapq.nsmallest(_MOST_OF_STEM, found, key=lambda word: (len(word), word))
