"""`airflow nba reconcile`: Ball Don't Lie's and NBA.com's box scores against each other, per date,
game and player."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from include.checks.reconcile import find_lacking, reconcile_date
from include.reruns import word_rerun
from include.wording import counted
from nba_airflow import connections
from nba_airflow.cli.answer import Answer, Line, Row, command
from nba_airflow.cli.window import parse_window
from nba_airflow.specs import sources, tables_of

if TYPE_CHECKING:
    from include.checks.reconcile import Reconciled
    from include.sources.spec import Table


@command("airflow nba reconcile")
def reconcile(args: Namespace) -> Answer:
    """Reads the warehouse; exit code 1 where something differs. A date that one source does not
    have is named, and not compared."""
    window = parse_window(args.start_date, args.end_date, datetime.now(UTC))
    warehouse = connections.warehouse()
    rows: list[Row] = []
    players, alone = 0, list[date]()
    for day in window.days:
        if (found := reconcile_date(warehouse, day)) is None:
            alone.append(day)
            continue
        players += found.players
        rows += _rows(day, found)
    dates = counted(len(window.days) - len(alone), "date")
    head = f"{window}: {dates} compared, {counted(players, 'player')} in both,"
    text = [f"{head} {counted(len(rows), 'difference')}"]
    text += map(TEXT.format_map, rows)
    text += map(_word_lacking, find_lacking(warehouse, alone).items())
    return Answer(
        text=[Line(text=each) for each in text],
        rows=rows,
        facts={
            "first": window.first,
            "last": window.last,
            "players": players,
            "differences": rows,
            "not_compared": alone,
        },
        code=int(bool(rows)),
    )


def _word_lacking(lacking: tuple[Table, Sequence[date]]) -> str:
    table, days = lacking
    commands = [
        word_rerun(dag_id, days)  # what lies between them is there, and is left alone
        for dag_id in sources()
        if table in tables_of(dag_id)
    ]
    return f"not compared: {table} lacks {counted(len(days), 'date')}: {'; '.join(commands)}"


TEXT = "  {date} {game} {player_key}: {field} {balldontlie} at Ball Don't Lie, {nbacom} at NBA.com"


def _rows(day: date, found: Reconciled) -> list[Row]:
    return [{"date": day, **asdict(each)} for each in found.differences]
