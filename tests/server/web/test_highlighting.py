"""Source as HTML."""

import re

import pytest
from code_insight.web.highlighting import highlighted
from markupsafe import Markup


def html(text: str, language: str, links: dict[tuple[int, int], Markup] | None = None) -> str:
    return "\n".join(highlighted(text, language, 1, 10_000, links or {}))


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("python", "# <b>", "<span class=comment># &lt;b&gt;</span>"),
        ("python", "return 'a'", "<span class=keyword>return</span> <span class=string>'a'</span>"),
        ("python", "x = 10", "x = <span class=number>10</span>"),
        ("javascript", "`a${1}` // c", "<span class=string>`a${1}`</span> <span class=comment>// c</span>"),
        ("rust", "'a'; fn f<'a>()", "<span class=string>'a'</span>; <span class=keyword>fn</span> f&lt;'a&gt;()"),
        ("sql", "SELECT -- c", "SELECT <span class=comment>-- c</span>"),
        ("html", "<!-- <a> -->", "<span class=comment>&lt;!-- &lt;a&gt; --&gt;</span>"),
        ("markdown", "# T\ntext", "<span class=comment># T</span>\ntext"),
        ("", "if 'x' < 1", "if 'x' &lt; <span class=number>1</span>"),
    ],
)
def test_comments_strings_numbers_and_keywords_are_told_apart(language: str, text: str, expected: str) -> None:
    assert html(text, language) == expected


def test_what_goes_over_lines_is_an_element_on_each() -> None:
    lines = highlighted('x = """a\nb"""\n', "python", 1, 9, {})
    assert lines[:2] == ['x = <span class=string>"""a</span>', '<span class=string>b"""</span>']


def test_a_name_is_linked_where_it_stands() -> None:
    links = {(2, 4): Markup('<a href="?at=2:4">')}
    assert html('"""\n"""\nf()\n', "python", links).count("<a ") == 0
    assert html("x\nx = f()\n", "python", links) == 'x\nx = <a href="?at=2:4">f</a>()\n'


def test_only_the_lines_asked_for_are_made() -> None:
    text = "".join(f"line{number} = {number}\n" for number in range(1, 100))
    links = {(number, 0): Markup("<a>") for number in range(1, 100)}
    assert highlighted(text, "python", 50, 51, links) == [
        "<a>line50</a> = <span class=number>50</span>",
        "<a>line51</a> = <span class=number>51</span>",
    ]


def test_a_page_that_begins_in_a_string_knows_it() -> None:
    assert highlighted('"""\na\nb\n"""\n', "python", 2, 3, {}) == [
        "<span class=string>a</span>",
        "<span class=string>b</span>",
    ]


def test_what_cannot_be_seen_is_written_out() -> None:
    assert html("a\u202eb # \u200b\n", "python") == "a\\u{202e}b <span class=comment># \\u{200b}</span>\n"


UNENDED = {
    "python": ['"', "'", '"""', "'''"],
    "javascript": ['"', "'", "`", "/*"],
    "c": ['"', "'", "/*"],
    "html": ["<!--", '"'],
}
UNENDED |= {
    "css": ['"', "'", "/*"],
    "sql": ['"', "'", "/*"],
    "php": ['"', "'", "/*"],
    "rust": ['"', "/*"],
    "bash": ['"', "'"],
}


@pytest.mark.parametrize(
    ("language", "opened"), [(language, one) for language, found in UNENDED.items() for one in found]
)
def test_what_never_ends_is_one_piece_and_the_text_is_passed_once(language: str, opened: str) -> None:
    """Were it not, each of many openings would be followed to the end of the text: a page that never comes."""
    rest = "<" * 9 if language == "html" else "a\\b" * 9
    assert re.fullmatch(r"<span class=(string|comment)>[^>]*</span>", html(opened + rest, language))
