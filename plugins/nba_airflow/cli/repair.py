"""`airflow nba repair`: puts right what lies in the operations tables; never touches data, never
asks an upstream."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from typing import Any

from nba_airflow import connections
from nba_airflow.cli.answer import Answer, Line, command, ops_db, source_of, tracked
from nba_airflow.cli.window import Refused


@command("repair")
def repair(args: Namespace) -> Answer:
    """``--ledger`` rebuilds lost outcomes, of one DAG or of all; ``--mails`` makes given-up mails
    due again."""
    if not (args.ledger or args.mails):
        raise Refused("say what to repair: --ledger [DAG] or --mails")
    if args.dag_id and not args.ledger:
        raise Refused(f"{args.dag_id} goes with --ledger only")
    lines: list[Line] = []
    facts: dict[str, Any] = {}
    if args.ledger:
        facts["ledger"] = _ledger(args.dag_id)
        lines += [_line(dag_id, counted) for dag_id, counted in facts["ledger"].items()]
    if args.mails:
        facts["mails"] = _mails()
        lines.append(
            Line(
                text=f"mails: {facts['mails']} due again, sent by the next run of backfill_summary"
            )
        )
    return Answer(lines=lines, facts=facts)


def _ledger(dag_id: str | None) -> dict[str, dict[str, int]]:
    """DAG -> what became of its partitions -> how many."""
    from include.ops.rebuild import rebuild
    from nba_airflow.specs import sources

    chosen = [source_of(dag_id)] if dag_id else list(sources().values())
    stores = connections.stores()
    with ops_db() as connection:
        return {
            source.dag_id: dict(
                Counter(
                    outcome
                    for _, outcome in tracked(
                        rebuild(connection, source, stores.raw, stores.warehouse),
                        f"dates of {source.dag_id}",
                    )
                )
            )
            for source in chosen
        }


def _mails() -> int:
    from include.ops.outbox import try_again

    with ops_db() as connection:
        return try_again(connection)


def _line(dag_id: str, counted: dict[str, int]) -> Line:
    from include.ops.rebuild import KNOWN, NOT_OURS, UNFINISHED

    words = {
        KNOWN: "known already",
        UNFINISHED: "without a manifest",
        NOT_OURS: "of an endpoint that the source no longer has",
    }
    rebuilt = {outcome: n for outcome, n in counted.items() if outcome not in words}
    left = [f"{counted[key]} {text}" for key, text in words.items() if key in counted]
    parts = (
        [", ".join(f"{n} {outcome}" for outcome, n in sorted(rebuilt.items()))] if rebuilt else []
    )
    head = f"{dag_id}: {sum(rebuilt.values())} rebuilt"
    return Line(text="; ".join([f"{head}{f' ({parts[0]})' if parts else ''}", *left]))
