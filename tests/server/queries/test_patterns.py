"""What a pattern says of the words of a text: less than all of them is right, more would hide what matches."""

import random
import time

import pytest
import re2
from code_insight.queries.patterns import pieces_of_pattern
from code_insight.store import Piece
from code_insight.store.vocabulary import with_piece, words_of

WORDS = """
choice choices choices_default mychoices get_absolute_url getter_url get__url found_it found FOUND unfound rawtext
class def Klasse straße STRASSE Kelvin naïve été x1 x y id ID_3 models model.Model foo-bar
"""
# Letters that are folded to those of ASCII, and are none for RE2: long s, kelvin, ligatures, j with caron.
FOLDED = ["stra\u017fe", "\u212aelvin", "ßfound", "\ufb01nd", "found\ufb02", "\ufb01found", "choices\u01f0", "ßß"]
LINES = [
    *WORDS.split(),
    *FOLDED,
    "def get_x_url(self):",
    "found = 3",
    "found=3",
    "class  RawText(",
    "x = foo if y",
    "\tid:",
]
PARTS = [
    r"\b",
    r"\w+",
    r"\w*",
    r"\W",
    r"\s*",
    r"\s",
    ".*",
    ".",
    "=",
    r"\(",
    "^",
    "$",
    "(a|b)?",
    "[a-z_]+",
    "[ (]",
    "?",
    "+",
]
PARTS += [
    "choices",
    "get_",
    "_url",
    "found",
    "stra",
    "se",
    "ind",
    "elvin",
    "ump",
    "na",
    "ve",
    "ß",
    "é",
    "|",
    "id",
    "{2}",
]


def _words(pattern: str) -> list[list[list[str]]]:
    """For each alternative and each of its pieces: the words above that have it."""
    known = [b"\n" + b"\n".join(sorted(words_of(WORDS.encode()))) + b"\n"]
    found = [[with_piece(piece, known) or set() for piece in pieces] for pieces in pieces_of_pattern(pattern)]
    return [[sorted(word.decode() for word in words) for words in pieces] for pieces in found]


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"\bchoices\w+\(", [[["choices_default"]]]),
        (r"\bchoices\b", [[["choices"]]]),
        (r"choices\s*=", [[["choices", "mychoices"]]]),
        (r"get_\w+_url", [[["get_absolute_url"]]]),
        (r"^\s*(class|def|func) .*rawtext", [[["rawtext"]]]),
        (r"^(rawtext|choices)", []),
        (r"rawtext|found_it", [[["rawtext"]], [["found_it"]]]),
        (r"rawtext|\w+", []),
        (r"(?i)FOUND_", [[["found_it"]]]),
        (r"cho[iI]ces_d", [[["choices_default"]]]),
        (r"(abc)?rawtext", [[["rawtext"]]]),
        (r"rawtexts?", [[["rawtext"]]]),
        (r"unfo{1}und", [[["unfound"]]]),
        (r"\x41bcd", []),
        (r"\p{Greek}abc", []),
        (r" id = ", [[["id"]]]),
        (r"straß", [[["strasse"]]]),
    ],
)
def test_a_word_must_be_shaped_as_the_pattern_says(pattern: str, words: list[list[list[str]]]) -> None:
    assert _words(pattern) == words


def test_whatever_matches_has_the_words() -> None:
    """Thousands of patterns, made of parts by chance, asked of lines that are hard for them."""
    chance = random.Random(7)
    asked = matched = 0
    while asked < 4_000:
        pattern = chance.choice(["", "(?i)"]) + "".join(chance.choices(PARTS, k=chance.randrange(1, 6)))
        try:
            compiled = re2.compile(pattern)
        except re2.error:
            continue
        asked += 1
        alternatives = pieces_of_pattern(pattern)
        for line in LINES:
            if alternatives and compiled.search(line):
                matched += 1
                assert any(all(_has(line, piece) for piece in pieces) for pieces in alternatives), (pattern, line)
    assert matched > 1_000


def test_no_pattern_makes_the_words_cost_more_than_their_length() -> None:
    """With a backtracking engine this is polynomial of a high degree, and does not end."""
    [[piece]] = pieces_of_pattern(r"xxx" + r"\w*y\w*" * 30 + "z")
    began = time.monotonic()
    assert with_piece(piece, [b"\nxxx" + b"y" * 20_000 + b"\n"]) == set()
    assert time.monotonic() - began < 5.0


def _has(line: str, piece: Piece) -> bool:
    """Whether some word of a line has a piece."""
    words = words_of(line.encode())
    found = with_piece(piece, [b"\n" + b"\n".join(words) + b"\n"])
    return found is None or bool(found & words)
