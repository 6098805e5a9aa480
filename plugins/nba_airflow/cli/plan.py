"""`airflow nba plan`: what a backfill of a window would take, and whether it could be started."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime

from include.guards.plan_words import refuse, word_plan
from include.wording import counted
from nba_airflow.cli.answer import Answer, Line, command, find_source
from nba_airflow.cli.progress import track
from nba_airflow.cli.window import parse_window
from nba_airflow.planning import read_plan


@command("airflow nba plan")
def plan(args: Namespace) -> Answer:
    """Exit code 0: it could be started. 2: it would be refused, or nothing could be planned."""
    now = datetime.now(UTC)
    window = parse_window(args.start_date, args.end_date, now)
    source = find_source(args.dag_id)
    found = read_plan(source.dag_id, window.days, now=now, watch=track)
    assert found
    refusal = refuse(found, spread=args.spread)
    dates = counted(len(window.days), "date")
    text = [f"{found.dag_id}: {window}, {dates} (US/Eastern, both ends included)"]
    text += word_plan(found)
    if refusal:
        text.append(f"It would be refused: {refusal}")
    return Answer(
        text=[Line(text=each) for each in text],
        rows=[{"fact": name, "value": value} for name, value in found.facts().items()],
        facts={**found.facts(), "refusal": refusal},
        code=2 if refusal else 0,
    )
