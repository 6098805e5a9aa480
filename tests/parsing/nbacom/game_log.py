"""Small bodies of NBA.com's game log, of an invented game, and scheduled games to go with them."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from include.sources.spec import Game, GameState

DAY = date(2024, 1, 15)


def line(name: str, team: str, **changes: Any) -> dict[str, Any]:
    """A row of an invented player who scored 3 for UTA or 2 for GSW."""
    counted = dict.fromkeys(
        ["FGM", "FGA", "FG3M", "FG3A", "FTM", "FTA", "OREB", "DREB", "REB", "AST", "STL", "BLK"], 0
    )
    return {
        "SEASON_ID": "22023",
        "PLAYER_ID": sum(map(ord, name + team)),
        "PLAYER_NAME": name,
        "TEAM_ID": 1 if team == "UTA" else 2,
        "TEAM_ABBREVIATION": team,
        "TEAM_NAME": team,
        "GAME_ID": "0022300999",
        "GAME_DATE": "2024-01-15",
        "MATCHUP": "UTA vs. GSW" if team == "UTA" else "GSW @ UTA",
        "WL": "W" if team == "UTA" else "L",
        "MIN": 48,
        **counted,
        "TOV": 0,
        "PF": 0,
        "PTS": 3 if team == "UTA" else 2,
        "PLUS_MINUS": 5,
        "FG_PCT": None,
        "FG3_PCT": None,
        "FT_PCT": 1,
        "FANTASY_PTS": 7.5,
        "VIDEO_AVAILABLE": 1,
        **changes,
    }


def one_game(**changes: Any) -> list[dict[str, Any]]:
    return [
        line(f"{letter} Example Jr.", team, **changes)
        for team in ("UTA", "GSW")
        for letter in "ABCDE"
    ]


def wrapped(lines: list[dict[str, Any]], headers: list[str] | None = None) -> bytes:
    headers = headers or list(lines[0])
    rows = [[one[header] for header in headers] for one in lines]
    return json.dumps(
        {"resultSets": [{"name": "LeagueGameLog", "headers": headers, "rowSet": rows}]}
    ).encode()


def scheduled(
    season_type: str, state: GameState = GameState.FINAL, game_id: str = "0022300999"
) -> Game:
    return Game(
        day=DAY,
        away="GSW",
        home="UTA",
        state=state,
        game_id=game_id,
        extra={"season_type": season_type},
    )
