"""What somebody may have meant."""

import time

import pytest
from code_insight.queries.nearest import nearest

NAMES = ["Flask", "Blueprint", "url_for", "render_template", "flash", "redirect"]


@pytest.mark.parametrize(
    ("wanted", "best"),
    [("Flsk", "Flask"), ("Bluprint", "Blueprint"), ("urlfor", "url_for"), ("renderTemplate", "render_template")],
)
def test_a_slip_is_understood(wanted: str, best: str) -> None:
    assert nearest(wanted, NAMES)[0] == best


def test_what_is_like_nothing_has_no_nearest() -> None:
    assert nearest("qqqq", NAMES) == []
    assert nearest("", NAMES) == []


def test_the_same_question_has_the_same_answer() -> None:
    assert nearest("fla", NAMES) == nearest("fla", reversed(NAMES))


def test_fifty_thousand_names_take_less_than_a_second() -> None:
    names = [f"method_{number:05}_of_class" for number in range(50_000)]
    began = time.monotonic()
    nearest("metod_12345_of_clas", names)
    assert time.monotonic() - began < 3.0
