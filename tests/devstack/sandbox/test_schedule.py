from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date

import pytest

from devstack.sandbox.league import League, is_final, is_known
from devstack.sandbox.schedule import (
    COUNTING,
    Stage,
    all_star_sunday,
    last_regular_day,
    opening_night,
    regular_games,
    season_of,
)

LEAGUE = League(seed=1)
SEASONS = (2022, 2023, 2024, 2025, 2026, 2030)


@pytest.mark.parametrize("season", SEASONS)
def test_everybody_plays_eighty_two_games_half_of_them_at_home(season: int) -> None:
    games = regular_games(season, 1)
    assert len(games) == 1230
    assert set(Counter(game.home.tricode for game in games).values()) == {41}
    assert set(Counter(game.away.tricode for game in games).values()) == {41}


@pytest.mark.parametrize("season", SEASONS)
def test_nobody_plays_twice_on_a_date_and_no_date_has_more_than_fifteen_games(season: int) -> None:
    games = [game for game in LEAGUE.season(season) if game.stage in COUNTING]
    appearances = Counter(
        (game.day, team.tricode) for game in games for team in (game.home, game.away)
    )
    assert max(appearances.values()) == 1
    assert max(Counter(game.day for game in games).values()) == 15
    assert (
        len({game.nba_id for game in games})
        == len({game.balldontlie_id for game in games})
        == len(games)
    )


@pytest.mark.parametrize(
    ("season", "first", "last"),
    [
        (2023, date(2023, 10, 24), date(2024, 4, 14)),
        (2024, date(2024, 10, 22), date(2025, 4, 13)),
        (2025, date(2025, 10, 21), date(2026, 4, 12)),
        (2026, date(2026, 10, 20), date(2027, 4, 11)),
    ],
)
def test_seasons_begin_and_end_on_the_real_dates(season: int, first: date, last: date) -> None:
    assert (opening_night(season), last_regular_day(season)) == (first, last)
    assert len(LEAGUE.games_on(last)) == 15


def test_christmas_eve_thanksgiving_and_the_all_star_break_are_empty_and_christmas_is_not() -> None:
    played = {
        day: len(LEAGUE.games_on(day))
        for day in (date(2024, 12, 24), date(2024, 12, 25), date(2024, 11, 28))
    }
    assert played == {date(2024, 12, 24): 0, date(2024, 12, 25): 5, date(2024, 11, 28): 0}
    assert LEAGUE.games_on(all_star_sunday(2024)) == ()


def test_the_postseason_has_play_in_four_rounds_and_a_cup_final_with_ids_of_their_own() -> None:
    games = LEAGUE.season(2024)
    by_stage = {stage: [game for game in games if game.stage is stage] for stage in Stage}
    assert [game.nba_id for game in by_stage[Stage.PLAY_IN]] == [
        "0052400101",
        "0052400121",
        "0052400111",
        "0052400131",
        "0052400201",
        "0052400211",
    ]
    assert [(game.nba_id, game.day, game.neutral) for game in by_stage[Stage.CUP_FINAL]] == [
        ("0062400001", date(2024, 12, 17), True)
    ]
    assert LEAGUE.games_on(date(2024, 12, 17)) == tuple(by_stage[Stage.CUP_FINAL])
    series = Counter(game.nba_id[:9] for game in by_stage[Stage.PLAYOFFS])
    assert len(series) == 15
    assert set(series.values()) <= {4, 5, 6, 7}


def test_a_season_is_the_same_again_and_another_with_another_seed() -> None:
    assert regular_games.__wrapped__(2024, 1) == regular_games(2024, 1)
    assert regular_games(2024, 2) != regular_games(2024, 1)


def test_game_is_final_after_two_and_a_half_hours_and_knock_out_games_are_drawn_late() -> None:
    game = LEAGUE.games_on(date(2025, 1, 15))[0]
    assert not is_final(game, game.tip_off)
    assert is_final(game, game.tip_off.replace(hour=(game.tip_off.hour + 3) % 24))
    final = LEAGUE.season(2024)[-1]
    assert (is_known(final, game.tip_off), is_known(final, final.tip_off)) == (False, True)


def test_a_season_runs_from_september_to_august() -> None:
    assert [
        season_of(day) for day in (date(2024, 10, 4), date(2025, 6, 22), date(2025, 8, 31))
    ] == [2024, 2024, 2024]


def test_three_games_in_four_start_on_another_utc_date() -> None:
    games = regular_games(2024, 1)
    assert 0.7 < sum(game.tip_off.date() != game.day for game in games) / len(games) < 0.85


def test_moved_game_is_played_on_its_date_and_listed_under_its_first_one() -> None:
    day, later = date(2026, 1, 15), date(2026, 2, 12)
    game = LEAGUE.games_on(day)[0]
    league = League(seed=1, moved=((game.nba_id, later),))
    moved = league.by_nba_id(game.nba_id)
    assert moved in league.games_on(later)
    assert moved not in league.games_on(day)
    assert (moved.first_day, moved.tip_off - game.tip_off) == (day, later - day)
    assert league.listed_on(day)[-1] == moved
    assert set(league.listed_on(later)) == set(LEAGUE.games_on(later))
    assert league.box_score(moved) == replace(LEAGUE.box_score(game), game=moved)
