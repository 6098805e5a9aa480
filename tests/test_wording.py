from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include import wording as say
from include.partition import days_between


def test_few_ranges_are_written_as_full_dates() -> None:
    days = [*days_between(date(2024, 11, 2), date(2024, 11, 4)), date(2024, 12, 25)]
    assert say.date_lines(days) == ["2024-11-02..2024-11-04, 2024-12-25"]


def test_all_dates_stand_on_one_line_in_commands() -> None:
    days = [*days_between(date(2024, 11, 2), date(2024, 11, 4)), date(2024, 12, 25)]
    assert say.dates(reversed(days)) == "2024-11-02..2024-11-04, 2024-12-25"
    assert (say.dates([]), say.date_lines([])) == ("", [])


def test_many_ranges_are_written_month_by_month_and_cut_at_its_end() -> None:
    days = [date(2024, 10, 1) + timedelta(days=2 * n) for n in range(11)]
    days += days_between(date(2024, 11, 30), date(2025, 1, 2))
    assert say.date_lines(days) == [
        "2024-10: 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21",
        "2024-11: 30",
        "2024-12: 1..31",
        "2025-01: 1..2",
    ]


def read_back(lines: list[str]) -> list[date]:
    days: list[date] = []
    for line in lines:
        month, colon, spans = line.partition(": ")
        for span in (spans if colon else line).split(", "):
            ends = [
                date.fromisoformat(f"{month}-{int(end):02}" if colon else end)
                for end in span.split("..")
            ]
            days += days_between(ends[0], ends[-1])
    return days


@given(days=st.lists(st.dates(date(2023, 11, 1), date(2024, 3, 31)), min_size=1, max_size=150))
def test_no_date_is_lost_or_invented_by_writing_them_down(days: list[date]) -> None:
    assert read_back(say.date_lines(days)) == sorted(set(days))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (3570, "1 h"),
        (8040, "2 h 14 min"),
        (86_400, "1 d"),
        (97_200, "1 d 3 h"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, words: str) -> None:
    assert say.duration(seconds) == words


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([151, 9], ["94.4 %", "5.6 %"]),
        ([5, 1, 1], ["71.4 %", "14.3 %", "14.3 %"]),
        ([107, 6, 4], ["91.5 %", "5.1 %", "3.4 %"]),
        ([1, 1, 1], ["33.4 %", "33.3 %", "33.3 %"]),
        ([3000], ["100.0 %"]),
        ([2999, 1, 0], ["99.9 %", "0.1 %", "0.0 %"]),
        ([9998, 1, 1], ["99.8 %", "0.1 %", "0.1 %"]),
        ([0, 0], ["", ""]),
        ([], []),
    ],
)
def test_shares_add_up_and_are_never_rounded_to_all_or_nothing(
    counts: list[int], words: list[str]
) -> None:
    assert say.shares(counts) == words


@pytest.mark.parametrize(
    ("seconds", "words", "rounded"),
    [
        (59.4, "59 s", 59),
        (341.2, "5 min 41 s", 341),
        (360, "6 min", 360),
        (3599.6, "1 h", 3600),
        (8070, "2 h 14 min", 8040),
        (86_399, "1 d", 86_400),
        (100_000, "1 d 4 h", 100_800),
    ],
)
def test_exact_durations_have_seconds_below_an_hour(
    seconds: float, words: str, rounded: int
) -> None:
    assert say.duration(seconds, exact=True) == words
    assert say.round_duration(seconds) == rounded
    assert say.duration(rounded, exact=True) == words


@given(counts=st.lists(st.integers(0, 5000), min_size=1, max_size=12).filter(any))
def test_shares_of_one_whole_are_a_hundred_percent(counts: list[int]) -> None:
    shares = [float(words.removesuffix(" %")) for words in say.shares(counts)]
    assert round(sum(shares), 1) == 100.0
    off = max(abs(100 * n / sum(counts) - each) for n, each in zip(counts, shares, strict=True))
    assert off <= 1.0
    assert all((each > 0) == (n > 0) for n, each in zip(counts, shares, strict=True))


@pytest.mark.parametrize(
    ("dollars", "words"),
    [(0, "$0.00"), (0.0004, "$0.0004"), (0.034, "$0.034"), (0.5, "$0.50"), (1234.5, "$1,234.50")],
)
def test_small_money_is_not_rounded_to_nothing(dollars: float, words: str) -> None:
    assert say.money(dollars) == words


@pytest.mark.parametrize(
    ("actual", "planned", "words"),
    [(107, 100, "+7 %"), (95, 100, "-5 %"), (100.4, 100, "as planned"), (5, 0, "")],
)
def test_deviation_is_in_whole_percent(actual: float, planned: float, words: str) -> None:
    assert say.deviation(actual, planned) == words


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (48_200_000, "48.2 MB")]
)
def test_sizes_are_decimal(count: int, words: str) -> None:
    assert say.size(count) == words


def test_periods_name_the_date_once_and_are_in_utc() -> None:
    start = datetime(2026, 10, 1, 10, 2, tzinfo=UTC)
    assert say.period(start, start + timedelta(minutes=43)) == "2026-10-01 10:02 to 10:45 UTC"
    assert (
        say.period(start, start + timedelta(days=1)) == "2026-10-01 10:02 to 2026-10-02 10:02 UTC"
    )
    assert say.period(start, start + timedelta(seconds=3)) == "2026-10-01 10:02 UTC"
    assert say.period(None, start) == "2026-10-01 10:02 UTC"
    assert say.period(None, None) == ""


def test_moments_name_seconds_where_they_count() -> None:
    at = datetime(2026, 10, 1, 10, 2, 5, tzinfo=UTC)
    assert (say.moment(at), say.moment(at, seconds=True)) == (
        "2026-10-01 10:02 UTC",
        "2026-10-01 10:02:05 UTC",
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_words_are_listed_as_in_a_sentence(words: list[str], said: str) -> None:
    assert say.listed(words) == said


def test_clipping_says_how_much_is_missing() -> None:
    assert say.clipped("a" * 30, 20) == "a" * 20 + " [... 10 more characters, see the log]"
    assert say.clipped("abc", 2, "see -o json") == "ab [... 1 more characters, see -o json]"
    assert say.clipped("short", 20) == "short"


def test_messages_become_one_printable_line() -> None:
    assert (
        say.clean("two\r\n lines\x00 and \u202eright to left \ud800")
        == "two lines? and ?right to left ?"
    )


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("bdl_box_score", "bdl_box_scores, nbacom_schedule (did you mean bdl_box_scores?)"),
        ("schedule", "bdl_box_scores, nbacom_schedule (did you mean nbacom_schedule?)"),
        ("no_such_dag", "bdl_box_scores, nbacom_schedule"),
    ],
)
def test_a_name_with_a_typing_error_is_answered_by_the_nearest(written: str, named: str) -> None:
    assert say.name_known(written, ["bdl_box_scores", "nbacom_schedule"]) == named


def test_where_nothing_is_known_nothing_is_named() -> None:
    assert say.name_known("bdl_box_scores", []) == ""
