"""A season's schedule (``/stats/scheduleleaguev2``, cdn ``scheduleLeagueV2.json``): the games of
one date in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from include.errors import ErrorClass, Problem
from include.parsing import fields
from include.parsing.fields import Json
from include.parsing.nbacom.seasons import (
    COUNTING,
    GAME_COLUMNS,
    GAME_ID,
    SEASON_TYPES,
    UNDECIDED,
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
        Column("postponed", "BOOLEAN"),
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

_SCHEDULE_DAY = re.compile(r"(\d\d)/(\d\d)/(\d{4})\b", re.ASCII)


def schedule_rows(body: bytes, day: date) -> Iterator[Row]:
    """The date's games of a whole season's body, preseason and All-Star included (``counts`` tells
    them apart).

    Raises Problem(SCHEMA_DRIFT) for another season's body and Problem(EMPTY_UNEXPECTED) for a
    season without games.
    """
    for game, at in _scheduled(body, day):
        home, away = (fields.child(game, side, at) for side in ("homeTeam", "awayTeam"))
        game_id = fields.text(game, "gameId", at)
        season_type = _season_type(game_id, f"{at}.gameId")
        home_tricode, away_tricode = (
            _tricode(home, f"{at}.homeTeam"),
            _tricode(away, f"{at}.awayTeam"),
        )
        utc = fields.text_or_none(game, "gameDateTimeUTC", at)
        yield {
            "game_date": day,
            "game_id": game_id,
            "home_tricode": home_tricode,
            "away_tricode": away_tricode,
            "season": season(day),
            "season_type": season_type,
            "counts": season_type in COUNTING and UNDECIDED not in (home_tricode, away_tricode),
            "postponed": _is_postponed(game, at),
            "status": fields.whole(game, "gameStatus", at),
            "tip_off": None if utc is None else fields.moment(utc, f"{at}.gameDateTimeUTC"),
            "home_team_id": fields.whole_or_none(home, "teamId", f"{at}.homeTeam"),
            "away_team_id": fields.whole_or_none(away, "teamId", f"{at}.awayTeam"),
            "home_score": fields.whole_or_none(home, "score", f"{at}.homeTeam"),
            "away_score": fields.whole_or_none(away, "score", f"{at}.awayTeam"),
            **fields.read(game, at, _SCHEDULED),
        }


def schedule_games(body: bytes, day: date) -> Iterator[Game]:
    """The date's games with the state that the schedule gives them; those that do not count are
    only LISTED."""
    states = {1: GameState.UNPLAYED, 2: GameState.LIVE, 3: GameState.FINAL}
    for row in schedule_rows(body, day):
        if not row["counts"]:
            state = GameState.LISTED
        elif row["postponed"]:
            state = GameState.POSTPONED
        else:
            state = states.get(row["status"], GameState.UNPLAYED)
        yield Game(
            day=day,
            away=row["away_tricode"],
            home=row["home_tricode"],
            state=state,
            game_id=row["game_id"],
            rows=1,
            extra={
                "season_type": row["season_type"],
                "tip_off": row["tip_off"].isoformat() if row["tip_off"] else "",
            },
        )


def _scheduled(body: bytes, day: date) -> Iterator[tuple[Json, str]]:
    schedule = fields.child(fields.decoded(body), "leagueSchedule")
    said = fields.text(schedule, "seasonYear", "leagueSchedule")
    if said != season(day):
        # The cdn has the current season only; its games must not make another season's date look
        # empty.
        raise fields.wrong("leagueSchedule.seasonYear", f"is {said}, but {day} is of {season(day)}")
    dates = fields.records(schedule, "gameDates", "leagueSchedule")
    if not dates:
        raise Problem(
            error_class=ErrorClass.EMPTY_UNEXPECTED,
            message=(
                f"the schedule of {said} has no dates at all: ask again, or wait until it is"
                " published"
            ),
        )
    for entry, at in dates:
        written = _SCHEDULE_DAY.match(fields.text(entry, "gameDate", at))
        if not written:
            raise fields.wrong(f"{at}.gameDate", "is no MM/DD/YYYY")
        month, number, year = map(int, written.groups())
        if (year, month, number) == (day.year, day.month, day.day):
            yield from fields.records(entry, "games", at)


def _season_type(game_id: str, at: str) -> str:
    if not GAME_ID.fullmatch(game_id):
        raise fields.wrong(at, "is no NBA.com game id: 00, 1 to 6, seven digits")
    return SEASON_TYPES[game_id[2]]


def _tricode(team: Json, at: str) -> str:
    return fields.text_or_none(team, "teamTricode", at) or UNDECIDED


def _is_postponed(game: Json, at: str) -> bool:
    status = (fields.text_or_none(game, "gameStatusText", at) or "").upper()
    return fields.text_or_none(game, "postponedStatus", at) in ("Y", "P") or status.startswith(
        ("PPD", "POSTPONED")
    )
