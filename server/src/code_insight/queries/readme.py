"""What a repository or a folder says of itself: README, manifest, docs of its module."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LONGEST = 500
_CANDIDATES = 8


_NOISE = re.compile(
    r"<!--.*?-->|\A---\n.*?\n---\n|^ *```.*?^ *```|^ *~~~.*?^ *~~~|<(pre|svg|table)\b.{0,4000}?</\1>",
    re.DOTALL | re.MULTILINE,
)


def title_of(text: str) -> str:
    """The heading that a README begins with, "" when it has none."""
    cleaned = _cleaned(text)
    match = re.search(r"(?m)^#[ \t]+(.+?)[ \t]*#*$|^([^\s\n][^\n]*)\n(?:=+|-{3,})[ \t]*$", cleaned)
    if match is None or any(_paragraphs(cleaned[: match.start()])):
        return ""
    return plain(next((group for group in match.groups() if group), ""))[:120]


def summary_of(text: str, name: str = "") -> str:
    """The paragraph of a README that says what the project is: "<Name> is …" if there is one, else its first prose."""
    candidates = [found for _, found in zip(range(_CANDIDATES), _paragraphs(text), strict=False)]
    return _shortened(_introduction(candidates, name) or (candidates[0] if candidates else ""))


def introduction_of(text: str, name: str) -> str:
    """The paragraph of a README that says "<Name> is …"; "" when none does."""
    candidates = [found for _, found in zip(range(_CANDIDATES), _paragraphs(text), strict=False)]
    return _shortened(_introduction(candidates, name))


def _introduction(candidates: list[str], name: str) -> str:
    says = re.compile(
        rf"(?i)(the )?{re.escape(name)}\W{{1,3}}([a-z-]+ |\([^)]{{0,40}}\),? ){{0,3}}"
        r"(is|are|provides|lets|makes|helps|gives|allows|sends|implements|offers|brings)\b"
    )
    saying = (found for found in candidates if name and says.match(found))
    return next((found for found in saying if not _shortened(found).endswith(":")), "")  # "… is installed by:"


def _shortened(best: str) -> str:
    best = re.sub(r"(?<=[.!?]) [^.!?]*:$", "", best)  # what announces a list
    return best if len(best) <= _LONGEST else best[: _LONGEST - 1].rsplit(" ", 1)[0] + "…"


def _cleaned(text: str) -> str:
    """Without comments, code and front matter; HTML headings and links as Markdown writes them."""
    text = text.replace("\r\n", "\n").removeprefix("\ufeff")
    text = _NOISE.sub("", text)
    text = re.sub(r"(?s)<h[1-6]\b[^>]{0,300}>(.*?)</h[1-6]>", lambda m: f"\n\n# {' '.join(m[1].split())}\n\n", text)
    text = re.sub(r"(?s)<a\b[^>]{0,500}>(.*?)</a>", lambda m: f"[{m[1].strip()}](x)", text)
    return re.sub(r"</?(?:p|div|center|br|hr|ul|li|details|summary)\b[^>]{0,300}>", "\n", text)


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs of prose: no heading, badge, picture, row of links, list, table, directive or code."""
    for block in re.split(r"\n[ \t]*\n", _cleaned(text)):
        lines = block.strip("\n").splitlines()
        if not lines or any(re.fullmatch(r"[=\-~^*#+]{3,}", line.strip()) for line in lines[:3]):
            continue
        if lines[0].startswith(("    ", "\t", ".. ")):
            continue
        kept = [line for line in map(str.strip, lines) if line and not _NOT_PROSE.match(line)]
        joined = " ".join(kept)
        found = plain(joined)
        beside_links = plain(re.sub(r"!?\[[^\]]*\](\([^)]*\)|\[[^\]]*\])|`[^`]+`_+", "", joined))
        if len(found) >= 20 and len(re.findall(r"[^\W\d_]", beside_links)) >= 15 and " " in beside_links:
            yield found


_NOT_PROSE = re.compile(r"[#|>=]|\.\. |[-*+•] |\d+\. |!\[|\[!\[|\[[^\]]+\]:|:[\w-]+:|\|[\w -]+\|")


def plain(text: str) -> str:
    """Text without marks of Markdown, reStructuredText and HTML."""
    text = re.sub(r"<https?:[^>]*>|!\[[^\]]*\](\([^)]*\)|\[[^\]]*\])|\[\s*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])?", lambda m: m[1], text)
    text = re.sub(r"`([^`<]*?)\s*<[^>]*>`_+", r"\1", text)
    text = re.sub(r"\{@\w+\s+([^}]*)\}", r"\1", text)
    text = re.sub(r"</?[a-zA-Z][^>]{0,300}>", "", text)
    text = re.sub(r"\*\*|``?|__(?=\w)|(?<=\w)__|:[\w:]+:(?=`)|[\u200d\ufe0f]", "", text)
    text = re.sub(r"(?<=\w)_(?=[\s.,;:)]|$)|\\(?=[^\w\s])", "", text)
    return re.sub(r"&(nbsp|emsp|ensp);", " ", " ".join(text.split())).replace("&amp;", "&").strip(" |·•")


def sentence(text: str, most: int = 110) -> str:
    """The first sentence, cut at a word when it is longer."""
    match = re.match(r"(.+?[.!?])(?:\s|$)", text)
    found = match[1] if match and len(match[1]) > 10 else text
    return found if len(found) <= most else found[: most - 1].rsplit(" ", 1)[0] + "…"


def module_docs(text: str) -> str:
    """The docstring or comment that a module begins with, as one line; "" when that is a licence."""
    match = re.match(r'(?s)\s*(?:#[^\n]*\n\s*)*[rRuU]?("""|\'\'\')(.+?)(?:\1|\n\s*\n)', text)
    if match:
        return plain(match[2])
    for block in _comments(text):
        if not re.search(r"(?i)copyright|licen[cs]e|\bSPDX|eslint|@ts-|use strict|^\s*!?/usr|go:build|\+build", block):
            return plain(block)
    return ""


def _comments(text: str) -> Iterator[str]:
    """The comments at the beginning of a text, each without its marks."""
    for match in re.finditer(r"(?m)(?:^[ \t]*//[!/]?.*\n)+|/\*[*!]?(?s:.*?)\*/", text):
        before = re.sub(r"(?m)//.*$|/\*(?s:.*?)\*/|#!?\[.*\]$", "", text[: match.start()])
        if before.strip():
            return
        lines = [re.sub(r"^\s*(//+[!/]?|/?\*+[!/]?)\s?|\*/\s*$", "", line) for line in match[0].splitlines()]
        yield "\n".join(lines).strip().partition("\n\n")[0]
