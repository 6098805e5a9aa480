"""Of which inputs the dates of processors were made, and of which they would be made now."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any, Protocol

import psycopg

from include.ops import outcomes


class Given(Protocol):
    """An input of a processor, as ``include.analytics.spec.Input``."""

    @property
    def dag_id(self) -> str:
        """Of the DAG that makes it."""
        ...

    @property
    def endpoint(self) -> str:
        """Of that DAG."""
        ...

    @property
    def required(self) -> bool:
        """Whether nothing is made without it."""
        ...


@dataclass(frozen=True, kw_only=True)
class Ready:
    """The inputs of a date that are done: ``content``, one for all of them, is the same for the
    same rows; ``done_at`` (aware) is when the last of them was done."""

    content: str
    done_at: datetime = field(compare=False)


def read_ready(
    connection: psycopg.Connection[Any], inputs: Collection[Given], days: Collection[date]
) -> dict[date, Ready]:
    """The dates on which all required inputs are done."""
    newest = {
        (dag_id, endpoint, day): row
        for dag_id in {given.dag_id for given in inputs}
        for (day, endpoint), row in outcomes.read_newest(connection, dag_id, days).items()
        if row.outcome.done
    }
    return {
        day: _mix(newest.get((g.dag_id, g.endpoint, day)) for g in inputs)
        for day in days
        if all((g.dag_id, g.endpoint, day) in newest for g in inputs if g.required)
    }


def _mix(rows: Iterable[outcomes.OutcomeRow | None]) -> Ready:
    """Of rows in the order of the inputs; None where nothing is done."""
    given = [*rows]
    contents = " ".join(row.content if row else "" for row in given)
    times = (row.recorded_at for row in given if row)
    return Ready(
        content=sha256(contents.encode()).hexdigest()[:16],
        done_at=max(times, default=datetime.min.replace(tzinfo=UTC)),
    )


def read_built(
    connection: psycopg.Connection[Any], dag_id: str, days: Collection[date]
) -> dict[date, tuple[str, datetime]]:
    """Date -> content of the inputs that the DAG's rows were made of, and when (aware)."""
    rows = connection.execute(
        "SELECT day, inputs, built_at FROM ops.built WHERE dag_id = %s AND day = ANY(%s)",
        (dag_id, [*days]),
    )
    return {day: (inputs, built_at) for day, inputs, built_at in rows}


def note_built(connection: psycopg.Connection[Any], dag_id: str, day: date, inputs: str) -> None:
    """Notes what the date's rows were made of."""
    connection.execute(
        "INSERT INTO ops.built (dag_id, day, inputs) VALUES (%s, %s, %s)"
        " ON CONFLICT (dag_id, day) DO UPDATE SET inputs = excluded.inputs,"
        " built_at = clock_timestamp()",
        (dag_id, day, inputs),
    )
