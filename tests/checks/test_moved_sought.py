"""A game that was moved, on its true date, where no body of another date is there: the date under
which the source keeps it is asked."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from urllib.parse import unquote

import pytest

from include.checks.gaps import find_gaps
from include.warehouse.local import LocalWarehouse
from tests.checks.test_moved import AT, FIRST, LATER, LISTED, NOTHING, PLAYED, body, game, games
from tests.checks.told import Telling, Told, scheduled
from tests.http.scripted import Step, reply


def season_of(team: int) -> str:
    """Asks for the season's games of a team, by its number."""
    return f"/v1/games?seasons[]=2024&team_ids[]={team}&per_page=100"


LISTS = season_of(5)
"""Those of Chicago, the home team."""
OWN, ORIGIN = (f"/v1/box_scores?date={day}" for day in (PLAYED, LISTED))
SEASON = body(
    game("GSW", "UTA", LISTED, LISTED),
    game("DET", "CHI", LISTED, PLAYED),
    game("MIL", "CHI", PLAYED, LISTED),
)
BOTH = {("GSW@UTA", PLAYED), ("DET@CHI", PLAYED)}


@pytest.fixture
def known(telling: Telling) -> Telling:
    """The schedule knows both dates."""
    telling.schedule(LISTED, scheduled(LISTED, "MIA@BOS", "0022400001"))
    moved = scheduled(PLAYED, "DET@CHI", "0022400002")
    telling.schedule(PLAYED, moved, scheduled(PLAYED, "GSW@UTA", "0022400003"))
    return telling


def ask(
    telling: Telling, day: date, *answers: bytes | Step, refetch: datetime | None = None
) -> tuple[Told, list[str]]:
    """One try, and what it asked for."""
    before = len(telling.scripted.seen)
    told = telling.run(AT, day, *answers, refetch=refetch)
    return told, list(map(unquote, telling.scripted.paths()[before:]))


def gap(telling: Telling, day: date) -> bool:
    warehouse = LocalWarehouse(telling.folder / "warehouse")
    found = find_gaps(telling.sources[AT[0]], [(AT[1], day)], telling.store, warehouse)
    return list(found) != [None]


def test_date_asks_where_its_game_is_kept_and_takes_it_from_there(known: Telling) -> None:
    told, asked = ask(known, PLAYED, LATER, SEASON, FIRST)
    assert (told.outcome, told.message) == ("complete", "2 of 2 games")
    assert (games(told), asked) == (BOTH, [OWN, LISTS, ORIGIN])
    assert not gap(known, PLAYED)


def test_date_that_kept_it_is_fetched_as_ever_and_changes_nothing(known: Telling) -> None:
    before, _ = ask(known, PLAYED, LATER, SEASON, FIRST)
    told, asked = ask(known, LISTED, FIRST)
    assert (told.message, games(told)) == ("1 of 1 games", {("MIA@BOS", LISTED)})
    assert asked == [ORIGIN]
    again, asked = ask(known, PLAYED)
    assert (again.outcome, again.rows, asked) == ("complete", before.rows, [])
    assert not gap(known, PLAYED)


def test_correction_that_comes_with_that_date_is_taken_over_without_a_request(
    known: Telling,
) -> None:
    ask(known, PLAYED, LATER, SEASON, FIRST)
    corrected = json.loads(FIRST)
    corrected["data"][1]["home_team"]["players"][0]["ast"] += 1
    ask(known, LISTED, json.dumps(corrected).encode())
    assert gap(known, PLAYED)
    told, asked = ask(known, PLAYED)
    assert (told.outcome, games(told), asked) == ("complete", BOTH, [])
    assert not gap(known, PLAYED)


def test_list_of_two_pages_is_read_to_its_end(known: Telling) -> None:
    first = json.loads(body(game("GSW", "UTA", LISTED, LISTED))) | {"meta": {"next_cursor": 7}}
    told, asked = ask(known, PLAYED, LATER, json.dumps(first).encode(), SEASON, FIRST)
    assert (told.outcome, asked) == ("complete", [OWN, LISTS, f"{LISTS}&cursor=7", ORIGIN])


@pytest.mark.parametrize(
    ("answers", "asked"),
    [([NOTHING], [OWN, LISTS]), ([SEASON, NOTHING], [OWN, LISTS, ORIGIN])],
    ids=["nowhere", "not where it is said to be"],
)
def test_game_that_is_not_found_stays_missing_and_the_others_are_loaded(
    known: Telling, answers: list[bytes], asked: list[str]
) -> None:
    told, seen = ask(known, PLAYED, LATER, *answers)
    assert (told.outcome, told.message) == ("partial", "1 of 2 games: missing DET@CHI")
    assert (games(told), seen) == ({("GSW@UTA", PLAYED)}, asked)


def test_try_seeks_four_games_and_no_more(telling: Telling) -> None:
    teams = ("ATL", "BKN", "BOS", "CHA", "CLE", "DAL", "DEN")
    due = [scheduled(PLAYED, f"DET@{team}", f"002240000{n}") for n, team in enumerate(teams)]
    telling.schedule(PLAYED, *due)
    told, asked = ask(telling, PLAYED, *[NOTHING] * 20)
    assert (told.outcome, len(asked)) == ("partial", 1 + 4)


def test_game_that_its_own_date_lists_as_unplayed_is_not_sought(known: Telling) -> None:
    unplayed = game("DET", "CHI", PLAYED, PLAYED) | {"period": 0, "status": "2025-02-13T00:30:00Z"}
    for side in ("home_team", "visitor_team"):
        unplayed[side]["players"] = []
    told, asked = ask(known, PLAYED, body(game("GSW", "UTA", PLAYED, PLAYED), unplayed))
    assert told.message == "1 of 2 games: missing DET@CHI (unplayed)"
    assert asked == [OWN]


def before_it_was_final(period: int) -> bytes:
    """The first date's body while the moved game is to come (0), or running."""
    found = json.loads(FIRST)
    found["data"][1] |= {"period": period, "status": "2025-02-13T00:30:00Z"}
    return json.dumps(found).encode()


@pytest.mark.parametrize("period", [0, 3], ids=["to come", "running"])
def test_game_that_was_not_final_where_it_is_kept_is_asked_for_there_again(
    known: Telling, period: int
) -> None:
    early = before_it_was_final(period)
    before, _ = ask(known, PLAYED, LATER, SEASON, early)
    assert before.outcome == "partial"
    told, asked = ask(known, PLAYED, LATER, FIRST)
    assert (told.outcome, told.message) == ("complete", "2 of 2 games")
    assert (games(told), asked) == (BOTH, [OWN, ORIGIN])
    assert not gap(known, PLAYED)


@pytest.mark.parametrize("lists", [(), (LATER,)], ids=["schedule", "no schedule"])
def test_body_that_was_fetched_long_before_the_game_does_not_count_for_ever(
    telling: Telling, request: pytest.FixtureRequest, lists: tuple[bytes, ...]
) -> None:
    if not lists:
        request.getfixturevalue("known")
    ask(telling, LISTED, *([before_it_was_final(0)] * (1 + len(lists))))
    told, asked = ask(telling, PLAYED, *lists, LATER, FIRST)
    assert (told.outcome, told.message, games(told)) == ("complete", "2 of 2 games", BOTH)
    assert asked[-2:] == [OWN, ORIGIN]
    assert not gap(telling, PLAYED)


def test_game_that_is_not_kept_there_any_more_is_sought(known: Telling) -> None:
    ask(known, PLAYED, LATER, SEASON, before_it_was_final(0))
    told, asked = ask(known, PLAYED, LATER, body(game("MIA", "BOS", LISTED, LISTED)), NOTHING)
    assert told.message == "1 of 2 games: missing DET@CHI (unplayed)"
    assert asked == [OWN, ORIGIN, LISTS]


@pytest.mark.parametrize(
    "wrong", [{"status": None}, {"home_team": {"abbreviation": "XYZ"}}], ids=["status", "team"]
)
def test_other_game_of_the_season_that_cannot_be_read_does_not_end_the_search(
    known: Telling, wrong: dict[str, object]
) -> None:
    season = json.loads(SEASON)
    season["data"][0] |= wrong
    told, asked = ask(known, PLAYED, LATER, json.dumps(season).encode(), FIRST)
    assert (told.outcome, told.message) == ("complete", "2 of 2 games")
    assert (games(told), asked) == (BOTH, [OWN, LISTS, ORIGIN])


FORM = "data is int, wanted a list"


def unreadable() -> bytes:
    """The first date's body with nothing but the moved game, of which a field has another form."""
    found = game("DET", "CHI", LISTED, PLAYED)
    found["home_team"]["players"][0]["min"] = "a few"
    return body(found)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([b'{"data": 5}'], FORM),
        ([SEASON, b'{"data": 5}'], FORM),
        ([SEASON, unreadable()], "data[0].home_team.players[0].min is not a number of minutes"),
    ],
    ids=["the list", "the other date", "the game"],
)
def test_search_that_cannot_be_read_does_not_withhold_the_other_games(
    known: Telling, answers: list[bytes], said: str
) -> None:
    told, _ = ask(known, PLAYED, LATER, *answers)
    assert (told.outcome, told.message) == ("partial", f"1 of 2 games: missing DET@CHI ({said})")
    assert games(told) == {("GSW@UTA", PLAYED)}
    again, _ = ask(known, PLAYED, LATER, SEASON, FIRST)
    assert (again.outcome, games(again)) == ("complete", BOTH)


def test_search_that_the_source_fails_at_does_not_withhold_the_other_games(known: Telling) -> None:
    told, _ = ask(known, PLAYED, LATER, *[reply(500)] * 20)
    failed = "balldontlie: the upstream fails with status 500: rerun the date when the upstream is"
    said = f"1 of 2 games: missing DET@CHI ({failed} well again)"
    assert (told.outcome, told.message) == ("partial", said)
    assert games(told) == {("GSW@UTA", PLAYED)}


ORDERED = datetime(2100, 1, 1, tzinfo=UTC)
"""Later than whatever is fetched here."""


def test_refetch_asks_for_moved_games_too(known: Telling) -> None:
    before, _ = ask(known, PLAYED, LATER, SEASON, FIRST)
    corrected = json.loads(FIRST)
    corrected["data"][1]["home_team"]["players"][0]["ast"] += 1
    fresh = json.dumps(corrected).encode()
    told, asked = ask(known, PLAYED, LATER, fresh, refetch=ORDERED)
    assert (told.outcome, told.message, asked) == ("complete", "2 of 2 games", [OWN, ORIGIN])
    assert sum(row["ast"] for row in told.rows) == 1 + sum(row["ast"] for row in before.rows)
    assert not gap(known, PLAYED)
    again, asked = ask(known, PLAYED, refetch=ORDERED)
    assert (again.outcome, again.rows, asked) == ("complete", told.rows, [])


def test_refetch_is_not_over_while_a_moved_game_cannot_be_asked_for(known: Telling) -> None:
    before, _ = ask(known, PLAYED, LATER, SEASON, FIRST)
    told, _ = ask(known, PLAYED, LATER, *[reply(500)] * 20, refetch=ORDERED)
    assert (told.outcome, told.rows) == ("failed", before.rows)
    again, asked = ask(known, PLAYED, LATER, FIRST, refetch=ORDERED)
    assert (again.outcome, asked) == ("complete", [OWN, ORIGIN])


def test_next_try_seeks_the_games_that_the_last_one_left(telling: Telling) -> None:
    numbers = {"ATL": 1, "BKN": 3, "BOS": 2, "CHA": 4, "DAL": 7, "DEN": 8, "GSW": 10}
    numbers |= {"HOU": 11, "IND": 12}
    due = [scheduled(PLAYED, f"DET@{team}", f"00224000{n}") for team, n in numbers.items()]
    telling.schedule(PLAYED, *due)
    told = [ask(telling, PLAYED, *[NOTHING] * 20)[1] for _ in range(3)]
    sought = [[team for team in numbers if season_of(numbers[team]) in asked] for asked in told]
    assert [len(asked) for asked in told] == [5, 5, 5]
    first = ["ATL", "BKN", "BOS", "CHA"]
    assert sought == [first, ["DAL", "DEN", "GSW", "HOU"], [*first[:3], "IND"]]
