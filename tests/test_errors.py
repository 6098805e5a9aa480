"""Problems: what they say, that they survive pickling, and which of them are the same failure."""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import ErrorClass, Problem, normalised

FULL = Problem(
    error_class=ErrorClass.BLOCKED,
    message="a page instead of JSON: wait or give another proxy",
    source="nba_stats",
    endpoint="box_scores",
    day=date(2025, 1, 15),
    url="https://stats.nba.com/stats/leaguegamelog?DateFrom=01%2F15%2F2025",
    status=403,
    attempt=4,
    body_line="<HTML><HEAD>",
    retry_at=datetime(2025, 1, 16, 4, 5, tzinfo=UTC),
)


@pytest.mark.parametrize(
    "problem", [FULL, Problem(error_class=ErrorClass.STORAGE, message="the disk is full")]
)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_problem_comes_out_of_a_pickle_as_it_went_in(problem: Problem, protocol: int) -> None:
    again = pickle.loads(pickle.dumps(problem, protocol))
    assert (type(again), again, str(again), again.fingerprint) == (
        Problem,
        problem,
        str(problem),
        problem.fingerprint,
    )


def test_raised_problem_with_a_cause_and_notes_still_pickles() -> None:
    def fail() -> None:
        try:
            raise OSError("no space left")
        except OSError as error:
            problem = Problem(error_class=ErrorClass.STORAGE, message="the disk is full")
            problem.add_note("while loading")
            raise problem from error

    with pytest.raises(Problem) as caught:
        fail()
    assert str(pickle.loads(pickle.dumps(caught.value))) == "storage: the disk is full"


def test_problem_says_what_where_and_on_which_wire() -> None:
    assert (
        str(FULL)
        == "blocked: a page instead of JSON: wait or give another proxy (nba_stats box_scores"
        " 2025-01-15) [https://stats.nba.com/stats/leaguegamelog?DateFrom=01%2F15%2F2025 -> 403]"
        " body: <HTML><HEAD>"
    )
    assert (
        str(Problem(error_class=ErrorClass.HANG, message="no answer in 30 s"))
        == "hang: no answer in 30 s"
    )


@given(
    day=st.dates(min_value=date(1000, 1, 1)),
    number=st.integers(min_value=0),
    share=st.decimals(min_value=0, max_value=100, places=2),
    sha=st.text("0123456789abcdef", min_size=12, max_size=64),
)
def test_failures_of_two_dates_have_one_fingerprint_when_only_dates_ids_and_numbers_differ(
    day: date, number: int, share: object, sha: str
) -> None:
    def problem(day: date, number: int, share: object, sha: str) -> Problem:
        message = f"{number} of 11 games of {day}T00:30:00Z ({share} %): object {sha} is torn"
        return Problem(
            error_class=ErrorClass.STORAGE, message=message, endpoint="box_scores", day=day
        )

    one, other = problem(day, number, share, sha), problem(date(2025, 1, 15), 9, "81.82", "0" * 12)
    assert normalised(one.message) == "# of # games of # (# %): object # is torn"
    assert one.fingerprint == other.fingerprint


@pytest.mark.parametrize(
    "other",
    [
        Problem(error_class=ErrorClass.HANG, message="no rows", endpoint="box_scores"),
        Problem(error_class=ErrorClass.STORAGE, message="no rows", endpoint="play_by_play"),
        Problem(error_class=ErrorClass.STORAGE, message="no games", endpoint="box_scores"),
    ],
)
def test_another_class_endpoint_or_message_is_another_failure(other: Problem) -> None:
    one = Problem(error_class=ErrorClass.STORAGE, message="no rows", endpoint="box_scores")
    assert one.fingerprint != other.fingerprint
    assert len(one.fingerprint) == len(other.fingerprint) == 12


def test_address_and_attempt_are_no_part_of_the_fingerprint() -> None:
    plain = Problem(error_class=FULL.error_class, message=FULL.message, endpoint=FULL.endpoint)
    assert plain.fingerprint == FULL.fingerprint


def test_incomplete_dates_have_one_fingerprint_whatever_games_they_lack() -> None:
    messages = ("4 of 5 games: missing UTA@DET", "9 of 11 games: missing GSW@UTA, LAL@BOS, CHA@MIA")
    prints = {
        Problem(error_class=ErrorClass.INCOMPLETE, endpoint="box_scores", message=each).fingerprint
        for each in messages
    }
    assert len(prints) == 1


@given(st.text() | st.text(alphabet=st.characters(categories=["Cs"])))
def test_every_text_becomes_one_that_utf_8_and_postgres_hold(text: str) -> None:
    problem = Problem(error_class=ErrorClass.INTERNAL, message=text, url=text, body_line=text)
    for kept in (problem.message, problem.url, problem.body_line):
        assert "\0" not in kept
        assert kept.encode().decode() == kept
        assert len(kept) == len(text)
    assert len(problem.fingerprint) == 12
