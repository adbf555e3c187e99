"""A source text by byte offsets, what disturbs its grammar, and the words of its documentation."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

Captures = Mapping[str, Sequence["Node"]]  # of one match of a query
SIGNATURE_CHARACTERS = 300
DOC_CHARACTERS = 2_000
MOST_SYMBOLS = 50_000


class Source:
    """The text, by byte offsets."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.is_ascii = text.isascii()
        lengths = map((1).__add__, map(len, text.split(b"\n")))  # no call of ours for each line
        self.line_starts = [0, *accumulate(lengths)]  # one more than lines
        self.names = _Decoded()
        self.attributes: dict[bytes, str] = {}  # the evident form of each, see `bindings`
        lines = () if self.is_ascii else enumerate(text.split(b"\n"), 1)
        self.wide_lines = frozenset(number for number, line in lines if not line.isascii())

    def name(self, start: int, end: int) -> str:
        """The text between two offsets, one object for equal texts."""
        return self.names[self.text[start:end]]

    def slice(self, start: int, end: int) -> str:
        return self.text[start:end].decode("utf-8", "replace")

    def line(self, offset: int) -> int:
        return bisect_right(self.line_starts, offset)

    def column(self, offset: int, line: int) -> int:
        start = self.line_starts[line - 1]
        return len(self.slice(start, offset)) if line in self.wide_lines else offset - start

    def start_with_keywords(self, offset: int) -> int:
        """Where the words in front begin that belong to what starts at an offset: "export const" x = 1."""
        if self.is_first_on_its_line(offset):
            return offset
        start = max(self.text.rfind(b"\n", 0, offset) + 1, offset - _KEYWORD_BYTES)
        words = _KEYWORDS_IN_FRONT.search(self.text, start, offset)
        return words.start() if words else offset

    def is_first_on_its_line(self, offset: int) -> bool:
        before = self.text[self.text.rfind(b"\n", 0, offset) + 1 : offset]
        return not before or before.isspace()

    def last_line(self, start: int, end: int) -> int:
        """The line where the text between two offsets ends, without white space behind it."""
        if self.text[end - 1 : end].isspace():
            end = start + len(self.text[start:end].rstrip())
        return self.line(max(start, end - 1))


class _Decoded(dict[bytes, str]):
    """Texts by their bytes; one object for equal texts."""

    def __missing__(self, raw: bytes) -> str:
        found = self[raw] = raw.decode("utf-8", "replace")
        return found


_KEYWORD_BYTES = 200  # as far in front of a name are keywords looked for: a line may be the whole text
_KEYWORDS_IN_FRONT = re.compile(rb"(?:\b(?:export|default|declare|const|let|var|type|static|extern|readonly)\s+)+\Z")
# Macros that a grammar without preprocessor cannot understand.
_DISTURBING_MACROS = (
    # class EXPORT Name ...
    re.compile(
        rb"(?:(?<=\bclass )|(?<=\bstruct ))[A-Z][A-Z0-9_]+(?:\([^()\n]{0,200}\))?"
        rb"(?= +[A-Za-z_][\w:<>, ]{0,200}(?:[:{]|$))",
        re.MULTILINE,
    ),
    # EXPORT type name(...)
    re.compile(rb"^[A-Z][A-Z0-9_]{2,}(?:\([^()\n]*\))?(?= +[A-Za-z_][\w:]*(?:[*& ]+\w+)*[*& ]+\w+ ?\()", re.MULTILINE),
    # type CALLED name(...)
    re.compile(rb"(?<=[\w*] )(?<!define )[A-Z][A-Z0-9_]{2,}(?= +\w+ *\()"),
    # alone on a line: BEGIN_NAMESPACE, NO_NULL(2)
    re.compile(
        rb"^[ \t]*(?:[A-Z][A-Z0-9_]*_)?(?:BEGIN|END|DECLS|NAMESPACE|EXPORT|API|INLINE|NODISCARD|NON_NULL|DECLARATION)"
        rb"(?:_[A-Z0-9_]*)?(?:\([^()\n]*\))?[ \t]*$(?!\s*[},=])",
        re.MULTILINE,
    ),
)
# name OF((arguments)): how prototypes were written when a compiler might not know them
_OLD_PROTOTYPE = re.compile(rb"\b(OF|PARAMS|__P)\((\([^;{}()]{0,500}(?:\([^()]{0,200}\)[^;{}()]{0,500}){0,9}\))\)")


_DIRECTIVE = re.compile(
    rb"(?m)^[ \t]*#[ \t]*"
    rb"(?:if|elif|else|endif|region|endregion|pragma|define|undef|nullable|warning|error|line)\b[^\n]*"
)


def without_directives(text: bytes) -> bytes:
    """The text with spaces in place of lines for a preprocessor: both branches stay, and every offset."""
    return _DIRECTIVE.sub(lambda match: b" " * len(match[0]), text) if b"#" in text else text


def without_macros(text: bytes) -> bytes:
    """The text with spaces in place of such macros: every offset stays."""
    text = _OLD_PROTOTYPE.sub(lambda match: b" " * (len(match[1]) + 1) + match[2] + b" ", text)
    for macro in _DISTURBING_MACROS:
        text = macro.sub(lambda match: b" " * len(match[0]), text)
    return text


def dotted(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name


_COMMENT_MARKS = re.compile(r"^[ \t]*(?:/\*+[*!]?|\*/|\*(?!/)|//+[/!]?|#+[:!]?|--)[ \t]?", re.MULTILINE)
_XML_MARKS = re.compile(r"</?(?:summary|remarks|para)>")
_NOT_DOCUMENTATION = re.compile(r"#!|(?:#|//)\s*(?:noqa|type:|pylint:|fmt:|eslint|go:|nolint|\+build|region|endregion)")


def comment_text(comments: Sequence[str]) -> str:
    """What comments say, without their marks."""
    if not comments:  # most symbols have none
        return ""
    kept = [comment for comment in comments if not _NOT_DOCUMENTATION.match(comment)]
    text = _COMMENT_MARKS.sub("", "\n".join(kept)).replace("*/", "")
    return _tidy(_XML_MARKS.sub("", text) if "<" in text else text)


def docstring(literal: str) -> str:
    """What a docstring says, without quotes and common indentation."""
    text = literal.lstrip("rRuUbBfF")
    quote = text[:3] if text[:3] in ('"""', "'''") else text[:1]
    return _tidy(text.removeprefix(quote).removesuffix(quote))


def _tidy(text: str) -> str:
    if len(text.splitlines()) < 2:  # most
        return text.expandtabs().strip()[:DOC_CHARACTERS].rstrip()
    import inspect

    lines = (line.rstrip() for line in inspect.cleandoc(text).splitlines())
    return "\n".join(lines).strip()[:DOC_CHARACTERS].rstrip()
