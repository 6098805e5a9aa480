"""BigDataBall's game file: a CSV of 44 columns, 55 in newer seasons, out of a game's plays."""

from __future__ import annotations

import csv
import io
from functools import lru_cache
from math import cos, sin

from devstack.sandbox.plays import Kind, Play, length, plays
from devstack.sandbox.rosters import Player
from devstack.sandbox.schedule import Game, Stage

COLUMNS = (
    "game_id", "data_set", "date", "a1", "a2", "a3", "a4", "a5", "h1", "h2", "h3", "h4", "h5",
    "period", "away_score", "home_score", "remaining_time", "elapsed", "play_length", "play_id",
    "team", "event_type", "assist", "away", "home", "block", "entered", "left", "num", "opponent",
    "outof", "player", "points", "possession", "reason", "result", "steal", "type", "shot_distance",
    "original_x", "original_y", "converted_x", "converted_y", "description",
)  # fmt: skip
_APPENDED = (
    *("home_team", "away_team", "team_possession", "time_actual"),
    *("qualifiers1", "qualifiers2", "qualifiers3", "qualifiers4"),
    *("area", "area_detail", "official_id"),
)
_APPENDED_SINCE = 2025
_STAGES = {
    Stage.PLAYOFFS: "Playoffs",
    Stage.PLAY_IN: "Play-In",
    Stage.CUP_FINAL: "In-Season Tournament",
}
_EVENTS = {
    Kind.PERIOD_START: "start of period",
    Kind.PERIOD_END: "end of period",
    Kind.GAME_END: "end of period",
    Kind.JUMP_BALL: "jump ball",
    Kind.FREE_THROW: "free throw",
    Kind.REBOUND: "rebound",
    Kind.TURNOVER: "turnover",
    Kind.FOUL: "foul",
    Kind.SUBSTITUTION: "substitution",
}


def columns(season: int) -> tuple[str, ...]:
    """The header of a season's files."""
    return COLUMNS + _APPENDED if season >= _APPENDED_SINCE else COLUMNS


@lru_cache(maxsize=64)
def game_csv(game: Game, seed: int) -> str:
    """The file of a final game. The id has lost its leading zeros; the date is ISO in one file,
    American in another."""
    lines = io.StringIO()
    writer = csv.DictWriter(
        lines, columns(game.season), restval="", lineterminator="\r\n", extrasaction="ignore"
    )
    writer.writeheader()
    about = {
        "game_id": game.nba_id.lstrip("0"),
        "data_set": f"{game.season}-{game.season + 1} {_STAGES.get(game.stage, 'Regular Season')}",
        "date": f"{game.day:%Y-%m-%d}" if int(game.number) % 2 else f"{game.day:%m/%d/%Y}",
    }
    before, play_id = 0, 1
    for play in (play for play in plays(game, seed) if play.kind is not Kind.GAME_END):
        gone = length(play.period) - play.clock
        since = gone - before if gone >= before else gone
        before = gone
        row = _row(game, play, play_id + 1)
        for told in _in_present_form(game, row) if game.season >= _APPENDED_SINCE else [row]:
            play_id += 1
            writer.writerow({**about, "play_id": play_id, "play_length": _time(since), **told})
    return lines.getvalue()


def _in_present_form(game: Game, row: dict[str, object]) -> list[dict[str, object]]:
    """The row with its teams; a substitution as two, of who enters and who leaves."""
    row |= {"home_team": game.home.tricode, "away_team": game.away.tricode}
    row |= {"team_possession": row["team"], "official_id": ""}
    if row["event_type"] != _EVENTS[Kind.SUBSTITUTION]:
        return [row]
    return [{**row, "left": ""}, {**row, "entered": "", "player": row["left"]}]


def in_old_form(text: str) -> str:
    """A file as those of 2017-18 are: the id a spreadsheet's text, coordinates unknown, dashes
    beyond ASCII."""
    reader = csv.DictReader(io.StringIO(text))
    lines = io.StringIO()
    writer = csv.DictWriter(lines, reader.fieldnames or (), lineterminator="\r\n")
    writer.writeheader()
    for row in reader:
        row["game_id"] = f'="{row["game_id"]:0>10}"'
        row["description"] = row["description"].replace("MISS ", "MISS \u2013 ")
        row |= {name: "unknown" for name in _COORDINATES if row[name]}
        writer.writerow(row)
    return lines.getvalue()


_COORDINATES = ("original_x", "original_y", "converted_x", "converted_y")


def _time(seconds: int) -> str:
    return f"0:{seconds // 60:02d}:{seconds % 60:02d}"


def _named(game: Game, player: Player | None) -> str:
    """The present layout has the player's id before his name."""
    if player is None:
        return ""
    is_present = game.season >= _APPENDED_SINCE
    return f"{player.nba_id}/{player.plain_name}" if is_present else player.plain_name


def _row(game: Game, play: Play, play_id: int) -> dict[str, object]:
    """A play as a line of the file; columns that its kind leaves empty are not in it."""
    fives = {"a": play.away_five, "h": play.home_five}
    row: dict[str, object] = {
        f"{side}{n}": _named(game, p) for side, five in fives.items() for n, p in enumerate(five, 1)
    }
    row |= {
        "period": play.period,
        "away_score": play.away_score,
        "home_score": play.home_score,
        "remaining_time": _time(play.clock),
        "elapsed": _time(length(play.period) - play.clock),
        "team": play.team.tricode if play.team else "",
        "player": _named(game, play.player),
        "event_type": _EVENTS.get(play.kind, "shot" if play.made else "miss"),
    }
    who, other = _named(game, play.player), _named(game, play.other)
    match play.kind:
        case Kind.TWO | Kind.THREE:
            shot = "3pt Jump Shot" if play.kind is Kind.THREE else "Layup"
            feet, angle = play.distance, play_id * 0.7
            x, y = round(feet * 10 * cos(angle)), round(abs(feet * 10 * sin(angle)))
            row |= {
                "assist" if play.made else "block": other,
                "points": play.points,
                "result": "made" if play.made else "missed",
                "type": shot,
                "shot_distance": feet,
                "original_x": x,
                "original_y": y,
                "converted_x": round(25 + x / 10, 1),
                "converted_y": round(5 + y / 10, 1),
                "description": f"{'' if play.made else 'MISS '}{who} {feet}' {shot}",
            }
        case Kind.FREE_THROW:
            turn = f"Free Throw {play.number} of {play.out_of}"
            row |= {"num": play.number, "outof": play.out_of, "points": play.points, "type": turn}
            row |= {"result": "made" if play.made else "missed", "description": f"{who} {turn}"}
        case Kind.REBOUND:
            way = "rebound offensive" if play.offensive else "rebound defensive"
            row |= {
                "type": way if play.player else "team rebound",
                "description": f"{who or 'Team'} REBOUND",
            }
        case Kind.TURNOVER:
            row |= {
                "steal": other,
                "reason": "bad pass",
                "type": "turnover",
                "description": f"{who} Turnover",
            }
        case Kind.FOUL:
            row |= {"reason": "p.foul", "type": "p.foul", "description": f"{who} P.FOUL"}
        case Kind.SUBSTITUTION:
            row |= {
                "entered": who,
                "left": other,
                "type": "sub",
                "description": f"SUB: {who} FOR {other}",
            }
        case Kind.JUMP_BALL:
            row |= {
                "home": who,
                "away": other,
                "possession": who,
                "description": f"Jump Ball {who} vs. {other}",
            }
    return row
