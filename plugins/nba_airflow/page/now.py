"""What is under way now: the batches of the command `airflow nba status`, and of each its dates by
outcome, what they wait for, its backfills, and its stages to come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from include.ops import backfills, batches, breakers, stages
from include.ops.breakers import Breaker
from include.ops.judgment import judge
from include.ops.stages import Stage
from include.results import DateResult, find_worst
from nba_airflow.specs import dag_ids, endpoint_names
from nba_airflow.under_way import (
    Held,
    UnderWay,
    find_held_batches,
    find_paused,
    read_airflow,
    read_held,
    read_under_way,
)
from nba_airflow.warned import read_warnings

if TYPE_CHECKING:
    import psycopg

    from include.ops.batches import BatchRun
    from nba_airflow.metadata.register import FoundBatch
    from nba_airflow.metadata.unfinished import Unfinished

MAX_AGO = timedelta(days=7)
"""How long ago a batch may have ended whose failed dates are still offered to run again."""
MAX_FAILED = 500
"""Of how many failed runs, the newest, it is looked whether their dates are done by now."""
UNDER_WAY, QUEUED = "under way", "not begun"


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Dates that are put off, of one outcome: until when (aware) the first and the last of them of
    which that is ``known``, and why one of them is."""

    outcome: str
    dates: int
    known: int
    first_until: datetime | None
    last_until: datetime | None
    why: str


@dataclass(frozen=True, kw_only=True)
class Part:
    """A backfill of Airflow's, of a batch. ``breaker``: None where it has never opened; ``over``:
    it was cancelled or completed, and ``ending`` of its dates are still under way since then."""

    backfill_id: int
    stage: str
    paused: bool
    held: Sequence[Held]
    breaker: Breaker | None
    over: bool = False
    ending: int = 0


@dataclass(frozen=True, kw_only=True)
class Going:
    """A batch that is under way. ``dates``: how many there are of each outcome, UNDER_WAY or
    QUEUED; ``failed``: those that have ended and are not done; ``stages``: all of its order, none
    where it has but one."""

    under_way: UnderWay
    dates: Mapping[str, int]
    failed: Sequence[date]
    waits: Sequence[Wait]
    parts: Sequence[Part]
    stages: Sequence[Stage]
    warnings: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A batch that has ended lately, and its dates that have failed and are not done by now."""

    batch_id: str
    dag_id: str
    failed: Sequence[date]


@dataclass(frozen=True, kw_only=True)
class Now:
    """What is under way, and what has ended with dates that failed; as it was read ``at``."""

    at: datetime
    going: Sequence[Going]
    ended: Sequence[Ended]


def read_now(connection: psycopg.Connection[Any]) -> Now:
    """Of all our DAGs. Reads our tables and Airflow's rows."""
    at = datetime.now(UTC)
    found, _, unfinished = read_airflow(connection)
    held = read_held(connection, unfinished)
    stopped = find_held_batches(connection, unfinished, held)
    under_way = read_under_way(connection, found, stopped)
    parts = _read_parts(connection, unfinished, held, {each.batch_id: each.runs for each in found})
    moments = _read_moments(found)
    going = [
        _read_going(connection, each, one, parts.get(each.batch_id, []), moments)
        for each, one in zip(found, under_way, strict=True)
    ]
    return Now(at=at, going=going, ended=_read_ended(connection, at, found))


def _read_going(
    connection: psycopg.Connection[Any],
    found: FoundBatch,
    under_way: UnderWay,
    parts: Sequence[Part],
    moments: Mapping[tuple[str, str], datetime],
) -> Going:
    dag_id = under_way.batch.dag_id
    judged = judge(connection, dag_id, found.runs, endpoint_names(dag_id))
    worst = find_worst(judged.results)
    # The ledger speaks of dates that have ended or wait; of the others Airflow's runs do.
    still = {run.day: run for run in found.runs if not run.over}
    known = {day: _name(result, still.get(day)) for day, result in worst.items()}
    failed = [day for day, each in worst.items() if day not in still and not each.outcome.done]
    waiting = [day for day in still if day in worst and worst[day].outcome.waits]
    until = {day: moments.get((dag_id, still[day].run_id)) for day in waiting}
    return Going(
        under_way=under_way,
        dates=Counter(known.values()),
        failed=failed,
        waits=_fold_waits({day: worst[day] for day in waiting}, until),
        parts=parts,
        stages=stages.read(connection, found.batch_id),
        warnings=read_warnings(connection, found.batch_id, found.runs),
    )


def _name(result: DateResult, run: BatchRun | None) -> str:
    """How a date stands: by the ledger where its run has ended or waits, else by its run."""
    if run is None or result.outcome.waits:
        return str(result.outcome)
    return UNDER_WAY if run.started_at else QUEUED


def _fold_waits(
    waiting: Mapping[date, DateResult], until: Mapping[date, datetime | None]
) -> list[Wait]:
    folded: dict[str, list[date]] = {}
    for day, result in waiting.items():
        folded.setdefault(str(result.outcome), []).append(day)
    return [
        Wait(
            outcome=outcome,
            dates=len(days),
            known=len(moments),
            first_until=min(moments, default=None),
            last_until=max(moments, default=None),
            why=waiting[days[0]].message,
        )
        for outcome, days in folded.items()
        for moments in [[*filter(None, map(until.get, days))]]
    ]


def _read_moments(found: Sequence[FoundBatch]) -> dict[tuple[str, str], datetime]:
    from airflow.utils.session import create_session

    from nba_airflow.metadata.waiting import read_moments

    runs = [
        (batches.dag_of(each.batch_id), run.run_id)
        for each in found
        for run in each.runs
        if run.state == "running"
    ]
    with create_session() as session:
        return read_moments(session, runs) if runs else {}


def _read_parts(
    connection: psycopg.Connection[Any],
    unfinished: Mapping[int, Unfinished],
    held: Sequence[Held],
    runs: Mapping[str, Sequence[BatchRun]],
) -> dict[str, list[Part]]:
    """Batch -> Airflow's backfills of it that have not ended."""
    ordered = backfills.read(connection, list(unfinished))
    opened = {each.backfill_id: each for each in breakers.read_not_closed(connection)}
    found: dict[str, list[Part]] = {}
    stopped = find_paused(unfinished, held)
    for number, each in unfinished.items():
        order = ordered.get(number)
        batch_id = order.batch_id if order else batches.name_backfill(each.dag_id, number)
        paused = number in stopped
        mine = [hold for hold in held if hold.backfill_id == number and paused]
        part = Part(
            backfill_id=number,
            stage=order.stage if order else "whole",
            paused=paused,
            held=[hold for hold in mine if hold.kind != "breaker" or number in opened],
            breaker=opened.get(number) if paused or not each.ended_at else None,
            over=each.ended_at is not None,
            ending=_count_ending(runs.get(batch_id, ()), each.ended_at),
        )
        found.setdefault(batch_id, []).append(part)
    return found


def _count_ending(runs: Sequence[BatchRun], ended_at: datetime | None) -> int:
    """The runs that were under way when their backfill was ended; none that were cleared since."""
    return sum(bool(ended_at and run.queued_at < ended_at and not run.over) for run in runs)


def _read_ended(
    connection: psycopg.Connection[Any], now: datetime, found: Sequence[FoundBatch]
) -> list[Ended]:
    """The newest first. A date counts in the newest batch that has it, and in none while it is
    under way."""
    counted = {(batches.dag_of(e.batch_id), r.day) for e in found for r in e.runs if not r.over}
    newest: dict[str, dict[date, BatchRun]] = {}
    of_batch: dict[str, list[date]] = {}
    told = batches.read_failed(connection, dag_ids(), now - MAX_AGO, MAX_FAILED)
    for batch_id, runs in told.items():
        dag_id = batches.dag_of(batch_id)
        mine = {run.day: run for run in runs if (dag_id, run.day) not in counted}
        counted |= {(dag_id, day) for day in mine}
        newest.setdefault(dag_id, {}).update(mine)
        of_batch[batch_id] = [*mine]
    failed = {dag_id: _find_failed(connection, dag_id, runs) for dag_id, runs in newest.items()}
    ended = [
        Ended(batch_id=batch_id, dag_id=dag_id, failed=sorted(failed[dag_id] & {*days}))
        for batch_id, days in of_batch.items()
        for dag_id in [batches.dag_of(batch_id)]
    ]
    return [each for each in ended if each.failed]


def _find_failed(
    connection: psycopg.Connection[Any], dag_id: str, runs: Mapping[date, BatchRun]
) -> set[date]:
    """Those of the dates that are not done by now."""
    judged = judge(connection, dag_id, list(runs.values()), endpoint_names(dag_id))
    return {each.day for each in judged.results if not each.outcome.done}


def read_failed_days(
    connection: psycopg.Connection[Any], dag_id: str, batch_id: str
) -> Sequence[date]:
    """The dates of a batch of the DAG that have failed, be it under way or over."""
    now = read_now(connection)
    going = [each.failed for each in now.going if each.under_way.batch.batch_id == batch_id]
    ended = [each.failed for each in now.ended if each.batch_id == batch_id]
    found = [day for days in (*going, *ended) for day in days]
    return found if batches.dag_of(batch_id) == dag_id else []
