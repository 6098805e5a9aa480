"""`airflow nba release`: lets a backfill go on that its preflight holds."""

from __future__ import annotations

from argparse import Namespace

from include.errors import Refused
from nba_airflow.cli.answer import Answer, Line, command, connect_ops
from nba_airflow.going_on import release as release_held


@command("airflow nba release")
def release(args: Namespace) -> Answer:
    """Exit code 0: it goes on, or what else holds it is told. 2: there was nothing to release."""
    from airflow.utils.platform import getuser

    if not str(args.backfill_id).isdecimal():
        raise Refused(f"{args.backfill_id!r} is not the number of a backfill, like 7")
    who = getuser()
    with connect_ops() as ledger:
        found = release_held(ledger, int(args.backfill_id), who)
    told = "it goes on" if found.goes_on else f"it stays paused: {'; '.join(found.others)}"
    facts = {
        "backfill_id": found.backfill_id,
        "dag_id": found.dag_id,
        "released_by": who,
        "goes_on": found.goes_on,
    }
    line = f"backfill {found.backfill_id} of {found.dag_id} was released by {who}: {told}"
    return Answer(text=[Line(text=line)], rows=[facts], facts=facts)
