"""What runs have taken, by the ledger: the measurements of a canary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row

from include.wording import counted, duration, size

_READ = """
    SELECT count(DISTINCT day)::int AS dates,
        coalesce(sum(games_found) FILTER (WHERE newest), 0)::int AS games,
        coalesce(sum(requests), 0)::int AS requests,
        coalesce(sum(credits), 0)::int AS credits,
        coalesce(sum(rows) FILTER (WHERE newest), 0)::int AS rows,
        coalesce(sum(bytes) FILTER (WHERE newest), 0)::bigint AS bytes,
        coalesce(sum(extract(epoch FROM ended_at - started_at)), 0)::float AS seconds
    FROM (SELECT *, outcome_id = max(outcome_id) OVER (PARTITION BY endpoint, day) AS newest
        FROM ops.outcomes WHERE dag_id = %s AND run_id = ANY(%s)) AS mine
"""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Sums over the dates of some runs: ``games`` that were found and their ``rows``, ``bytes`` of
    raw bodies, ``seconds`` at work, waiting for limits included."""

    dates: int
    games: int
    requests: int
    credits: int
    rows: int
    bytes: int
    seconds: float

    def lines(self) -> Iterator[str]:
        """As an operator reads it."""
        if not self.dates:
            return
        yield (
            f"  measured on {counted(self.dates, 'date')}: {duration(self.seconds / self.dates)}"
            f" and {self.requests / self.dates:.1f} requests a date,"
            f" {self.rows / max(1, self.games):.0f} rows a game,"
            f" {size(self.bytes / self.dates)} a date"
        )

    def facts(self) -> dict[str, Any]:
        """As JSON knows it."""
        return asdict(self)


def measure(connection: psycopg.Connection[Any], dag_id: str, run_ids: Sequence[str]) -> Measured:
    """What the DAG's runs have taken so far."""
    with connection.cursor(row_factory=class_row(Measured)) as cursor:
        found = cursor.execute(_READ, (dag_id, [*run_ids])).fetchone()
    assert found is not None
    return found


_GOOD = """
    SELECT count(*) FROM (
        SELECT day FROM (
            SELECT DISTINCT ON (o.day, o.endpoint) o.day, o.outcome, o.games_found
            FROM ops.backfills b JOIN ops.batch_runs r USING (batch_id)
            JOIN ops.outcomes o ON o.dag_id = b.dag_id AND o.run_id = r.run_id
            WHERE b.dag_id = %s AND b.fingerprint = %s
            ORDER BY o.day, o.endpoint, o.outcome_id DESC) AS newest
        GROUP BY day HAVING bool_and(outcome = 'complete') AND sum(games_found) > 0) AS good
"""


def count_good_dates(connection: psycopg.Connection[Any], dag_id: str, fingerprint: str) -> int:
    """How many dates with games the DAG's backfills with that code and configuration have made
    complete."""
    row = connection.execute(_GOOD, (dag_id, fingerprint)).fetchone()
    assert row is not None
    return int(row[0])
