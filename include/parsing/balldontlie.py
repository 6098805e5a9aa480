"""Ball Don't Lie bodies: ``/v1/box_scores`` into player rows and games, ``/v1/games`` into a date's
list of games."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from include.parsing import fields
from include.parsing.fields import Json
from include.parsing.names import player_key, tricode
from include.sources.spec import Column, Game, GameState, Row, Table

_COUNTED = (
    "fgm", "fga", "fg3m", "fg3a", "ftm", "fta", "oreb", "dreb", "reb", "ast", "stl", "blk",
    "turnover", "pf", "pts",
)  # fmt: skip
_SHARES = ("fg_pct", "fg3_pct", "ft_pct")
_PLAYER_TEXTS = ("position", "height", "weight", "jersey_number", "college", "country")
_PLAYER_NUMBERS = ("draft_year", "draft_round", "draft_number")

BOX_SCORES = Table(
    name="bdl_box_scores",
    columns=(
        Column("game_date", "DATE", "US/Eastern date of the game"),
        Column(
            "game_id", "STRING", "Ball Don't Lie's id; YYYYMMDD-AWAY-HOME where the body has none"
        ),
        Column("home_tricode", "STRING"),
        Column("away_tricode", "STRING"),
        Column("player_name", "STRING", "first and last name, as the source writes them"),
        Column("player_key", "STRING", "folded name, equal across sources"),
        Column("player_id", "INTEGER", "Ball Don't Lie's id, not NBA.com's"),
        Column("team_tricode", "STRING"),
        Column("is_home", "BOOLEAN"),
        Column("season", "INTEGER", "year in which the season starts"),
        Column("postseason", "BOOLEAN"),
        Column("tip_off", "TIMESTAMP", "UTC; null in the shape of 2024, which has no datetime"),
        Column("status", "STRING"),
        Column("period", "INTEGER", "5 and more after overtime"),
        Column("home_score", "INTEGER"),
        Column("away_score", "INTEGER"),
        Column(
            "minutes", "INTEGER", "whole minutes; 0 for players who are listed but did not play"
        ),
        Column("did_not_play", "BOOLEAN", "listed with no minutes and nothing counted"),
        *(Column(name, "INTEGER") for name in _COUNTED),
        Column("plus_minus", "INTEGER", "null in the shape of 2024"),
        *(Column(name, "DOUBLE", "0 to 1; may be null without attempts") for name in _SHARES),
        *(Column(name, "STRING") for name in _PLAYER_TEXTS),
        *(Column(name, "INTEGER") for name in _PLAYER_NUMBERS),
    ),
    key=("game_id", "team_tricode", "player_id"),
)

FEWEST_PLAYERS = 5


def rows(body: bytes, day: date) -> Iterator[Row]:
    """One row per listed player of every game in a ``/v1/box_scores`` body, played or not.

    Raises Problem(SCHEMA_DRIFT) where a required field is missing or wrong, also for a game of
    another date.
    """
    for game, at in _games(body, day):
        away, home = _team(game, "visitor_team", at), _team(game, "home_team", at)
        of_game = {
            "game_date": day,
            "game_id": _game_id(game, day, away, home, at),
            "home_tricode": home,
            "away_tricode": away,
            "season": fields.whole(game, "season", at),
            "postseason": fields.flag(game, "postseason", at),
            "tip_off": _tip_off(game, at),
            "status": fields.text(game, "status", at),
            "period": fields.whole(game, "period", at),
            "home_score": fields.whole(game, "home_team_score", at),
            "away_score": fields.whole(game, "visitor_team_score", at),
        }
        for side, team in (("visitor_team", away), ("home_team", home)):
            for player, path in fields.records(game[side], "players", f"{at}.{side}"):
                yield {
                    **of_game,
                    "team_tricode": team,
                    "is_home": side == "home_team",
                    **_player_row(player, path),
                }


def games(body: bytes, day: date) -> Iterator[Game]:
    """The games of a ``/v1/box_scores`` body. Unplayed ones come with a 200, period 0 and no
    players [seen 2026-01].

    A final game has a ``problem`` when a side has fewer than five players with minutes or its
    points do not add up.
    """
    for game, at in _games(body, day):
        sides = [
            (team, fields.records(game[team], "players", f"{at}.{team}"))
            for team in ("visitor_team", "home_team")
        ]
        listed = all(players for _, players in sides)
        state = _state(game, at)
        problem = ""
        if state is GameState.FINAL and not listed:
            # Box scores can come hours after the final whistle (17 % of games at 1 AM Eastern).
            state, problem = GameState.LIVE, "final, but a side has no players yet"
        elif state is GameState.FINAL:
            problem = "; ".join(
                filter(None, (_unsound(game, team, players, at) for team, players in sides))
            )
        yield _game(
            game,
            day,
            at,
            state=state,
            rows=sum(len(players) for _, players in sides),
            problem=problem,
        )


def listed_games(body: bytes, day: date) -> Iterator[Game]:
    """The games of a ``/v1/games?dates[]=`` body (one page): what the source itself says was to be
    played."""
    for game, at in _games(body, day):
        yield _game(game, day, at, state=_state(game, at))


def _games(body: bytes, day: date) -> Iterator[tuple[Json, str]]:
    for game, at in fields.records(fields.decoded(body), "data"):
        said = fields.calendar_day(fields.text(game, "date", at), f"{at}.date")
        if said != day:
            raise fields.wrong(f"{at}.date", f"is {said}, but {day} was asked for")
        yield game, at


def _game(
    game: Json, day: date, at: str, *, state: GameState, rows: int = 0, problem: str = ""
) -> Game:
    away, home = _team(game, "visitor_team", at), _team(game, "home_team", at)
    tip_off = _tip_off(game, at)
    return Game(
        day=day,
        away=away,
        home=home,
        state=state,
        game_id=_game_id(game, day, away, home, at),
        rows=rows,
        problem=problem,
        extra={"tip_off": tip_off.isoformat()} if tip_off else {},
    )


def _state(game: Json, at: str) -> GameState:
    status = fields.text(game, "status", at).strip().lower()
    if status.startswith(("postponed", "ppd", "cancel")):
        return GameState.POSTPONED
    if status.startswith("final"):
        return GameState.FINAL
    return GameState.LIVE if fields.whole(game, "period", at) > 0 else GameState.UNPLAYED


def _unsound(game: Json, side: str, players: list[tuple[Json, str]], at: str) -> str:
    team = _team(game, side, at)
    played = sum(_minutes(player, path) > 0 for player, path in players)
    if played < FEWEST_PLAYERS:
        return f"{team} has {played} players with minutes"
    points = sum(fields.whole(player, "pts", path) for player, path in players)
    score = fields.whole(game, f"{side}_score", at)
    return "" if points == score else f"{team}'s players have {points} points, the team {score}"


def _team(game: Json, side: str, at: str) -> str:
    path = f"{at}.{side}"
    name = fields.text(fields.child(game, side, at), "abbreviation", path)
    code = tricode(name)
    if code is None:
        raise fields.wrong(f"{path}.abbreviation", f"{name!r} is no team that we know")
    return code


def _game_id(game: Json, day: date, away: str, home: str, at: str) -> str:
    number = fields.whole_or_none(game, "id", at)
    return f"{day:%Y%m%d}-{away}-{home}" if number is None else str(number)


def _tip_off(game: Json, at: str) -> datetime | None:
    value = fields.text_or_none(game, "datetime", at)
    return None if value is None else fields.moment(value, f"{at}.datetime")


def _minutes(player: Json, at: str) -> int:
    """``"28"``, ``"05"`` and ``"28:31"`` are whole minutes; null and ``""`` are 0."""
    value = (
        fields.text_or_none(player, "min", at)
        if "min" in player
        else fields.text(player, "min", at)
    )
    try:
        return int((value or "0").partition(":")[0])
    except ValueError as error:
        raise fields.wrong(f"{at}.min", "is no number of minutes") from error


def _player_row(player: Json, at: str) -> dict[str, Any]:
    who, path = fields.child(player, "player", at), f"{at}.player"
    name = f"{fields.text(who, 'first_name', path)} {fields.text(who, 'last_name', path)}".strip()
    counted = {key: fields.whole(player, key, at) for key in _COUNTED}
    minutes = _minutes(player, at)
    return {
        "player_name": name,
        "player_key": player_key(name),
        "player_id": fields.whole(who, "id", path),
        "minutes": minutes,
        "did_not_play": minutes == 0 and not any(counted.values()),
        **counted,
        "plus_minus": fields.whole_or_none(player, "plus_minus", at),
        **{key: fields.number_or_none(player, key, at) for key in _SHARES},
        **{key: fields.text_or_none(who, key, path) for key in _PLAYER_TEXTS},
        **{key: fields.whole_or_none(who, key, path) for key in _PLAYER_NUMBERS},
    }
