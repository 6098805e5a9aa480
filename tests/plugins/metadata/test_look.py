"""What a look at Airflow's rows reads: what has changed since the one before, whatever history
there is, and while none of it is read the ledger waits for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import count
from typing import Any

import psycopg
import pytest

from include.partition import DateRange
from tests.plugins.running import DAG, Airflow, transaction

FIRST = date(2024, 12, 2)
DAYS = [FIRST + timedelta(days=n) for n in range(3)]
THREE = DateRange(DAYS[0], DAYS[-1])
HISTORY = 500

# Runs of the DAG that have ended well, one an hour, as copies of one.
_COPY = """
    INSERT INTO dag_run SELECT (jsonb_populate_record(r, jsonb_build_object(
        'id', nextval('dag_run_id_seq'), 'run_id', 'scheduled__' || n, 'run_type', 'scheduled',
        'partition_key', date '2020-01-01' + n, 'backfill_id', null, 'clear_number', 0,
        'run_after', ended, 'created_at', ended, 'queued_at', ended, 'start_date', ended,
        'end_date', ended, 'updated_at', ended
    ))).* FROM dag_run r, generate_series(1, %(runs)s) n,
        LATERAL (SELECT now() - interval '2 days' - n * interval '1 hour' AS ended) AS at
    WHERE r.dag_id = %(dag_id)s AND r.partition_key = %(day)s
"""


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs that were read of Airflow's rows."""
    from nba_airflow.metadata import register

    found: list[str] = []
    book = register._book

    def note(row: Any) -> Any:
        found.append(row.run_id)
        return book(row)

    monkeypatch.setattr(register, "_book", note)
    return found


def has_history(airflow: Airflow, books: str) -> None:
    """An installation that is a month old."""
    with psycopg.connect(books) as connection:
        connection.execute(_COPY, {"runs": HISTORY, "dag_id": DAG, "day": str(DAYS[0])})
    airflow.ledger.execute("UPDATE ops.batches SET opened_at = opened_at - interval '29 days'")
    airflow.ledger.commit()


def test_look_reads_no_run_again_that_had_ended_well_before_the_last_one(
    airflow: Airflow, books: str, read: list[str]
) -> None:
    airflow.backfill(DateRange(DAYS[0], DAYS[0]))
    airflow.run("complete", DAYS[0])
    airflow.summarise()
    airflow.sweep()
    has_history(airflow, books)
    airflow.backfill(DateRange(DAYS[1], DAYS[1]))
    airflow.run("failed", DAYS[1])
    airflow.summarise()
    read.clear()
    airflow.sweep()
    assert len([subject for subject in airflow.subjects() if DAG in subject]) == 2
    assert [run_id for run_id in read if run_id.startswith("scheduled__")] == []


def test_run_that_ended_while_nobody_looked_is_told(
    airflow: Airflow, books: str, read: list[str]
) -> None:
    airflow.sweep()
    weeks = "- interval '3 weeks'"
    airflow.ledger.execute(f"UPDATE ops.looks SET looked_at = looked_at {weeks}")
    airflow.ledger.commit()
    airflow.lost = True
    airflow.trigger(str(DAYS[0]))
    airflow.start(DAYS[0])
    airflow.end(DAYS[0], "failed")
    with psycopg.connect(books) as connection:
        moments = ("queued_at", "start_date", "end_date", "updated_at")
        earlier = ", ".join(f"{each} = {each} - interval '2 weeks'" for each in moments)
        connection.execute(f"UPDATE dag_run SET {earlier} WHERE dag_id = %s", (DAG,))
    airflow.sweep()
    assert airflow.subjects() == [f"[1 failed] {DAG} {DAYS[0]}: 0 of 1 date complete"]


def test_airflows_runs_are_read_while_the_ledger_is_closed(
    airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow import settings
    from sqlalchemy import event

    from nba_airflow.metadata.ledger import LEDGER
    from nba_airflow.metadata.register import close_over

    airflow.lost = True
    airflow.backfill(THREE)
    airflow.run("complete", *DAYS)
    opened, asked = [], []
    real = LEDGER.opened

    @contextmanager
    def noted(**how: bool) -> Iterator[Any]:
        with real(**how) as connection:
            opened.append(connection)
            yield connection
            opened.clear()

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append((bool(opened), "FROM dag_run" in statement))

    monkeypatch.setattr(LEDGER, "opened", noted)
    event.listen(settings.engine, "before_cursor_execute", note)
    try:
        with transaction() as session:
            assert len(close_over(session)) == 1
    finally:
        event.remove(settings.engine, "before_cursor_execute", note)
    assert (False, True) in asked
    assert (True, True) not in asked


def test_look_is_ended_although_the_ledger_was_slow_at_its_beginning(
    airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nba_airflow.metadata.ledger import LEDGER, Away
    from nba_airflow.metadata.register import close_over

    airflow.lost = True
    airflow.backfill(THREE)
    airflow.run("complete", *DAYS)
    monkeypatch.setattr(LEDGER, "_monotonic", count(0.0, 1.5).__next__)
    with transaction() as session:
        assert len(close_over(session)) == 1
        with pytest.raises(Away):
            close_over(session)
