"""What players really did, by one source's box scores, under names that all sources share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from include.parsing import balldontlie, nbacom
from include.sources.spec import Row, Table


@dataclass(frozen=True, kw_only=True)
class BoxScores:
    """Box scores that bets can be settled by: DAG, endpoint and table; ``columns``: our name of a
    statistic -> theirs; ``team``: the column of his team; ``played``: whether he played."""

    dag_id: str
    endpoint: str
    table: Table
    columns: Mapping[str, str]
    team: str
    played: Callable[[Row], bool]


_SAME = {
    "points": "pts",
    "rebounds": "reb",
    "assists": "ast",
    "threes": "fg3m",
    "blocks": "blk",
    "steals": "stl",
    "field_goals": "fgm",
    "frees_made": "ftm",
    "frees_attempts": "fta",
}

SOURCES: Mapping[str, BoxScores] = {
    "bdl_box_scores": BoxScores(
        dag_id="bdl_box_scores",
        endpoint="box_scores",
        table=balldontlie.BOX_SCORES,
        columns={**_SAME, "turnovers": "turnover"},
        team="team_tricode",
        played=lambda row: not row["did_not_play"],
    ),
    # It lists nobody who did not play.
    "nbacom_box_scores": BoxScores(
        dag_id="nbacom_box_scores",
        endpoint="box_scores",
        table=nbacom.PLAYER_BOX_SCORES,
        columns={**_SAME, "turnovers": "tov"},
        team="team_abbreviation",
        played=lambda row: True,
    ),
}
"""By DAG: where the value that settles a bet may come from."""

Players = Mapping[str, Row]
"""Of one game: player's key -> statistics, ``played``, ``team_tricode``."""
Teams = frozenset[str]
"""A game of a date. At a neutral site sources do not agree who is at home, and two teams meet once
a date."""


def choose(dag_id: str | None) -> BoxScores:
    """The box scores of a DAG; of the first where none is named. Raises ValueError for another."""
    name = dag_id or next(iter(SOURCES))
    if name not in SOURCES:
        raise ValueError(f"NBA_ACTUAL_SOURCE is {name!r}: it can be {' or '.join(SOURCES)}")
    return SOURCES[name]


def read_players(source: BoxScores, rows: Iterable[Row]) -> Mapping[Teams, Players]:
    """Game -> its players."""
    games: dict[Teams, dict[str, Row]] = {}
    for row in rows:
        statistics = {ours: row[theirs] or 0 for ours, theirs in source.columns.items()}
        found = {**statistics, "played": source.played(row), "team_tricode": row[source.team]}
        players = games.setdefault(teams_of(row), {})
        players[row["player_key"]] = _of_two(players.get(row["player_key"]), found)
    return {teams: _known(players) for teams, players in games.items()}


def _of_two(first: Row | None, second: Row) -> Row:
    """Of two rows of one key (a father and a son: suffixes are not part of it) the one who played;
    nobody where both did, since nothing says whom a bet means."""
    if first is None or first.get("played") is False:
        return second
    return {} if second["played"] else first


def _known(players: Players) -> Players:
    return {key: found for key, found in players.items() if found}


def teams_of(row: Row) -> Teams:
    """The two teams of a row's game."""
    return frozenset((row["away_tricode"], row["home_tricode"]))
