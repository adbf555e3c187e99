"""What a call in C or C++ means where that is evident: by its file, the headers that this includes, or its qualifier.

Only calls, and nothing that a variable, a parameter or a method of the same name may take the place of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from code_insight.model import ImportFact, Occurrence, ReferenceKind, SourceFile, Symbol, SymbolKind, family_of
from code_insight.queries.imports import ImportResolver
from code_insight.queries.resolving.files import FUNCTIONS
from code_insight.queries.resolving.meanings import Defined, Outside
from code_insight.store import Reader

HEADERS = (".h", ".hh", ".hpp", ".hxx")
_CALLED = FUNCTIONS | {SymbolKind.MACRO}
_QUALIFIED = re.compile(r"(\w+)\s*(?:<[^<>]*>)?\s*::\s*$")
_MEMBER = re.compile(r"(?:\.|->|::)\s*$")
_LONGEST = 200  # characters before a name that are looked at
_MOST_INCLUDED = 300  # files that one includes, directly or through others; the nearest
_FILES_KEPT = 500  # of which that is known


@dataclass(slots=True)
class Calls:
    """Tells what calls mean; keeps what it has read for the next ones."""

    imports: ImportResolver
    sources: Mapping[str, SourceFile]
    _included: dict[str, frozenset[str]] = field(default_factory=dict, init=False)
    _lines: tuple[int, list[str]] = field(default=(0, []), init=False)  # of the blob that was read last
    _values: tuple[str, frozenset[tuple[str, int]]] = field(default=("", frozenset()), init=False)

    def meaning(
        self, reader: Reader, use: Occurrence, named: Callable[[str], Sequence[Symbol]]
    ) -> Defined | Outside | None:
        """The function or method that a call means; None when it is not evident, or no call.

        `named` tells the symbols of a name. It is not kept: a ring of objects is freed much later than it is let go.
        """
        if use.kind is not ReferenceKind.CALL:
            return None
        before = self._before(reader, use)
        theirs = [one for one in named(use.name) if family_of(one.language) == "cpp"]
        found = [one for one in theirs if one.kind in _CALLED]
        if qualifier := _QUALIFIED.search(before):
            return _only([one for one in found if one.container.rpartition(".")[2] == qualifier[1]])
        if _MEMBER.search(before) or (use.path, use.symbol) in self._used_as_value(reader, use.name):
            return None
        if any(one.path == use.path and one.kind is SymbolKind.VARIABLE for one in theirs):
            return None
        if any(one.kind is not SymbolKind.FUNCTION for one in found):
            return None  # a method of the same object, or a macro that some systems have
        if own := [one for one in found if one.path == use.path]:
            return _only(own)
        included = self._includes(reader, use.path)
        if seen := [one for one in found if one.path in included]:
            headers = {one.path for one in seen}
            elsewhere = [one for one in found if not one.path.endswith(HEADERS) and not _is_static(one)]
            theirs = [one for one in elsewhere if headers & self._includes(reader, one.path)]  # not another copy's
            return _only([*seen, *(theirs or elsewhere)])
        is_hidden = all(_is_static(one) and not one.path.endswith(HEADERS) for one in found)
        return Outside() if found and is_hidden else None

    def _before(self, reader: Reader, use: Occurrence) -> str:
        if self._lines[0] != use.blob:
            self._lines = use.blob, reader.text(use.blob).split("\n")
        lines = self._lines[1]
        return lines[use.line - 1][max(0, use.column - _LONGEST) : use.column] if use.line <= len(lines) else ""

    def _used_as_value(self, reader: Reader, name: str) -> frozenset[tuple[str, int]]:
        """Where a name is more than called, and may be a variable: (path, symbol around it)."""
        if self._values[0] != name:
            uses = (use for use in reader.occurrences(name) if use.kind is not ReferenceKind.CALL and use.symbol >= 0)
            self._values = name, frozenset((use.path, use.symbol) for use in uses)
        return self._values[1]

    def _includes(self, reader: Reader, path: str) -> frozenset[str]:
        """The files of the repository that one includes, directly or through others."""
        if path not in self._included:
            if len(self._included) >= _FILES_KEPT:
                self._included.clear()
            found = [path]
            for one in found:  # grows
                file = self.sources[one]
                targets = (self._target(file, fact) for fact in reader.imports_of(file.blob))
                found += [target for target in dict.fromkeys(targets) if target and target not in found]
                if len(found) > _MOST_INCLUDED:
                    break
            self._included[path] = frozenset(found[1:])
        return self._included[path]

    def _target(self, file: SourceFile, fact: ImportFact) -> str:
        paths = self.imports(file, fact).paths
        return paths[0] if paths and paths[0] in self.sources else ""


def _is_static(symbol: Symbol) -> bool:
    return re.search(r"\bstatic\b", symbol.signature.partition("(")[0]) is not None


def _only(found: list[Symbol]) -> Defined | None:
    """What all of them are: one thing, declared and defined, the definition first; overloads in one file are one."""
    defining = [one for one in found if not one.path.endswith(HEADERS)] or found
    if len({one.path for one in defining}) != 1 or len({one.qualified_name for one in found}) != 1:
        return None
    return Defined(max(defining, key=lambda one: one.end_line - one.start_line))
