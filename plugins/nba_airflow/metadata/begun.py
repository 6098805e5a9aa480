"""In the scheduler: backfills that were begun in the UI or by the API are held until they are
planned and checked as the command does it.

Their first date is met before Airflow commits that it runs: it waits again then, and nothing of the
backfill is started. The checking takes seconds and is done by a process of its own
(`nba_airflow.check_begun`), which ends the hold or says why it stays.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from include.ops import backfills
from include.ops.backfills import CHECKING
from nba_airflow.metadata.hold import read_backfill
from nba_airflow.metadata.ledger import LEDGER

if TYPE_CHECKING:
    from airflow.models.backfill import Backfill
    from airflow.models.dagrun import DagRun

log = logging.getLogger(__name__)

MAX_CHECKING = timedelta(minutes=3)
"""After which a check that has not ended has died, and is begun again."""
KNOWN: set[int] = set()
"""Airflow's backfills that this process has met and let go on."""


def meet(dag_run: DagRun) -> None:
    """A date of a backfill is being started: it waits again where the backfill is new to us. One
    of a DAG that is not of game dates is its team's alone. Raises Away."""
    from airflow.utils.state import DagRunState
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    if dag_run.backfill_id is None or dag_run.backfill_id in KNOWN or session is None:
        return
    for backfill in read_backfill(session, dag_run.backfill_id):
        if backfill.completed_at is None and _hold_if_new(backfill):
            dag_run.set_state(DagRunState.QUEUED)
            backfill.is_paused = True


def check_due(now: datetime | None = None) -> None:
    """Begins the checks again that have died. Raises Away."""
    since = (now or datetime.now(UTC)) - MAX_CHECKING
    with LEDGER.opened() as connection:
        stuck = backfills.take_stuck(connection, "preflight", CHECKING, since)
        connection.commit()
    for backfill_id in stuck:
        _check(backfill_id)


def _hold_if_new(backfill: Backfill) -> bool:
    """Whether it is held from now on, or was by then, until it is checked."""
    with LEDGER.opened() as connection:
        # In this order: what is ordered no more was noted before it ended.
        ordered = backfills.is_ordered_now(connection, backfill.dag_id)
        known = backfills.read(connection, [backfill.id])
        begins = not known and not ordered
        begins = begins and backfills.hold(connection, backfill.id, "preflight", CHECKING)
        connection.commit()
    if known:
        KNOWN.add(backfill.id)
    if begins:
        log.info("backfill %d %s", backfill.id, CHECKING)
        _check(backfill.id)
    return not known and not ordered


def _check(backfill_id: int) -> subprocess.Popen[bytes]:
    """In a process of its own, which the scheduler does not wait for."""
    return subprocess.Popen([sys.executable, "-m", "nba_airflow.check_begun", str(backfill_id)])
