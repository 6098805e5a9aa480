"""The batches that are under way, as the command and the page show them: how far each is, what it
has taken of what was planned, and what holds it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from include.errors import Problem
from include.ops import backfills, batches, stages
from include.ops.progress import Pace, Spent, measure_pace, read_spent
from include.ops.status import OpenBatch, count_runs
from include.partition import DateRange
from include.wording import money, number, size
from nba_airflow import connections

if TYPE_CHECKING:
    import psycopg

    from nba_airflow.metadata.register import FoundBatch
    from nba_airflow.metadata.unfinished import Unfinished


@dataclass(frozen=True, kw_only=True)
class UnderWay:
    """A batch that is under way. ``dollars``: so far; ``plan``: the facts of what was planned,
    empty where nothing was. ``held``: it starts no dates, and when it ends is not known."""

    batch: OpenBatch
    pace: Pace
    spent: Spent
    dollars: float
    plan: Mapping[str, Any]
    held: bool = False

    def facts(self) -> dict[str, Any]:
        """For -o json: the batch's own beside what it takes."""
        paid = {"operations": self.spent.operations, "dollars": self.dollars}
        return {
            **asdict(self.batch),
            **asdict(self.pace),
            "spent": asdict(self.spent) | paid,
            "plan": dict(self.plan),
            "held": self.held,
        }

    def word_pace(self) -> list[str]:
        """How many dates are put off, how fast the others end, and what is left."""
        pace = _word("dates a minute", self.pace.per_minute, words="{:.1f}".format)
        goes = ["held"] if self.held else [pace, self.pace.word_left()]
        return [*filter(None, [_word("put off", self.spent.waiting), *goes])]

    def word_taken(self) -> list[str]:
        """What it has taken of what was planned; what there is none of, nor planned, has no
        words."""
        spent, plan = self.spent, self.plan
        said = [
            _word("requests", spent.requests, plan.get("requests")),
            _word("credits", spent.credits, plan.get("credits")),
            _word("billed", spent.bytes_billed, words=size),
            _word("operations", spent.operations, plan.get("operations")),
            _word("spent", self.dollars, plan.get("dollars"), words=money),
        ]
        return [*filter(None, said)]


@dataclass(frozen=True, kw_only=True)
class Held:
    """A backfill that starts no dates; ``kind`` as in ops.holds, or ``person``, who has paused it
    in Airflow."""

    dag_id: str
    backfill_id: int
    kind: str
    why: str
    since: datetime | None = None

    def facts(self) -> dict[str, Any]:
        """For -o json."""
        return asdict(self)


def word_ended(batch: OpenBatch) -> str:
    """``backfill 2024-10-22..2025-04-13: 30 of 174 ended; 2 failed``."""
    window = DateRange(batch.first_day, batch.last_day)
    ended = f"{batch.kind} {window}: {batch.ended} of {batch.runs} ended"
    how = [_word("failed", batch.failed), _word("cancelled", batch.cancelled)]
    return "; ".join(filter(None, [ended, *how]))


def _word(
    unit: str,
    taken: float | None,
    planned: float | None = None,
    *,
    words: Callable[[float], str] = number,
) -> str:
    """``120 of 428 requests``; empty for nothing of nothing."""
    known = (taken or 0, planned or 0)
    amounts = [words(amount) for amount in known if amount or planned]
    return f"{' of '.join(amounts)} {unit}" if amounts else ""


def read_airflow(
    connection: psycopg.Connection[Any],
) -> tuple[list[FoundBatch], list[str], Mapping[int, Unfinished]]:
    """The batches that Airflow's rows show under way, the oldest first; the ids of the runs that
    are open; and its backfills that have not ended, or whose dates have not, by their ids."""
    from airflow.utils.session import create_session

    from nba_airflow.metadata.register import find_batches, read_open_runs
    from nba_airflow.metadata.unfinished import read_unfinished

    with create_session() as session:
        found = find_batches(session, connection)
        open_runs = read_open_runs(session)
        unfinished = read_unfinished(session)
    return (
        sorted(found, key=lambda each: min(r.queued_at for r in each.runs)),
        open_runs,
        unfinished,
    )


def read_under_way(
    connection: psycopg.Connection[Any],
    found: Sequence[FoundBatch],
    held: Collection[str],
) -> list[UnderWay]:
    """Each with its pace, what it has taken, and what was planned for it; ``held``: the batches
    that are."""
    now = datetime.now(UTC)
    spent = read_spent(connection, {each.batch_id: each.runs for each in found})
    batch_ids = [each.batch_id for each in found]
    plans = backfills.read_plans(connection, batch_ids)
    days = stages.read_to_come(connection, batch_ids)
    under_way = []
    # Of each its pace, which says nothing of the end while it is held, and its money.
    for each in found:
        taken = spent.get(each.batch_id, Spent())
        to_come = days[each.batch_id]
        batch = count_runs(each.batch_id, each.runs, to_come=to_come)
        monthly = count_bought(connection, batch.dag_id)
        plan = plans.get(each.batch_id, {})
        a_date, is_held = plan.get("seconds_per_date"), each.batch_id in held
        pace = measure_pace(each.runs, now, planned=a_date, to_come=len(to_come))
        under_way.append(
            UnderWay(
                batch=batch,
                pace=replace(pace, seconds_left=None, by_plan=False) if is_held else pace,
                spent=taken,
                dollars=taken.price(monthly).once,
                plan=plan,
                held=is_held,
            )
        )
    return under_way


def count_bought(connection: psycopg.Connection[Any], dag_id: str) -> int:
    """The credits that the DAG's upstreams sell a month; of a connection that is at fault nothing
    is known."""
    from include.limits.allowance import total
    from include.limits.credit_rows import balance
    from nba_airflow.specs import sources

    source, bought, today = sources().get(dag_id), 0, datetime.now(UTC).date()
    for host in source.hosts if source else ():
        with suppress(Problem):
            reached, _ = connections.reached(host)
            if reached.credits:
                month = balance(connection, host.connection, today)
                bought += total(month, reached.credits)
    return bought


def read_held(
    connection: psycopg.Connection[Any], unfinished: Mapping[int, Unfinished]
) -> list[Held]:
    """The backfills that are held or paused, and why. One that was cancelled is neither, unless it
    is held since its dates run again."""
    ended = {number: each.ended_at for number, each in unfinished.items() if each.ended_at}
    holds = [
        hold
        for hold in backfills.read_holds(connection, list(unfinished))
        if hold.backfill_id not in ended or hold.since > ended[hold.backfill_id]
    ]
    known = {hold.backfill_id for hold in holds}
    paused = "paused in Airflow, and goes on when somebody unpauses it"
    found: list[tuple[int, str, str, datetime | None]]
    found = [(hold.backfill_id, hold.kind, hold.why, hold.since) for hold in holds]
    found += [
        (backfill_id, "person", paused, None)
        for backfill_id, each in unfinished.items()
        if each.is_paused and backfill_id not in known | ended.keys()
    ]
    return [
        Held(dag_id=unfinished[number].dag_id, backfill_id=number, kind=kind, why=why, since=since)
        for number, kind, why, since in found
    ]


def find_paused(unfinished: Mapping[int, Unfinished], held: Sequence[Held]) -> set[int]:
    """The backfills that start no dates now. What held one that goes on again is forgotten when its
    next date ends."""
    return {each.backfill_id for each in held if unfinished[each.backfill_id].is_paused}


def find_held_batches(
    connection: psycopg.Connection[Any],
    unfinished: Mapping[int, Unfinished],
    held: Sequence[Held],
) -> set[str]:
    """The batches of which no backfill starts dates."""
    ordered = backfills.read(connection, list(unfinished))
    of_batch: dict[str, set[int]] = defaultdict(set)
    for found, each in unfinished.items():
        own = batches.name_backfill(each.dag_id, found)
        of_batch[ordered[found].batch_id if found in ordered else own].add(found)
    paused = find_paused(unfinished, held)
    return {batch_id for batch_id, numbers in of_batch.items() if numbers <= paused}
