"""In the scheduler: the runs of processors, made when the inputs of a date are done and not those
that it was made of before. None of a DAG that is paused."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from include.analytics.spec import Processor
from include.ops import built, touched
from include.partition import parse_day
from nba_airflow.metadata.ledger import LEDGER
from nba_airflow.metadata.new_run import create_run

if TYPE_CHECKING:
    import psycopg
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

Stale = tuple[Processor, date, str]
"""A date that is to be processed, and its run's id."""

MAX_MADE = 100
"""Runs that one look makes, in the scheduler's turn: 6 ms each (measured). The rest is the next
one's."""

_NEVER = ("", datetime.min.replace(tzinfo=UTC))


def note_done(dag_run: DagRun, session: Session) -> None:
    """Makes the runs of what is made of the date whose run has just ended well. Raises Away; what
    is missed here is found by the next look."""
    of_it = [each for each in _read_awake(session) if dag_run.dag_id in _sources(each)]
    if not of_it:
        return
    day = parse_day(dag_run.partition_key or "")
    with LEDGER.opened() as connection:
        stale = [*_find_stale(connection, of_it, {day})]
    for each in stale:
        _start(each, session)


def look(session: Session) -> int:
    """Makes the runs of all dates that were done since the last look, and forgets those that need
    none, or have theirs; returns how many it made, MAX_MADE at most. Raises Away."""
    awake = _read_awake(session)
    with LEDGER.opened() as connection:
        seen = touched.read(connection)
        stale = [*_find_stale(connection, awake, {each.day for each in seen})]
    # One whose run is only made now may have none after all, if this scheduler dies: it is looked
    # at once more.
    there = _read_run_ids(session, stale)
    missing = [each for each in stale if each[-1] not in there]
    made = missing[:MAX_MADE]
    for each in made:
        _start(each, session)
    waiting = {(source, day) for processor, day, _ in missing for source in _sources(processor)}
    with LEDGER.opened(again=True) as connection:
        touched.forget(connection, [t for t in seen if (t.dag_id, t.day) not in waiting])
        connection.commit()
    return len(made)


def _find_stale(
    connection: psycopg.Connection[Any], of: Iterable[Processor], days: Collection[date]
) -> Iterator[Stale]:
    for processor in of:
        now = built.read_ready(connection, processor.inputs, days)
        then = built.read_built(connection, processor.dag_id, now.keys())
        for day in sorted(now):
            made_of, made_at = then.get(day, _NEVER)
            if made_of != now[day].content:
                yield processor, day, _name(day, now[day], made_at)


def _start(stale: Stale, session: Session) -> None:
    processor, day, run_id = stale
    create_run(processor.dag_id, run_id, session, partition_key=str(day))


def _read_awake(session: Session) -> list[Processor]:
    """The processors whose DAG is there and not paused."""
    from airflow.models.dag import DagModel
    from sqlalchemy import select

    from nba_airflow.specs import processors

    known = processors()
    awake = (DagModel.dag_id.in_(known), DagModel.is_paused.is_(False))
    with session.no_autoflush:
        found = session.scalars(select(DagModel.dag_id).where(*awake)).all()
    return [known[dag_id] for dag_id in found]


def _read_run_ids(session: Session, stale: Collection[Stale]) -> set[str]:
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    named = (
        DagRun.dag_id.in_({p.dag_id for p, _, _ in stale}),
        DagRun.run_id.in_({run_id for _, _, run_id in stale}),
    )
    with session.no_autoflush:
        return set(session.scalars(select(DagRun.run_id).where(*named)))


def _name(day: date, ready: built.Ready, made_at: datetime) -> str:
    """The id of its run: one for each content of its inputs since they were done, and rows of
    another were made. So what failed, or was undone, does not stand in the way."""
    since = max(ready.done_at, made_at).astimezone(UTC)
    return f"inputs__{day}__{ready.content}_{since:%Y%m%dT%H%M%S%f}"


def _sources(processor: Processor) -> set[str]:
    return {given.dag_id for given in processor.inputs}
