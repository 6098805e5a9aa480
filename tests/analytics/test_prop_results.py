"""Bets and box scores of one date into results."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from include.analytics.actual import SOURCES
from include.analytics.prop_results import (
    PLAYER_PROP_RESULTS,
    UNMATCHED_PLAYERS,
    Results,
    build_results,
    builder,
)
from include.parsing.nbacom import SCHEDULE
from include.parsing.odds_api import PLAYER_PROPS
from include.sources.spec import Game, GameState, Row
from include.warehouse.rows import check_rows

DAY = date(2024, 1, 15)
TIP = datetime(2024, 1, 16, 0, 30, tzinfo=UTC)
BDL, NBACOM = SOURCES["bdl_box_scores"], SOURCES["nbacom_box_scores"]


def prop(**given: Any) -> Row:
    """One side of a bet, five minutes before tip-off."""
    taken = given.pop("snapshot_at", TIP - timedelta(minutes=5))
    row = {
        "game_date": DAY,
        "game_id": "e1",
        "home_tricode": "DEN",
        "away_tricode": "GSW",
        "player_name": "Stephen Curry",
        "player_key": "stephen curry",
        "side": "Over",
        "bookmaker": "draftkings",
        "market": "player_points",
        "line": 26.5,
        "price": 1.9,
        "snapshot_at": taken,
        "commence_time": TIP,
        "minutes_before_tip": (TIP - taken) // timedelta(minutes=1),
        "source_file": "odds/e1.json.gz",
    }
    return {**row, **given}


def box(key: str, *, team: str = "GSW", **given: Any) -> Row:
    """A row of Ball Don't Lie's box scores."""
    numbers = dict.fromkeys([*BDL.columns.values()], 0)
    return {
        "away_tricode": "GSW",
        "home_tricode": "DEN",
        "player_key": key,
        "team_tricode": team,
        "did_not_play": False,
        **numbers,
        **given,
    }


CURRY = box("stephen curry", pts=27, reb=6, ast=9, stl=1, blk=0, fg3m=5, turnover=3)


def build(props: list[Row], rows: list[Row] | None = None, *, off: bool = False) -> Results:
    """The results by Ball Don't Lie's rows, which both tables can hold."""
    game = Game(day=DAY, away="GSW", home="DEN", state=GameState.POSTPONED)
    found = build_results(props, [CURRY] if rows is None else rows, [game] if off else [], BDL)
    check_rows(PLAYER_PROP_RESULTS, found.results)
    check_rows(UNMATCHED_PLAYERS, found.unmatched)
    return found


def outcome(row: Row) -> tuple[float | None, str | None, str | None]:
    """What is said of one bet."""
    return row["actual"], row["result"], row["why"]


def test_the_two_sides_of_a_bet_are_one_row_with_all_that_is_known() -> None:
    found = build([prop(price=1.9), prop(side="Under", price=1.95)])
    assert found == Results(
        unmatched=[],
        results=[
            {
                "game_date": DAY,
                "game_id": "e1",
                "home_tricode": "DEN",
                "away_tricode": "GSW",
                "player_name": "Stephen Curry",
                "player_key": "stephen curry",
                "team_tricode": "GSW",
                "market": "player_points",
                "bookmaker": "draftkings",
                "line": 26.5,
                "price_over": 1.9,
                "price_under": 1.95,
                "snapshot_at": TIP - timedelta(minutes=5),
                "commence_time": TIP,
                "minutes_before_tip": 5,
                "actual": 27.0,
                "result": "over",
                "why": None,
                "actual_source": "raw.bdl_box_scores",
                "source_file": "odds/e1.json.gz",
            }
        ],
    )


@pytest.mark.parametrize(
    ("market", "line", "expected"),
    [
        ("player_points", 27.5, (27, "under", None)),
        ("player_points", 27.0, (27, "push", None)),
        ("player_points_alternate", 20.5, (27, "over", None)),
        ("player_threes", 4.5, (5, "over", None)),
        ("player_turnovers", 3.0, (3, "push", None)),
        ("player_blocks_steals", 1.5, (1, "under", None)),
        ("player_points_rebounds_assists", 41.5, (42, "over", None)),
        ("player_double_double", None, (0, "no", None)),
        ("player_first_basket", None, (None, None, "box scores do not tell player_first_basket")),
        ("player_points_q1", 6.5, (None, None, "box scores do not tell player_points_q1")),
        ("player_points", None, (27, None, "the bookmaker gave no line")),
    ],
)
def test_a_market_is_about_its_statistics(
    market: str, line: float | None, expected: tuple[Any, ...]
) -> None:
    (row,) = build([prop(market=market, line=line)]).results
    assert outcome(row) == expected


def test_a_double_double_is_ten_of_two_and_a_triple_double_ten_of_three() -> None:
    rows = [box("stephen curry", pts=30, reb=10, ast=10, stl=9)]
    yes = prop(market="player_double_double", line=None, side="Yes", price=1.5)
    no = prop(market="player_double_double", line=None, side="No", price=2.5)
    triple = prop(market="player_triple_double", line=None, side="Yes", price=9.0)
    first, second = build([yes, no, triple], rows).results
    assert (first["price_over"], first["price_under"], *outcome(first)) == (
        1.5,
        2.5,
        1,
        "yes",
        None,
    )
    assert outcome(second) == (1, "yes", None)


def test_the_last_line_strictly_before_tip_off_counts() -> None:
    early = prop(line=24.5, snapshot_at=TIP - timedelta(hours=2))
    last = prop(line=25.5, snapshot_at=TIP - timedelta(minutes=1))
    at_tip = prop(line=99.5, snapshot_at=TIP)
    (row,) = build([at_tip, early, last]).results
    assert (row["line"], row["minutes_before_tip"], row["result"]) == (25.5, 1, "over")


def test_a_bet_that_was_offered_only_after_tip_off_is_kept_and_not_settled() -> None:
    (row,) = build([prop(snapshot_at=TIP + timedelta(minutes=1))]).results
    assert (*outcome(row), row["minutes_before_tip"]) == (
        *(None, None, "no offer from before tip-off"),
        -1,
    )


def test_lines_of_an_alternate_market_are_rows_of_their_own() -> None:
    lines = [prop(market="player_points_alternate", line=line) for line in (20.5, 27.0, 30.5)]
    found = build(lines).results
    assert [(row["line"], row["result"]) for row in found] == [
        (20.5, "over"),
        (27.0, "push"),
        (30.5, "under"),
    ]


def test_who_did_not_play_is_void() -> None:
    (row,) = build([prop()], [box("stephen curry", did_not_play=True)]).results
    assert outcome(row) == (None, "void", "did not play")


def test_a_game_that_was_not_played_is_void() -> None:
    (row,) = build([prop()], [], off=True).results
    assert outcome(row) == (None, "void", "the game was not played on this date")


def test_a_game_without_box_score_is_not_settled() -> None:
    (row,) = build([prop()], []).results
    assert outcome(row) == (None, None, "no box score of the game")


def test_a_postponed_game_that_was_played_all_the_same_is_settled() -> None:
    (row,) = build([prop()], off=True).results
    assert outcome(row) == (27, "over", None)


def test_a_neutral_site_and_an_initial_are_the_same_game_and_player() -> None:
    turned = prop(
        home_tricode="GSW", away_tricode="DEN", player_name="S. Curry", player_key="s curry"
    )
    (row,) = build([turned]).results
    assert (row["player_key"], row["result"]) == ("stephen curry", "over")


def test_a_player_whom_the_box_score_lacks_is_listed_once_with_candidates() -> None:
    name = {"player_name": "Stephen Curri", "player_key": "stephen curri"}
    props = [prop(**name), prop(**name, bookmaker="betmgm"), prop(**name, side="Under")]
    found = build(props)
    assert [(row["bookmaker"], *outcome(row)) for row in found.results] == [
        (book, None, None, "the player is not in the game's box score")
        for book in ("draftkings", "betmgm")
    ]
    assert found.unmatched == [
        {
            "game_date": DAY,
            "game_id": "e1",
            "home_tricode": "DEN",
            "away_tricode": "GSW",
            **name,
            "bookmakers": "betmgm,draftkings",
            "candidates": "stephen curry",
            "actual_source": "raw.bdl_box_scores",
            "source_file": "odds/e1.json.gz",
        }
    ]


def test_nbacom_settles_too() -> None:
    row = {
        **{theirs: 0 for theirs in NBACOM.columns.values()},
        **{"away_tricode": "GSW", "home_tricode": "DEN", "player_key": "stephen curry"},
        **{"team_abbreviation": "GSW", "pts": 20, "tov": 4},
    }
    props = [prop(), prop(market="player_turnovers", line=3.5)]
    found = build_results(props, [row], [], NBACOM).results
    assert [(r["actual"], r["result"], r["team_tricode"], r["actual_source"]) for r in found] == [
        (20.0, "under", "GSW", "raw.nbacom_player_box_scores"),
        (4.0, "over", "GSW", "raw.nbacom_player_box_scores"),
    ]


@pytest.mark.parametrize(
    ("props", "said"),
    [
        ([prop(), prop(market="player_first_basket", line=None, side="Yes")], ""),
        (
            [
                prop(),
                prop(market="player_first_basket", line=None, side="Yes"),
                prop(player_name="Stephen Curri", player_key="stephen curri"),
            ],
            "2 of 3 bets not settled, 1 player not in the box scores",
        ),
        ([prop(line=None)], "1 of 1 bet not settled, 0 players not in the box scores"),
    ],
)
def test_what_people_should_know_is_said(props: list[Row], said: str) -> None:
    rows = {str(PLAYER_PROPS): props, str(BDL.table): [CURRY], str(SCHEDULE): []}
    found = builder(BDL)(DAY, rows)
    assert (found.said, found.games) == (said, 1)


def test_of_two_players_of_one_key_the_one_who_played_is_meant() -> None:
    away = box("stephen curry", did_not_play=True)
    for rows in ([CURRY, away], [away, CURRY]):
        (row,) = build([prop()], rows).results
        assert outcome(row) == (27, "over", None)
    found = build([prop()], [CURRY, CURRY])
    assert outcome(found.results[0])[2] == "the player is not in the game's box score"
    assert len(found.unmatched) == 1
