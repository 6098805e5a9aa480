"""`airflow nba preflight`: everything that would keep a backfill from going well, found before
anything is started."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from datetime import UTC, datetime

from include.errors import Refused
from include.guards.plan_words import refuse
from include.guards.preflight import Finding, Start, arrange, count, failures
from nba_airflow.cli.answer import Answer, Line, command
from nba_airflow.cli.progress import track
from nba_airflow.cli.window import parse_window
from nba_airflow.planning import read_plan

STYLES = {"pass": "green", "warn": "yellow", "fail": "bold red"}


@command("airflow nba preflight")
def preflight(args: Namespace) -> Answer:
    """A line for each finding. Exit code 0: nothing failed. 1: something did."""
    now = datetime.now(UTC)
    window = parse_window(args.start_date, args.end_date, now)
    plan = read_plan(args.dag_id, window.days, now=now, watch=track)
    refusal = refuse(plan, spread=False) if plan else ""
    start = Start(dag_id=args.dag_id, window=window, looks=True, plan=plan, refusal=refusal)
    found = check(start)
    text = [Line(text=str(each), style=STYLES[each.status]) for each in found]
    return Answer(
        text=[*text, Line(text=f"{args.dag_id} {window}: {count(found)}")],
        rows=[each.facts() for each in found],
        facts={"dag_id": args.dag_id, "findings": [each.facts() for each in found]},
        code=1 if failures(found) else 0,
    )


def check(start: Start) -> list[Finding]:
    """All that the preflight finds: of Airflow, and of the world outside it."""
    from airflow.utils.session import create_session

    from nba_airflow.metadata.fitness import look
    from nba_airflow.probes import probe

    with create_session() as session:
        found = look(session, start)
    return arrange([*found, *probe(start)])


def word(found: Sequence[Finding]) -> list[str]:
    """The lines that an operator should read before a start, and the count of all; none where
    nothing was looked at."""
    if not found:
        return []
    told = [f"  preflight: {each}" for each in found if each.status != "pass"]
    return [*told, f"  preflight: {count(found)}"]


def refuse_unfit(found: Sequence[Finding]) -> None:
    """Raises Refused where something failed."""
    if failed := failures(found):
        told = "\n".join(str(each) for each in failed)
        raise Refused(f"the preflight failed, so nothing was started\n{told}")
