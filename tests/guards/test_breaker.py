"""Each red flag by the stated number of dates, and not one earlier; what was put off is no work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.guards.breaker import (
    Ended,
    Flag,
    Thresholds,
    Window,
    choose_thresholds,
    find_flag,
    find_warnings,
    parse_thresholds,
)
from include.outcome import Outcome

START = datetime(2025, 1, 15, tzinfo=UTC)
USUAL = Thresholds()
PHASES = {"wait": 3.0, "fetch": 1.0, "write": 0.5, "load": 0.4, "check": 0.1}


def ended(outcomes: str, **more: Any) -> list[Ended]:
    """A date a letter: ``.`` is done, any other letter is what it failed of."""
    return [
        Ended(
            run_id=str(n),
            outcome=Outcome.COMPLETE if letter == "." else Outcome.FAILED,
            error_class="upstream_down",
            fingerprint=letter,
            message=f"of {letter}",
            **more,
        )
        for n, letter in enumerate(outcomes)
    ]


def working(seconds: float, dates: int, *, apart: float = 0.0) -> list[Ended]:
    """Dates one after the other, each so long at work, so far apart."""
    found = []
    for n in range(dates):
        begin = START + timedelta(seconds=n * (seconds + apart))
        span = (begin, begin + timedelta(seconds=seconds))
        found.append(Ended(run_id=str(n), outcome=Outcome.COMPLETE, spans=[span], seconds=PHASES))
    return found


def flag(dates: Sequence[Ended], **more: Any) -> Flag | None:
    return find_flag(Window(dates=dates, **more), USUAL)


@pytest.mark.parametrize(
    ("outcomes", "found"),
    [
        ("......abc", None),  # nine
        ("........ab", None),  # 20 % are not more than 20 %
        (".......abc", Flag("error rate", "3 of 10 dates failed, more than 20%")),
    ],
)
def test_errors_are_too_many_from_the_tenth_date_on(outcomes: str, found: Flag | None) -> None:
    assert flag(ended(outcomes)) == found


@pytest.mark.parametrize(
    ("outcomes", "found"),
    [
        ("aaaa", None),
        ("aaaab", None),
        ("aaa.a", None),
        ("aaaaa", Flag("same failure", "5 dates in a row failed alike: of a")),
        ("..aaaaa", Flag("same failure", "5 dates in a row failed alike: of a")),
    ],
)
def test_five_dates_in_a_row_that_fail_alike(outcomes: str, found: Flag | None) -> None:
    assert flag(ended(outcomes)) == found


def test_pace_ten_times_slower_than_planned() -> None:
    slow = working(5.01, 10)
    why = (
        "a date takes 5.0 s, planned were 0.5 s; seconds a date: wait 3.0, fetch 1.0, write 0.5,"
        " load 0.4, check 0.1"
    )
    assert flag(slow, planned=0.5) == Flag("pace", why)
    assert [flag(slow[:9], planned=0.5), flag(working(5, 10), planned=0.5), flag(slow)] == [
        None
    ] * 3


def test_what_was_put_off_does_not_count_as_pace() -> None:
    put_off = working(1, 10, apart=24 * 3600)
    assert Window(dates=put_off).pace == 1
    assert flag(put_off, planned=0.5) is None


def test_dates_that_are_at_work_together_share_their_time() -> None:
    span = (START, START + timedelta(seconds=8))
    inside = (START + timedelta(seconds=2), START + timedelta(seconds=4))
    dates = [Ended(run_id="a", outcome=Outcome.COMPLETE, spans=[span, inside])] * 4
    assert Window(dates=dates).pace == 2


@pytest.mark.parametrize("error_class", ["rate_limited", "blocked", "not_entitled"])
def test_three_dates_in_a_row_that_are_refused(error_class: str) -> None:
    refused = [
        Ended(
            run_id="", outcome=Outcome.FAILED, error_class=error_class, fingerprint=f, message="no"
        )
        for f in "abc"
    ]
    assert flag(refused) == Flag("refusals", "3 dates in a row refused (429 or 403): no")
    assert flag(refused[1:]) is None
    assert flag([*refused[1:], *ended("."), refused[0]]) is None


def test_ten_refusals_in_a_row_trip_before_any_date_has_ended() -> None:
    assert flag([], refusals=9) is None
    why = "the upstream has answered 429 10 times in a row"
    assert flag([], refusals=10) == Flag("refusals", why)


def test_one_date_over_its_cap_of_memory() -> None:
    assert flag(ended("..", peak_mb=1000)) is None
    why = "a date took 1001 MB of memory, its cap is 1000 MB"
    assert flag([*ended(".", peak_mb=1001), *ended("..", peak_mb=30)]) == Flag("memory", why)


def test_warnings_come_earlier() -> None:
    assert find_warnings(Window(dates=ended("........a")), USUAL) == []
    assert find_warnings(Window(dates=ended(".........a")), USUAL) == ["1 of 10 dates failed"]
    assert find_warnings(Window(dates=working(6, 10), planned=5), USUAL) == []
    assert find_warnings(Window(dates=working(8, 10), planned=5), USUAL) == [
        "7.5 dates a minute, planned: a date in 5.0 s; seconds a date: wait 3.0, fetch 1.0, write"
        " 0.5, load 0.4, check 0.1"
    ]


def test_cooldown_doubles_up_to_a_bound() -> None:
    minutes = [USUAL.wait(n).total_seconds() / 60 for n in (0, 1, 2, 3, 4, 5, 999)]
    assert minutes == [15, 30, 60, 120, 240, 240, 240]


def test_each_dag_may_have_its_own_or_none() -> None:
    stated = parse_thresholds('{"a": {"min_dates": 3}, "b": null, "*": {"max_error_rate": 0.5}}')
    assert [choose_thresholds(stated, dag_id) for dag_id in ("a", "b", "c")] == [
        Thresholds(min_dates=3),
        Thresholds.none(),
        Thresholds(max_error_rate=0.5),
    ]
    everything = [
        *ended("aaaaaaaaaaaa", peak_mb=9**9),
        Ended(run_id="", outcome=Outcome.FAILED, error_class="blocked"),
    ]
    assert find_flag(Window(dates=everything, refusals=99), Thresholds.none()) is None
    assert choose_thresholds(parse_thresholds(""), "a") == USUAL


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"a": 5}',
        '{"a": {"dates": 5}}',
        '{"a": {"window": "5"}}',
        '{"a": {"window": 50.0}}',
        '{"a": {"min_dates": 0}}',
        '{"a": {"window": true}}',
        '{"a": {"max_slower": -1}}',
        '{"a": {"max_slower": NaN}}',
        '{"a": {"cooldown": Infinity}}',
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_thresholds(text)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ('"window": 50.0', "window 50.0 is not an integer from 1 to 1000000000"),
        ('"max_slower": NaN', "max_slower nan is not a number from 0 to 1000000000"),
    ],
)
def test_number_that_cannot_be_is_named(number: str, said: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_thresholds(f'{{"a": {{"max_error_rate": 0, {number}}}}}')
    assert str(refused.value) == said
