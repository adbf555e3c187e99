"""`parse`: the facts of one text, in the process that calls it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from code_insight.languages import Language, query_text
from code_insight.model import NO_FACTS, Facts
from code_insight.parsing.bindings import read_bindings
from code_insight.parsing.headings import parse_headings
from code_insight.parsing.outline import Outline, Surroundings, bindings, references
from code_insight.parsing.source import Source, without_macros
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
VERSION = 6
_MOST_ERROR_LINES = 20


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
    relations: Query  # the first and the third part of the query file: a pass over the tree costs more than a pattern
    structure_patterns: int  # how many of them are of the first part
    occurrences: Query


@cache
def _grammar(language: Language) -> _Grammar:
    from tree_sitter import Language as Grammar
    from tree_sitter import Parser, Query

    assert language.grammar is not None
    module, function = language.grammar
    grammar = Grammar(getattr(importlib.import_module(module), function)())
    structure, occurrences, bindings = query_text(language)
    problems = "\n(ERROR) @error\n(MISSING) @error\n"
    return _Grammar(
        Parser(grammar),
        Query(grammar, structure + bindings),
        Query(grammar, structure).pattern_count,
        Query(grammar, occurrences + problems),
    )


def _parse_code(language: Language, text: bytes) -> Facts:
    from tree_sitter import QueryCursor

    grammar = _grammar(language)
    source = Source(text)
    root = grammar.parser.parse(without_macros(text) if language.macros_disturb else text).root_node
    relations = QueryCursor(grammar.relations).matches(root)
    structure = read_structure((match for match in relations if match[0] < grammar.structure_patterns), source)
    bound = read_bindings((match for match in relations if match[0] >= grammar.structure_patterns), source)
    occurrences = QueryCursor(grammar.occurrences).captures(root)
    outline = Outline(language, source, structure, Surroundings(occurrences, source))
    return Facts(
        tuple(outline.symbols),
        references(language, source, occurrences, outline, structure, bound.receivers),
        tuple(structure.imports),
        _error_lines(occurrences, source),
        bindings(bound, outline, source),
    )


def _error_lines(occurrences: Mapping[str, Sequence[Node]], source: Source) -> tuple[int, ...]:
    lines = {source.line(node.start_byte) for node in occurrences.get("error", ())}
    return tuple(sorted(lines)[:_MOST_ERROR_LINES])
