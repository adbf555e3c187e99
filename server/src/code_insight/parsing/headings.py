"""The headings of a Markdown text as symbols."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from code_insight.model import NO_REFERENCES, Facts, SymbolFact
from code_insight.model import SymbolKind as Kind
from code_insight.parsing.source import MOST_SYMBOLS, SIGNATURE_CHARACTERS


def parse_headings(text: bytes) -> Facts:
    """The headings of a Markdown text; each spans until the next of the same or a higher level."""
    source = text.decode("utf-8", "replace")
    headings = _headings(source)
    total = source.count("\n") + (not source.endswith("\n")) or 1
    symbols: list[SymbolFact] = []
    open_headings: list[tuple[int, int]] = []  # level, position
    for position, (level, line, name) in enumerate(headings[:MOST_SYMBOLS]):
        while open_headings and open_headings[-1][0] >= level:
            open_headings.pop()
        following = (start for deeper, start, _ in headings[position + 1 :] if deeper <= level)
        container = ".".join(symbols[index].name for _, index in open_headings)
        parent = open_headings[-1][1] if open_headings else -1
        column = max(source.split("\n", line)[line - 1].find(name[:1]), 0)
        signature = f"{'#' * level} {name}"[:SIGNATURE_CHARACTERS]
        end = next(following, total + 1) - 1
        symbols.append(SymbolFact(name, Kind.HEADING, container, parent, line, end, line, column, signature, "", ()))
        open_headings.append((level, position))
    return Facts(tuple(symbols), NO_REFERENCES, (), ())


def _headings(text: str) -> list[tuple[int, int, str]]:
    """Level, line and words of each heading, in document order."""
    from markdown_it import MarkdownIt

    blocks = MarkdownIt("commonmark").disable("inline")
    tokens = blocks.parse(text)
    inline = MarkdownIt("commonmark")
    return [
        (int(opening.tag[1:]), opening.map[0] + 1, _words(inline, content.content))
        for opening, content in pairwise(tokens)
        if opening.type == "heading_open" and opening.map
    ]


def _words(inline: Any, content: str) -> str:
    tokens = inline.parseInline(content[:SIGNATURE_CHARACTERS])[0].children or []
    return " ".join("".join(token.content for token in tokens if not token.type.startswith("html")).split())
