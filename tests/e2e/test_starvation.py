"""A sick upstream on real processes: one source hangs on every request, and all else goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from include.partition import eastern_day

if TYPE_CHECKING:
    from tests.e2e.conftest import System

pytestmark = pytest.mark.slow

SICK = "bdl_box_scores"
OTHERS = ("bigdataball_play_by_play", "nbacom_box_scores", "odds_api_props")
DATES = 60
WINDOW = "-s 2024-12-01 -e 2025-01-29"

UNDER_WAY = "SELECT count(*) FROM task_instance WHERE dag_id = %s AND state = 'running'"
NOT_ENDED = (
    "SELECT count(*) FROM dag_run WHERE dag_id = %s AND run_type = 'backfill'"
    " AND state IN ('queued', 'running')"
)
SLOTS = "SELECT slots FROM slot_pool WHERE pool = 'balldontlie'"
ENDED = (
    "SELECT DISTINCT partition_key FROM dag_run WHERE dag_id = %s AND run_type = 'scheduled'"
    " AND partition_key < %s AND state IN ('success', 'failed') ORDER BY 1"
)


def test_live_dates_and_mails_of_all_others_go_on_while_sixty_dates_of_one_source_hang(
    system: System,
) -> None:
    system.faults([{"source": "balldontlie", "kind": "hang", "times": None}])
    options = "--max-active-runs 32 --unpause --detach"
    assert system.backfill(f"{SICK} {WINDOW} {options}")[0] == 0
    ((slots,),) = system.metadata(SLOTS)
    system.until(lambda: system.metadata(UNDER_WAY, SICK) == [(slots,)])

    system.catch_up("nbacom_schedule")  # until its mail is there; the others are counted against it
    system.catch_up(*OTHERS)

    # The newest date waits until its data can be final, which depends on the time of day.
    newest = eastern_day(datetime.now(UTC)) - timedelta(days=1)
    late = [str(newest - timedelta(days=n)) for n in (3, 2, 1)]
    for dag_id in ("nbacom_schedule", *OTHERS):
        ended = system.metadata(ENDED, dag_id, str(newest))
        assert [key for (key,) in ended] == late
    ((hanging,),) = system.metadata(NOT_ENDED, SICK)
    assert hanging > DATES - slots
