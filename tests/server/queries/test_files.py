"""Which file a path names, and what stands in it."""

import pytest
from code_insight.errors import InvalidArgument, NotFound
from code_insight.queries.files import excerpt, normal_path, text_lines
from code_insight.store import IndexedCommit


def test_lines_count_from_one_and_both_ends_are_included(bazaar: IndexedCommit) -> None:
    found = excerpt(bazaar, "src/bazaar/doors.py", 15, 16)
    assert (found.first, found.lines[0], len(found.lines)) == (15, "    return key == 'secret-phrase'", 2)


def test_an_excerpt_says_what_its_first_line_stands_in(bazaar: IndexedCommit) -> None:
    assert [symbol.name for symbol in excerpt(bazaar, "src/bazaar/doors.py", 11, 11).enclosing] == ["Door", "open"]


def test_an_end_behind_the_last_line_is_the_last_line(bazaar: IndexedCommit) -> None:
    assert excerpt(bazaar, "src/bazaar/window.py", 1, 999).lines == ("class Door:", "    pass")


@pytest.mark.parametrize(("first", "last"), [(0, None), (3, None), (2, 1)])
def test_lines_that_are_not_there_are_refused_with_those_that_are(
    bazaar: IndexedCommit, first: int, last: int | None
) -> None:
    with pytest.raises(InvalidArgument, match="has the lines 1 to 2"):
        excerpt(bazaar, "src/bazaar/window.py", first, last)


def test_a_file_without_text_is_refused_with_the_reason(bazaar: IndexedCommit) -> None:
    with pytest.raises(InvalidArgument, match="it is binary"):
        excerpt(bazaar, "logo.png")


def test_a_folder_is_no_file(bazaar: IndexedCommit) -> None:
    with pytest.raises(InvalidArgument, match=r"src/bazaar is a folder\. Ask outline"):
        excerpt(bazaar, "src/bazaar/")


def test_an_unknown_path_is_answered_with_files_of_that_name_first(bazaar: IndexedCommit) -> None:
    with pytest.raises(NotFound, match=r"The nearest: src/bazaar/doors\.py"):
        excerpt(bazaar, "lib/doors.py")


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "src/../README.md", "..", "~/.ssh/id_rsa", "\0"])
def test_no_path_leads_out_of_the_repository(bazaar: IndexedCommit, path: str) -> None:
    with pytest.raises(NotFound):
        excerpt(bazaar, path)


def test_only_a_line_feed_ends_a_line() -> None:
    assert text_lines("a\r\nb\x0cc\u2028d\n\n") == ["a", "b\x0cc\u2028d", ""]
    assert text_lines("") == []


def test_a_path_has_no_dot_slash_in_front_and_no_slash_behind() -> None:
    assert normal_path(" ./src/app/ ") == "src/app"
