"""The Odds API's bodies: recorded snapshots and small ones of our own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import ErrorClass, Problem
from include.parsing.odds_api import (
    GAME_LINES,
    LINES,
    PLAYER_PROPS,
    before_first_tip_off,
    before_tip_off,
    event_games,
    line_games,
    line_rows,
    prop_games,
    prop_rows,
    snapshot_before,
)
from include.sources.spec import Game, GameState, Item, Listing
from tests.parsing.reading import read, shape

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "odds_api_props"
DAY = date(2024, 1, 16)
ODDS = "the_odds_api"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
OUTCOMES = "data.bookmakers[0].markets[0].outcomes"


def fixture(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


def game(away: str, home: str, state: GameState = GameState.FINAL) -> Game:
    return Game(day=DAY, away=away, home=home, state=state)


# --- events


@pytest.mark.parametrize(
    ("day", "count"), [(date(2024, 1, 24), 3), (date(2024, 1, 25), 7), (date(2024, 1, 26), 0)]
)
def test_recorded_snapshot_of_4_am_utc_holds_two_dates(
    recorded: Path, day: date, count: int
) -> None:
    body = read(recorded / ODDS, "historical_events_2024-01-25T0400Z.json")
    assert len(list(event_games(body, day))) == count


def test_recorded_events_of_eleven_dates_are_those_of_ball_dont_lie_but_for_one_postponed_game(
    recorded: Path,
) -> None:
    listing = json.loads((recorded / "balldontlie/games_2024-01-10_2024-01-20.json").read_bytes())
    played = {
        (g["date"], g["visitor_team"]["abbreviation"], g["home_team"]["abbreviation"])
        for g in listing
    }
    offered = {
        (str(game.day), game.away, game.home)
        for day in sorted({date.fromisoformat(g["date"]) for g in listing})
        for game in event_games(read(recorded / ODDS, f"historical_events_{day}T1200Z.json"), day)
    }
    assert played - offered == set()
    assert offered - played == {("2024-01-17", "GSW", "UTA")}


def test_events_of_other_dates_and_of_no_nba_team_are_left_out() -> None:
    assert list(map(str, event_games(fixture("listing.2024-01-16.json"), DAY))) == [
        "GSW@LAC",
        "DEN@UTA",
    ]
    (first, _) = event_games(fixture("listing.2024-01-16.json"), DAY)
    assert (first.state, first.game_id) == (GameState.LISTED, "0b")
    assert first.extra == {"commence_time": "2024-01-17T00:40:00+00:00"}


# --- which requests


def listing(expected: list[Game] | None) -> Listing:
    return Listing(day=DAY, expected=expected, bodies=[fixture("listing.2024-01-16.json")])


MARKETS = ("player_points", "player_assists")


def items_of(name: str, event_id: str, snapshot: str) -> list[Item]:
    """An item a market."""
    values = {"event_id": event_id, "snapshot": f"2024-01-17T{snapshot}Z"}
    return [Item(name=f"{name}.{each}", values={**values, "market": each}) for each in MARKETS]


WARRIORS = items_of("GSW-LAC-0b", "0b", "00:30:00")
NUGGETS = items_of("DEN-UTA-0c", "0c", "02:55:00")


def test_every_market_of_every_event_is_asked_for_before_its_own_tip_off() -> None:
    assert before_tip_off(10, MARKETS)(listing(None)) == [*WARRIORS, *NUGGETS]


def test_event_that_the_schedule_does_not_expect_costs_nothing() -> None:
    assert before_tip_off(10, MARKETS)(listing([game("GSW", "LAC")])) == WARRIORS
    assert (
        before_tip_off(10, MARKETS)(
            listing([game("GSW", "LAC"), game("DEN", "UTA", GameState.POSTPONED)])
        )
        == WARRIORS
    )
    assert before_tip_off(10, MARKETS)(listing([])) == []


def test_two_pages_with_one_event_make_one_request_a_market() -> None:
    twice = Listing(day=DAY, expected=None, bodies=[fixture("listing.2024-01-16.json")] * 2)
    assert before_tip_off(10, MARKETS)(twice) == [*WARRIORS, *NUGGETS]


@pytest.mark.parametrize(
    ("commence", "minutes", "snapshot"),
    [
        ("00:40:00", 0, "00:35:00"),
        ("00:40:00", 5, "00:35:00"),
        ("00:40:30", 0, "00:40:00"),
        ("00:42:00", 1, "00:40:00"),
        ("00:42:00", 3, "00:35:00"),
        ("00:42:00", 60, "23:40:00"),
    ],
)
def test_snapshot_is_on_the_grid_and_before_tip_off(
    commence: str, minutes: int, snapshot: str
) -> None:
    found = snapshot_before(datetime.fromisoformat(f"2024-01-17T{commence}+00:00"), minutes)
    assert f"{found:%H:%M:%S}" == snapshot


@given(st.integers(0, 200_000_000), st.integers(0, 600))
def test_snapshot_is_the_last_one_that_is_early_enough(second: int, minutes: int) -> None:
    commence = datetime(2022, 9, 1, tzinfo=UTC) + timedelta(seconds=second)
    found, early = snapshot_before(commence, minutes), timedelta(minutes=minutes)
    assert (found.minute % 5, found.second, found.microsecond) == (0, 0, 0)
    assert found < commence
    assert found + early <= commence
    later = found + timedelta(minutes=5)
    assert later >= commence or later + early > commence


def listed_in(month: str) -> Listing:
    """The listing's games on the 16th of the month."""
    body = fixture("listing.2024-01-16.json").replace(b"2024-01-", f"{month}-".encode())
    return Listing(day=date.fromisoformat(f"{month}-16"), expected=None, bodies=[body])


@pytest.mark.parametrize(
    ("items", "month", "since"),
    [
        (before_tip_off(10, MARKETS), "2023-04", "no player market is kept from before 2023-05-03"),
        (
            before_tip_off(10, LINES),
            "2020-05",
            "no featured market is kept from before 2020-06-06",
        ),
        (before_first_tip_off(10), "2020-05", "no featured market is kept from before 2020-06-06"),
    ],
)
def test_date_from_before_its_markets_were_kept_is_refused_before_it_costs(
    items: Callable[[Listing], list[Item]], month: str, since: str
) -> None:
    with pytest.raises(Problem, match=f"{since}: start the range there") as caught:
        items(listed_in(month))
    assert caught.value.error_class is ErrorClass.NOT_FOUND


@pytest.mark.parametrize(
    ("items", "month"),
    [
        (before_tip_off(10, MARKETS), "2023-06"),
        (before_first_tip_off(10), "2023-04"),
        (before_first_tip_off(10), "2022-12"),
        (before_first_tip_off(10), "2022-01"),
        (before_first_tip_off(10), "2020-08"),
        (before_tip_off(10, LINES), "2020-08"),
    ],
)
def test_date_is_asked_for_since_its_own_markets_are_kept(
    items: Callable[[Listing], list[Item]], month: str
) -> None:
    found = problem_of(items, month)
    assert found == ""


def problem_of(items: Callable[[Listing], list[Item]], month: str) -> str:
    try:
        return "" if items(listed_in(month)) else "nothing is asked for"
    except Problem as problem:
        return problem.message


# --- player props


@pytest.mark.parametrize(("name", "count"), [("4fd911e4", 56), ("d894c998", 94)])
def test_recorded_event_odds_are_rows_of_a_running_game(
    recorded: Path, name: str, count: int
) -> None:
    day, body = date(2025, 3, 9), read(recorded / ODDS, f"historical_event_odds_{name}.json")
    assert len(shape(PLAYER_PROPS, prop_rows(body, day))) == count
    (found,) = prop_games(body, day)
    assert (str(found), found.rows) == ("MEM@NOP", count)
    assert found.problem == "snapshot of 23:50:38Z is not before tip-off"


def test_prop_row_holds_what_the_body_says() -> None:
    common = {
        "game_date": DAY,
        "game_id": "0b",
        "home_tricode": "LAC",
        "away_tricode": "GSW",
        "player_name": "Zoë Example Jr",
        "player_key": "zoe example",
        "bookmaker": "examplebook",
        "snapshot_at": datetime(2024, 1, 17, 0, 30, 38, tzinfo=UTC),
        "commence_time": datetime(2024, 1, 17, 0, 40, tzinfo=UTC),
        "minutes_before_tip": 9,
    }
    points = {
        "market": "player_points",
        "line": 20.5,
        "last_update": datetime(2024, 1, 17, 0, 30, tzinfo=UTC),
    }
    doubles = {"market": "player_double_double", "line": None, "last_update": None}
    assert shape(PLAYER_PROPS, prop_rows(fixture("player_props.2024-01-16.json"), DAY)) == [
        {**common, **points, "side": "Over", "price": 1.9},
        {**common, **points, "side": "Under", "price": 2.0},
        {**common, **doubles, "side": "Yes", "price": 4.5},
    ]


def test_game_with_lines_before_tip_off_is_sound() -> None:
    (found,) = prop_games(fixture("player_props.2024-01-16.json"), DAY)
    assert (str(found), found.state, found.rows, found.problem) == (
        "GSW@LAC",
        GameState.LISTED,
        3,
        "",
    )


def test_snapshot_of_the_moment_of_tip_off_is_too_late() -> None:
    late = fixture("player_props.2024-01-16.json").replace(
        b'"2024-01-17T00:30:38Z"', b'"2024-01-17T00:40:00Z"'
    )
    assert [game.problem for game in prop_games(late, DAY)] == [
        "snapshot of 00:40:00Z is not before tip-off"
    ]
    assert {row["minutes_before_tip"] for row in prop_rows(late, DAY)} == {0}


def test_event_that_moved_to_another_date_is_none_of_ours() -> None:
    assert list(prop_rows(fixture("player_props.2024-01-16.json"), date(2024, 1, 17))) == []
    assert list(prop_games(fixture("player_props.2024-01-16.json"), date(2024, 1, 17))) == []


# --- game lines


@pytest.mark.parametrize("day", [date(2024, 1, 10) + timedelta(days=n) for n in range(11)])
def test_recorded_featured_odds_are_rows_of_the_dates_games(recorded: Path, day: date) -> None:
    body = read(recorded / ODDS, f"historical_odds_{day}.json.gz")
    rows, games = shape(GAME_LINES, line_rows(body, day)), list(line_games(body, day))
    assert Counter(row["game_id"] for row in rows) == {game.game_id: game.rows for game in games}
    assert {game.problem for game in games} == {""}
    assert {row["side"] for row in rows} == {"Home", "Away", "Over", "Under"}
    assert set(games) == set(
        event_games(read(recorded / ODDS, f"historical_events_{day}T1200Z.json"), day)
    )


def test_recorded_h2h_of_one_running_game_has_no_line(recorded: Path) -> None:
    rows = shape(
        GAME_LINES, line_rows(read(recorded / ODDS, "historical_odds_h2h.json"), date(2024, 1, 24))
    )
    assert [(row["bookmaker"], row["side"], row["line"], row["price"]) for row in rows] == [
        ("draftkings", "Away", None, 3.3),
        ("draftkings", "Home", None, 1.32),
        ("fanduel", "Away", None, 3.8),
        ("fanduel", "Home", None, 1.26),
    ]
    assert {row["minutes_before_tip"] for row in rows} == {-36}


def test_line_row_says_which_side_a_team_is() -> None:
    rows = shape(GAME_LINES, line_rows(fixture("game_lines.2024-01-16.json"), DAY))
    assert [(row["market"], row["side"], row["line"], row["price"]) for row in rows] == [
        ("h2h", "Away", None, 230.0),
        ("h2h", "Home", None, -285.0),
        ("spreads", "Away", 7.0, -110.0),
        ("spreads", "Home", -7.0, -110.0),
        ("totals", "Over", 228.0, -110.0),
        ("totals", "Under", 228.0, -110.0),
    ]


def test_game_that_nobody_offers_is_unsound() -> None:
    assert [
        (str(found), found.rows, found.problem)
        for found in line_games(fixture("game_lines.2024-01-16.json"), DAY)
    ] == [
        ("GSW@LAC", 6, ""),
        ("DEN@UTA", 0, "no bookmaker offers a line"),
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({b'"timestamp"': b'"time"'}, "timestamp is missing, wanted text"),
        ({b"2024-01-17T00:30:38Z": b"2024-01-17T00:30:38"}, "timestamp is a time without a zone"),
        ({b'"data"': b'"events"'}, "data is missing, wanted a list"),
        ({b'"commence_time"': b'"starts"'}, "data.commence_time is missing, wanted text"),
        ({b'"id": "0b"': b'"id": "../0b"'}, "data.id is not a plain id"),
        ({b'"price": 1.95': b'"price": "2"'}, f"{OUTCOMES}[2].price is str, wanted a number"),
        ({b'"description"': b'"player"'}, f"{OUTCOMES}[0].description is missing, wanted text"),
        ({b'"point": 20.5': b'"point": "20.5"'}, f"{OUTCOMES}[0].point is str, wanted a number"),
    ],
)
def test_odds_of_another_shape_are_drift(changes: dict[bytes, bytes], said: str) -> None:
    body = fixture("player_props.2024-01-16.json")
    for old, new in changes.items():
        body = body.replace(old, new)
    with pytest.raises(Problem) as caught:
        list(prop_rows(body, DAY))
    assert caught.value.error_class is ErrorClass.SCHEMA_DRIFT
    assert caught.value.message.partition(";")[0] == said
