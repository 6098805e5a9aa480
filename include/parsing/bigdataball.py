"""BigDataBall: the Drive listing of a date into one download per game, and a game's CSV into
plays."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime
from math import isfinite
from typing import Any

from include.parsing import fields
from include.parsing.names import player_key, tricode
from include.sources.spec import Column, ColumnType, Game, GameState, Item, Listing, Row, Table

_AWAY_PLAYERS = ("a1", "a2", "a3", "a4", "a5")
_HOME_PLAYERS = ("h1", "h2", "h3", "h4", "h5")

# In the file's order; game_id, date and player stand apart.
_PLAY: tuple[tuple[str, ColumnType], ...] = (
    ("data_set", "STRING"),
    *((name, "STRING") for name in (*_AWAY_PLAYERS, *_HOME_PLAYERS)),
    ("period", "INTEGER"),
    ("away_score", "INTEGER"),
    ("home_score", "INTEGER"),
    *((name, "STRING") for name in ("remaining_time", "elapsed", "play_length")),
    ("play_id", "INTEGER"),
    *(
        (name, "STRING")
        for name in ("team", "event_type", "assist", "away", "home", "block", "entered", "left")
    ),
    ("num", "INTEGER"),
    ("opponent", "STRING"),
    ("outof", "INTEGER"),
    ("points", "INTEGER"),
    *((name, "STRING") for name in ("possession", "reason", "result", "steal", "type")),
    *(
        (name, "DOUBLE")
        for name in ("shot_distance", "original_x", "original_y", "converted_x", "converted_y")
    ),
    ("description", "STRING"),
)
_DOCS = {
    "remaining_time": "of the period, h:mm:ss",
    "elapsed": "of the period, h:mm:ss",
    "play_length": "h:mm:ss",
    "away": "the visitors' player at a jump ball",
    "home": "the home team's player at a jump ball",
    "num": "which of a series of free throws",
    "outof": "how many free throws the series has",
    "opponent": "the player fouled",
    "shot_distance": "feet",
}
_HEADERS = frozenset({"game_id", "date", "player", *(name for name, _ in _PLAY)})
_NEVER_EMPTY = frozenset({"period", "away_score", "home_score", "play_id"})

PLAY_BY_PLAY = Table(
    name="bigdataball_play_by_play",
    columns=(
        Column("game_date", "DATE", "US/Eastern date of the game; the file's date"),
        Column("game_id", "STRING", "NBA.com's ten digits: the file has lost the leading zeros"),
        Column("home_tricode", "STRING"),
        Column("away_tricode", "STRING"),
        Column("player_name", "STRING", "the file's player"),
        Column("player_key", "STRING", "folded name, equal across sources"),
        *(Column(name, kind, _DOCS.get(name, "")) for name, kind in _PLAY),
    ),
    key=("game_id", "play_id"),
)

_FILE_NAME = re.compile(r"\[(\d{4}-\d\d-\d\d)\]-(\d{10})-([A-Z]{2,4})@([A-Z]{2,4})\.csv", re.ASCII)


def items(listing: Listing) -> list[Item]:
    """One download per game file of exactly this date; Drive's ``name contains`` matches prefixes,
    so it is looked at again. ``...combined-stats.csv`` is no game. Of a file that was uploaded
    twice the newest counts.

    Values: ``file_id``.
    """
    newest: dict[str, tuple[str, str]] = {}
    for body in listing.bodies:
        for file, at in fields.records(fields.decoded(body), "files"):
            name = _FILE_NAME.fullmatch(fields.text(file, "name", at))
            if not name or name[1] != listing.day.isoformat():
                continue
            version = (fields.text(file, "modifiedTime", at), fields.text(file, "id", at))
            game = f"{name[2]}-{_team(name[3])}-{_team(name[4])}"
            newest[game] = max(version, newest.get(game, version))
    return [
        Item(name=game, values={"file_id": file_id})
        for game, (_, file_id) in sorted(newest.items())
    ]


def rows(body: bytes, day: date) -> Iterator[Row]:
    """One row per play of a game's file, with its 44 columns typed and the two teams found."""
    plays = _plays(body, day)
    away, home = _sides(plays)
    for play, at in plays:
        name = play["player"] or None
        yield {
            "game_date": day,
            "game_id": play["game_id"].zfill(10),
            "home_tricode": home,
            "away_tricode": away,
            "player_name": name,
            "player_key": player_key(name) if name else None,
            **{column: _value(play, column, kind, at) for column, kind in _PLAY},
        }


def games(body: bytes, day: date) -> Iterator[Game]:
    """The file's one game: final if its last play ends the fourth period or a later one, and not
    tied.

    A ``problem`` says where the plays of any other file end, or which team's points do not add up
    to the last score.
    """
    plays = _plays(body, day)
    away, home = _sides(plays)
    last, at = plays[-1]
    period, away_score, home_score = (
        _whole(last, name, at) for name in ("period", "away_score", "home_score")
    )
    points: Counter[str] = Counter()
    for play, path in plays:
        if play["points"]:
            points[_team(play["team"])] += _whole(play, "points", path)
    final = period >= 4 and _is_zero(last["remaining_time"]) and away_score != home_score
    added, score = (points[away], points[home]), (away_score, home_score)
    problem = ""
    if not final:
        problem = (
            f"plays end in period {period} with {last['remaining_time']} left, at"
            f" {away_score}:{home_score}"
        )
    elif added != score:
        problem = f"plays make {added[0]}:{added[1]}, the score is {score[0]}:{score[1]}"
    yield Game(
        day=day,
        away=away,
        home=home,
        state=GameState.FINAL if final else GameState.LIVE,
        game_id=last["game_id"].zfill(10),
        rows=len(plays),
        problem=problem,
    )


def _plays(body: bytes, day: date) -> list[tuple[dict[str, str], str]]:
    try:
        reader = csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        plays = [(play, f"line {n}") for n, play in enumerate(reader, start=2)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise fields.wrong("body", f"is no CSV ({type(error).__name__})") from error
    if lacking := sorted(_HEADERS.difference(reader.fieldnames or ())):
        raise fields.wrong("header", f"lacks {', '.join(lacking)}")
    if not plays:
        raise fields.wrong("body", "has a header and no plays")
    for play, at in plays:
        if None in play or None in play.values():
            raise fields.wrong(at, "has not as many values as the header")
        said = _day(play["date"], at)
        if said != day:
            raise fields.wrong(f"{at}: date", f"is {said}, but {day} was asked for")
    if len({play["game_id"] for play, _ in plays}) != 1 or not plays[0][0]["game_id"].isdecimal():
        raise fields.wrong("game_id", "is not one number for the whole file")
    return plays


def _sides(plays: list[tuple[dict[str, str], str]]) -> tuple[str, str]:
    """(away, home): the file names no teams, but plays name a team and a player, and the lineups
    say whose he is."""
    away: Counter[str] = Counter()
    home: Counter[str] = Counter()
    for play, _ in plays:
        player, team = play["player"], play["team"]
        if player and team:
            away[team] += player in (play[name] for name in _AWAY_PLAYERS)
            home[team] += player in (play[name] for name in _HOME_PLAYERS)
    names = [side.most_common(1)[0][0] if side.total() else "" for side in (away, home)]
    if not all(names) or names[0] == names[1]:
        raise fields.wrong("team", "does not tell who is at home, by the lineups a1-a5 and h1-h5")
    return _team(names[0]), _team(names[1])


def _team(name: str) -> str:
    return tricode(name) or name


def _is_zero(clock: str) -> bool:
    """``0:00:00``, with however many digits."""
    return "0" in clock and not clock.strip("0:.")


def _day(written: str, at: str) -> date:
    """``2025-06-22`` or ``06/22/2025``."""
    try:
        if "/" in written:
            month, day, year = map(int, written.split("/"))
            return date(year, month, day)
        return datetime.fromisoformat(written).date()
    except ValueError as error:
        raise fields.wrong(f"{at}: date", "is neither YYYY-MM-DD nor MM/DD/YYYY") from error


def _whole(play: dict[str, str], column: str, at: str) -> int:
    value = _double(play, column, at)
    if value % 1 != 0:
        raise fields.wrong(f"{at}: {column}", "is no whole number")
    return int(value)


def _double(play: dict[str, str], column: str, at: str) -> float:
    try:
        value = float(play[column])
    except ValueError as error:
        raise fields.wrong(f"{at}: {column}", "is no number") from error
    if not isfinite(value):
        raise fields.wrong(f"{at}: {column}", "is no finite number")
    return value


_READERS: dict[ColumnType, Callable[[dict[str, str], str, str], Any]] = {
    "INTEGER": _whole,
    "DOUBLE": _double,
}


def _value(play: dict[str, str], column: str, kind: ColumnType, at: str) -> Any:
    if play[column] == "" and column not in _NEVER_EMPTY:
        return None
    reader = _READERS.get(kind)
    return reader(play, column, at) if reader else play[column]
