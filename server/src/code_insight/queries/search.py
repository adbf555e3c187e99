"""Which lines or symbols match; definition before use, source before test before generated, in a stable order."""

from __future__ import annotations

import fnmatch
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from code_insight.errors import InvalidArgument, RegexInvalid
from code_insight.model import SourceFile, Symbol
from code_insight.queries import role_order
from code_insight.queries.files import normal_path, text_lines
from code_insight.store import IndexedCommit, Reader

_PATTERN_CHARACTERS = 1000
_RE2_MEMORY_BYTES = 8 << 20
_IDENTIFIER = re.compile(r"[\w$]+")


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
    lines: int = 2_000  # found, before it stops
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
    defines: Symbol | None  # the symbol whose name stands here
    inside: Symbol | None  # the innermost symbol around the line


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found in one commit."""

    lines: tuple[Line, ...]  # best first
    symbols: tuple[Symbol, ...]  # best first
    how: str  # what was matched, in words
    complete: bool  # False when a limit ended the search


def search(
    indexed: IndexedCommit, query: str, kind: SearchKind, where: Filter, limits: SearchLimits | None = None
) -> Found:
    """What matches `query` in one commit.

    AUTO looks for symbols whose name is like the query, and for the text; when no line has the text as it stands, for
    the lines of files that have all of its words. Raises InvalidArgument, RegexInvalid.
    """
    if not query.strip() or len(query) > _PATTERN_CHARACTERS:
        raise InvalidArgument("A query has 1 to 1,000 characters.", "Give a word, a line of code or a pattern.")
    limits = limits or SearchLimits()
    with Reader(indexed) as reader:
        if kind is SearchKind.SYMBOL:
            return Found((), tuple(_symbols(reader, query.strip(), where)), "symbols by name", complete=True)
        if kind is SearchKind.REGEX:
            return _Scan(reader, where, limits, _regex(query)).found(None, "lines by RE2 pattern")
        symbols = tuple(_symbols(reader, query.strip(), where)) if kind is SearchKind.AUTO else ()
        return _text(reader, query.strip("\n"), where, limits, symbols, words_too=kind is SearchKind.AUTO)


def _text(
    reader: Reader, query: str, where: Filter, limits: SearchLimits, symbols: tuple[Symbol, ...], *, words_too: bool
) -> Found:
    matches, how = _literal(query)
    found = _Scan(reader, where, limits, matches, symbols).found(reader.blobs_with(query), how)
    words = list(dict.fromkeys(_IDENTIFIER.findall(query.lower())))
    if found.lines or len(words) < 2 or not words_too:
        return found
    sets = [blobs for word in words if (blobs := reader.blobs_with(word)) is not None]
    common = set.intersection(*sets) if sets else None
    scan = _Scan(reader, where, limits, _any_word(words), symbols)
    return scan.found(common, f"lines with a word of: {' '.join(words)}; files that have all of them")


def _literal(query: str) -> tuple[Callable[[str], bool], str]:
    """Smart case, as in ripgrep: a capital letter makes it count."""
    if query != query.lower():
        return (lambda line: query in line), "lines by text, case counts"
    return (lambda line: query in line.lower()), "lines by text, any case"


def _any_word(words: list[str]) -> Callable[[str], bool]:
    return lambda line: any(word in line.lower() for word in words)


def _regex(pattern: str) -> Callable[[str], bool]:
    import re2  # loads a native library: only who uses a pattern pays for it

    options = re2.Options()
    options.max_mem = _RE2_MEMORY_BYTES
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        reason = str(error.args[0].decode() if isinstance(error.args[0], bytes) else error.args[0])
        raise RegexInvalid(
            f"The pattern is not RE2 syntax: {reason[:200]}.",
            "RE2 has no look-around and no back-references (https://github.com/google/re2/wiki/Syntax).",
        ) from None
    return lambda line: compiled.search(line) is not None


class _Scan:
    """Looks through the texts of candidate files, the most telling files first, within its limits."""

    def __init__(
        self,
        reader: Reader,
        where: Filter,
        limits: SearchLimits,
        matches: Callable[[str], bool],
        symbols: tuple[Symbol, ...] = (),
    ) -> None:
        self._reader, self._where, self._limits, self._matches = reader, where, limits, matches
        self._places = {(symbol.path, symbol.name_line): symbol for symbol in symbols}
        self._defining = {symbol.path for symbol in symbols}
        self._complete = True

    def found(self, candidates: set[int] | None, how: str) -> Found:
        """The matching lines of the candidates (None: all files), those that define something first."""
        lines = list(self._lines(candidates))
        lines.sort(key=lambda line: (line.defines is None, *self._file_order(line.file), line.number))
        shown = {(line.file.path, line.number) for line in lines}
        symbols = tuple(s for place, s in self._places.items() if place not in shown)
        return Found(tuple(lines), symbols, how, self._complete)

    def _file_order(self, file: SourceFile) -> tuple[int, bool, str]:
        return role_order(file.role), file.path not in self._defining, file.path

    def _lines(self, candidates: set[int] | None) -> Iterator[Line]:
        deadline = time.monotonic() + self._limits.seconds
        bytes_left, lines_left = self._limits.bytes, self._limits.lines
        files = [f for f in self._reader.files() if f.blob and (candidates is None or f.blob in candidates)]
        admitted = [f for f in files if self._where.admits(f.path, f.language)]
        for file in sorted(admitted, key=self._file_order):
            if bytes_left < 0 or lines_left <= 0 or time.monotonic() > deadline:
                self._complete = False
                return
            bytes_left -= file.size_bytes
            for line in self._lines_of(file):
                lines_left -= 1
                yield line

    def _lines_of(self, file: SourceFile) -> Iterator[Line]:
        numbers = []
        lines = text_lines(self._reader.text(file.blob))
        for number, line in enumerate(lines, start=1):
            if self._matches(line):
                numbers.append(number)
                if len(numbers) == self._limits.lines_per_file:
                    self._complete = False
                    break
        around = self._reader.symbols_in(file.path) if numbers else []
        names = {symbol.name_line: symbol for symbol in reversed(around)}
        for number in numbers:
            defines = self._places.get((file.path, number))
            if defines is None and number in names and self._matches(names[number].name):
                defines = names[number]
            yield Line(file, number, lines[number - 1], defines, _innermost(around, number))


def _innermost(symbols: list[Symbol], line: int) -> Symbol | None:
    found = None
    for symbol in symbols:
        if symbol.start_line > line:
            break
        if line <= symbol.end_line:
            found = symbol
    return found


def _symbols(reader: Reader, query: str, where: Filter, most: int = 50) -> list[Symbol]:
    """The symbols whose name is like the query: equal, equal but for case, beginning, camel humps, containing."""
    if not _IDENTIFIER.fullmatch(query.replace(".", "_").replace(":", "_")):
        return []
    last = re.split(r"[.:]+", query)[-1]
    scored = sorted(
        (score, len(name), name) for name in reader.symbol_names() if (score := _likeness(last, name)) is not None
    )
    found: list[Symbol] = []
    for _, group in groupby(scored, key=lambda entry: entry[0]):
        symbols = [s for _, _, name in group if len(found) < most for s in reader.symbols_named(name)]
        admitted = [s for s in symbols if where.admits(s.path, s.language)]
        admitted.sort(key=lambda s: (role_order(s.role), len(s.name), s.parent >= 0, s.path, s.start_line))
        found += admitted
        if len(found) >= most:
            break
    return found[:most]


def _likeness(query: str, name: str) -> int | None:
    """0 is best; None is not like it."""
    if not query or query == name:
        return 0 if query else None
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
    humps = re.findall(r"[A-Z]+[a-z0-9]*|[a-z0-9]+", query)
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*|[a-z0-9]+", name)
    if len(humps) < 2 or len(humps) > len(parts):
        return False
    return all(part.lower().startswith(hump.lower()) for hump, part in zip(humps, parts, strict=False))
