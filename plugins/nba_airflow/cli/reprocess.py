"""`airflow nba reprocess`: the tables of a DAG made again from raw, date by date; no upstream is
asked."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nba_airflow import connections
from nba_airflow.cli.answer import Answer, Line, Row, command, find_source
from nba_airflow.cli.progress import track
from nba_airflow.cli.window import parse_window

if TYPE_CHECKING:
    from include.steps.reprocess_dates import Result


@command("airflow nba reprocess")
def reprocess(args: Namespace) -> Answer:
    """Every date of the window that raw has, one after another, each under its lease; exit code 1
    where one could not be loaded whole. Run again, it goes on."""
    from include.ops.session import Session
    from include.steps.reprocess_dates import reprocess_date, sum_up, word

    window = parse_window(args.start_date, args.end_date, datetime.now(UTC))
    source = find_source(args.dag_id)
    stores = connections.stores()
    with Session(connections.ops_url()) as session:
        dates = (reprocess_date(source, day, stores, session) for day in window.days)
        made = list(track(dates, "dates", len(window.days)))
    return Answer(
        text=[Line(text=text) for text in word(source.dag_id, window, made)],
        rows=[_row(result) for each in made for result in each.results],
        facts=sum_up(source.dag_id, window, made),
        code=int(any(each.wrong for each in made)),
    )


def _row(each: Result) -> Row:
    return {
        "date": each.day,
        "endpoint": each.endpoint,
        "became": each.became,
        "rows": each.rows,
        "changes": each.changes_total,
        "message": each.message,
    }
