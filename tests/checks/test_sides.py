"""Who is at home, where a game log does not tell: game 0022400147 of 2024-11-02, MIA at WAS in
Mexico City."""

from __future__ import annotations

from datetime import date

import pytest

from tests.checks.told import Telling, scheduled
from tests.parsing.nbacom.game_log import one_game, wrapped

BOX_SCORES = ("nbacom_box_scores", "box_scores")
DAY = date(2024, 11, 2)
# As it was answered: each team's rows have its own team first.
ROWS = [
    {**row, "GAME_ID": "0022400147", "GAME_DATE": "2024-11-02", "MATCHUP": matchup}
    | {"TEAM_ABBREVIATION": matchup[:3], "TEAM_NAME": matchup[:3], "SEASON_ID": "22024"}
    for row, matchup in zip(one_game(), ["WAS @ MIA"] * 5 + ["MIA @ WAS"] * 5, strict=True)
]
POINTS = {"WAS": 15, "MIA": 10}


@pytest.mark.parametrize("rows", [ROWS, ROWS[::-1]], ids=["WAS first", "MIA first"])
@pytest.mark.parametrize("game", ["MIA@WAS", "WAS@MIA"])
def test_sides_of_a_game_at_a_neutral_site_are_those_of_the_schedule(
    telling: Telling, rows: list[dict[str, object]], game: str
) -> None:
    away, home = game.split("@")
    final = {"status": 3, "away_score": POINTS[away], "home_score": POINTS[home]}
    telling.schedule(DAY, scheduled(DAY, game, "0022400147", **final))
    told = telling.run(BOX_SCORES, DAY, wrapped(rows))
    assert (told.outcome, told.message) == ("complete", "1 of 1 games")
    sides = {f"{row['away_tricode']}@{row['home_tricode']}" for row in told.rows}
    assert (sides, len(told.rows)) == ({game}, 10)


def test_without_the_schedule_nobody_is_said_to_be_at_home(telling: Telling) -> None:
    told = telling.run(BOX_SCORES, DAY, wrapped(ROWS))
    assert (told.outcome, told.rows) == ("unverified", [])
    assert told.message == (
        "0 games found, but which were to be played is not known: load nbacom_schedule first"
    )
