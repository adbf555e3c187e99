"""Rates, by a clock that is turned by hand."""

import pytest
from code_insight.web.guard.rates import Rates


class _Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_an_allowance_is_had_at_once_and_comes_back_evenly() -> None:
    clock = _Clock()
    rates = Rates(60, clock=clock)
    assert [rates.wait_seconds("a") for _ in range(60)] == [0.0] * 60
    assert rates.wait_seconds("a") == pytest.approx(1.0)
    clock.now += 1.0
    assert rates.wait_seconds("a") == 0.0
    assert rates.wait_seconds("a") == pytest.approx(1.0)
    clock.now += 3_600
    assert [rates.wait_seconds("a") for _ in range(60)] == [0.0] * 60
    assert rates.wait_seconds("a") > 0


def test_a_refusal_costs_nothing() -> None:
    clock = _Clock()
    rates = Rates(1, clock=clock)
    rates.wait_seconds("a")
    assert [rates.wait_seconds("a") for _ in range(100)] == [pytest.approx(60.0)] * 100


def test_who_comes_when_told_is_answered() -> None:
    clock = _Clock()
    rates = Rates(7, clock=clock)
    for _ in range(50):
        if wait := rates.wait_seconds("a"):
            clock.now += wait
            assert rates.wait_seconds("a") == 0.0


def test_clients_have_an_allowance_each() -> None:
    rates = Rates(1, clock=_Clock())
    assert rates.wait_seconds("a") == rates.wait_seconds("b") == 0.0
    assert rates.wait_seconds("a") > 0


def test_the_table_has_a_bound_and_forgets_who_was_not_heard_of() -> None:
    rates = Rates(1, clients=100, clock=_Clock())
    for number in range(10_000):
        rates.wait_seconds(str(number))
    assert len(rates) == 100
    assert rates.wait_seconds("9999") > 0
    assert rates.wait_seconds("0") == 0.0


def test_no_rate_is_no_limit() -> None:
    rates = Rates(0)
    assert [rates.wait_seconds("a") for _ in range(1_000)] == [0.0] * 1_000
    assert len(rates) == 0
