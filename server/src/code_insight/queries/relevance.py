"""Which files, and which passages of them, have the words of a task: BM25, counted when it is asked.

The index knows which blobs have which word, not how often. So the blobs with the rarest words are chosen first, and
their texts are looked through: that is exact for all that can come first, and costs the index nothing.
"""

from __future__ import annotations

import bisect
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from code_insight.model import FileRole, SourceFile, Symbol, is_aside
from code_insight.queries.files import text_lines
from code_insight.queries.stems import places_of, terms_of
from code_insight.store import Reader

_FILES = {FileRole.SOURCE: 120, FileRole.TEST: 30, FileRole.DOCUMENT: 30}  # that are looked through; of others: 10
_BYTES = 12 << 20  # of them
_FILE_BYTES = 400_000  # of one of them; what stands behind is not looked at
_K1, _B = 1.2, 0.6
_IN_PATH, _IN_NAME = 3, 5  # how often a word counts there
_PASSAGES = 12  # of a file that are remembered
_LINES_OF_A_PASSAGE = 20  # what is usual
_LINES = 3  # of a passage that are remembered
_WINDOW = 40  # lines: what is one passage where there are no symbols
_WEIGHTS = {FileRole.SOURCE: 1.0, FileRole.TEST: 0.6, FileRole.DOCUMENT: 0.7}  # the others: 0.3


@dataclass(frozen=True, slots=True)
class Passage:
    """A symbol's own lines, or some outside of all symbols, with the words of a task that are in them."""

    file: SourceFile
    symbol: Symbol | None
    first: int
    last: int
    lines: tuple[tuple[int, str], ...]  # those that say most, in order
    terms: frozenset[str]
    score: float


@dataclass(frozen=True, slots=True)
class Relevant:
    """A file with words of a task."""

    file: SourceFile
    score: float  # of the whole text, BM25
    passages: tuple[Passage, ...]  # best first
    terms: frozenset[str] = field(default=frozenset())


def role_weight(file: SourceFile) -> float:
    """What a word counts for in a file of that role and place."""
    return _WEIGHTS.get(file.role, 0.3) * (0.7 if file.role is FileRole.SOURCE and is_aside(file.path) else 1)


def relevant(
    reader: Reader, terms: Mapping[str, float], files: Iterable[SourceFile], also: Iterable[str] = ()
) -> list[Relevant]:
    """The files that have words of the task, best first; `also` are paths that are looked at in any case.

    `terms` says what each stem counts for.
    """
    with_text = [file for file in files if file.blob]
    rarity = _Rarity(reader, terms, with_text)
    chosen = rarity.choose(with_text, set(also))
    average = sum(file.size_bytes for file in with_text) / max(1, len(with_text))
    found = [_Scoring(reader, file, rarity.weights, average).relevant() for file in chosen]
    return sorted((one for one in found if one.terms), key=lambda one: (-one.score, one.file.path))


class _Rarity:
    """What each word that occurs at all is worth, and who may have it."""

    def __init__(self, reader: Reader, terms: Mapping[str, float], files: list[SourceFile]) -> None:
        blobs = {file.blob for file in files}
        self._holders = {stem: found & blobs for stem, found in reader.blobs_by_stem(terms).items()}
        count = len(blobs)
        self.weights = {
            stem: terms[stem] * math.log(1 + (count - len(held) + 0.5) / (len(held) + 0.5))
            for stem, held in self._holders.items()
        }

    def choose(self, files: list[SourceFile], also: set[str]) -> list[SourceFile]:
        """The files that are worth a look, within the bounds."""
        worth: dict[int, float] = defaultdict(float)
        for stem, held in self._holders.items():
            for blob in held:
                worth[blob] += self.weights[stem]
        scored = []
        for file in files:
            low = file.path.lower()
            in_path = sum(weight for stem, weight in self.weights.items() if stem in low)
            if (total := worth.get(file.blob, 0.0) + in_path) or file.path in also:
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


class _Scoring:
    """One file."""

    def __init__(self, reader: Reader, file: SourceFile, weights: Mapping[str, float], average: float) -> None:
        self._file, self._weights, self._average = file, weights, average
        self._text = reader.text(file.blob)[:_FILE_BYTES]
        self._lines = text_lines(self._text)
        self._symbols = reader.symbols_in(file.path)
        self._in_path = Counter(stem for stem, _ in terms_of(file.path) if stem in weights)

    def relevant(self) -> Relevant:
        hits = self._hits()
        counts: Counter[str] = Counter()
        for number in hits:
            counts.update(hits[number])
        for stem in self._in_path:
            counts[stem] += _IN_PATH
        named: Counter[str] = Counter()
        for symbol in self._symbols:
            named.update({stem for stem, _ in terms_of(symbol.name) if stem in self._weights})
        for stem, count in named.items():
            counts[stem] += 2 * count
        score = self._bm25(counts, self._file.size_bytes, self._average)
        return Relevant(self._file, score, self._passages(hits), frozenset(counts))

    def _bm25(self, counts: Mapping[str, float], size: float, average: float) -> float:
        norm = _K1 * (1 - _B + _B * size / average)
        return sum(self._weights[stem] * count * (_K1 + 1) / (count + norm) for stem, count in counts.items())

    def _hits(self) -> dict[int, Counter[str]]:
        """Line → how often it has which stem."""
        text = self._text
        folded = text.lower()
        if len(folded) != len(text):  # some letters change their length with their case
            text = folded = text.casefold()
        ends = list(accumulate(len(line) + 1 for line in text.split("\n")))
        hits: dict[int, Counter[str]] = defaultdict(Counter)
        for stem in self._weights:
            for at in places_of(stem, text, folded):
                hits[bisect.bisect_right(ends, at) + 1][stem] += 1
        return hits

    def _passages(self, hits: dict[int, Counter[str]]) -> tuple[Passage, ...]:
        owners = _owners(self._symbols, len(self._lines))
        grouped: dict[tuple[int, int], list[int]] = defaultdict(list)
        for number in sorted(hits):
            owner = owners[number] if number < len(owners) else -1
            grouped[owner, 0 if owner >= 0 else number // _WINDOW].append(number)
        sizes = Counter(owners[1:])
        scored = []
        for (owner, _), numbers in grouped.items():
            counts: Counter[str] = Counter()
            for number in numbers:
                counts.update(hits[number])
            score = self._score(owner, counts, sizes[owner] if owner >= 0 else _WINDOW)
            scored.append((-score, numbers[0], owner, numbers, frozenset(counts)))
        return tuple(
            self._passage(owner, numbers, terms, -score, hits)
            for score, _, owner, numbers, terms in sorted(scored, key=lambda one: one[:2])[:_PASSAGES]
        )

    def _score(self, owner: int, counts: Counter[str], lines: int) -> float:
        counts = Counter(counts)
        counts.update(dict.fromkeys(self._in_path, 1))
        if owner >= 0:
            symbol = self._symbols[owner]
            counts.update({stem: _IN_NAME for stem, _ in terms_of(symbol.name) if stem in self._weights})
            counts.update({stem: 1 for stem, _ in terms_of(symbol.container) if stem in self._weights})
        return self._bm25(counts, lines, _LINES_OF_A_PASSAGE)

    def _passage(
        self, owner: int, numbers: list[int], terms: frozenset[str], score: float, hits: dict[int, Counter[str]]
    ) -> Passage:
        symbol = self._symbols[owner] if owner >= 0 else None
        best = sorted(numbers, key=lambda n: (-sum(self._weights[stem] for stem in hits[n]), n))[:_LINES]
        shown = tuple((n, self._lines[n - 1]) for n in sorted(best))
        first, last = (symbol.start_line, symbol.end_line) if symbol else (numbers[0], numbers[-1])
        return Passage(self._file, symbol, first, last, shown, terms, score)


def _owners(symbols: list[Symbol], lines: int) -> list[int]:
    """By line, the position of the innermost symbol, -1 outside of all."""
    owners = [-1] * (lines + 1)
    for position, symbol in enumerate(symbols):
        end = min(symbol.end_line, lines)
        if symbol.start_line <= end:
            owners[symbol.start_line : end + 1] = [position] * (end + 1 - symbol.start_line)
    return owners
