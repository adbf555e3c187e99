"""What is found, and in which order."""

import re
import time
from pathlib import Path

import pytest
from code_insight.errors import InvalidArgument, NotFound, RegexInvalid
from code_insight.queries.search import AT_ONCE, Filter, Found, SearchKind, SearchLimits, search
from code_insight.store import IndexedCommit

from tests.server.indexed import index

AUTO, TEXT, REGEX, SYMBOL = SearchKind.AUTO, SearchKind.TEXT, SearchKind.REGEX, SearchKind.SYMBOL


def places(found: Found) -> list[str]:
    return [f"{line.file.path}:{line.number}" for line in found.lines]


def ask(indexed: IndexedCommit, query: str, kind: SearchKind = AUTO, path: str = "", language: str = "") -> Found:
    return search(indexed, query, kind, Filter(path, language))


def test_definitions_of_the_very_name_come_first_source_before_tests_before_vendored(bazaar: IndexedCommit) -> None:
    first = places(ask(bazaar, "Door"))[:3]
    assert first == ["src/bazaar/doors.py:6", "src/bazaar/window.py:1", "vendor/lib/door.py:1"]


def test_words_come_before_parts_of_words(bazaar: IndexedCommit) -> None:
    assert places(ask(bazaar, "door", path="docs")) == ["docs/index.md:3", "docs/index.md:7", "docs/index.md:5"]


def test_four_lines_of_a_file_come_before_the_rest_of_them(bazaar: IndexedCommit) -> None:
    paths = [line.file.path for line in ask(bazaar, "key").lines]
    assert paths[:5] == ["src/bazaar/doors.py"] * 4 + ["web/shop.js"] or len(set(paths[:6])) > 1
    assert paths.count("src/bazaar/doors.py") > 4


def test_every_line_with_the_text_is_found_once(bazaar: IndexedCommit) -> None:
    found = places(ask(bazaar, "door", TEXT))
    assert len(found) == len(set(found))
    assert {"docs/index.md:3", "src/bazaar/cli.py:1"} <= set(found)


def test_a_capital_letter_makes_case_count(bazaar: IndexedCommit) -> None:
    assert ask(bazaar, "DOORS", TEXT).lines == ()
    assert ask(bazaar, "doors", TEXT).lines != ()


def test_a_phrase_with_punctuation_is_found_as_it_stands(bazaar: IndexedCommit) -> None:
    assert places(ask(bazaar, "return _fits(key) and")) == ["src/bazaar/doors.py:11"]


def test_a_file_name_finds_the_file(bazaar: IndexedCommit) -> None:
    assert ask(bazaar, "doors.py").files[0].path == "src/bazaar/doors.py"
    assert ask(bazaar, "bazaar/doors.py:12").files[0].path == "src/bazaar/doors.py"


def test_a_qualified_name_finds_the_member(bazaar: IndexedCommit) -> None:
    assert places(ask(bazaar, "Door.open"))[0] == "src/bazaar/doors.py:9"


def test_a_member_is_found_under_a_type_that_inherits_it(bazaar: IndexedCommit) -> None:
    assert places(ask(bazaar, "Door.price"))[0] == "src/bazaar/base.py:4"


def test_a_question_in_words_finds_the_passage_that_has_most_of_them(bazaar: IndexedCommit) -> None:
    found = ask(bazaar, "where is it checked whether a key fits?")
    assert found.lines == ()
    best = found.passages[0]
    assert best.symbol is not None
    assert best.symbol.qualified_name in ("Door.open", "_fits")


def test_a_question_finds_passages_by_words_that_only_identifiers_have(bazaar: IndexedCommit) -> None:
    best = ask(bazaar, "opening of boxes").passages[0]
    assert best.symbol is not None
    assert best.symbol.name == "box_open"


def test_a_slip_of_the_hand_finds_what_is_like_it_and_says_so(bazaar: IndexedCommit) -> None:
    found = ask(bazaar, "knokc")
    assert [symbol.name for symbol in found.symbols] == ["knock"]
    assert "like it" in found.how
    assert ask(bazaar, "xyzzyplugh").count == 0


def test_symbols_are_found_by_beginning_humps_and_parts(bazaar: IndexedCommit) -> None:
    assert [s.name for s in ask(bazaar, "FaDo", SYMBOL).symbols] == ["FakeDoor"]
    assert [s.name for s in ask(bazaar, "kno", SYMBOL).symbols] == ["knock"]
    assert "FakeDoor" in [s.name for s in ask(bazaar, "door", SYMBOL).symbols]


def test_a_pattern_matches_line_by_line(bazaar: IndexedCommit) -> None:
    assert places(ask(bazaar, r"^class \w+\(Door\):$", REGEX)) == ["tests/test_doors.py:4"]
    assert places(ask(bazaar, r"\Aclass Door\(", REGEX)) == ["src/bazaar/doors.py:6"]


@pytest.mark.parametrize("pattern", ["(", "a(?=b)", r"(a)\1", "[z-a]", "a{99999}"])
def test_what_is_not_re2_is_refused_with_a_reason(bazaar: IndexedCommit, pattern: str) -> None:
    with pytest.raises(RegexInvalid, match="not RE2 syntax"):
        ask(bazaar, pattern, REGEX)


def test_a_pattern_that_kills_backtracking_engines_is_fast(bazaar: IndexedCommit) -> None:
    began = time.monotonic()
    ask(bazaar, "(a*)*b(x+x+)+y", REGEX)
    assert time.monotonic() - began < 2.0


@pytest.mark.parametrize("pattern", [r"do+r", r"D[o]{2}r", r"(?i)DOOR\b", r"ke?y", r"\.open\(", r"kn.ck", r"x?fits"])
def test_a_pattern_finds_what_python_finds(bazaar: IndexedCommit, pattern: str) -> None:
    text = ask(bazaar, "e", TEXT)  # lines to compare with: nearly all
    expected = {f"{line.file.path}:{line.number}" for line in text.lines if re.search(pattern, line.text)}
    assert expected <= set(places(ask(bazaar, pattern, REGEX)))


def test_path_and_language_narrow_it(bazaar: IndexedCommit) -> None:
    assert {line.file.path for line in ask(bazaar, "door", path="*.md").lines} == {"docs/index.md", "README.md"}
    assert {line.file.language for line in ask(bazaar, "get", language="javascript").lines} == {"javascript"}
    assert all(line.file.path.startswith("src/") for line in ask(bazaar, "door", path="src").lines)


def test_a_path_or_language_that_nothing_has_is_an_error_that_names_those_there_are(bazaar: IndexedCommit) -> None:
    with pytest.raises(NotFound, match="Languages: python"):
        ask(bazaar, "door", language="pyhton")
    with pytest.raises(NotFound, match="src/bazaar"):
        ask(bazaar, "door", path="src/bazar")


def test_a_limit_that_ends_the_search_is_told(bazaar: IndexedCommit) -> None:
    found = search(bazaar, "door", TEXT, Filter(), SearchLimits(lines=3))
    assert not found.is_complete
    assert search(bazaar, "door", TEXT, Filter(), SearchLimits(lines=10_000)).is_complete


def test_a_higher_limit_only_adds_to_the_end(tmp_path: Path) -> None:
    text = "def door():\n    return door\n" + "door = adoor  # door\n" * 60
    indexed = index(tmp_path / "doors", {f"src/{name}{number}.py": text for name in "abc" for number in range(12)})
    whole = places(search(indexed, "door", TEXT, Filter(), SearchLimits(lines=10_000)))
    assert len(whole) == 36 * 62
    for lines in (AT_ONCE, 2 * AT_ONCE + 1, 4 * AT_ONCE):
        part = search(indexed, "door", TEXT, Filter(), SearchLimits(lines=lines))
        assert lines <= len(part.lines) < len(whole)
        assert places(part) == whole[: len(part.lines)]
        assert not part.is_complete


def test_a_line_that_ends_as_on_windows_is_a_line_like_any_other(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"shop.py": b"# prix: 3 \xe2\x82\xac\r\nprice = 1\r\n\r\nlast = price\r\n"}
    indexed = index(tmp_path / "windows", files)
    assert [(line.number, line.text) for line in ask(indexed, r"\w+ = \w+$", REGEX).lines] == [
        (2, "price = 1"),
        (4, "last = price"),
    ]
    assert [line.text for line in ask(indexed, "price", TEXT).lines] == ["price = 1", "last = price"]
    assert [line.number for line in ask(indexed, "€", TEXT).lines] == [1]


@pytest.mark.parametrize("query", ["", "  ", "x" * 1001])
def test_an_empty_or_endless_query_is_refused(bazaar: IndexedCommit, query: str) -> None:
    with pytest.raises(InvalidArgument):
        ask(bazaar, query)


@pytest.mark.parametrize("query", ["%", "'", '"', "NEAR(", "*", "a OR b", "\x00", "ö", "é" * 3, "a\nb"])
def test_no_query_is_taken_for_syntax_of_the_index(bazaar: IndexedCommit, query: str) -> None:
    for kind in (AUTO, TEXT, SYMBOL):
        ask(bazaar, query, kind)
