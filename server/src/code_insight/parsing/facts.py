"""`parse`: the facts of one text, in the process that calls it."""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from code_insight.languages import Language, query_text
from code_insight.model import NO_FACTS, Facts
from code_insight.parsing.bindings import read_bindings
from code_insight.parsing.headings import parse_headings
from code_insight.parsing.outline import Outline, Surroundings, bindings, references
from code_insight.parsing.source import Captures, Source, without_directives, without_macros
from code_insight.parsing.structure import read_structure

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Query

# What `parse` makes of a text changes with this number, and every blob is then parsed again.
#   1  the first
#   2  receivers and bindings: what a name is an attribute of, which values and types names get
#   3  signatures end before a comment in front of the body
#   4  receivers and bindings of JavaScript and TypeScript
#   5  no comment at the end of a signature, whatever stands before it
#   6  blocks, items, results, callbacks; bindings of Go
#   7  receivers and bindings of Java
#   8  what isinstance() has made sure of; receivers behind C#'s `global::`
#   9  items of containers, in Python
VERSION = 9
_MOST_ERROR_LINES = 20
_PIECE_BYTES = 64 << 10  # of a text, whose matches are looked at together


def parse(language: Language, text: bytes) -> Facts:
    """What `text` defines, uses and imports; empty for a language without symbols.

    Broken text is no error: what can be understood is returned, with the lines where it breaks.
    """
    if language.headings:
        return parse_headings(text)
    if language.grammar is None:
        return NO_FACTS
    return _parse_code(language, text)


class _Grammar(NamedTuple):
    parser: Parser
    query: Query  # all three parts of the query file: a pass over the tree costs more than many patterns
    occurrences: range  # which of the patterns are of the second part


@cache
def _grammar(language: Language) -> _Grammar:
    from tree_sitter import Language as Grammar
    from tree_sitter import Parser, Query

    assert language.grammar is not None
    module, function = language.grammar
    grammar = Grammar(getattr(importlib.import_module(module), function)())
    structure, occurrences, bindings = query_text(language)
    occurrences += "\n(ERROR) @error\n(MISSING) @error\n"
    first = Query(grammar, structure).pattern_count
    end = first + Query(grammar, occurrences).pattern_count
    return _Grammar(Parser(grammar), Query(grammar, structure + occurrences + bindings), range(first, end))


def _parse_code(language: Language, text: bytes) -> Facts:
    grammar = _grammar(language)
    source = Source(text)
    root = grammar.parser.parse(_undisturbed(language, text)).root_node
    found = _matches(grammar, root)
    structure = read_structure(found.structure, source)
    found.structure.clear()
    bound = read_bindings(found.bindings, source)
    found.bindings.clear()  # what is let go before the references are made is a tenth of the memory that a text takes
    outline = Outline(language, source, structure, Surroundings(found.occurrences, source))
    return Facts(
        tuple(outline.symbols),
        references(language, source, found.occurrences, outline, structure, bound.receivers),
        tuple(structure.imports),
        _error_lines(found.occurrences, source),
        bindings(bound, outline, source),
    )


class _Matches(NamedTuple):
    """What the three parts of a query file find."""

    structure: list[list[Captures]]  # by pattern, in the order of the file
    occurrences: dict[str, list[Node]]  # by capture
    bindings: list[list[Captures]]


def _matches(grammar: _Grammar, root: Node) -> _Matches:
    from tree_sitter import QueryCursor

    structure, bindings = defaultdict[int, list[Captures]](list), defaultdict[int, list[Captures]](list)  # by pattern
    occurrences: dict[str, list[Node]] = defaultdict(list)
    cursor = QueryCursor(grammar.query)
    for start, end in _pieces(root):
        found: dict[int, list[Captures]] = defaultdict(list)  # by pattern
        cursor.set_byte_range(start, end)
        for pattern, captures in cursor.matches(root):
            found[pattern].append(captures)
        for pattern, matches in sorted(found.items()):
            if pattern in grammar.occurrences:
                (name,) = (name for name in matches[0] if not name.startswith("_"))  # but for helpers of a predicate
                occurrences[name] += chain.from_iterable(map(itemgetter(name), matches))
            else:
                (structure if pattern < grammar.occurrences.start else bindings)[pattern] += matches
    return _Matches(_in_order(structure), occurrences, _in_order(bindings))


def _in_order(by_pattern: Mapping[int, list[Captures]]) -> list[list[Captures]]:
    return [by_pattern[pattern] for pattern in sorted(by_pattern)]


def _pieces(root: Node) -> Iterator[tuple[int, int]]:
    """Ranges of bytes, one after the other, in which a query finds what it finds in the whole, each match once.

    A large file has a hundred thousand matches of five objects each, few of which are needed for long. Ranges are
    parted where there is something between two nodes at the top, of which no pattern has two, and overlap by that byte:
    a node without length, which stands for what is missing, is found where a range goes on.
    """
    start = end = 0
    for child in root.children if root.end_byte > _PIECE_BYTES else ():
        if end - start >= _PIECE_BYTES and child.start_byte > end:
            yield start, end + 1
            start = end
        end = child.end_byte
    yield start, root.end_byte + 1


def _undisturbed(language: Language, text: bytes) -> bytes:
    """The text as the grammar is to see it; every offset stays."""
    text = without_directives(text) if language.directives_disturb else text
    return without_macros(text) if language.macros_disturb else text


def _error_lines(occurrences: Mapping[str, Sequence[Node]], source: Source) -> tuple[int, ...]:
    lines = {source.line(node.start_byte) for node in occurrences.get("error", ())}
    return tuple(sorted(lines)[:_MOST_ERROR_LINES])
