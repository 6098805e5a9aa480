"""`airflow nba record`: writes the records of a window's backfills anew, from our tables."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime

from include.errors import Refused
from nba_airflow.cli.answer import Answer, Line, check_dated, command, connect_ops
from nba_airflow.cli.window import parse_window
from nba_airflow.records import write_records


@command("airflow nba record")
def record(args: Namespace) -> Answer:
    """Each backfill that has dates of the window. Raises Refused where there was none."""
    window = parse_window(args.start_date, args.end_date, datetime.now(UTC))
    check_dated(args.dag_id)
    with connect_ops() as connection:
        urls = write_records(connection, args.dag_id, window.days)
    if not urls:
        raise Refused(
            f"no backfill of {args.dag_id} has ended that had dates of {window}: nothing to record"
        )
    return Answer(
        text=[Line(text=url) for url in urls],
        rows=[{"record": url} for url in urls],
        facts={"records": urls},
    )
