"""`airflow nba release`: lets a backfill go on that its preflight holds."""

from __future__ import annotations

from argparse import Namespace

from include.errors import Refused
from include.ops import backfills
from nba_airflow.check_begun import as_noted, let_go, read_backfill
from nba_airflow.cli.answer import Answer, Line, command, connect_ops


@command("airflow nba release")
def release(args: Namespace) -> Answer:
    """Exit code 0: it goes on, or what else holds it is told. 2: there was nothing to release."""
    from airflow.utils.platform import getuser

    if not str(args.backfill_id).isdecimal():
        raise Refused(f"{args.backfill_id!r} is not the number of a backfill, like 7")
    made, who = read_backfill(int(args.backfill_id)), getuser()
    with connect_ops() as ledger:
        held = backfills.read_holds(ledger, [made.id])
        if "preflight" not in [hold.kind for hold in held]:
            raise Refused(f"the preflight does not hold backfill {made.id}")
        backfills.note(ledger, as_noted(made, None))
        backfills.add_options(ledger, made.id, {"released_by": who})
        goes_on = let_go(ledger, made.id)
        ledger.commit()
    others = [hold.why for hold in held if hold.kind != "preflight"]
    told = "it goes on" if goes_on else f"it stays paused: {'; '.join(others)}"
    facts = {"backfill_id": made.id, "dag_id": made.dag_id, "released_by": who, "goes_on": goes_on}
    line = f"backfill {made.id} of {made.dag_id} was released by {who}: {told}"
    return Answer(text=[Line(text=line)], rows=[facts], facts=facts)
