"""What a team's games of a season are asked for with at Ball Don't Lie, and under which dates its
answer has a game."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

from include.parsing.balldontlie import team_season
from include.sources.spec import Game, GameState


def game(day: date, home: str) -> Game:
    return Game(day=day, away="DET", home=home, state=GameState.FINAL)


def test_teams_have_the_numbers_of_the_recorded_bodies(recorded: Path) -> None:
    listed = json.loads((recorded / "balldontlie/games_2024-01-10_2024-01-20.json").read_bytes())
    teams = {row["home_team"]["abbreviation"]: str(row["home_team"]["id"]) for row in listed}
    asked = {team: team_season(game(date(2024, 1, 15), team)) for team in teams}
    assert len(teams) == 30
    assert asked == {team: {"season": "2023", "team_id": teams[team]} for team in teams}


def test_season_is_the_year_in_which_it_starts() -> None:
    days = (date(2021, 12, 14), date(2022, 1, 11), date(2021, 5, 16), date(2020, 8, 14))
    asked = [team_season(game(day, "CHI")) for day in days]
    seasons = ("2021", "2021", "2020", "2019")
    assert asked == [{"season": season, "team_id": "5"} for season in seasons]


def test_team_that_is_not_of_the_league_cannot_be_asked_for() -> None:
    assert team_season(game(date(2025, 1, 15), "TBD")) is None
