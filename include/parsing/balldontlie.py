"""Ball Don't Lie bodies: ``/v1/box_scores`` into player rows and games, ``/v1/games`` into a date's
list of games."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from functools import lru_cache, partial
from itertools import count
from typing import Any

from include.errors import Problem
from include.parsing.each_game import Read, each_game, games_in, rows_in
from include.parsing.fields import Record, decode, drift
from include.parsing.minutes import find_wrong_minutes
from include.parsing.names import UNDECIDED, player_key, tricode
from include.parsing.nbacom.seasons import season
from include.partition import eastern_day
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
    doc="Ball Don't Lie: a row per listed player and game; those who did not play have 0 minutes.",
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
        Column(
            "did_not_play",
            "BOOLEAN",
            "listed with no whole minute and nothing counted: true also of some who played for"
            " seconds",
        ),
        *(Column(name, "INTEGER") for name in _COUNTED),
        Column("plus_minus", "INTEGER", "null in the shape of 2024"),
        *(Column(name, "DOUBLE", "0 to 1; may be null without attempts") for name in _SHARES),
        *(Column(name, "STRING") for name in _PLAYER_TEXTS),
        *(Column(name, "INTEGER") for name in _PLAYER_NUMBERS),
    ),
    key=("game_id", "team_tricode", "player_id"),
)

MIN_PLAYERS = 5


# The source's numbers are those of the teams in this order.
_TEAMS = (
    *("ATL", "BOS", "BKN", "CHA", "CHI", "CLE", "DAL", "DEN", "DET", "GSW"),
    *("HOU", "IND", "LAC", "LAL", "MEM", "MIA", "MIL", "MIN", "NOP", "NYK"),
    *("OKC", "ORL", "PHI", "PHX", "POR", "SAC", "SAS", "TOR", "UTA", "WAS"),
)
_TEAM_IDS = dict(zip(_TEAMS, count(1), strict=False))
_AWAY, _HOME = "visitor_team", "home_team"


def rows(body: bytes, day: date) -> Iterator[Row]:
    """One row per listed player of every game in a ``/v1/box_scores`` body, played or not; none of
    a game that cannot be read.

    Raises Problem(SCHEMA_DRIFT) where that is every game, and for a game of another date.
    """
    yield from rows_in(_read(body, day))


def games(body: bytes, day: date) -> Iterator[Game]:
    """The games of a ``/v1/box_scores`` body. Unplayed ones come with a 200, period 0 and no
    players [seen 2026-01].

    A final game has a ``problem`` when a side has fewer than five players with minutes, or its
    points or minutes (``minutes.py``) do not add up; of a game that cannot be read it names
    the field.
    """
    yield from games_in(_read(body, day))


def listed_games(body: bytes, day: date) -> Iterator[Game]:
    """The games of a ``/v1/games?dates[]=`` body (one page): what the source itself says was to be
    played."""
    for game in _games(body, day):
        yield _game(game, day)


@lru_cache(maxsize=1)
def _read(body: bytes, day: date) -> Sequence[Read]:
    found = _games(body, day)
    return each_game((_game(game, day), partial(_read_game, game, day)) for game in found)


def _read_game(game: Record, day: date) -> Read:
    bare = _game(game, day)
    if bare.undecided:
        return bare, ()
    state, problem = _judge(game)
    score = _add_points(game, _AWAY), _add_points(game, _HOME)
    found = replace(bare, state=state, problem=problem, score=score)
    return found, list(_rows_of(game, day))


def _rows_of(game: Record, day: date) -> Iterator[Row]:
    of_game = _game_row(game, day)
    for side in (_AWAY, _HOME):
        team = game.child(side)
        of_team = {"team_tricode": _tricode(team), "is_home": side == _HOME}
        for player in team.records("players"):
            yield {**of_game, **of_team, **_player_row(player)}


def true_days(body: bytes) -> set[date]:
    """The US/Eastern dates on which the body's games are played.

    A game that was moved stays listed, and asked for, under its first ``date``; ``datetime`` has
    the true moment (58 games of 2020-21 to 2022-23: DET@CHI is listed under 2021-12-14 and was
    played on 2022-01-11).
    """
    return set(map(_true_day, decode(body).records("data")))


def team_season(game: Game) -> Mapping[str, str] | None:
    """What the list of its home team's games of the season is asked for with: ``season``, the year
    in which it starts, and ``team_id``; None for a team that the source does not number."""
    if number := _TEAM_IDS.get(game.home):
        return {"season": season(game.day)[:4], "team_id": str(number)}
    return None


def kept_under(body: bytes, games: Iterable[Game]) -> set[date]:
    """The other dates under which a ``/v1/games`` body has the games, all played on one; what
    cannot be read there is of other games."""
    due = {(game.day, game.away, game.home): game.day for game in games}
    found = set[date]()
    for game in decode(body).records("data"):
        with suppress(Problem):
            if _played_as(game) in due:
                found.add(game.day("date"))
    return found - {*due.values()}


def _played_as(game: Record) -> tuple[date, str, str]:
    away, home = (_tricode_or_undecided(game, side) for side in (_AWAY, _HOME))
    return _true_day(game), away, home


def _true_day(game: Record) -> date:
    tip_off = game.moment_or_none("datetime")
    return eastern_day(tip_off) if tip_off else game.day("date")


def _games(body: bytes, day: date) -> list[Record]:
    """The games that are played on the date, in its own body or in that of another date."""
    listed = decode(body).records("data")
    played = [game for game in listed if _true_day(game) == day]
    if not played or day in {game.day("date") for game in listed}:
        for game in listed:
            game.check_day("date", day)
    return played


def _game(game: Record, day: date) -> Game:
    tip_off = game.moment_or_none("datetime")
    away, home = (_tricode_or_undecided(game, side) for side in (_AWAY, _HOME))
    return Game(
        day=day,
        away=away,
        home=home,
        state=_state(game),
        game_id=_game_id(game, day),
        undecided=_game_id(game, day) if UNDECIDED in (away, home) else "",
        extra={"tip_off": tip_off.isoformat()} if tip_off else {},
    )


def _game_row(game: Record, day: date) -> dict[str, Any]:
    return {
        "game_date": day,
        "game_id": _game_id(game, day),
        "home_tricode": _tricode(game.child(_HOME)),
        "away_tricode": _tricode(game.child(_AWAY)),
        "season": game.whole("season"),
        "postseason": game.flag("postseason"),
        "tip_off": game.moment_or_none("datetime"),
        "status": game.text("status"),
        "period": game.whole("period"),
        "home_score": game.whole("home_team_score"),
        "away_score": game.whole("visitor_team_score"),
    }


def _game_id(game: Record, day: date) -> str:
    number = game.whole_or_none("id")
    if number is not None:
        return str(number)
    away, home = (_tricode_or_undecided(game, side) for side in (_AWAY, _HOME))
    return f"{day:%Y%m%d}-{away}-{home}"


def _tricode_or_undecided(game: Record, side: str) -> str:
    """The team's, and TBD of a game to come whose team has yet to qualify."""
    team = game.values.get(side)
    is_to_come = _state(game) in (GameState.UNPLAYED, GameState.POSTPONED)
    if is_to_come and (not team or team.get("abbreviation") in (None, "", UNDECIDED)):
        return UNDECIDED
    return _tricode(game.child(side))


def _tricode(team: Record) -> str:
    name = team.text("abbreviation")
    code = tricode(name)
    if code is None:
        raise drift(team.at("abbreviation"), f"{name!r} is not a team that we know")
    return code


def _players(game: Record, side: str) -> list[Record]:
    return game.child(side).records("players")


def _state(game: Record) -> GameState:
    status = game.text("status").strip().lower()
    if status.startswith(("postponed", "ppd", "cancel")):
        return GameState.POSTPONED
    if status.startswith("final"):
        return GameState.FINAL
    if game.flag_or_none("postponed"):
        return GameState.POSTPONED
    if game.whole("period") > 0:
        return GameState.LIVE
    return GameState.UNPLAYED


def _judge(game: Record) -> tuple[GameState, str]:
    """The state of a game by its box score, and what is wrong with it."""
    state = _state(game)
    if state is not GameState.FINAL:
        return state, ""
    # Box scores can come hours after the final whistle (17 % of games at 1 AM Eastern).
    if not _players(game, _AWAY) or not _players(game, _HOME):
        return GameState.LIVE, "final, but a side has no players yet"
    complaints = (_find_unsound(game, _AWAY), _find_unsound(game, _HOME))
    return state, "; ".join(filter(None, complaints))


def _find_unsound(game: Record, side: str) -> str:
    team, players = _tricode(game.child(side)), _players(game, side)
    played = sum(_minutes(player) > 0 for player in players)
    if played < MIN_PLAYERS:
        return f"{team} has {played} players with minutes"
    points, score = _add_points(game, side), game.whole(f"{side}_score")
    wrong = f"{team}'s players have {points} points, the team {score}" if points != score else ""
    seconds, overtimes = sum(map(_seconds, players)), max(0, game.whole("period") - 4)
    return "; ".join(filter(None, (wrong, find_wrong_minutes(team, seconds / 60, overtimes))))


def _add_points(game: Record, side: str) -> int:
    return sum(player.whole("pts") for player in _players(game, side))


def _minutes(player: Record) -> int:
    """Whole minutes."""
    return _seconds(player) // 60


def _seconds(player: Record) -> int:
    """Of ``"28"`` and ``"05"``, which are whole minutes, and of ``"28:31"``; null and ``""`` are
    0."""
    minutes, _, seconds = (player.text_or_null("min") or "0").partition(":")
    try:
        return int(minutes) * 60 + int(seconds or 0)
    except ValueError as error:
        raise drift(player.at("min"), "is not a number of minutes") from error


def _player_row(player: Record) -> dict[str, Any]:
    """The player's columns; the rest of a row is the game's and the team's."""
    who = player.child("player")
    name = f"{who.text('first_name')} {who.text('last_name')}".strip()
    minutes = _minutes(player)
    counted = {key: player.whole(key) for key in _COUNTED}
    return {
        "player_name": name,
        "player_key": player_key(name),
        "player_id": who.whole("id"),
        "minutes": minutes,
        "did_not_play": minutes == 0 and not any(counted.values()),
        **counted,
        "plus_minus": player.whole_or_none("plus_minus"),
        **{key: player.number_or_none(key) for key in _SHARES},
        **{key: who.text_or_none(key) for key in _PLAYER_TEXTS},
        **{key: who.whole_or_none(key) for key in _PLAYER_NUMBERS},
    }
