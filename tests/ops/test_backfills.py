"""What is noted of Airflow's backfills: as ordered, once, and what holds them."""

from __future__ import annotations

from dataclasses import replace

from include.ops import backfills
from include.ops.backfills import Backfill
from include.ops.db import connect

BACKFILL = Backfill(
    backfill_id=7,
    dag_id="bdl_box_scores",
    batch_id="bdl_box_scores:6:0",
    stage="ramp",
    started_by="ann",
    reason="new season",
    options={"ramp": True},
    plan={"requests": 12},
    fingerprint="abc",
)


def test_a_backfill_is_noted_once_as_it_was_ordered(ops_db: str) -> None:
    unplanned = replace(BACKFILL, backfill_id=8, options={}, plan=None)
    with connect(ops_db) as connection:
        backfills.note(connection, BACKFILL)
        backfills.note(connection, replace(BACKFILL, started_by="bob", plan=None))
        backfills.note(connection, unplanned)
        assert backfills.read(connection, [7, 8, 9]) == {7: BACKFILL, 8: unplanned}


def test_a_backfill_goes_on_when_its_last_hold_is_lifted(ops_db: str) -> None:
    with connect(ops_db) as connection:
        assert backfills.hold(connection, 17, "breaker", "5 dates in a row failed alike")
        assert not backfills.hold(connection, 17, "breaker", "again")
        assert backfills.hold(connection, 17, "quiet hours", "18:00 to 23:00")
        found = [(each.kind, each.why) for each in backfills.read_holds(connection, [17, 18])]
        assert sorted(found) == [
            ("breaker", "5 dates in a row failed alike"),
            ("quiet hours", "18:00 to 23:00"),
        ]
        assert not backfills.lift(connection, 17, "breaker")
        assert backfills.lift(connection, 17, "quiet hours")
        assert not backfills.lift(connection, 17, "quiet hours")
        assert backfills.read_holds(connection, [17]) == []


def test_a_hold_has_ended_when_its_cause_was_over_not_when_that_was_noticed(ops_db: str) -> None:
    with connect(ops_db) as connection:
        backfills.hold(connection, 27, "quiet hours", "18:00 to 23:00")
        backfills.keep_holds(connection, 27, {"quiet hours": ""}, ours=True, lift=False)
        (over,) = backfills.read_holds(connection, [27])
        backfills.keep_holds(connection, 27, {"quiet hours": ""}, ours=True, lift=True)
        (past,) = backfills.read_all_holds(connection, [27])
        assert backfills.read_holds(connection, [27]) == []
        assert over.over_at
        assert past == replace(over, until=over.over_at, over_at=None)
