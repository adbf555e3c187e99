"""Source text as HTML: comments, strings, numbers and keywords are told apart, names are linked.

Not with Pygments, although it is installed: its lexers are patterns that backtrack with the interpreter locked, and a
hostile file of a few kilobytes stops a server for minutes (CVE-2021-20270, CVE-2021-27291). The names, which are what
a reader follows, come from the index; what is left is one pattern per family of languages, and each of its
alternatives succeeds wherever its first character does, so that a text is passed once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from markupsafe import Markup

from code_insight.tools.answers import visible

MOST_CHARACTERS = 400_000  # that are coloured; a larger text takes longer than a page may

# A reader's link from a name, by (line, column): the opening tag.
Links = Mapping[tuple[int, int], Markup]


@dataclass(frozen=True, slots=True)
class _Family:
    """Languages whose comments and strings look the same."""

    comment: str
    string: str
    word: str = r"[^\W\d][\w$]*"


_LINE = r"[^\n]*"
_BLOCK = r"/\*(?:[^*]|\*(?!/))*(?:\*/)?"
_QUOTED = r"\"(?:[^\"\\\n]|\\[\s\S])*\"?"
_SINGLE = r"'(?:[^'\\\n]|\\[\s\S])*'?"
_TRIPLE = r'"""(?:[^"\\]|\\[\s\S]|"(?!""))*(?:""")?' + r"|'''(?:[^'\\]|\\[\s\S]|'(?!''))*(?:''')?"
_BACKTICK = r"`(?:[^`\\]|\\[\s\S])*`?"
_C = _Family(rf"//{_LINE}|{_BLOCK}", f"{_QUOTED}|{_SINGLE}")
_SCRIPT = _Family(rf"//{_LINE}|{_BLOCK}", f"{_QUOTED}|{_SINGLE}|{_BACKTICK}")
_HASH = _Family(rf"#{_LINE}", f"{_TRIPLE}|{_QUOTED}|{_SINGLE}")
_RUST = _Family(rf"//{_LINE}|{_BLOCK}", rf"{_QUOTED}|'(?:\\[^\n']{{1,12}}|[^\\'\n])'")
_DASHES = _Family(rf"--{_LINE}|{_BLOCK}", f"{_QUOTED}|{_SINGLE}")
_MARKUP = _Family(r"<!--(?:[^-]|-(?!->))*(?:-->)?", f"{_QUOTED}|</?[A-Za-z][\\w:.-]*|/?>")
_CSS = _Family(_BLOCK, f"{_QUOTED}|{_SINGLE}", r"[@#.]?-{0,2}[A-Za-z_][\w-]*")
_PROSE = _Family(r"(?m:^#{1,6} [^\n]*)|(?m:^[=~^\-\"*]{3,}$)", r"``?[^`\n]*`{0,2}")
_PLAIN = _Family(r"(?!)", r"(?!)")

_FAMILIES = (
    dict.fromkeys(
        ("c", "cpp", "csharp", "java", "kotlin", "swift", "dart", "scala", "objectivec", "protobuf", "zig"), _C
    )
    | dict.fromkeys(("javascript", "typescript", "tsx", "go", "groovy", "gradle", "vue", "svelte", "json"), _SCRIPT)
    | dict.fromkeys(("python", "cython", "ruby", "bash", "fish", "zsh", "perl", "r", "julia", "elixir", "nix"), _HASH)
    | dict.fromkeys(("yaml", "toml", "ini", "make", "cmake", "dockerfile", "hcl", "starlark", "graphql"), _HASH)
    | dict.fromkeys(("sql", "lua", "haskell"), _DASHES)
    | dict.fromkeys(("html", "xml"), _MARKUP)
    | dict.fromkeys(("markdown", "rst", "asciidoc"), _PROSE)
    | {"css": _CSS, "rust": _RUST, "php": _Family(rf"(?://|#(?!\[)){_LINE}|{_BLOCK}", f"{_QUOTED}|{_SINGLE}")}
)
_KEYWORDS = {
    "python": "False None True and as assert async await break case class continue def del elif else except finally for"
    " from global if import in is lambda match nonlocal not or pass raise return self super try while with yield cls",
    "javascript": "abstract any as async await boolean break case catch class const continue debugger declare default"
    " delete do else enum export extends false finally for from function get if implements import in instanceof"
    " interface keyof let namespace never new null number of private protected public readonly return set static string"
    " super switch this throw true try type typeof undefined unknown var void while with yield",
    "go": "any bool break byte case chan const continue default defer else error fallthrough false for func go goto if"
    " import int int64 interface iota map nil package range return rune select string struct switch true type var",
    "rust": "Self as async await bool box break const continue crate dyn else enum extern false fn for i32 i64 if impl"
    " in let loop match mod move mut pub ref return self static str struct super trait true type u32 u64 u8 unsafe use"
    " usize where while",
    "c": "auto bool break case catch char class const constexpr continue default delete do double else enum explicit"
    " extern false final float for friend goto if inline int long namespace new noexcept nullptr operator override"
    " private protected public return short signed sizeof static struct switch template this throw true try typedef"
    " typename union unsigned using virtual void volatile while define include ifdef ifndef endif elif",
    "java": "abstract as async await base bool boolean break byte case catch char class const continue default do"
    " double else enum extends false final finally float for foreach fun get if implements import in instanceof int"
    " interface internal is let long namespace new null object out override package params private protected public"
    " readonly record ref return sealed set short static string struct super switch synchronized this throw throws"
    " true try using val var virtual void volatile when where while yield",
    "ruby": "BEGIN END alias and begin break case class def defined do else elsif end ensure extend false for if in"
    " include module next nil not or private protected public redo require require_relative rescue retry return self"
    " super then true undef unless until when while yield",
    "php": "abstract and array as bool break case catch class clone const continue declare default do echo else elseif"
    " enum extends false final finally fn for foreach function global if implements include instanceof int interface"
    " match namespace new null or private protected public readonly require return self static string switch this"
    " throw trait true try use var void while yield",
    "bash": "case do done echo elif else esac exit export fi for function if in local readonly return set shift source"
    " then trap unset until while",
    "sql": "add all alter and as asc between by case check column constraint create cross default delete desc distinct"
    " drop else end exists foreign from full group having if in index inner insert into is join key left like limit not"
    " null on or order outer primary references right select set table then union unique update values view when where",
    "json": "false null true yes no on off",
}
_SAME_KEYWORDS = (
    dict.fromkeys(("typescript", "tsx", "vue", "svelte"), "javascript")
    | dict.fromkeys(("cpp", "objectivec", "zig"), "c")
    | dict.fromkeys(("csharp", "kotlin", "scala", "swift", "dart", "groovy", "gradle"), "java")
    | dict.fromkeys(("fish", "zsh", "make", "dockerfile"), "bash")
    | dict.fromkeys(("yaml", "toml", "ini", "hcl"), "json")
    | {"cython": "python", "starlark": "python", "elixir": "ruby", "lua": "ruby", "julia": "ruby"}
)


@cache
def _lexer(language: str) -> tuple[re.Pattern[str], frozenset[str]]:
    """The pattern of a language, whose groups are named after CSS classes, and its keywords."""
    family = _FAMILIES.get(language, _PLAIN)
    parts = (f"(?P<comment>{family.comment})", f"(?P<string>{family.string})", rf"(?P<word>{family.word})")
    pattern = re.compile("|".join((*parts, r"(?P<number>\d[\w.]*)")))
    return pattern, frozenset(_KEYWORDS.get(_SAME_KEYWORDS.get(language, language), "").split())


def highlighted(text: str, language: str, first: int, last: int, links: Links) -> list[Markup]:
    """The lines `first` to `last` (from 1, both included) of a text as HTML; `links` open a link at a name.

    A text of more than MOST_CHARACTERS is only escaped and linked.
    """
    pattern, keywords = _lexer(language if len(text) <= MOST_CHARACTERS else "")
    pieces = _Pieces(links, first, last)
    at = 0
    for found in pattern.finditer(text):
        pieces.plain(text[at : found.start()])
        at = found.end()
        if pieces.line > last:
            break
        kind, word = found.lastgroup or "", found[0]
        if kind == "word":
            pieces.word(word, "keyword" if word in keywords else "")
        else:
            pieces.coloured(word, kind)
    else:
        pieces.plain(text[at:])
    return pieces.lines()


class _Pieces:
    """HTML that grows, and the place in the text up to which it has grown."""

    def __init__(self, links: Links, first: int, last: int) -> None:
        self.line = 1
        self._column = 0
        self._links, self._first, self._last = links, first, last
        self._parts: list[str] = []

    def plain(self, text: str) -> None:
        if text:
            self._add(text, _escaped(text) if self._is_shown(text) else "\n" * text.count("\n"))

    def coloured(self, text: str, kind: str) -> None:
        """A comment, string or number; each of its lines is an element of its own."""
        if self._is_shown(text):
            opened = f"<span class={kind}>"
            self._add(text, opened + _escaped(text).replace("\n", f"</span>\n{opened}") + "</span>")
        else:
            self._add(text, "\n" * text.count("\n"))

    def word(self, text: str, kind: str) -> None:
        link = self._links.get((self.line, self._column)) if self._is_shown("") else None
        html = _escaped(text)
        if link is not None:
            html = f"{link}{html}</a>"
        elif kind:
            html = f"<span class={kind}>{html}</span>"
        self._parts.append(html)
        self._column += len(text)

    def _is_shown(self, text: str) -> bool:
        return self._first <= self.line + text.count("\n") and self.line <= self._last

    def _add(self, text: str, html: str) -> None:
        self._parts.append(html)
        if newlines := text.count("\n"):
            self.line += newlines
            self._column = len(text) - text.rindex("\n") - 1
        else:
            self._column += len(text)

    def lines(self) -> list[Markup]:
        lines = "".join(self._parts).split("\n")[self._first - 1 : self._last]
        return [Markup(line) for line in lines]  # noqa: S704 - every part was escaped when it was added


_PLAIN_TEXT = re.compile(r"[\t\n\x20-\x7e\xa1-\xac\xae-\u05ff]*")


def _escaped(text: str) -> str:
    """The text as HTML; what cannot be seen, or changes the direction of reading, is written out."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text if _PLAIN_TEXT.fullmatch(text) else visible(text)
