"""Which files, and which passages of them, have the words of a task: BM25, counted when it is asked.

The index knows which blobs have which word, not how often. So the blobs with the rarest words are chosen first, and
their texts are looked through: that is exact for all that can come first, and costs the index nothing.
"""

from __future__ import annotations

import bisect
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate

from code_insight.model import FileRole, SourceFile, Symbol, is_aside
from code_insight.queries.stems import exact_word, exactly, places_of, terms_of
from code_insight.store import Reader

_FILES = {FileRole.SOURCE: 120, FileRole.TEST: 30, FileRole.DOCUMENT: 30}  # that are looked through; of others: 10
_BYTES = 8 << 20  # of them
_STEMS = 32  # those that are worth most
_FILE_BYTES = 400_000  # of one of them; what stands behind is not looked at
_K1, _B = 1.2, 0.45
_IN_PATH, _IN_NAMES, _IN_NAME = 3, 2, 5  # how often a word counts there: of a file, of its symbols, of a passage
_PASSAGES = 12  # of a file that are remembered
_LINES_OF_A_PASSAGE = 20  # what is usual
_LINES = 3  # of a passage that are remembered
_WINDOW = 40  # lines: what is one passage where there are no symbols
_WEIGHTS = {FileRole.SOURCE: 1.0, FileRole.TEST: 0.6, FileRole.DOCUMENT: 0.7}
_OTHER = 0.3  # the weight of what nobody wrote here by hand, and of what has all words of a language
_TRANSLATIONS = (".po", ".pot", ".xlf", ".xliff")


@dataclass(frozen=True, slots=True)
class Passage:
    """A symbol's own lines, or some outside of all symbols, with the words of a task that are in them."""

    file: SourceFile
    symbol: Symbol | None
    first: int
    last: int
    lines: tuple[tuple[int, str], ...]  # those that say most, in order
    terms: frozenset[str]
    worth: float  # of the terms, each once
    score: float


@dataclass(frozen=True, slots=True)
class Relevant:
    """A file with words of a task."""

    file: SourceFile
    score: float  # of the whole text, BM25
    name_score: float  # of its path, as that of a passage
    passages: tuple[Passage, ...]  # best first
    terms: frozenset[str]


def is_translation(file: SourceFile) -> bool:
    """Whether a file is a catalogue of texts in two languages: it is source, and no code."""
    return file.path.endswith(_TRANSLATIONS)


def role_weight(file: SourceFile) -> float:
    """What a word counts for in a file of that role and place."""
    if is_translation(file):
        return _OTHER
    return _WEIGHTS.get(file.role, _OTHER) * (0.85 if file.role is FileRole.SOURCE and is_aside(file.path) else 1)


def relevant(
    reader: Reader, terms: Mapping[str, float], files: Iterable[SourceFile], also: Iterable[str] = ()
) -> list[Relevant]:
    """The files that have words of the task, best first; `also` are paths that are looked at in any case.

    `terms` says what each stem, or identifier in one piece (`exactly`), counts for.
    """
    with_text = [file for file in files if file.blob]
    rarity = _Rarity(reader, terms, with_text)
    average = sum(file.size_bytes for file in with_text) / max(1, len(with_text))
    chosen = rarity.choose(with_text, set(also))
    found = [_Scoring(reader, file, rarity.weights_in(file), average).relevant() for file in chosen]
    return sorted((one for one in found if one.terms), key=lambda one: (-one.score, one.file.path))


class _Rarity:
    """What each word that occurs at all is worth, and who may have it."""

    def __init__(self, reader: Reader, terms: Mapping[str, float], files: list[SourceFile]) -> None:
        blobs = {file.blob for file in files}
        words = {exact_word(term): term for term in terms if exact_word(term)}
        found = reader.blobs_by_stem(term for term in terms if not exact_word(term))
        found |= {words[word]: having for word, having in reader.blobs_by_word(words).items()}
        holders = {term: having & blobs for term, having in found.items()}
        count = len(blobs)
        weights = {
            stem: terms[stem] * math.log(1 + (count - len(held) + 0.5) / (len(held) + 0.5))
            for stem, held in holders.items()
            if held
        }
        best = sorted(weights, key=lambda stem: (-weights[stem], stem))[:_STEMS]
        self._weights = {stem: weights[stem] for stem in best}
        self._holders = {stem: holders[stem] for stem in best}

    def weights_in(self, file: SourceFile) -> dict[str, float]:
        """Stem → what it is worth, of those that the file may have in its text or path."""
        low = file.path.lower()
        return {s: worth for s, worth in self._weights.items() if file.blob in self._holders[s] or s in low}

    def choose(self, files: list[SourceFile], also: set[str]) -> list[SourceFile]:
        """The files that are worth a look, within the bounds."""
        worth: dict[int, float] = defaultdict(float)
        for stem, held in self._holders.items():
            for blob in held:
                worth[blob] += self._weights[stem]
        scored = []
        for file in files:
            low = file.path.lower()
            in_path = sum(weight for stem, weight in self._weights.items() if stem in low)
            if (total := worth.get(file.blob, 0.0) + _IN_PATH * in_path) or file.path in also:
                scored.append((file.path not in also, -total * role_weight(file), file.path, file))
        chosen: list[SourceFile] = []
        left = _BYTES
        count = Counter[FileRole]()
        for *_, file in sorted(scored):
            if left > 0 and (file.path in also or count[file.role] < _FILES.get(file.role, 10)):
                count[file.role] += 1
                left -= min(file.size_bytes, _FILE_BYTES)
                chosen.append(file)
        return chosen


_Counts = dict[str, int]  # stem → how often


class _Scoring:
    """One file."""

    def __init__(self, reader: Reader, file: SourceFile, weights: Mapping[str, float], average: float) -> None:
        self._file, self._weights, self._average = file, weights, average
        self._text = reader.text(file.blob)[:_FILE_BYTES]
        self._lines = self._text.split("\n")
        self._symbols = reader.symbols_in(file.path)
        self._in_path = {stem for stem, _ in terms_of(file.path) if stem in weights}
        self._in_names = [self._weighty(symbol.name) for symbol in self._symbols]

    def relevant(self) -> Relevant:
        hits = self._hits()
        counts = {stem: len(numbers) for stem, numbers in hits.items()}
        for stem in self._in_path:
            counts[stem] = counts.get(stem, 0) + _IN_PATH
        for term in set().union(*self._in_names):  # once, however many of them have it
            counts[term] = counts.get(term, 0) + _IN_NAMES
        score = self._bm25(counts, self._file.size_bytes, self._average)
        return Relevant(self._file, score, self._name_score(), self._passages(hits), frozenset(counts))

    def _name_score(self) -> float:
        """As if the file were a definition of its name, in folders as in classes."""
        name = {stem for stem, _ in terms_of(self._file.path.rpartition("/")[2])}
        return self._bm25({stem: _IN_NAME if stem in name else 1 for stem in self._in_path}, 1, _LINES_OF_A_PASSAGE)

    def _weighty(self, name: str) -> set[str]:
        """The terms of a symbol's name that are asked for."""
        return {term for term in (exactly(name), *(stem for stem, _ in terms_of(name))) if term in self._weights}

    def _bm25(self, counts: _Counts, size: float, average: float) -> float:
        norm = _K1 * (1 - _B + _B * size / average)
        return sum(self._weights[stem] * count * (_K1 + 1) / (count + norm) for stem, count in counts.items())

    def _hits(self) -> dict[str, list[int]]:
        """Stem → the lines that have it, as often as they do."""
        text = self._text
        folded = text.lower()
        if len(folded) != len(text):  # some letters change their length with their case
            text = folded = text.casefold()
        ends = list(accumulate(len(line) + 1 for line in text.split("\n")))
        found = {}
        for stem in self._weights:
            if numbers := [bisect.bisect_right(ends, at) + 1 for at in places_of(stem, text, folded)]:
                found[stem] = numbers
        return found

    def _passages(self, hits: dict[str, list[int]]) -> tuple[Passage, ...]:
        owners = _owners(self._symbols, len(self._lines))
        grouped: dict[tuple[int, int], dict[str, list[int]]] = defaultdict(dict)
        for stem, numbers in hits.items():
            for number in numbers:
                owner = owners[number]
                grouped[owner, 0 if owner >= 0 else number // _WINDOW].setdefault(stem, []).append(number)
        sizes = Counter(owners[1:])
        scored = [
            (self._score(owner, own, sizes[owner] if owner >= 0 else _WINDOW), owner, window)
            for (owner, window), own in grouped.items()
        ]
        best = sorted(scored, key=lambda one: (-one[0], one[1:]))[:_PASSAGES]
        return tuple(self._passage(owner, grouped[owner, window], score) for score, owner, window in best)

    def _score(self, owner: int, own: dict[str, list[int]], lines: int) -> float:
        counts = {stem: len(numbers) for stem, numbers in own.items()}
        for stem in self._in_path:
            counts[stem] = counts.get(stem, 0) + 1
        while_in, worth = owner, _IN_NAME
        while while_in >= 0:  # its own name, then those of what encloses it
            for stem in self._in_names[while_in]:
                counts[stem] = counts.get(stem, 0) + worth
            while_in, worth = self._symbols[while_in].parent, 1
        return self._bm25(counts, lines, _LINES_OF_A_PASSAGE)

    def _passage(self, owner: int, own: dict[str, list[int]], score: float) -> Passage:
        worth: dict[int, float] = defaultdict(float)
        for stem, numbers in own.items():
            for number in set(numbers):
                worth[number] += self._weights[stem]
        best = sorted(worth, key=lambda number: (-worth[number], number))[:_LINES]
        shown = tuple((number, self._lines[number - 1].removesuffix("\r")) for number in sorted(best))
        symbol = self._symbols[owner] if owner >= 0 else None
        first, last = (symbol.start_line, symbol.end_line) if symbol else (min(worth), max(worth))
        all_worth = sum(self._weights[term] for term in own)
        return Passage(self._file, symbol, first, last, shown, frozenset(own), all_worth, score)


def _owners(symbols: list[Symbol], lines: int) -> list[int]:
    """By line, the position of the innermost symbol, -1 outside of all."""
    owners = [-1] * (lines + 1)
    for position, symbol in enumerate(symbols):
        end = min(symbol.end_line, lines)
        if symbol.start_line <= end:
            owners[symbol.start_line : end + 1] = [position] * (end + 1 - symbol.start_line)
    return owners
