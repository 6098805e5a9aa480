"""The commands that are advised: they reach every date that is meant, and can be pasted as they
are."""

from __future__ import annotations

import re
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from include.partition import DateRange
from include.reruns import word_backfill, word_rerun, word_reruns, word_reruns_within, word_resets

FIRST = date(2025, 1, 15)
DAYS = st.integers(0, 60).map(lambda n: FIRST + timedelta(days=n))


def after(days: int) -> date:
    return FIRST + timedelta(days=days)


def test_command_has_dag_window_and_flags() -> None:
    assert word_backfill("bdl", DateRange(FIRST, after(1)), "--attach") == (
        "airflow dags backfill bdl -s 2025-01-15 -e 2025-01-16 --attach"
    )


def test_rerun_spans_the_bad_dates_and_is_empty_without_any() -> None:
    assert word_rerun("bdl", [after(12), after(0), after(1)]) == (
        "airflow dags backfill bdl -s 2025-01-15 -e 2025-01-27 --rerun-failed-tasks -y"
    )
    assert word_rerun("bdl", []) == ""


def test_rerun_of_a_batch_runs_no_date_that_it_does_not_have() -> None:
    command = "airflow dags backfill bdl -s {} -e {} --rerun-failed-tasks -y"
    bad = {after(0), after(1), after(4)}
    assert word_reruns_within("bdl", bad, [after(n) for n in range(6)]) == (
        command.format("2025-01-15", "2025-01-19")
    )
    assert word_reruns_within("bdl", bad, [after(0), after(1), after(2), after(4)]) == (
        f"{command.format('2025-01-15', '2025-01-16')}\n"
        f"{command.format('2025-01-19', '2025-01-19')}"
    )
    assert word_reruns_within("bdl", [], [after(0)]) == ""


def test_each_range_is_reset_by_a_command_until_there_are_too_many() -> None:
    command = "airflow dags backfill kept -s {} -e {} --reset-dagruns -y"
    assert word_resets("kept", []) == []
    assert word_resets("kept", [after(0), after(1), after(4)]) == [
        command.format("2025-01-15", "2025-01-16"),
        command.format("2025-01-19", "2025-01-19"),
    ]
    assert word_resets("kept", [after(2 * n) for n in range(6)]) == [
        command.format("2025-01-15", "2025-01-25")
    ]


@given(st.sets(DAYS))
def test_no_date_between_those_that_failed_is_run(days: set[date]) -> None:
    reached: list[date] = []
    for command in word_reruns("bdl", days):
        first, last = map(date.fromisoformat, re.findall(r"-[se] (\S+)", command))
        assert command == word_rerun("bdl", [first, last])
        reached += DateRange(first, last).days
    assert reached == sorted(days)


@given(st.sets(DAYS, min_size=1))
def test_no_date_is_left_out(days: set[date]) -> None:
    reached: set[date] = set()
    for command in word_resets("kept", days):
        words = command.split()
        first, last = (date.fromisoformat(words[words.index(flag) + 1]) for flag in ("-s", "-e"))
        reached |= set(DateRange(first, last).days)
    assert days <= reached
