"""`airflow db clean` in the middle of a season: what is told and judged does not change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from include.partition import DateRange
from tests.plugins.running import DAG, Airflow, backfill_command, transaction

FIRST = date(2024, 12, 2)
D = [FIRST + timedelta(days=n) for n in range(5)]
FIVE = DateRange(D[0], D[4])


def clean(airflow: Airflow, *days: date) -> None:
    """Airflow's own clean of what is older than 30 days, as these dates' runs are; its last run of
    a DAG it always keeps."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.db_cleanup import run_cleanup
    from sqlalchemy import update

    old = datetime.now(UTC) - timedelta(days=40)
    mine = update(DagRun).where(DagRun.partition_key.in_([str(day) for day in days]))
    with transaction() as session:
        session.execute(mine.values(start_date=old, end_date=old, updated_at=old))
    before = datetime.now(UTC) - timedelta(days=30)
    run_cleanup(clean_before_timestamp=before, confirm=False, skip_archive=True)
    assert not {str(day) for day in days} & set(airflow.states())


@pytest.mark.parametrize("swept", [True, False], ids=["swept before", "never swept"])
def test_backfill_that_goes_on_meanwhile_is_told_with_all_its_dates(
    airflow: Airflow, swept: bool
) -> None:
    airflow.lost = True
    airflow.backfill(FIVE)
    airflow.run("complete", D[0], D[1])
    airflow.run("failed", D[2])
    if swept:
        airflow.sweep()
    airflow.start(D[3])
    clean(airflow, *D[0:3])
    airflow.end(D[3], "complete")
    airflow.run("complete", D[4])
    airflow.sweep()
    assert airflow.subjects() == [f"[1 failed] {DAG} {FIVE}: 4 of 5 dates complete"]


def test_rerun_that_goes_on_meanwhile_is_told_with_all_its_dates(airflow: Airflow) -> None:
    airflow.backfill(FIVE)
    airflow.run("failed", *D)
    airflow.summarise()
    airflow.clear(*D)
    airflow.run("complete", D[0], D[1])
    airflow.sweep()
    airflow.start(D[2])
    clean(airflow, D[0], D[1])
    airflow.end(D[2], "complete")
    airflow.run("complete", *D[3:5])
    airflow.summarise()
    airflow.sweep()
    assert airflow.subjects()[1:] == [f"[OK] {DAG} {FIVE}: 5 dates complete, 5 recovered"]


def test_season_that_was_reported_is_not_told_again_and_stands_by_the_ledger(
    airflow: Airflow, capsys: pytest.CaptureFixture[str]
) -> None:
    airflow.backfill(FIVE)
    airflow.run("complete", *D[0:4])
    airflow.run("failed", D[4])
    airflow.summarise()
    clean(airflow, *D[0:4])
    airflow.sweep()
    assert len(airflow.mails()) == 1
    capsys.readouterr()
    assert backfill_command(FIVE, attach=True) == 1
    assert capsys.readouterr().out.splitlines()[0] == "4 complete, 1 failed"

    airflow.clear(D[4])
    airflow.run("complete", D[4])
    airflow.summarise()
    assert airflow.subjects()[1:] == [f"[OK] {DAG} {D[4]}: 1 date complete, 1 recovered"]
    assert backfill_command(FIVE, attach=True) == 0
