"""What a body says of a date's games, held against the schedule and against its own rows: read so
wherever a body is judged or loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date

from include.errors import Problem
from include.parsing.each_game import brief
from include.sources.spec import Endpoint, Game, Row, Table
from include.warehouse.local import check_rows

Scheduled = Iterable[Game] | None
"""The schedule's games of the date; None where it does not have the date."""

_NO_SIDES = (
    "no row names the home team (a neutral site?): load nbacom_schedule first, which knows who is"
    " at home"
)


def read_games(endpoint: Endpoint, body: bytes, day: date, scheduled: Scheduled) -> list[Game]:
    """The body's games, each with its state and, if it is not sound, its ``problem``.

    Sides that the body does not tell are the schedule's. A game is sound only if its rows could be
    loaded, which is found out here and not at the load. Raises Problem(SCHEMA_DRIFT) for a body of
    another form.
    """
    known = _by_id(scheduled)
    rows = _rows_by_game(endpoint, body, day)
    return [
        _judge(_placed(game, known), endpoint.table, rows.get(game.game_id, ()))
        for game in endpoint.games(body, day)
    ]


def read_rows(endpoint: Endpoint, body: bytes, day: date, scheduled: Scheduled) -> Iterator[Row]:
    """The body's rows, with the sides that ``read_games`` gives their games."""
    known = _by_id(scheduled)
    unplaced = (
        {game.game_id for game in endpoint.games(body, day) if not game.sided} if known else ()
    )
    for row in endpoint.rows(body, day):
        game = known.get(row["game_id"]) if row["game_id"] in unplaced else None
        if game is None:
            yield row
        else:
            yield {**row, "away_tricode": game.away, "home_tricode": game.home}


def _rows_by_game(endpoint: Endpoint, body: bytes, day: date) -> Mapping[str, Sequence[Row]]:
    """Game id -> its rows. Not of a season's schedule, whose games are made of its rows: five
    megabytes, read once."""
    found: dict[str, list[Row]] = {}
    if not endpoint.is_schedule:
        for row in endpoint.rows(body, day):
            found.setdefault(row["game_id"], []).append(row)
    return found


def _by_id(scheduled: Scheduled) -> Mapping[str, Game]:
    return {game.game_id: game for game in scheduled or ()}


def _placed(game: Game, known: Mapping[str, Game]) -> Game:
    """The game with the schedule's sides, where its own body tells none."""
    listed = known.get(game.game_id)
    if game.sided or listed is None or {listed.away, listed.home} != {game.away, game.home}:
        return game
    return replace(game, away=listed.away, home=listed.home, sided=True)


def _judge(game: Game, table: Table, rows: Sequence[Row]) -> Game:
    """The game with all that is wrong with it."""
    complaints = [game.problem, "" if game.sided else _NO_SIDES, _find_unloadable(table, rows)]
    return replace(game, problem="; ".join(filter(None, complaints)))


def _find_unloadable(table: Table, rows: Sequence[Row]) -> str:
    try:
        check_rows(table, rows)
    except Problem as problem:
        return brief(problem)
    return ""
