"""The hooks in the scheduler's own session: whatever run they are told of, and whatever they meet,
the scheduler commits what it has done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from sqlalchemy import text

from include.ops.db import connect
from tests.plugins.metadata.conftest import Clock, ops_db_is
from tests.plugins.scheduling import Scheduler, bag_since, live_day, scheduler

DAG = "bdl_box_scores"
SUMMARY = "backfill_summary"
# Airflow's longest run id, and the one before it.
LONG = [f"{'long_' * 50}"[:length] for length in (250, 249, 230)]


@pytest.fixture(scope="module")
def found(books: str) -> Iterator[Scheduler]:
    with scheduler(bag_since(live_day())) as found:
        yield found


@pytest.fixture(autouse=True)
def _connected(
    found: Scheduler, clock: Clock, ops_db: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    ops_db_is(monkeypatch, ops_db)
    yield
    found.session.rollback()
    with connect(ops_db) as connection:
        connection.execute("DELETE FROM ops.batches")


def fails_by_hand(found: Scheduler, run_id: str) -> None:
    """A run by hand fails: the scheduler calls the hook, swallows what it raises, and commits."""
    from airflow.utils.sqlalchemy import prohibit_commit
    from airflow.utils.state import DagRunState

    from nba_airflow import listener

    found.trigger(DAG, run_id=run_id, partition_key="2025-01-15")
    with suppress(Exception), prohibit_commit(found.session) as guard:
        run = found.run_of(DAG)
        run.state = DagRunState.FAILED
        with suppress(Exception):
            listener.on_dag_run_failed(dag_run=run, msg="")
        guard.commit()
    found.session.rollback()


@pytest.mark.parametrize("run_id", LONG, ids=lambda run_id: f"{len(run_id)}-characters")
def test_failed_run_with_a_long_id_is_committed_and_its_summary_starts(
    found: Scheduler, run_id: str
) -> None:
    before = found.count_runs(SUMMARY, "manual")
    fails_by_hand(found, run_id)
    assert (found.run_of(DAG).run_id, str(found.run_of(DAG).state)) == (run_id, "failed")
    assert found.count_runs(SUMMARY, "manual") == before + 1


def test_ids_that_differ_at_their_end_only_start_a_summary_each(found: Scheduler) -> None:
    before = found.count_runs(SUMMARY, "manual")
    for end in "ab":
        fails_by_hand(found, f"{LONG[1]}{end}")
    assert found.count_runs(SUMMARY, "manual") == before + 2


def test_scheduler_commits_what_it_has_done_when_no_summary_can_be_made(found: Scheduler) -> None:
    found.session.execute(
        text(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN RAISE EXCEPTION 'refused'; END$$;"
            f" CREATE TRIGGER refuse BEFORE INSERT ON dag_run FOR EACH ROW WHEN"
            f" (NEW.dag_id = '{SUMMARY}') EXECUTE FUNCTION refuse()"
        )
    )
    found.session.commit()
    try:
        fails_by_hand(found, "short")
        assert str(found.run_of(DAG).state) == "failed"
    finally:
        found.session.execute(text("DROP FUNCTION refuse CASCADE"))
        found.session.commit()
