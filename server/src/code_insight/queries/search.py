"""Which files, symbols and lines match; definition before use, source before tests before what is generated."""

from __future__ import annotations

import fnmatch
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any

from code_insight.errors import InvalidArgument, NotFound, RegexInvalid
from code_insight.languages import LANGUAGES
from code_insight.model import SourceFile, Symbol
from code_insight.queries import place_order
from code_insight.queries.files import normal_path, text_lines, unknown_path
from code_insight.queries.nearest import nearest
from code_insight.queries.patterns import pieces_of_pattern
from code_insight.queries.relevance import Passage, relevant, role_weight
from code_insight.queries.stems import terms_of
from code_insight.queries.symbols import matching, rank
from code_insight.store import IndexedCommit, Reader

_PATTERN_CHARACTERS = 1000
_RE2_MEMORY_BYTES = 8 << 20
_NAME = re.compile(r"[\w$]+")
_QUALIFIED = re.compile(r"[\w$]+(?:(?:\.|::|->|#)[\w$]+)*")
_PATH = re.compile(r"[\w.@+-]+(?:/[\w.@+-]+)*/?")
_CODE = frozenset(language.name for language in LANGUAGES if language.has_symbols)
_LINES_OF_A_FILE = 4  # that come before those of other files
_EXACT = 200  # definitions of just the name that was asked for
AT_ONCE = 250  # lines that are put in order together
_FILES = 10  # found by their path
_OF_A_LIKE_NAME = 3  # definitions that are shown of a name which is only like the query
_PASSAGES = 60
_OF_THE_FILE = 0.3  # what the score of a whole file counts for beside that of a passage


class SearchKind(StrEnum):
    """How a query is to be understood."""

    AUTO = "auto"
    TEXT = "text"
    REGEX = "regex"
    SYMBOL = "symbol"


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """What one search may cost."""

    seconds: float = 5.0
    bytes: int = 256 << 20  # of text looked through
    lines: int = 1_000  # found, before it stops
    lines_per_file: int = 200


@dataclass(frozen=True, slots=True)
class Filter:
    """Which files are looked at."""

    path: str = ""  # a folder, a file, or a pattern with * and ?
    language: str = ""

    def admits(self, path: str, language: str) -> bool:
        """Whether a file of that path and language is looked at."""
        return (not self.language or language == self.language) and (not self.path or self._admits_path(path))

    def _admits_path(self, path: str) -> bool:
        wanted = normal_path(self.path)
        if any(character in wanted for character in "*?["):
            return fnmatch.fnmatchcase(path, wanted) or fnmatch.fnmatchcase(path, f"*/{wanted}")
        return path == wanted or path.startswith(f"{wanted}/")


@dataclass(frozen=True, slots=True)
class Line:
    """One line that matches."""

    file: SourceFile
    number: int
    text: str
    defines: bool  # whether the name of a symbol stands here that matches, too


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found in one commit."""

    how: str  # what was matched, in words
    files: tuple[SourceFile, ...] = ()  # by their path, best first
    symbols: tuple[Symbol, ...] = ()  # by their name, best first
    lines: tuple[Line, ...] = ()  # best first
    passages: tuple[Passage, ...] = ()  # of a query of several words, best first
    is_complete: bool = True  # False when a limit ended the search
    nearest: tuple[str, ...] = ()  # names that are like the query, when nothing was found

    @property
    def count(self) -> int:
        return len(self.files) + len(self.symbols) + len(self.lines) + len(self.passages)


def search(
    indexed: IndexedCommit, query: str, kind: SearchKind, where: Filter, limits: SearchLimits | None = None
) -> Found:
    """What matches `query` in one commit.

    AUTO looks for paths, names and the text as it stands; where there is none, for the passages that have most of its
    words, or for names that are like it. Raises InvalidArgument, RegexInvalid, NotFound for a path or language that the
    commit does not have.
    """
    if not query.strip() or len(query) > _PATTERN_CHARACTERS:
        raise InvalidArgument("A query has 1 to 1,000 characters.", "Give a word, a line of code or a pattern.")
    limits = limits or SearchLimits()
    with Reader(indexed) as reader:
        _check(reader, where)
        if kind is SearchKind.REGEX:
            return _by_pattern(reader, query, where, limits)
        if kind is SearchKind.SYMBOL:
            return _by_name(reader, query.strip(), where)
        if kind is SearchKind.TEXT:
            return _text(reader, query.strip("\n"), where, limits, ())
        return _auto(reader, query.strip(), where, limits)


def _check(reader: Reader, where: Filter) -> None:
    """Raises NotFound, with what there is, when no file can be meant."""
    if where.language:
        known = [name for name, _, _ in reader.languages() if name]
        if where.language not in known:
            raise NotFound(f"No file here is written in '{where.language}'.", f"Languages: {', '.join(known[:20])}.")
    if where.path and not any(where.admits(file.path, file.language) for file in reader.files()):
        raise unknown_path(reader, normal_path(where.path))


def symbols_at(indexed: IndexedCommit, lines: Iterable[Line]) -> dict[tuple[str, int], tuple[Symbol | None, bool]]:
    """(path, number) → the symbol that the line defines (True), or else the innermost one that it stands in (False)."""
    found: dict[tuple[str, int], tuple[Symbol | None, bool]] = {}
    with Reader(indexed) as reader:
        for line in lines:
            defined = reader.symbol_defined_at(line.file.path, line.number) if line.defines else None
            inside = defined or reader.symbol_around(line.file.path, line.number)
            found[line.file.path, line.number] = inside, defined is not None
    return found


def _auto(reader: Reader, query: str, where: Filter, limits: SearchLimits) -> Found:
    files = tuple(_files_named(reader, query, where))
    exact = matching(reader, query) if _QUALIFIED.fullmatch(query) else []
    admitted = sorted((s for s in exact if where.admits(s.path, s.language)), key=rank)
    found = _text(reader, query, where, limits, tuple(admitted), files)
    if found.count:
        return found
    if " " in query or len(dict(terms_of(query))) > 1:
        words = dict(terms_of(query))
        admits = [f for f in reader.files() if where.admits(f.path, f.language)]
        if best := _passages(reader, words, admits):
            how = f"passages by the words {', '.join(words.values())}; the best have most of them"
            return Found(how, passages=best)
    return _by_name(reader, query, where)


def _passages(reader: Reader, words: Iterable[str], files: list[SourceFile]) -> tuple[Passage, ...]:
    """The passages that have the words, best first: by BM25 of the passage and, for less, of its whole file."""
    found = relevant(reader, dict.fromkeys(words, 1.0), files)
    scored = [
        ((passage.score + _OF_THE_FILE * one.score) * role_weight(one.file), passage)
        for one in found
        for passage in one.passages
    ]
    best = sorted(scored, key=lambda pair: (-pair[0], pair[1].file.path, pair[1].first))
    return tuple(passage for _, passage in best[:_PASSAGES])


def _files_named(reader: Reader, query: str, where: Filter) -> list[SourceFile]:
    """The files that a query means that looks like a path: of that very path first."""
    wanted = re.sub(r":\d+(-\d+)?$", "", query.removeprefix("./")).strip("/")
    if not _PATH.fullmatch(wanted) or not ("/" in wanted or re.search(r"[\w-]\.\w{1,8}$", wanted)):
        return []
    low = wanted.lower()
    files = [f for f in reader.files() if low in f.path.lower() and where.admits(f.path, f.language)]
    ranked = sorted(files, key=lambda f: (_path_likeness(f.path.lower(), low), place_order(f.role, f.path), f.path))
    return [f for f in ranked if "/" in wanted or _path_likeness(f.path.lower(), low) < 2][:_FILES]


def _path_likeness(path: str, wanted: str) -> int:
    if path == wanted or path.endswith(f"/{wanted}"):
        return 0
    return 1 if path.rpartition("/")[2].startswith(wanted) else 2


def _text(
    reader: Reader,
    query: str,
    where: Filter,
    limits: SearchLimits,
    exact: tuple[Symbol, ...],
    files: tuple[SourceFile, ...] = (),
) -> Found:
    lines_of, how = _literal(query)
    is_word = re.compile(rf"(?i)(?<![\w$]){re.escape(query)}(?![\w$])") if _NAME.fullmatch(query) else None
    scan = _Scan(reader, where, limits, lines_of, exact, is_word)
    found = scan.found(reader.blobs_with(query), how)
    if files:
        return Found(f"paths, and {how}", files, lines=found.lines, is_complete=found.is_complete)
    return found


_LinesOf = Callable[[bytes], Iterator[tuple[int, str]]]  # text → (number, line) of the lines that match


def _literal(query: str) -> tuple[_LinesOf, str]:
    """Smart case, as in ripgrep: a capital letter makes it count."""
    wanted = query.encode("utf-8", "surrogatepass")
    if query != query.lower():
        return (lambda data: _lines_with(wanted, data, data)), "lines by text, case counts"

    def any_case(data: bytes) -> Iterator[tuple[int, str]]:
        if query.isascii():
            return _lines_with(wanted, data, data.lower())
        return ((n, line) for n, line in enumerate(text_lines(data.decode()), start=1) if query in line.lower())

    return any_case, "lines by text, any case"


def _lines_with(wanted: bytes, data: bytes, folded: bytes) -> Iterator[tuple[int, str]]:
    """The lines of a text whose folded form has the query; looks at no other line."""
    number, counted, at = 1, 0, -1 if b"\n" in wanted else folded.find(wanted)
    while at >= 0:
        number += folded.count(b"\n", counted, at)
        start, end = _line_around(folded, at)
        yield number, _line(data, start, end)
        counted = end
        at = folded.find(wanted, end)


def _line_around(data: bytes, at: int) -> tuple[int, int]:
    """Where the line of an offset begins, and where it ends."""
    end = data.find(b"\n", at)
    return data.rfind(b"\n", 0, at) + 1, len(data) if end < 0 else end


def _line(data: bytes, start: int, end: int) -> str:
    return data[start:end].removesuffix(b"\r").decode()


def _by_pattern(reader: Reader, pattern: str, where: Filter, limits: SearchLimits) -> Found:
    line = _compiled(pattern)
    whole = None if re.search(r"\\[AzZ]", pattern) else _compiled(f"(?m){pattern}")

    def lines_of(data: bytes) -> Iterator[tuple[int, str]]:
        if whole is None:
            return ((n, one) for n, one in enumerate(text_lines(data.decode()), start=1) if line.search(one))
        return _lines_matching(line, whole, data.replace(b"\r\n", b"\n") if b"\r" in data else data)

    scan = _Scan(reader, where, limits, lines_of)
    return scan.found(_candidates(reader, pattern), "lines by RE2 pattern")


def _lines_matching(line: Any, whole: Any, data: bytes) -> Iterator[tuple[int, str]]:
    """The lines that match by themselves: looked for in the whole text, and only where that has a match in the line."""
    number, counted, start = 1, 0, 0
    while start < len(data) and (match := whole.search(data, start)):
        start, end = _line_around(data, match.start())
        if start < len(data) and line.search(data[start:end]):
            number += data.count(b"\n", counted, start)
            counted = start
            yield number, _line(data, start, end)
        start = end + 1


def _candidates(reader: Reader, pattern: str) -> set[int] | None:
    """The blobs that may have a line that matches, None for all."""
    sets = [reader.blobs_with_pieces(pieces) for pieces in pieces_of_pattern(pattern)]
    known = [blobs for blobs in sets if blobs is not None]
    return set().union(*known) if sets and len(known) == len(sets) else None


def _compiled(pattern: str) -> Any:
    import re2  # loads a native library: only who uses a pattern pays for it

    options = re2.Options()
    options.max_mem = _RE2_MEMORY_BYTES
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = str(error.args[0].decode() if isinstance(error.args[0], bytes) else error.args[0])
        raise RegexInvalid(
            f"The pattern is not RE2 syntax: {reason[:200]}.",
            "RE2 has no look-around and no back-references (https://github.com/google/re2/wiki/Syntax).",
        ) from None


class _Scan:
    """Looks through the texts of candidate files, the most telling files first, within its limits."""

    def __init__(
        self,
        reader: Reader,
        where: Filter,
        limits: SearchLimits,
        lines_of: _LinesOf,
        exact: tuple[Symbol, ...] = (),
        is_word: re.Pattern[str] | None = None,
    ) -> None:
        self._reader, self._where, self._limits, self._find = reader, where, limits, lines_of
        self._exact = {(symbol.path, symbol.name_line): symbol for symbol in reversed(exact)}
        self._defining = {symbol.path for symbol in exact}
        self._is_word = is_word
        self._is_complete = True

    def found(self, candidates: set[int] | None, how: str) -> Found:
        """The matching lines of the candidates (None: all files): what defines the query itself first.

        A higher limit only adds to the end: some lines are put in order at a time.
        """
        lines = list(self._exact_lines())
        for some in self._chunks(candidates):
            lines += self._ordered(some)
        return Found(how, lines=tuple(lines), is_complete=self._is_complete)

    def _ordered(self, lines: list[Line]) -> list[Line]:
        tiers = [self._tier(line) for line in lines]
        seen = Counter[tuple[int, str]]()
        keys = []
        for line, tier in zip(lines, tiers, strict=True):
            seen[tier, line.file.path] += 1
            is_late = self._is_word is not None and tier > 1 and seen[tier, line.file.path] > _LINES_OF_A_FILE
            keys.append((tier, is_late, *self._file_order(line.file), line.number))
        return [lines[at] for at in sorted(range(len(lines)), key=keys.__getitem__)]

    def _tier(self, line: Line) -> int:
        """1 defines something like it in source, 2 has it as a word, 3 has it within a word."""
        if self._is_word is None:
            return 2
        if line.defines and place_order(line.file.role, line.file.path) == 0:
            return 1
        return 2 if self._is_word.search(line.text) else 3

    def _file_order(self, file: SourceFile) -> tuple[int, bool, bool, str]:
        is_data = file.language not in _CODE
        return place_order(file.role, file.path), is_data, file.path not in self._defining, file.path

    def _exact_lines(self) -> Iterator[Line]:
        """Where the symbols that the query names are defined, however many lines there are besides."""
        for path, number in list(self._exact)[::-1][:_EXACT]:
            file = self._reader.file(path)
            if file is not None:
                text = text_lines(self._reader.text(file.blob))[number - 1]
                yield Line(file, number, text, defines=True)

    def _chunks(self, candidates: set[int] | None) -> Iterator[list[Line]]:
        """Some lines after some, in the order of their files, up to the limits."""
        deadline = time.monotonic() + self._limits.seconds
        bytes_left, lines_left = self._limits.bytes, self._limits.lines
        at_once = min(AT_ONCE, lines_left)
        files = [f for f in self._reader.files() if f.blob and (candidates is None or f.blob in candidates)]
        admitted = [f for f in files if self._where.admits(f.path, f.language)]
        chunk: list[Line] = []
        for file in sorted(admitted, key=lambda f: (f.path not in self._defining, *self._file_order(f))):
            if len(chunk) >= at_once:
                yield chunk
                lines_left -= len(chunk)
                chunk = []
            if bytes_left < 0 or lines_left <= 0 or time.monotonic() > deadline:
                self._is_complete = False
                break
            bytes_left -= file.size_bytes
            chunk += self._lines_of(file)
        yield chunk

    def _lines_of(self, file: SourceFile) -> Iterator[Line]:
        found = []
        for number, text in self._find(self._reader.data(file.blob)):
            if (file.path, number) not in self._exact:
                found.append((number, text))
                if len(found) == self._limits.lines_per_file:
                    self._is_complete = False
                    break
        names = self._reader.names_at(file.blob, [number for number, _ in found])
        for number, text in found:
            name = names.get(number, "")
            yield Line(file, number, text, defines=bool(name) and any(self._find(name.encode())))


def innermost(symbols: list[Symbol], line: int) -> Symbol | None:
    """The last of these, in the order in which they begin, that the line stands in."""
    found = None
    for symbol in symbols:
        if symbol.start_line > line:
            break
        if line <= symbol.end_line:
            found = symbol
    return found


def _by_name(reader: Reader, query: str, where: Filter, most: int = 100) -> Found:
    """The symbols whose name is like the query: equal, equal but for case, beginning, camel humps, containing.

    Where there is none, those whose names are nearest to it, as after a slip of the hand.
    """
    exact = sorted((s for s in matching(reader, query) if where.admits(s.path, s.language)), key=rank)
    last = re.split(r"\.|::|->|#", query)[-1] if _QUALIFIED.fullmatch(query) else ""
    names = reader.symbol_names()
    scored = sorted((score, len(name), name) for name in names if (score := _likeness(last, name)) is not None)
    found = dict.fromkeys(exact)
    for _, group in groupby(scored, key=lambda entry: entry[0]):
        symbols = [s for _, _, name in group if len(found) < most for s in reader.symbols_named(name)]
        admitted = [s for s in symbols if where.admits(s.path, s.language)]
        found |= dict.fromkeys(sorted(admitted, key=lambda s: (place_order(s.role, s.path), len(s.name), rank(s))))
        if len(found) >= most:
            break
    if found:
        return Found("symbols by name", symbols=tuple(found)[:most], is_complete=len(found) <= most)
    near = tuple(nearest(last or query, names))
    like = [s for name in near for s in sorted(reader.symbols_named(name), key=rank)[:_OF_A_LIKE_NAME]]
    kept = tuple(s for s in like if where.admits(s.path, s.language))
    return Found("nothing has that name; these are like it", symbols=kept, nearest=near)


def _likeness(query: str, name: str) -> int | None:
    """0 is best; None is not like it."""
    if not query:
        return None
    if query == name:
        return 0
    low, lowered = name.lower(), query.lower()
    if low == lowered:
        return 1
    if low.startswith(lowered):
        return 2
    if len(query) >= 2 and _has_humps(query, name):
        return 3
    return 4 if len(query) >= 3 and lowered in low else None


def _has_humps(query: str, name: str) -> bool:
    """Whether the capitals of the query ("QuSet") each begin a hump of the name ("QuerySet", "query_set")."""
    if query[0].lower() != name[0].lower():
        return False
    humps = re.findall(r"[A-Z]+[a-z0-9]*|[a-z0-9]+", query)
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*|[a-z0-9]+", name)
    if len(humps) < 2 or len(humps) > len(parts):
        return False
    return all(part.lower().startswith(hump.lower()) for hump, part in zip(humps, parts, strict=False))
