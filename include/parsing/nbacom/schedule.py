"""A season's schedule (``/stats/scheduleleaguev2``, cdn ``scheduleLeagueV2.json``): the games of
one date in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from typing import Any

from include.errors import ErrorClass, Problem
from include.parsing.fields import Record, decode, drift, read_fields
from include.parsing.names import UNDECIDED
from include.parsing.nbacom.seasons import (
    COUNTING,
    GAME_COLUMNS,
    GAME_ID,
    SEASON_TYPES,
    columns_of,
    fields_of,
    season,
)
from include.sources.spec import Column, Game, GameState, Row, Table

_SCHEDULED = fields_of(
    (
        "STRING",
        False,
        "gameCode gameStatusText gameLabel gameSubLabel gameSubtype seriesText seriesGameNumber",
    ),
    ("STRING", False, "arenaName arenaCity arenaState"),
    ("INTEGER", False, "weekNumber"),
    ("BOOLEAN", False, "isNeutral"),
)

SCHEDULE = Table(
    name="nbacom_schedule",
    doc="NBA.com: a row per game of the season; the truth of which games a date has.",
    columns=(
        *GAME_COLUMNS,
        Column("season", "STRING", "2024-25"),
        Column(
            "season_type",
            "STRING",
            "SeasonType of stats.nba.com, from the game id; IST is the Cup final",
        ),
        Column(
            "counts",
            "BOOLEAN",
            "regular season, play-in, playoffs and Cup final, once both teams are known",
        ),
        Column("postponed", "BOOLEAN", "or cancelled: not played on this date"),
        Column("status", "INTEGER", "1 to be played, 2 running, 3 final"),
        Column("tip_off", "TIMESTAMP", "UTC"),
        Column("home_team_id", "INTEGER"),
        Column("away_team_id", "INTEGER"),
        Column("home_score", "INTEGER"),
        Column("away_score", "INTEGER"),
        *columns_of(_SCHEDULED),
    ),
    key=("game_id",),
)

_SCHEDULE_DAY = re.compile(r"\d\d/\d\d/\d{4}\b", re.ASCII)


# Seasons that did not begin in October.
_LATE_STARTS = {
    "1998-99": date(1999, 2, 5),
    "2011-12": date(2011, 12, 25),
    "2020-21": date(2020, 12, 22),
}

FINAL_STATUS = 3
_STATES = {1: GameState.UNPLAYED, 2: GameState.LIVE, FINAL_STATUS: GameState.FINAL}


def schedule_rows(body: bytes, day: date) -> Iterator[Row]:
    """The date's games of a whole season's body, preseason and All-Star included (``counts`` tells
    them apart).

    Raises Problem(SCHEMA_DRIFT) for another season's body and Problem(EMPTY_UNEXPECTED) for a
    season without games, or one that ends before the date.
    """
    seen: set[str] = set()
    for game in _games_of(day, body):
        row = _row(game, day)
        if row["game_id"] in seen:
            raise drift(game.at("gameId"), f"is {row['game_id']} a second time")
        seen.add(row["game_id"])
        yield row


def _row(game: Record, day: date) -> dict[str, Any]:
    """A game of the schedule as a row."""
    home, away = game.child("homeTeam"), game.child("awayTeam")
    home_tricode, away_tricode = _tricode(home), _tricode(away)
    is_decided = UNDECIDED not in (home_tricode, away_tricode)
    season_type = _season_type(game)
    return {
        "game_date": day,
        "game_id": game.text("gameId"),
        "home_tricode": home_tricode,
        "away_tricode": away_tricode,
        "season": season(day),
        "season_type": season_type,
        "counts": is_decided and season_type in COUNTING,
        "postponed": _is_postponed(game),
        "status": game.whole("gameStatus"),
        "tip_off": game.moment_or_none("gameDateTimeUTC"),
        "home_team_id": home.whole_or_none("teamId"),
        "away_team_id": away.whole_or_none("teamId"),
        "home_score": home.whole_or_none("score"),
        "away_score": away.whole_or_none("score"),
        **read_fields(game, _SCHEDULED),
    }


def schedule_games(body: bytes, day: date) -> Iterator[Game]:
    """The date's games with the state that the schedule gives them; those that do not count are
    only LISTED."""
    for row in schedule_rows(body, day):
        tip_off = row["tip_off"].isoformat() if row["tip_off"] else ""
        yield Game(
            day=day,
            away=row["away_tricode"],
            home=row["home_tricode"],
            state=_state(row),
            game_id=row["game_id"],
            rows=1,
            undecided=_undecided(row),
            extra={"season_type": row["season_type"], "tip_off": tip_off},
        )


def _undecided(row: Row) -> str:
    is_decided = UNDECIDED not in (row["home_tricode"], row["away_tricode"])
    return "" if is_decided else str(row["game_id"])


def _state(row: Row) -> GameState:
    if not row["counts"]:
        return GameState.LISTED
    if row["postponed"]:
        return GameState.POSTPONED
    return _STATES.get(row["status"], GameState.UNPLAYED)


def _games_of(day: date, body: bytes) -> Iterator[Record]:
    schedule = decode(body).child("leagueSchedule")
    said = schedule.text("seasonYear")
    if said != season(day):
        # The cdn has the current season only; its games must not make another season's date look
        # empty.
        raise drift(schedule.at("seasonYear"), f"is {said}, but {day} is of {season(day)}")
    dates = schedule.records("gameDates")
    if not dates:
        raise Problem(
            error_class=ErrorClass.EMPTY_UNEXPECTED,
            message=(
                f"the schedule of {said} has no dates at all: ask again, or wait until it is"
                " published"
            ),
        )
    days = list(map(_day_of, dates))
    _check_reach(day, min(days), max(days))
    for found, entry in zip(days, dates, strict=True):
        if found == day:
            yield from entry.records("games")


def _day_of(entry: Record) -> date:
    written = entry.text("gameDate")
    if _SCHEDULE_DAY.match(written):
        month, number, year = map(int, written[:10].split("/"))
        with suppress(ValueError):
            return date(year, month, number)
    raise drift(entry.at("gameDate"), "is not MM/DD/YYYY")


def _check_reach(day: date, first: date, last: date) -> None:
    """Raises Problem(EMPTY_UNEXPECTED) for a date on which the season is under way and that the
    schedule does not reach: it says nothing of it."""
    of_season = season(day)
    year = int(of_season[:4])
    opening = _LATE_STARTS.get(of_season, date(year, 10, 25))
    if first <= day <= last or not opening <= day <= date(year + 1, 4, 8):
        return
    ends = f"ends on {last}" if day > last else f"begins on {first}"
    raise Problem(
        error_class=ErrorClass.EMPTY_UNEXPECTED,
        message=(
            f"the schedule {ends} and does not reach {day}: ask again, or wait until the rest is"
            " published"
        ),
    )


def _season_type(game: Record) -> str:
    game_id = game.text("gameId")
    if not GAME_ID.fullmatch(game_id):
        raise drift(game.at("gameId"), "is not an NBA.com game id: 00, 1 to 6, seven digits")
    return SEASON_TYPES[game_id[2]]


def _tricode(team: Record) -> str:
    return team.text_or_none("teamTricode") or UNDECIDED


def _is_postponed(game: Record) -> bool:
    if game.text_or_none("postponedStatus") in ("Y", "P", "C"):
        return True
    status = game.text_or_none("gameStatusText") or ""
    return status.strip().upper().startswith(("PPD", "POSTPONED", "CANCEL"))
