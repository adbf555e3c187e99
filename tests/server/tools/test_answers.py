"""The shape of an answer: within its budget, with the way to what is left out."""

import pytest
from code_insight.errors import InvalidArgument
from code_insight.tools.answers import Section, answer, cursor, cut, day, offset_of, shorten, tokens, visible


def numbered(count: int) -> list[str]:
    return [f"  line {number}" for number in range(count)]


@pytest.mark.parametrize("budget_tokens", [200, 333, 2_000, 20_000])
def test_an_answer_never_costs_more_than_its_budget(budget_tokens: int) -> None:
    for items in (numbered(5_000), ["ö" * 90_000], ["x"] * 3, []):
        sections = [Section("First", ["one"]), Section("Second", items, lambda shown: f"From {shown}.", 3)]
        assert tokens(answer("head", sections, budget_tokens).text) <= budget_tokens


def test_all_of_it_is_shown_when_there_is_room() -> None:
    shown = answer("head", [Section("Title", numbered(3))], 2_000)
    assert shown.text == "head\n\nTitle\n  line 0\n  line 1\n  line 2"
    assert shown.data["left_out"] == 0


def test_what_is_left_out_is_counted_with_the_way_to_it() -> None:
    shown = answer("head", [Section("Title", numbered(5_000), lambda count: f"Ask from {count}.")], 200)
    (count,) = shown.data["shown"]
    assert shown.text.endswith(f"  line {count - 1}\n… {5_000 - count:,} more. Ask from {count}.")
    assert shown.data["left_out"] == 5_000 - count


def test_items_that_were_never_made_are_counted_too() -> None:
    shown = answer("head", [Section("", numbered(2), lambda _: "Ask on.", total=10)], 2_000)
    assert shown.text.endswith("… 8 more. Ask on.")


def test_the_longest_section_gives_way_first() -> None:
    shown = answer("head", [Section("Long", numbered(500)), Section("Short", numbered(5))], 300)
    assert shown.data["shown"][1] == 5
    assert 0 < shown.data["shown"][0] < 500


def test_a_section_without_room_is_named() -> None:
    sections = [Section(f"Part {n}: of many", ["x" * 300]) for n in range(9)]
    assert "No room for: Part" in answer("head", sections, 200).text


def test_sections_without_items_are_not_there() -> None:
    shown = answer("head", [Section("Nothing", []), Section("Some", ["x"])], 200)
    assert shown.text == "head\n\nSome\nx"
    assert shown.data["shown"] == [0, 1]


@pytest.mark.parametrize(
    "character",
    [
        "\x00",
        "\x07",
        "\x1b",
        "\x7f",
        "\x9b",
        "\u00ad",
        "\u200b",
        "\u200e",
        "\u202e",
        "\u2066",
        "\ufeff",
        "\U000e0041",
        "\r",
    ],
)
def test_what_cannot_be_seen_is_written_out(character: str) -> None:
    assert visible(f"a{character}b") == f"a\\u{{{ord(character):x}}}b"
    assert character not in answer(character, [Section(character, [character])], 200).text


def test_what_can_be_seen_stays() -> None:
    assert visible("a\tb\nc é 漢字 🙂 {more}") == "a\tb\nc é 漢字 🙂 {more}"


def test_escapes_count_against_the_budget() -> None:
    assert tokens(answer("head", [Section("", ["\u202e" * 500] * 20)], 400).text) <= 400


def test_tokens_are_four_bytes_rounded_up() -> None:
    assert [tokens(text) for text in ("", "a", "abcd", "abcde", "öö")] == [0, 1, 1, 2, 1]


def test_cut_says_how_much_is_gone_and_shorten_does_not() -> None:
    assert cut("abcdef", 4) == "abcd… (2 more characters)"
    assert shorten("abcdef", 4) == "abc…"
    assert cut("abcd", 4) == shorten("abcd", 4) == "abcd"


def test_a_cursor_belongs_to_one_question() -> None:
    made = cursor(40, "query", "commit")
    assert offset_of(made, "query", "commit") == 40
    assert offset_of("", "query") == 0
    for text in (made.replace("40", "41x"), "40", "-1-abc", "9" * 50, made + "0"):
        with pytest.raises(InvalidArgument, match="Ask without cursor"):
            offset_of(text, "query", "commit")
    with pytest.raises(InvalidArgument):
        offset_of(made, "query", "another commit")


def test_a_day_is_utc() -> None:
    assert day(1_767_225_599) == "2025-12-31"
