"""What lets a backfill go on that is held back: for the commands and the page alike."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.errors import Refused
from include.limits.pauses import Pause, lift_pauses
from include.ops import backfills
from nba_airflow.check_begun import as_noted, let_go, read_backfill
from nba_airflow.metadata.hold import resume_halted
from nba_airflow.metadata.waiting import wake

if TYPE_CHECKING:
    import psycopg

    from include.ops.breakers import Breaker


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """What had held connections and DAGs back: pauses that were lifted, breakers that were closed,
    and how many tasks that waited go on."""

    lifted: Sequence[Pause]
    halted: Sequence[Breaker]
    woken: int


@dataclass(frozen=True, kw_only=True)
class Released:
    """A backfill whose preflight holds it no more; ``others``: why something else does."""

    backfill_id: int
    dag_id: str
    goes_on: bool
    others: Sequence[str]


def resume(
    ledger: psycopg.Connection[Any], connections: Collection[str], dag_ids: Collection[str]
) -> Resumed:
    """Lifts pauses and cooldowns of the connections, closes the breakers of the DAGs' backfills,
    and lets the dates go on that wait for them. Raises Away."""
    from airflow.utils.session import create_session

    lifted = [pause for name in connections for pause in lift_pauses(ledger, name)]
    with create_session() as session:
        woken = wake(dag_ids, ledger, session)
        halted = resume_halted(session, dag_ids)
    return Resumed(lifted=lifted, halted=halted, woken=woken)


def release(ledger: psycopg.Connection[Any], backfill_id: int, who: str) -> Released:
    """Ends the hold of a backfill's preflight, and notes who did. Raises Refused where it has none,
    or is not under way. Commits."""
    made = read_backfill(backfill_id)
    held = backfills.read_holds(ledger, [made.id])
    if "preflight" not in [hold.kind for hold in held]:
        raise Refused(f"the preflight does not hold backfill {made.id}")
    backfills.note(ledger, as_noted(made, None))
    backfills.add_options(ledger, made.id, {"released_by": who})
    goes_on = let_go(ledger, made.id)
    ledger.commit()
    others = [hold.why for hold in held if hold.kind != "preflight"]
    return Released(backfill_id=made.id, dag_id=made.dag_id, goes_on=goes_on, others=others)
