"""What counting a date's games says, case by case."""

from __future__ import annotations

import random
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.checks.completeness import Count, count
from include.outcome import Outcome
from include.sources.spec import Game, GameState

DAY = date(2024, 1, 17)
TEAMS = ["ATL", "BKN", "BOS", "CHA", "CHI", "CLE"]


def game(name: str, state: GameState = GameState.FINAL, **more: object) -> Game:
    away, home = name.split("@")
    return Game(day=DAY, away=away, home=home, state=state, **more)


def test_every_expected_game_present_and_sound_is_complete() -> None:
    expected = [game("GSW@UTA", GameState.UNPLAYED), game("IND@OKC")]
    got = count(expected, [game("IND@OKC", rows=24), game("GSW@UTA", rows=20)])
    assert got == Count(outcome=Outcome.COMPLETE, expected=2, found=2)
    assert got.message == "2 of 2 games"


def test_nothing_expected_and_nothing_there_is_no_games() -> None:
    got = count([], [])
    assert got == Count(outcome=Outcome.NO_GAMES, expected=0, found=0)
    assert got.message == "no games on this date"


def test_without_a_schedule_nothing_is_complete() -> None:
    got = count(None, [game("GSW@UTA")])
    assert got == Count(outcome=Outcome.UNVERIFIED, expected=0, found=1)
    assert (
        got.message
        == "1 games found, but which were to be played is not known: load nbacom_schedule first"
    )
    assert count(None, []).outcome is Outcome.UNVERIFIED


def test_absent_unplayed_and_live_games_are_missing() -> None:
    expected = [game("GSW@UTA"), game("IND@OKC"), game("BOS@TOR"), game("MIA@BKN")]
    present = [
        game("IND@OKC", GameState.UNPLAYED),
        game("BOS@TOR", GameState.LIVE, problem="final, but a side has no players yet"),
        game("MIA@BKN"),
    ]
    got = count(expected, present)
    missing = ("BOS@TOR (final, but a side has no players yet)", "GSW@UTA", "IND@OKC (unplayed)")
    assert got == Count(outcome=Outcome.PARTIAL, expected=4, found=1, missing=missing)
    assert got.message == f"1 of 4 games: missing {', '.join(missing)}"


def test_unsound_game_makes_the_date_partial() -> None:
    got = count(
        [game("GSW@UTA"), game("IND@OKC")], [game("GSW@UTA", problem="4 players"), game("IND@OKC")]
    )
    assert got == Count(
        outcome=Outcome.PARTIAL, expected=2, found=1, unsound=("GSW@UTA (4 players)",)
    )
    assert got.message == "1 of 2 games: unsound GSW@UTA (4 players)"


def test_postponed_game_is_not_expected() -> None:
    schedule = [game("GSW@UTA", GameState.POSTPONED), game("IND@OKC")]
    assert count(schedule, [game("IND@OKC")]) == Count(
        outcome=Outcome.COMPLETE, expected=1, found=1
    )
    assert count(schedule[:1], []) == Count(outcome=Outcome.NO_GAMES, expected=0, found=0)


def test_played_game_that_the_schedule_does_not_know_is_unverified() -> None:
    got = count([game("IND@OKC")], [game("IND@OKC"), game("GSW@UTA")])
    assert got == Count(outcome=Outcome.UNVERIFIED, expected=1, found=1, unexpected=("GSW@UTA",))
    assert got.message == "1 of 1 games: not in the schedule: GSW@UTA"
    assert count([], [game("GSW@UTA")]).outcome is Outcome.UNVERIFIED


@pytest.mark.parametrize("state", [GameState.UNPLAYED, GameState.POSTPONED, GameState.LISTED])
def test_unknown_game_that_was_not_played_changes_nothing(state: GameState) -> None:
    got = count([game("IND@OKC")], [game("IND@OKC"), game("GSW@UTA", state)])
    assert got == Count(outcome=Outcome.COMPLETE, expected=1, found=1)


def test_missing_game_outweighs_an_unknown_one() -> None:
    got = count([game("IND@OKC")], [game("OKC@IND")])
    assert got == Count(
        outcome=Outcome.PARTIAL, expected=1, found=0, missing=("IND@OKC",), unexpected=("OKC@IND",)
    )
    assert got.message == "0 of 1 games: missing IND@OKC; not in the schedule: OKC@IND"


def test_expected_game_that_is_only_listed_counts() -> None:
    got = count([game("IND@OKC")], [game("IND@OKC", GameState.LISTED)])
    assert got == Count(outcome=Outcome.COMPLETE, expected=1, found=1)


def test_best_report_on_a_game_counts() -> None:
    reports = [
        game("IND@OKC", GameState.UNPLAYED),
        game("IND@OKC", problem="4 players"),
        game("IND@OKC"),
    ]
    for order in (reports, reports[::-1]):
        assert count([game("IND@OKC")], order) == Count(
            outcome=Outcome.COMPLETE, expected=1, found=1
        )


some_games = st.lists(
    st.builds(
        lambda pair, state, problem: game(f"{pair[0]}@{pair[1]}", state, problem=problem),
        st.lists(st.sampled_from(TEAMS), min_size=2, max_size=2, unique=True),
        st.sampled_from(GameState),
        st.sampled_from(["", "4 players"]),
    ),
    max_size=8,
)


@given(some_games, some_games, st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(
    expected: list[Game], present: list[Game], chance: random.Random
) -> None:
    shuffled = [*present, *present]
    chance.shuffle(shuffled)
    assert count(expected, shuffled) == count(expected, present)


@given(some_games, some_games)
def test_done_means_that_every_due_game_has_a_sound_report(
    expected: list[Game], present: list[Game]
) -> None:
    due = {g for g in expected if g.state is not GameState.POSTPONED}
    sound = {g for g in present if g.state in (GameState.FINAL, GameState.LISTED) and not g.problem}
    got = count(expected, present)
    assert got.found == len(due & sound)
    if got.outcome.done:
        assert due <= sound
        assert (got.outcome is Outcome.NO_GAMES) == (not due)
    assert not count(None, present).outcome.done
