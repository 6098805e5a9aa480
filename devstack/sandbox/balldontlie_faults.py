"""What Ball Don't Lie's lists can have wrong: a date's first game, or all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

Json = dict[str, Any]

SIDES = ("home_team", "visitor_team")
PERIODS = ("q1", "q2", "q3", "q4", "ot1", "ot2", "ot3")
MOVED_BY = timedelta(days=28)
"""How much later a moved game is played, at every source."""
_COUNTED = (
    *("fgm", "fga", "fg3m", "fg3a", "ftm", "fta", "oreb", "dreb", "reb", "ast", "stl", "blk"),
    *("turnover", "pf"),
)


def _to_unplayed(row: Json) -> None:
    tip_off = str(
        row.get("datetime")
        or f"{date.fromisoformat(row['date']) + timedelta(days=1)}T00:00:00.000Z"
    )
    row |= {"status": tip_off.replace(".000Z", "Z"), "period": 0, "time": None}
    row |= {"home_team_score": 0, "visitor_team_score": 0}
    row |= {
        key: None
        for key in row
        if key.partition("_")[2] in (*PERIODS, "timeouts_remaining", "in_bonus")
    }
    for side in SIDES:
        if "players" in row[side]:
            row[side]["players"] = []


def _bend_late(endpoint: str, rows: list[Json]) -> None:
    if endpoint in ("box_scores", "games") and rows:
        _to_unplayed(rows[0])


def _bend_unplayed(endpoint: str, rows: list[Json]) -> None:
    if endpoint in ("box_scores", "games"):
        for row in rows:
            _to_unplayed(row)


def _bend_postponed(endpoint: str, rows: list[Json]) -> None:
    if endpoint in ("box_scores", "games"):
        _call_off(rows, "Postponed")


def _bend_cancelled(endpoint: str, rows: list[Json]) -> None:
    if endpoint in ("box_scores", "games"):
        _call_off(rows, "Cancelled")


def _bend_missing(endpoint: str, rows: list[Json]) -> None:
    if endpoint == "box_scores":
        del rows[:1]


def _bend_empty(endpoint: str, rows: list[Json]) -> None:
    rows.clear()


def _lines(endpoint: str, rows: Sequence[Json]) -> list[Json]:
    if endpoint == "stats":
        return list(rows)
    sides: list[Mapping[str, Any]] = [row[side] for row in rows for side in SIDES]
    return [line for side in sides for line in side.get("players", ())]


def _bend_schema(endpoint: str, rows: list[Json]) -> None:
    for line in _lines(endpoint, rows):
        line["points"] = line.pop("pts")
    if endpoint == "games":
        for row in rows:
            row["away_team"] = row.pop("visitor_team")


def _bend_corrected(endpoint: str, rows: list[Json]) -> None:
    for line in _lines(endpoint, rows):
        if line["min"] != "00":
            line["ast"] += 1
            return


def _boxed(endpoint: str, rows: list[Json]) -> list[Json]:
    """The date's first box score, or none."""
    return rows[:1] if endpoint == "box_scores" and _lines(endpoint, rows[:1]) else []


def _call_off(rows: list[Json], status: str) -> None:
    for row in rows[:1]:
        _to_unplayed(row)
        row |= {"status": status, "postponed": True}


def _bend_moved(endpoint: str, rows: list[Json]) -> None:
    """Played four weeks later, and still listed under its first date: only ``datetime`` tells."""
    for row in rows[:1]:
        if "datetime" in row:
            moved = datetime.fromisoformat(row["datetime"]) + MOVED_BY
            row["datetime"] = f"{moved:%Y-%m-%dT%H:%M:%S}.000Z"


def _bend_score(endpoint: str, rows: list[Json]) -> None:
    """The players' points are right, the team's are one short (GSW at POR on 2024-10-23)."""
    if endpoint in ("box_scores", "games"):
        for row in rows[:1]:
            row["visitor_team_score"] = max(0, row["visitor_team_score"] - 1)


def _bend_minutes(endpoint: str, rows: list[Json]) -> None:
    for line in _lines(endpoint, _boxed(endpoint, rows)):
        line["min"] = f"{int(line['min']) // 2:02d}"


def _bend_half_time(endpoint: str, rows: list[Json]) -> None:
    """What the box score was at half time, with the status Final."""
    for row in _boxed(endpoint, rows):
        for line in _lines(endpoint, [row]):
            line |= {key: line[key] // 2 for key in _COUNTED}
            line["pts"] = 2 * line["fgm"] + line["fg3m"] + line["ftm"]
            line["min"] = f"{int(line['min']) // 2:02d}"
        for side in SIDES:
            row[f"{side}_score"] = sum(line["pts"] for line in row[side]["players"])


def _bend_players(endpoint: str, rows: list[Json]) -> None:
    """The visitors' two with the most minutes are not there."""
    for row in _boxed(endpoint, rows):
        players = row["visitor_team"]["players"]
        for _ in range(2):
            players.remove(max(players, key=lambda line: int(line["min"])))
        row["visitor_team_score"] = sum(line["pts"] for line in players)


def _bend_null(endpoint: str, rows: list[Json]) -> None:
    for line in _lines(endpoint, _boxed(endpoint, rows))[:1]:
        line["player"] = None


def _bend_twice(endpoint: str, rows: list[Json]) -> None:
    for row in _boxed(endpoint, rows):
        row["home_team"]["players"].append({**row["home_team"]["players"][-1]})


def _bend_undecided(endpoint: str, rows: list[Json]) -> None:
    """Of the date's first game nobody knows yet who plays."""
    if endpoint in ("box_scores", "games"):
        for row in rows[:1]:
            _to_unplayed(row)
            row |= dict.fromkeys(SIDES)


_BENDS: Mapping[str, Callable[[str, list[Json]], None]] = {
    "late_game": _bend_late,
    "unplayed": _bend_unplayed,
    "postponed": _bend_postponed,
    "missing_game": _bend_missing,
    "empty": _bend_empty,
    "schema_drift": _bend_schema,
    "corrected": _bend_corrected,
    "cancelled": _bend_cancelled,
    "moved_game": _bend_moved,
    "undecided": _bend_undecided,
    "wrong_score": _bend_score,
    "wrong_minutes": _bend_minutes,
    "half_time": _bend_half_time,
    "lost_players": _bend_players,
    "null_player": _bend_null,
    "player_twice": _bend_twice,
}


def bend(kind: str, endpoint: str, rows: list[Json]) -> None:
    """Makes the rows of a list wrong in the way that the fault says."""
    if kind in _BENDS:
        _BENDS[kind](endpoint, rows)
