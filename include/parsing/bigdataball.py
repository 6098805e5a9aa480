"""BigDataBall: the Drive listing of a date into one download per game, and a game's CSV into
plays."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from itertools import groupby
from math import isfinite
from operator import itemgetter
from typing import Any

from include.errors import Problem
from include.parsing.fields import decode, drift, read_moment
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
# What the vendor's present layout appends; older files do without.
_APPENDED: tuple[tuple[str, ColumnType], ...] = (
    ("home_team", "STRING"),
    ("away_team", "STRING"),
    ("team_possession", "STRING"),
    ("time_actual", "TIMESTAMP"),
    *((f"qualifiers{n}", "STRING") for n in range(1, 5)),
    ("area", "STRING"),
    ("area_detail", "STRING"),
    ("official_id", "STRING"),
)
# Columns with a player's name, which that layout writes as 1626167/Myles Turner.
_NAMES = (
    *_AWAY_PLAYERS,
    *_HOME_PLAYERS,
    *("assist", "away", "home", "block", "entered", "left", "opponent", "player", "possession"),
    "steal",
)
_ID = re.compile(r"(?P<id>\d+)/\s*(?=.)", re.ASCII)
# A spreadsheet's text: ="0021700033" in 69 of 82 real files of 2017-18, '0021800001 in 2018-19.
_GAME_ID = re.compile(r"""=?["']?(?P<digits>\d{1,10})["']?""", re.ASCII)
_UNKNOWN = "unknown"
_SUBSTITUTION = "substitution"
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
    "home_team": "null in files of the older layout, as all columns from here on",
    "time_actual": "UTC",
}
_HEADERS = frozenset({"game_id", "date", "player", *(name for name, _ in _PLAY)})
_NEVER_EMPTY = frozenset({"period", "away_score", "home_score", "play_id"})

PLAY_BY_PLAY = Table(
    name="bigdataball_play_by_play",
    doc="BigDataBall: a row per play, the lineups with it.",
    columns=(
        Column("game_date", "DATE", "US/Eastern date of the game; the file's date"),
        Column("game_id", "STRING", "NBA.com's ten digits: the file has lost the leading zeros"),
        Column("home_tricode", "STRING"),
        Column("away_tricode", "STRING"),
        Column("player_name", "STRING", "the file's player"),
        Column("player_key", "STRING", "folded name, equal across sources"),
        Column("player_id", "INTEGER", "NBA.com's; null in files of the older layout"),
        *(Column(name, kind, _DOCS.get(name, "")) for name, kind in (*_PLAY, *_APPENDED)),
    ),
    key=("game_id", "play_id"),
)

_FILE_NAME = re.compile(
    r"\[(?P<day>\d{4}-\d\d-\d\d)\]-(?P<game_id>\d{10})"
    r"-(?P<away>[A-Z]{2,4})@(?P<home>[A-Z]{2,4})\.csv",
    re.ASCII,
)


MIN_PERIODS = 4


def items(listing: Listing) -> list[Item]:
    """One download per game file of exactly this date; Drive's ``name contains`` matches prefixes,
    so it is looked at again. ``...combined-stats.csv`` is not a game. Of a file that was uploaded
    twice the newest counts.

    Values: ``file_id``.
    """
    files = [file for body in listing.bodies for file in decode(body).records("files")]
    newest = {}
    for file in sorted(files, key=lambda file: (file.text("modifiedTime"), file.text("id"))):
        name = _FILE_NAME.fullmatch(file.text("name"))
        if name and name["day"] == listing.day.isoformat():
            game = f"{name['game_id']}-{_team(name['away'])}-{_team(name['home'])}"
            newest[game] = file.text("id")
    return [Item(name=game, values={"file_id": newest[game]}) for game in sorted(newest)]


def item_of(game: Game) -> str:
    """The item of a game: the id and the teams of its file's name."""
    return f"{game.game_id}-{game.away}-{game.home}"


def rows(body: bytes, day: date) -> Iterator[Row]:
    """One row per play of a game's file, with its 44 columns (55 in the present layout) typed and
    the two teams found. ``unknown`` is null."""
    plays = _read_plays(body, day)
    away, home = _find_sides(plays)
    for play in plays:
        name = play.read("player", "STRING")
        yield {
            "game_date": day,
            "game_id": play.game_id,
            "home_tricode": home,
            "away_tricode": away,
            "player_name": name,
            "player_key": player_key(name) if name else None,
            "player_id": play.player_id,
            **{column: play.read(column, kind) for column, kind in (*_PLAY, *_APPENDED)},
        }


def games(body: bytes, day: date) -> Iterator[Game]:
    """The file's one game: final if its last play ends the fourth period or a later one, and not
    tied.

    A ``problem`` says where the plays of any other file end, or which team's points do not add up
    to the last score.
    """
    plays = _read_plays(body, day)
    away, home = _find_sides(plays)
    last = plays[-1]
    state, problem = GameState.FINAL, ""
    if not last.ends_a_game:
        score = f"{last.score[0]}:{last.score[1]}"
        left = last.values["remaining_time"]
        state = GameState.LIVE
        problem = f"plays end in period {last.whole('period')} with {left} left, at {score}"
    elif (points := _add_points(plays, away, home)) != last.score:
        made = f"{points[0]}:{points[1]}"
        problem = f"plays make {made}, the score is {last.score[0]}:{last.score[1]}"
    yield Game(
        day=day,
        away=away,
        home=home,
        state=state,
        game_id=last.game_id,
        rows=len(plays),
        problem=problem,
    )


@dataclass(frozen=True)
class _Play:
    """A line of the file as text by header, players without their ids, and its ``path``:
    ``line 4``."""

    values: Mapping[str, str]
    path: str
    player_id: int | None = None

    @property
    def game_id(self) -> str:
        """NBA.com's ten digits, whatever a spreadsheet has made of them."""
        found = _GAME_ID.fullmatch(self.values["game_id"].strip())
        if not found:
            raise self.wrong("game_id", "is not a game's number")
        return found["digits"].zfill(10)

    @property
    def score(self) -> tuple[int, int]:
        """(away, home) after the play."""
        return self.whole("away_score"), self.whole("home_score")

    @property
    def ends_a_game(self) -> bool:
        away, home = self.score
        is_last_second = _is_zero(self.values["remaining_time"])
        return is_last_second and self.whole("period") >= MIN_PERIODS and away != home

    def wrong(self, column: str, complaint: str) -> Problem:
        return drift(f"{self.path}: {column}", complaint)

    def double(self, column: str) -> float:
        try:
            value = float(self.values[column])
        except ValueError as error:
            raise self.wrong(column, "is not a number") from error
        if not isfinite(value):
            raise self.wrong(column, "is not a finite number")
        return value

    def whole(self, column: str) -> int:
        value = self.double(column)
        if value % 1 != 0:
            raise self.wrong(column, "is not a whole number")
        return int(value)

    def day(self, column: str) -> date:
        """``2025-06-22`` or ``06/22/2025``."""
        written = self.values[column]
        try:
            if "/" in written:
                month, day, year = map(int, written.split("/"))
                return date(year, month, day)
            return date.fromisoformat(written)
        except ValueError as error:
            raise self.wrong(column, "is neither YYYY-MM-DD nor MM/DD/YYYY") from error

    def read(self, column: str, kind: ColumnType) -> Any:
        """The value by the column's type, None where it is empty or unknown and may be."""
        value = self.values.get(column, "")
        if value.lower() in ("", _UNKNOWN) and column not in _NEVER_EMPTY:
            return None
        return _READERS[kind](self, column)


_READERS: dict[ColumnType, Callable[[_Play, str], Any]] = {
    "INTEGER": _Play.whole,
    "DOUBLE": _Play.double,
    "STRING": lambda play, column: play.values[column],
    "TIMESTAMP": lambda play, column: read_moment(play.values[column], f"{play.path}: {column}"),
}


def _read_plays(body: bytes, day: date) -> list[_Play]:
    """The file's plays, all of one game and of this date. Raises Problem(SCHEMA_DRIFT)."""
    try:
        reader = csv.DictReader(io.StringIO(_decode(body), newline=""), strict=True)
        lines = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise drift("body", f"is not CSV ({type(error).__name__})") from error
    if lacking := sorted(_HEADERS.difference(reader.fieldnames or ())):
        raise drift("header", f"lacks {', '.join(lacking)}")
    if not lines:
        raise drift("body", "has a header and no plays")
    plays: list[_Play] = []
    for number, line in enumerate(lines, start=2):
        play = _Play(line, f"line {number}")
        _check_play(play, day)
        plays.append(_without_ids(play))
    if len({play.game_id for play in plays}) != 1:
        raise drift("game_id", "is not one number for the whole file")
    return list(_with_whole_substitutions(plays))


def _decode(body: bytes) -> str:
    """UTF-8, and cp1252 in files of 2017-18, whose names have accents."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("cp1252")


def _without_ids(play: _Play) -> _Play:
    plain = {name: _ID.sub("", play.values[name]) for name in _NAMES}
    who = _ID.match(play.values["player"])
    player_id = int(who["id"]) if who else None
    return replace(play, values={**play.values, **plain}, player_id=player_id)


def _with_whole_substitutions(plays: Iterable[_Play]) -> Iterator[_Play]:
    """The present layout tells a substitution in two rows: who entered, and who left. Those of one
    play are one play again, as in the older files; those with numbers of their own stay two."""
    for _, same in groupby(plays, key=lambda play: play.values["play_id"]):
        rows = list(same)
        if all(map(_is_half, rows)):
            yield reduce(_filled, rows)
        else:
            yield from rows


def _is_half(play: _Play) -> bool:
    both = play.values["entered"] and play.values["left"]
    return play.values["event_type"] == _SUBSTITUTION and not both


def _filled(play: _Play, half: _Play) -> _Play:
    values = {name: value or half.values[name] for name, value in play.values.items()}
    return replace(play, values=values)


def _check_play(play: _Play, day: date) -> None:
    # The reader files surplus values under None, and None for those that lack.
    if None in play.values or None in play.values.values():
        raise drift(play.path, "has not as many values as the header")
    said = play.day("date")
    if said != day:
        raise play.wrong("date", f"is {said}, but {day} was asked for")


def _find_sides(plays: Sequence[_Play]) -> tuple[str, str]:
    """(away, home). The older layout names no teams, but plays name a team and a player, and the
    lineups say whose he is."""
    if named := next(filter(all, map(_named_sides, plays)), None):
        return named
    away: Counter[str] = Counter()
    home: Counter[str] = Counter()
    for values in (play.values for play in plays):
        player, team = values["player"], values["team"]
        if player and team:
            away[team] += player in itemgetter(*_AWAY_PLAYERS)(values)
            home[team] += player in itemgetter(*_HOME_PLAYERS)(values)
    names = _most_common(away), _most_common(home)
    if "" in names or names[0] == names[1]:
        raise drift("team", "does not tell who is at home, by the lineups a1-a5 and h1-h5")
    return _team(names[0]), _team(names[1])


def _named_sides(play: _Play) -> tuple[str, str]:
    """(away, home), empty in the older layout."""
    values = play.values
    return _team(values.get("away_team", "")), _team(values.get("home_team", ""))


def _most_common(teams: Counter[str]) -> str:
    """The team named most often, empty where none was."""
    return max(+teams, key=teams.__getitem__, default="")


def _add_points(plays: Iterable[_Play], away: str, home: str) -> tuple[int, int]:
    """(away, home): what the plays' points make."""
    points: Counter[str] = Counter()
    for play in plays:
        if play.values["points"]:
            points[_team(play.values["team"])] += play.whole("points")
    return points[away], points[home]


def _team(name: str) -> str:
    return tricode(name) or name


def _is_zero(clock: str) -> bool:
    """``0:00:00``, with however many digits."""
    return "0" in clock and not clock.strip("0:.")
