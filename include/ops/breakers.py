"""The breakers of backfills: how each stands, and the dates that it judges, by the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any, Literal

import psycopg
from psycopg.rows import class_row, dict_row

from include.guards.breaker import Ended
from include.outcome import Outcome
from include.wording import moment

State = Literal["closed", "open", "half open"]
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Breaker:
    """A row of ``ops.breakers``; one that has never opened has none. ``open``: nothing is started;
    ``half open``: one date is, the probe, ``probing_since`` then. ``max_active_runs`` is what the
    backfill had before, None where it has it."""

    backfill_id: int
    dag_id: str
    state: State = "closed"
    flag: str = ""
    why: str = ""
    opened_at: datetime = _NEVER
    probe_at: datetime = _NEVER
    probing_since: datetime | None = None
    failed_probes: int = 0
    counted_since: datetime | None = None
    max_active_runs: int | None = None
    told_at: datetime | None = None

    @property
    def holds(self) -> str:
        """Why it keeps its backfill paused, or all but a probe; empty where it is closed."""
        at = moment(self.probe_at)
        words = {
            "open": f"halted, one date is tried at {at}: {self.flag}, {self.why}",
            "half open": f"halted, one date is being tried: {self.flag}, {self.why}",
        }
        return words.get(self.state, "")


_COLUMNS = tuple(Breaker.__dataclass_fields__)
_NAMES = ", ".join(_COLUMNS)


def write(connection: psycopg.Connection[Any], breaker: Breaker) -> None:
    """Writes how it stands. Does not commit."""
    values = [getattr(breaker, name) for name in _COLUMNS]
    updates = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)
    connection.execute(
        f"INSERT INTO ops.breakers ({_NAMES}) VALUES ({', '.join(['%s'] * len(values))})"
        f" ON CONFLICT (backfill_id) DO UPDATE SET {updates}",
        values,
    )


def read(connection: psycopg.Connection[Any], backfill_id: int, dag_id: str) -> Breaker:
    """That of a backfill, for whoever is about to write it: a row that is there is locked."""
    found = _read(connection, "backfill_id = %s FOR UPDATE", (backfill_id,))
    return next(iter(found), Breaker(backfill_id=backfill_id, dag_id=dag_id))


def read_not_closed(connection: psycopg.Connection[Any]) -> list[Breaker]:
    """Those that hold something back, the oldest first."""
    return _read(connection, "state <> 'closed' ORDER BY opened_at", ())


def read_untold(connection: psycopg.Connection[Any]) -> list[Breaker]:
    """Those that have opened and whose mail is not in the outbox; locked until the caller
    commits."""
    return _read(connection, "told_at IS NULL ORDER BY opened_at FOR UPDATE", ())


def note_told(connection: psycopg.Connection[Any], backfill_id: int) -> None:
    """Notes that the mail of its opening is in the outbox. Does not commit."""
    connection.execute(
        "UPDATE ops.breakers SET told_at = clock_timestamp() WHERE backfill_id = %s", (backfill_id,)
    )


def forget(connection: psycopg.Connection[Any], ids: Collection[int]) -> None:
    """Deletes what holds backfills other than these, which alone are not over; what is new may be
    of one that has just begun. Does not commit."""
    of_others = "backfill_id <> ALL(%s)"
    connection.execute(
        f"DELETE FROM ops.holds WHERE {of_others} AND since < clock_timestamp() - interval '1"
        " hour'",
        ([*ids],),
    )
    connection.execute(
        f"DELETE FROM ops.breakers WHERE {of_others} AND told_at IS NOT NULL", ([*ids],)
    )


def _read(connection: psycopg.Connection[Any], where: str, values: Iterable[Any]) -> list[Breaker]:
    with connection.cursor(row_factory=class_row(Breaker)) as cursor:
        cursor.execute(f"SELECT {_NAMES} FROM ops.breakers WHERE {where}", tuple(values))
        return cursor.fetchall()


# --- what they judge


def read_refusals(connection: psycopg.Connection[Any], names: Collection[str]) -> int:
    """How often in a row the worst of these connections was answered 429; a success takes one
    back."""
    row = connection.execute(
        "SELECT coalesce(max(refusals), 0) FROM ops.limiters WHERE split_part(name, '@', 1) ="
        " ANY(%s)",
        ([*names],),
    ).fetchone()
    return int(row[0]) if row else 0


def forget_refusals(
    connection: psycopg.Connection[Any], names: Collection[str], *, if_closed: Breaker
) -> None:
    """Forgets them where the breaker is closed: they have answered well since, or a person knows
    better. Does not commit."""
    connection.execute(
        "UPDATE ops.limiters SET refusals = 0 WHERE split_part(name, '@', 1) = ANY(%s) AND %s",
        ([*names], if_closed.state == "closed"),
    )


def planned_seconds(plan: Mapping[str, Any]) -> float:
    """Seconds that a date was planned to take, by a plan's facts; endless where nobody has."""
    return float(plan.get("seconds_per_date") or inf)


def read_ended(
    connection: psycopg.Connection[Any], dag_id: str, states: Mapping[str, str]
) -> list[Ended]:
    """The dates of these runs (run_id -> Airflow's state, in the order of their ends) by what the
    ledger says of their endpoints. One that failed without a word was lost; one that was marked
    good, or ended while it waited, was ended by a person and is left out."""
    rows = connection.cursor(row_factory=dict_row).execute(
        "SELECT DISTINCT ON (run_id, endpoint) run_id, outcome, error_class, fingerprint, message,"
        " requests, seconds, ended_at, peak_mb FROM ops.outcomes WHERE dag_id = %s AND run_id ="
        " ANY(%s) ORDER BY run_id, endpoint, recorded_at DESC, outcome_id DESC",
        (dag_id, [*states]),
    )
    by_run: dict[str, list[Mapping[str, Any]]] = {run_id: [] for run_id in states}
    for row in rows:
        by_run[row["run_id"]].append(row)
    told = {run_id: of_run or _SILENT[states[run_id]] for run_id, of_run in by_run.items()}
    judged = [_judge(run_id, of_run) for run_id, of_run in told.items() if of_run]
    return [each for each in judged if not each.outcome.waits]


_LOST = {
    "outcome": "lost",
    "error_class": "lost",
    "fingerprint": "lost",
    "message": "ended without a word: its worker was lost",
    "requests": 0,
    "seconds": {},
    "ended_at": _NEVER,
    "peak_mb": 0,
}
_SILENT: Mapping[str, list[Mapping[str, Any]]] = {"failed": [_LOST], "success": []}
"""What stands in for the rows of a run that has said nothing, by Airflow's state."""


def _judge(run_id: str, rows: Sequence[Mapping[str, Any]]) -> Ended:
    """The date by its worst endpoint."""
    worst = min(rows, key=lambda row: Outcome(row["outcome"]).severity)
    outcome = Outcome(worst["outcome"])
    seconds: Counter[str] = sum((Counter(row["seconds"]) for row in rows), Counter())
    worked = [timedelta(seconds=sum(row["seconds"].values())) for row in rows]
    return Ended(
        run_id=run_id,
        outcome=outcome,
        error_class=worst["error_class"],
        fingerprint=worst["fingerprint"] or str(outcome),
        message=worst["message"],
        requests=sum(row["requests"] for row in rows),
        seconds=seconds,
        spans=[
            (row["ended_at"] - taken, row["ended_at"])
            for row, taken in zip(rows, worked, strict=True)
        ],
        peak_mb=max(row["peak_mb"] for row in rows),
    )
