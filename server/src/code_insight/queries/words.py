"""Passages that have the words of a question: a function, a class's own lines, a section of a document."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from code_insight.model import FileRole, SourceFile, Symbol, is_aside
from code_insight.queries import place_order
from code_insight.queries.files import text_lines
from code_insight.store import Reader

_FILES = 120  # that are looked through, those with the rarest words first
_PASSAGES = 60
_LINES = 3  # of a passage that are shown
_STOP = frozenset(
    """
    a about after all an and any are as at be been before between but by can code could defined definition do does
    done each file files find for from function get given has have how i if implement implementation implemented in into
    is it its made make me method module my no not of on one or other our out place see should show so some that the
    their them then there these they this to up us use used uses using was way we were what when where which who why
    will with work works would you your
    """.split()  # noqa: SIM905
)
_WEIGHTS = {FileRole.SOURCE: 1.0, FileRole.TEST: 0.6, FileRole.DOCUMENT: 0.7}  # the others: 0.3


@dataclass(frozen=True, slots=True)
class Passage:
    """A symbol's own lines, or those outside of all symbols, with the words that were found in them."""

    file: SourceFile
    symbol: Symbol | None
    lines: tuple[tuple[int, str], ...]  # those that say most, in order
    words: int  # how many different ones of the query it has


def words_of(query: str) -> dict[str, str]:
    """Stem → word, of those words of a question that tell something; empty for a single word."""
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", query).replace("_", " ")
    words = [word for word in re.findall(r"[^\W_]+", split.lower()) if len(word) >= 3]
    telling = [word for word in words if word not in _STOP]
    stems = {_stem(word): word for word in telling}
    return dict(list(stems.items())[:12]) if len(words) >= 2 else {}


def _stem(word: str) -> str:
    """What words of one meaning begin with: "parsing", "parsed", "parser" and "parses" with "pars"."""
    for suffix in ("ations", "ation", "ings", "ing", "ers", "ied", "ies", "ed", "er", "es", "s", "e"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 4 and not word.endswith("ss"):
            return word[: -len(suffix)]
    return word


def passages(reader: Reader, words: Iterable[str], files: list[SourceFile]) -> tuple[Passage, ...]:
    """The passages of these files that have most of the words, rare words counting more; best first."""
    weights, holders = _weights(reader, words, files)
    if not weights:
        return ()
    candidates = _candidates(weights, holders, files)
    scored = [found for file in candidates for found in _of_file(reader, file, weights)]
    best = sorted(scored, key=lambda pair: (-pair[0], place_order(pair[1].file.role, pair[1].file.path), _at(pair[1])))
    return tuple(passage for _, passage in best[:_PASSAGES])


def _at(passage: Passage) -> tuple[str, int]:
    return passage.file.path, passage.lines[0][0]


def _weights(
    reader: Reader, words: Iterable[str], files: list[SourceFile]
) -> tuple[dict[str, float], dict[str, set[int]]]:
    """What each word that occurs at all is worth, and the blobs that have it."""
    known = {file.blob for file in files}
    found = {word: reader.blobs_with(word) for word in words}
    holders = {word: known if blobs is None else blobs & known for word, blobs in found.items()}
    weights = {word: math.log(1 + len(known) / len(blobs)) for word, blobs in holders.items() if blobs}
    return weights, holders


def _candidates(weights: dict[str, float], holders: dict[str, set[int]], files: list[SourceFile]) -> list[SourceFile]:
    def worth(file: SourceFile) -> float:
        in_text = sum(weight for word, weight in weights.items() if file.blob in holders[word])
        in_path = sum(weight for word, weight in weights.items() if word in file.path.lower())
        return (in_text + 0.5 * in_path) * _role_weight(file)

    worths = {file.path: worth(file) for file in files}
    found = sorted((f for f in files if worths[f.path]), key=lambda f: (-worths[f.path], f.path))
    return found[:_FILES]


def _role_weight(file: SourceFile) -> float:
    return _WEIGHTS.get(file.role, 0.3) * (0.7 if file.role is FileRole.SOURCE and is_aside(file.path) else 1)


def _of_file(reader: Reader, file: SourceFile, weights: dict[str, float]) -> Iterator[tuple[float, Passage]]:
    lines = text_lines(reader.text(file.blob))
    symbols = reader.symbols_in(file.path)
    owners = _owners(symbols, len(lines))
    hits: dict[int, list[tuple[int, frozenset[str]]]] = defaultdict(list)
    for number, line in enumerate(lines, start=1):
        low = line.lower()
        if has := frozenset(word for word in weights if word in low):
            hits[owners[number]].append((number, has))
    in_path = {word for word in weights if word in file.path.lower()}
    for owner, found in hits.items():
        symbol = symbols[owner] if owner >= 0 else None
        score, words = _score(symbol, found, in_path, weights)
        best = sorted(found, key=lambda hit: (-sum(weights[word] for word in hit[1]), hit[0]))[:_LINES]
        shown = tuple((number, lines[number - 1]) for number, _ in sorted(best))
        yield score * _role_weight(file), Passage(file, symbol, shown, len(words))


def _owners(symbols: list[Symbol], lines: int) -> list[int]:
    """By line, the position of the innermost symbol, -1 outside of all."""
    owners = [-1] * (lines + 1)
    for position, symbol in enumerate(symbols):
        end = min(symbol.end_line, lines)
        if symbol.start_line <= end:
            owners[symbol.start_line : end + 1] = [position] * (end + 1 - symbol.start_line)
    return owners


def _score(
    symbol: Symbol | None, found: list[tuple[int, frozenset[str]]], in_path: set[str], weights: dict[str, float]
) -> tuple[float, set[str]]:
    """How much a passage says, and the words that it has: in its lines once, in its name more, in its path less."""
    has = {word for _, words in found for word in words}
    named = symbol.qualified_name.lower() if symbol else ""
    in_name = {word for word in weights if word in named}
    text = sum(weights[word] for word in has | in_name)
    density = max(sum(weights[word] for word in words) for _, words in found)
    total = text + 0.8 * sum(weights[word] for word in in_name) + 0.3 * sum(weights[word] for word in in_path)
    return total + 0.3 * density, has | in_name
