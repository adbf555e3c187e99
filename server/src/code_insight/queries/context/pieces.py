"""The pieces of code, tests and documents that an answer to a task is made of, best first, each with its reasons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from code_insight.errors import InvalidArgument
from code_insight.model import FileRole, SourceFile, Symbol, SymbolKind
from code_insight.queries import graph
from code_insight.queries.context.commits import Similar
from code_insight.queries.context.task import Place, Task, task_of
from code_insight.queries.context.weighing import Ranked, Reason, ReasonKind, Weighing
from code_insight.queries.files import text_lines
from code_insight.queries.relevance import Passage, is_translation
from code_insight.queries.search import innermost
from code_insight.queries.together import Together, changed_with
from code_insight.store import IndexedCommit, Reader

_FILES = {FileRole.SOURCE: 12, FileRole.TEST: 6, FileRole.DOCUMENT: 5}  # that pieces are taken from
_PIECES_OF_A_FILE = 3
_LEAST_OF_BEST = 0.5  # what a passage must have of the score of its file's best
_LEAST_WORTH = 0.2  # and what its words must be worth beside those of the best: its file's path may have the others
_LONGEST = 150  # lines of a definition that is given whole; of a longer one, those around what matters
_WINDOW = 12  # lines around a place, each way
_CENTRES = 3  # pieces whose neighbours are looked for
_NEIGHBOURS = 3  # of each, in each direction
_MOST_USES = 300  # of a name: who uses one that is used more often says little
_NAMED_FIRST = 8
_IS_THERE = Reason(ReasonKind.PLACE, "")


@dataclass(frozen=True, slots=True)
class Piece:
    """Some lines that matter."""

    file: SourceFile
    symbol: Symbol | None  # that they define, or a part of it when it is long; None when they stand outside of all
    first: int
    lines: tuple[str, ...]
    reasons: tuple[Reason, ...]

    @property
    def last(self) -> int:
        return self.first + len(self.lines) - 1


@dataclass(frozen=True, slots=True)
class Context:
    """What matters for a task."""

    task: Task
    words: tuple[str, ...]  # of the task that occur in this commit, the weightiest first
    files: tuple[Ranked, ...]  # of any role, best first
    code: tuple[Piece, ...]  # best first
    tests: tuple[Piece, ...]
    documents: tuple[Piece, ...]
    commits: tuple[Similar, ...]
    together: tuple[tuple[str, Together], ...]  # (a file that matters, what was often changed with it)


def context(indexed: IndexedCommit, text: str) -> Context:
    """What matters for a task in words; its parts are empty where nothing here speaks for anything.

    Raises InvalidArgument when the task is empty.
    """
    if not text.strip():
        raise InvalidArgument("The task is empty.", "Give an issue's text, a stack trace or a question.")
    with Reader(indexed) as reader:
        weighing = Weighing(reader, task_of(text))
        pieces = _Pieces(reader, weighing)
        code = pieces.of_role(FileRole.SOURCE)
        tests = pieces.of_role(FileRole.TEST)
        around = list(pieces.neighbours(indexed, code[:_CENTRES]))
        code += [piece for piece in around if piece.file.role is not FileRole.TEST]
        tests += [piece for piece in around if piece.file.role is FileRole.TEST]
        terms = {term for one in weighing.relevant.values() for term in one.terms}
        return Context(
            weighing.task,
            tuple(weighing.task.words[stem] for stem in weighing.terms if stem in terms),
            tuple(weighing.files),
            tuple(code),
            tuple(tests),
            tuple(pieces.of_role(FileRole.DOCUMENT)),
            tuple(weighing.commits),
            tuple(_together(reader, weighing)),
        )


def _together(reader: Reader, weighing: Weighing) -> Iterator[tuple[str, Together]]:
    """What was changed with the best files of source, and is none of the best itself."""
    best = [one.file.path for one in weighing.files if one.file.role is FileRole.SOURCE][:_CENTRES]
    known = set(best)
    for path in best:
        for other in changed_with(reader, path)[:_NEIGHBOURS]:
            if other.path not in known:
                known.add(other.path)
                yield path, other


class _Pieces:
    """Makes pieces, each place once."""

    def __init__(self, reader: Reader, weighing: Weighing) -> None:
        self._reader, self._weighing = reader, weighing
        self._seen: set[tuple[str, int, int]] = set()

    def of_role(self, role: FileRole) -> list[Piece]:
        """What the task names first, then the best passages of the best files."""
        mine = [one for one in self._weighing.files if _shown_as(one.file) is role]
        named = list(self._named({one.file.path: one.file for one in mine})) if role is FileRole.SOURCE else []
        scored = [pair for one in mine[: _FILES[role]] for pair in self._of_file(one)]
        scored.sort(key=lambda pair: -pair[0])
        least = _LEAST_WORTH * max((passage.worth for _, passage in scored), default=0.0)
        telling = [passage for _, passage in scored if passage.worth >= least]
        return named + [piece for passage in telling if (piece := self._of_passage(passage))]

    def _named(self, files: dict[str, SourceFile]) -> Iterator[Piece]:
        """Where the task's lines stand, and what it names; what its paths define, when it says nothing else."""
        places = [place for place in self._weighing.places if place.path in files]
        for place in places:
            if place.line and (piece := self._at_line(files[place.path], place)):
                yield piece
        outlined = [place.path for place in places] if self._weighing.task.is_paths_alone else []
        meant = [(symbol, _IS_THERE) for path in outlined for symbol in _largest(self._reader.symbols_in(path))]
        named = [symbol for symbol in self._weighing.named if symbol.path in files][:_NAMED_FIRST]
        meant += [(symbol, Reason(ReasonKind.NAMED, symbol.qualified_name)) for symbol in named]
        for symbol, reason in meant:
            if piece := self._piece(files[symbol.path], symbol, (reason,)):
                yield piece

    def _at_line(self, file: SourceFile, place: Place) -> Piece | None:
        symbol = _meant(self._reader.symbols_in(file.path), place)
        reason = Reason(ReasonKind.PLACE, str(place.line))
        if symbol and not symbol.start_line <= place.line <= symbol.end_line:
            reason = Reason(ReasonKind.NAMED, symbol.qualified_name)
        around = range(place.line - _WINDOW, place.line + _WINDOW + 1)
        return self._piece(file, symbol or around, (reason,), place.line)

    def _of_file(self, ranked: Ranked) -> Iterator[tuple[float, Passage]]:
        relevant = self._weighing.relevant.get(ranked.file.path)
        passages = relevant.passages if relevant else ()
        for place, passage in enumerate(passages[:_PIECES_OF_A_FILE]):
            share = passage.score / (passages[0].score or 1)
            if share >= _LEAST_OF_BEST:
                yield ranked.score * share / (1 + 0.5 * place), passage

    def _of_passage(self, passage: Passage) -> Piece | None:
        path = passage.file.path
        reasons = [Reason(ReasonKind.WORDS, self._weighing.words(passage.terms))]
        commits = [commit for commit in self._weighing.commits if path in commit.paths]
        reasons += [Reason(ReasonKind.COMMIT, commit.entry.oid[:10]) for commit in commits[:1]]
        lines = [number for number, _ in passage.lines]
        where = passage.symbol or range(passage.first, passage.last + 1)
        return self._piece(passage.file, where, tuple(reasons), lines[len(lines) // 2])

    def neighbours(self, indexed: IndexedCommit, centres: list[Piece]) -> Iterator[Piece]:
        """Who uses what matters most, and whom it uses, where that is sure."""
        for centre in centres:
            symbol = centre.symbol
            if symbol is None or symbol.kind is SymbolKind.HEADING:
                continue
            yield from self._used(indexed, symbol)
            if len(list(self._reader.occurrences(symbol.name))) <= _MOST_USES:
                yield from self._users(indexed, symbol)

    def _used(self, indexed: IndexedCommit, symbol: Symbol) -> Iterator[Piece]:
        user, names = graph.used(indexed, symbol.qualified_name, symbol.path)
        if user != symbol:
            return
        sure = [name.definitions[0] for name in names if name.definitions and name.certainty is graph.Certainty.EXACT]
        yield from self._sure(sure, Reason(ReasonKind.USED_BY, symbol.qualified_name))

    def _users(self, indexed: IndexedCommit, symbol: Symbol) -> Iterator[Piece]:
        found = graph.users(indexed, symbol.qualified_name, symbol.path, most=50)
        if found.symbol != symbol:
            return
        sure = [use for use in found.uses if use.inside and use.certainty is not graph.Certainty.NAME]
        reason = Reason(ReasonKind.USES, symbol.qualified_name)
        for wanted in (True, False):
            inside = [use.inside for use in sure if use.inside and (use.inside.role is FileRole.TEST) is wanted]
            yield from self._sure(inside, reason)

    def _sure(self, symbols: list[Symbol], reason: Reason) -> Iterator[Piece]:
        left = _NEIGHBOURS
        for symbol in dict.fromkeys(symbols):
            file = self._reader.file(symbol.path)
            if left and file and (piece := self._piece(file, symbol, (reason,))):
                left -= 1
                yield piece

    def _piece(self, file: SourceFile, where: Symbol | range, reasons: tuple[Reason, ...], at: int = 0) -> Piece | None:
        """The lines of a symbol, of a long one those around `at`, or those given; None when they were given before."""
        symbol = None if isinstance(where, range) else where
        lines = text_lines(self._reader.text(file.blob))
        first, last = (where.start, where.stop - 1) if isinstance(where, range) else (where.start_line, where.end_line)
        first, last = max(1, first), min(last, len(lines))
        if (file.path, first, last) in self._seen or first > last:
            return None
        self._seen.add((file.path, first, last))
        if last - first >= _LONGEST:
            first = min(max(first, at - _WINDOW), last - 2 * _WINDOW)
            last = first + 2 * _WINDOW
        return Piece(file, symbol, first, tuple(lines[first - 1 : last]), reasons)


def _meant(symbols: list[Symbol], place: Place) -> Symbol | None:
    """What a line of a trace stands in: the nearest of the name that the trace has, which may be of another commit."""
    named = [symbol for symbol in symbols if place.function and symbol.name == place.function]
    nearest = min(named, key=lambda symbol: abs(symbol.start_line - place.line), default=None)
    inner = innermost(symbols, place.line)
    return inner if nearest is None or (inner and inner.name == place.function) else nearest


def _largest(symbols: list[Symbol]) -> list[Symbol]:
    """The definitions that are in no other, those of most lines first."""
    outer = [symbol for symbol in symbols if symbol.parent < 0]
    return sorted(outer, key=lambda symbol: symbol.start_line - symbol.end_line)[:_NAMED_FIRST]


def _shown_as(file: SourceFile) -> FileRole:
    """Under which of the three roles a file is shown."""
    if is_translation(file):
        return FileRole.DOCUMENT
    return file.role if file.role in (FileRole.TEST, FileRole.DOCUMENT) else FileRole.SOURCE
