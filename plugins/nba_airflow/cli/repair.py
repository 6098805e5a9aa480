"""`airflow nba repair`: heals the gaps of a DAG's dates (cli/mend.py); or puts right what lies in
the operations tables, and makes the tables that are not there."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from typing import Any

from include.errors import Refused
from include.ops.migrate import migrate
from nba_airflow import connections
from nba_airflow.cli.answer import Answer, Line, Row, command, connect_ops, find_source
from nba_airflow.cli.mend import mend
from nba_airflow.cli.progress import track


@command("airflow nba repair")
def repair(args: Namespace) -> Answer:
    """A DAG with ``-s`` and ``-e``: its gaps. ``--tables`` creates or updates the operations tables
    and the warehouse's; ``--ledger`` rebuilds lost outcomes, of one DAG or of all; ``--mails``
    makes given-up mails due again."""
    tables = args.tables or args.ledger or args.mails
    if args.start_date or args.end_date or args.dry_run:
        if tables or not (args.dag_id and args.start_date and args.end_date):
            raise Refused("gaps are healed by DAG -s DATE -e DATE [--dry-run], and nothing beside")
        return mend(args)
    if not tables:
        raise Refused(
            "say what to repair: DAG -s DATE -e DATE, --tables, --ledger [DAG] or --mails"
        )
    if args.dag_id and not args.ledger:
        raise Refused(f"{args.dag_id} goes with -s DATE -e DATE, or with --ledger")
    text: list[str] = []
    rows: list[Row] = []
    facts: dict[str, Any] = {}
    unread = ""
    if args.tables:
        migrate(connections.ops_url())
        unread = _create_tables()
        became = f"up to date, but {unread}" if unread else "up to date"
        facts["tables"] = became
        text.append(f"operations tables and warehouse: {became}")
        rows.append({"what": "tables", "became": became, "count": 1})
    if args.ledger:
        facts["ledger"] = _rebuild(args.dag_id)
        for dag_id, counts in facts["ledger"].items():
            text.append(_line(dag_id, counts))
            rows += [{"what": dag_id, "became": how, "count": n} for how, n in counts.items()]
    if args.mails:
        due = facts["mails"] = _try_mails_again()
        text.append(f"mails: {due} due again, sent by the next run of backfill_summary")
        rows.append({"what": "mails", "became": "due", "count": due})
    lines = [Line(text=each) for each in text]
    return Answer(text=lines, rows=rows, facts=facts, code=1 if unread else 0)


def _create_tables() -> str:
    """Those of the warehouse. Where a processor's file cannot be read, its setting being wrong,
    those of sources alone; then why is returned."""
    from nba_airflow.specs import processor_tables, source_tables

    found, unread = source_tables(), ""
    try:
        found += processor_tables()
    except ValueError as error:
        unread = f"those of processors are left as they are: {error}"
    connections.warehouse().create(found)
    return unread


def _rebuild(dag_id: str | None) -> dict[str, dict[str, int]]:
    """DAG -> what became of its partitions -> how many."""
    from include.ops.rebuild import rebuild
    from nba_airflow.specs import sources

    chosen = [find_source(dag_id)] if dag_id else list(sources().values())
    stores = connections.stores()
    found: dict[str, dict[str, int]] = {}
    with connect_ops() as connection:
        for source in map(connections.chosen, chosen):
            rebuilt = rebuild(connection, source, stores.raw, stores.warehouse)
            judged = track(rebuilt, f"dates of {source.dag_id}")
            found[source.dag_id] = dict(Counter(outcome for _, outcome in judged))
    return found


def _try_mails_again() -> int:
    from include.ops.outbox import try_again

    with connect_ops() as connection:
        return try_again(connection)


def _line(dag_id: str, counts: dict[str, int]) -> str:
    """``bdl: 2 rebuilt (1 complete, 1 partial); 1 known already``."""
    from include.ops.rebuild import KNOWN, NOT_OURS, UNFINISHED

    words = {
        KNOWN: "known already",
        UNFINISHED: (
            "without a manifest (under way, or its run died: `airflow nba gaps` names it, and a"
            " rerun goes on from there)"
        ),
        NOT_OURS: "of an endpoint that the source no longer has",
    }
    rebuilt = {outcome: n for outcome, n in sorted(counts.items()) if outcome not in words}
    head = f"{dag_id}: {sum(rebuilt.values())} rebuilt"
    if rebuilt:
        head += f" ({', '.join(f'{n} {outcome}' for outcome, n in rebuilt.items())})"
    left = [f"{counts[how]} {said}" for how, said in words.items() if how in counts]
    return "; ".join([head, *left])
