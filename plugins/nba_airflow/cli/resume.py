"""`airflow nba resume`: lets a connection be asked again at once, whatever has held it back, and
the backfills go on that were halted."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING

from include.errors import Refused
from include.wording import counted, moment
from nba_airflow.cli.answer import Answer, Line, command, connect_ops
from nba_airflow.going_on import resume as go_on

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from include.limits.pauses import Pause
    from include.ops.breakers import Breaker

_LIFTED = {
    "pause": "pause after a refusal",
    "cooldown": "cooldown of a proxy after failures",
    "credits": "month in which the upstream has called the credits used up",
}


@command("airflow nba resume")
def resume(args: Namespace) -> Answer:
    """Lifts pauses and cooldowns of a connection, or of all those of a DAG, closes the breakers of
    its backfills, and lets the dates go on that wait for them. The limits stay as they are
    declared."""
    from nba_airflow.specs import connections_by_dag

    names, dag_ids = find_meant(args.name, connections_by_dag())
    with connect_ops() as connection:
        found = go_on(connection, names, dag_ids)
    text = [*map(_line, found.lifted), *map(_word_halted, found.halted)]
    text = text or [f"nothing held {' or '.join(names)} back"]
    if found.woken:
        text.append(f"{counted(found.woken, 'date')} that waited for it can go on now")
    return Answer(
        text=[Line(text=each) for each in text],
        rows=[asdict(pause) for pause in found.lifted],
        facts={
            "connections": names,
            "lifted": [asdict(pause) for pause in found.lifted],
            "woken": found.woken,
            "halted": [{"dag_id": b.dag_id, "backfill_id": b.backfill_id} for b in found.halted],
        },
    )


def find_meant(name: str, known: Mapping[str, Collection[str]]) -> tuple[list[str], list[str]]:
    """The connections, and the DAGs that ask them, of a DAG's id or a connection's; ``known``: DAG
    -> its connections. Raises Refused."""
    if name in known:
        return [*known[name]], [name]
    dag_ids = [dag_id for dag_id, of_dag in known.items() if name in of_dag]
    if not dag_ids:
        connections = sorted({*chain(*known.values())})
        raise Refused(
            f"{name!r} is not a connection or the DAG of a source: those are"
            f" {', '.join([*connections, *known])}"
        )
    return [name], dag_ids


def _word_halted(breaker: Breaker) -> str:
    return (
        f"backfill {breaker.backfill_id} of {breaker.dag_id} goes on: closed the breaker that"
        f" {breaker.flag} had opened"
    )


def _line(pause: Pause) -> str:
    until = moment(pause.until, seconds=True)
    return f"{pause.name}: lifted the {_LIFTED[pause.kind]}, which held until {until}"
