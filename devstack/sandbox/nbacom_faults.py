"""What NBA.com's game log and schedule can have wrong: of a date's first game, or of all."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import date, datetime
from typing import Any

from devstack.sandbox.balldontlie_faults import MOVED_BY
from devstack.sandbox.nba_schedule import times
from include.partition import EASTERN

Json = dict[str, Any]


def bend_log(kind: str, log: Json) -> None:
    """Makes the game log wrong in the way that the fault says."""
    headers, rows = log["headers"], log["rowSet"]
    # What is wrong with the whole log, then with its first game.
    match kind:
        case "unplayed" | "empty":
            rows.clear()
        case "late_game" | "missing_game" | "postponed" | "cancelled" if rows:
            column = headers.index("GAME_ID")
            # The log is listed backwards: the date's first game, as at every source.
            gone = min(row[column] for row in rows)
            log["rowSet"] = [row for row in rows if row[column] != gone]
        case "schema_drift":
            headers[headers.index("PTS")] = "POINTS"
        case "corrected" if rows:
            rows[0][headers.index("AST")] += 1
        case _ if rows and kind in _FIRST_GAME:
            game = headers.index("GAME_ID")
            lines = [row for row in rows if row[game] == rows[0][game]]
            _FIRST_GAME[kind](headers, rows, lines)


def _to_neutral(headers: list[str], rows: list[Any], lines: list[Any]) -> None:
    """Each team's rows say ``@`` with its own team first, as at a neutral site."""
    team, matchup = headers.index("TEAM_ABBREVIATION"), headers.index("MATCHUP")
    for line in lines:
        first, _, second = line[matchup].split()
        other = second if line[team] == first else first
        line[matchup] = f"{line[team]} @ {other}"


def _halve(headers: list[str], lines: list[Any], *names: str) -> None:
    for name in names:
        for line in lines:
            line[headers.index(name)] //= 2


def _halve_minutes(headers: list[str], rows: list[Any], lines: list[Any]) -> None:
    _halve(headers, lines, "MIN")


def _stop_at_half_time(headers: list[str], rows: list[Any], lines: list[Any]) -> None:
    _halve(headers, lines, "MIN", "PTS", "REB", "AST", "FGM", "FGA", "FTM", "FTA", "FG3M", "FG3A")


def _lose_players(headers: list[str], rows: list[Any], lines: list[Any]) -> None:
    """The two with the most minutes of the first row's team."""
    team, minutes = headers.index("TEAM_ABBREVIATION"), headers.index("MIN")
    own = [line for line in lines if line[team] == lines[0][team]]
    for line in sorted(own, key=lambda line: line[minutes])[-2:]:
        rows.remove(line)


def _forget_name(headers: list[str], rows: list[Any], lines: list[Any]) -> None:
    lines[0][headers.index("PLAYER_NAME")] = None


def _repeat_player(headers: list[str], rows: list[Any], lines: list[Any]) -> None:
    rows.append(list(lines[0]))


_FIRST_GAME: dict[str, Callable[[list[str], list[Any], list[Any]], None]] = {
    "neutral_site": _to_neutral,
    "wrong_minutes": _halve_minutes,
    "half_time": _stop_at_half_time,
    "lost_players": _lose_players,
    "null_player": _forget_name,
    "player_twice": _repeat_player,
}


def _to_scheduled(game: Json, text: str = "7:00 pm ET") -> None:
    game |= {"gameStatus": 1, "gameStatusText": text}
    game["homeTeam"]["score"] = game["awayTeam"]["score"] = 0


def _postpone(game: Json) -> None:
    _to_scheduled(game, "PPD")
    game["postponedStatus"] = "Y"


def _cancel(game: Json) -> None:
    _to_scheduled(game, "Cancelled")


_ONE_GAME: dict[str, Callable[[Json], None]] = {
    "late_game": _to_scheduled,
    "postponed": _postpone,
    "cancelled": _cancel,
}


def _move(schedule: Json, day: Json) -> None:
    """The day's first game to another date, where it was played."""
    game = day["games"].pop(0)
    moved = datetime.fromisoformat(game["gameDateTimeUTC"]) + MOVED_BY
    game |= times(moved)
    game["gameCode"] = f"{moved.astimezone(EASTERN):%Y%m%d}/{game['gameCode'][9:]}"
    written = f"{moved.astimezone(EASTERN):%m/%d/%Y} 00:00:00"
    for each in schedule["gameDates"]:
        if each["gameDate"] == written:
            each["games"].append(game)
            return
    schedule["gameDates"].append({"gameDate": written, "games": [game]})


def _add_undecided(day: Json) -> None:
    """Two more games, of which nobody knows yet who plays."""
    nobody = {"teamId": 0, "teamName": None, "teamCity": None, "teamTricode": None, "score": 0}
    for number in (1, 2):
        game = deepcopy(day["games"][0])
        _to_scheduled(game, "TBD")
        game |= {"gameId": f"{game['gameId'][:5]}0120{number}"}
        day["games"].append({**game, "homeTeam": {**nobody}, "awayTeam": {**nobody}})


def bend_schedule(kind: str, payload: Json, day: date | None) -> None:
    """Makes the schedule wrong in the way that the fault says."""
    schedule = payload["leagueSchedule"]
    wanted = f"{day:%m/%d/%Y}" if day else ""
    dates = [each for each in schedule["gameDates"] if each["gameDate"].startswith(wanted)]
    match kind:
        case "empty":
            schedule["gameDates"] = [
                each for each in schedule["gameDates"] if day and each not in dates
            ]
        case "schema_drift":
            schedule["dates"] = schedule.pop("gameDates")
        case "unplayed":
            for each in dates:
                for game in each["games"]:
                    _to_scheduled(game)
        case "missing_game" if dates:
            del dates[0]["games"][0]
        case "moved_game" if dates:
            _move(schedule, dates[0])
        case "undecided" if dates:
            _add_undecided(dates[0])
        case _ if dates and kind in _ONE_GAME:
            _ONE_GAME[kind](dates[0]["games"][0])
