"""One mail per backfill at SendGrid's stand-in, whatever way it began and however it ended."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from include.partition import eastern_day

if TYPE_CHECKING:
    from tests.e2e.conftest import System

pytestmark = pytest.mark.slow

DAG = "bdl_box_scores"
ENDS = {"clean": [], "some fail": ["2"], "all fail": ["1", "2", "3"], "cancelled": []}
WAYS = ("airflow dags backfill", "airflow backfill create", "the UI")


@pytest.fixture(scope="module", autouse=True)
def caught_up(system: System):
    """The DAG's late dates have run and were reported, each such stretch in one mail."""
    system.catch_up(DAG)


def slow(day: date) -> dict[str, Any]:
    """The upstream takes its time with the date, so that its backfill is still under way when it is
    cancelled."""
    return {"source": "balldontlie", "day": str(day), "kind": "hang", "seconds": 10, "times": 1}


def begin(system: System, way: str, first: date, last: date, *, at_once: int) -> int:
    """Starts a backfill and returns Airflow's id of it, once Airflow knows that the one before has
    ended."""
    open_ones = "SELECT 1 FROM backfill WHERE dag_id = %s AND completed_at IS NULL"
    system.until(lambda: not system.metadata(open_ones, DAG))
    if way == "the UI":
        order = {"dag_id": DAG, "from_date": f"{first}T00:00:00Z", "to_date": f"{last}T00:00:00Z"}
        more = {
            "run_backwards": False,
            "dag_run_conf": {},
            "reprocess_behavior": "none",
            "max_active_runs": at_once,
        }
        return system.api("POST", "backfills", order | more)["id"]
    if way == "airflow backfill create":
        words = (
            f"backfill create --dag-id {DAG} --from-date {first} --to-date {last} --max-active-runs"
            f" {at_once}"
        )
        done = system.airflow(words)
    else:
        done = system.airflow(
            f"dags backfill {DAG} -s {first} -e {last} --detach --max-active-runs {at_once}"
        )
    assert done.code == 0, done.err
    return system.metadata("SELECT max(id) FROM backfill WHERE dag_id = %s", DAG)[0][0]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("way", WAYS)
def test_a_backfill_sends_exactly_one_mail(system: System, way: str, end: str):
    number = WAYS.index(way) * len(ENDS) + list(ENDS).index(end)
    first = date(2023, 11, 1) + timedelta(days=3 * number)
    last = first + timedelta(days=2)
    failing = [str(first + timedelta(days=int(n) - 1)) for n in ENDS[end]]
    system.faults(
        [{"source": "balldontlie", "day": day, "kind": "bad_key", "times": None} for day in failing]
    )
    mails = len(system.mails(DAG))

    if end == "cancelled":
        system.faults([slow(first)])
    backfill = begin(system, way, first, last, at_once=1 if end == "cancelled" else 16)
    if end == "cancelled":
        running = "SELECT 1 FROM dag_run WHERE backfill_id = %s AND state = 'running'"
        system.until(lambda: system.metadata(running, backfill))
        system.api("PUT", f"backfills/{backfill}/cancel")
    system.until(lambda: len(system.mails(DAG)) > mails)

    # Later runs of the summary must not send it again: the next one is asked for, and waited for.
    sweep = system.api("POST", "dags/backfill_summary/dagRuns", {"logical_date": None})[
        "dag_run_id"
    ]
    path = f"dags/backfill_summary/dagRuns/{sweep}"
    system.until(lambda: system.api("GET", path)["state"] in ("success", "failed"))
    assert system.api("GET", path)["state"] == "success"
    (mail,) = system.mails(DAG)[mails:]
    assert f"{DAG} {first}..{last}" in mail["subject"]
    assert mail["custom_args"]["batch_id"] == f"{DAG}:{backfill}:0"
    text = mail["content"][0]["value"]
    assert ("cancelled" in mail["subject"].lower()) is (end == "cancelled")
    assert all(day in text for day in failing[:1])


def test_a_backfill_that_is_cancelled_before_any_run_started_sends_one_mail_too(system: System):
    dag = "nbacom_box_scores"  # paused, so its runs wait
    order = {"dag_id": dag, "from_date": "2023-11-01T00:00:00Z", "to_date": "2023-11-03T00:00:00Z"}
    more = {
        "run_backwards": False,
        "dag_run_conf": {},
        "reprocess_behavior": "none",
        "max_active_runs": 16,
    }
    backfill = system.api("POST", "backfills", order | more)["id"]
    assert system.metadata(
        "SELECT DISTINCT state FROM dag_run WHERE backfill_id = %s", backfill
    ) == [("queued",)]

    system.api("PUT", f"backfills/{backfill}/cancel")
    for _ in range(2):  # the second finds it reported
        sweep = system.api("POST", "dags/backfill_summary/dagRuns", {"logical_date": None})[
            "dag_run_id"
        ]
        path = f"dags/backfill_summary/dagRuns/{sweep}"
        system.until(lambda path=path: system.api("GET", path)["state"] in ("success", "failed"))

    (mail,) = system.mails(dag)
    assert mail["custom_args"]["batch_id"] == f"{dag}:{backfill}:0"
    assert (
        mail["subject"]
        == f"[Cancelled] {dag} 2023-11-01..2023-11-03: 0 of 3 dates complete, 3 cancelled"
    )


@pytest.mark.parametrize("way", ["airflow dags clear", "the UI"])
def test_clearing_what_failed_heals_it_and_sends_one_mail_that_answers_the_first(
    system: System, way: str
):
    first = date(2024, 2, 1) if way == "the UI" else date(2024, 2, 6)
    bad, last = first + timedelta(days=1), first + timedelta(days=2)
    system.faults([{"source": "balldontlie", "day": str(bad), "kind": "bad_key", "times": None}])
    mails = len(system.mails(DAG))
    begin(system, "airflow dags backfill", first, last, at_once=16)
    system.until(lambda: len(system.mails(DAG)) > mails)
    system.faults([])
    asked = len(system.requests("balldontlie"))

    if way == "the UI":
        ((run,),) = system.metadata("SELECT run_id FROM dag_run WHERE partition_key = %s", str(bad))
        clear = {"dry_run": False, "dag_run_id": run, "only_failed": True, "reset_dag_runs": True}
        system.api("POST", f"dags/{DAG}/clearTaskInstances", clear)
    else:
        window = f"--partition-date-start {first} --partition-date-end {last}"
        done = system.airflow(f"dags clear --only-failed {window} -y {DAG}")
        assert done.code == 0, done.err

    system.until(lambda: len(system.mails(DAG)) > mails + 1)
    told, again = system.mails(DAG)[mails:]
    assert again["headers"]["In-Reply-To"] == told["headers"]["Message-ID"]
    assert "1 recovered" in again["subject"]
    assert len(system.requests("balldontlie")) - asked == 1  # the box scores of the one date
    assert system.part(DAG, bad).exists()


def test_unpausing_a_dag_that_has_late_dates_sends_one_mail_for_the_stretch(system: System):
    system.faults([])
    mails = len(system.mails("odds_api_props"))

    system.api("PATCH", "dags/odds_api_props", {"is_paused": False})

    system.until(lambda: len(system.mails("odds_api_props")) > mails)
    (mail,) = system.mails("odds_api_props")[mails:]
    late = [eastern_day(datetime.now(UTC)) - timedelta(days=n) for n in (4, 2)]
    assert mail["custom_args"]["batch_id"] == "odds_api_props:catchup:0"
    assert f"{late[0]}..{late[1]}" in mail["subject"]
    system.api("PATCH", "dags/odds_api_props", {"is_paused": True})


def test_live_runs_that_fail_alike_while_a_backfill_runs_alert_once_and_at_once(system: System):
    past = [date(2023, 10, 25), date(2023, 10, 26)]
    days = [date(2024, 3, 1) + timedelta(days=n) for n in range(12)]
    system.faults(
        [*map(slow, days)]
        + [
            {"source": "balldontlie", "day": str(day), "kind": "wrong_tier", "times": None}
            for day in past
        ]
    )
    backfill = begin(system, "the UI", days[0], days[-1], at_once=1)
    mails = len(system.mails(DAG))

    for day in past:  # a run with a partition key that no backfill made is a live one
        run = system.api(
            "POST", f"dags/{DAG}/dagRuns", {"logical_date": None, "partition_key": str(day)}
        )
        state = "SELECT 1 FROM dag_run WHERE run_id = %s AND state = 'failed'"
        system.until(lambda run=run, state=state: system.metadata(state, run["dag_run_id"]))
    system.until(lambda: system.ops("SELECT 1 FROM ops.alerts WHERE withheld = 1"))

    (alert,) = system.mails(DAG)[mails:]
    assert alert["custom_args"]["batch_id"].startswith(f"{DAG}:live:")
    system.api("PUT", f"backfills/{backfill}/cancel")
    # A cancel tells no listener: a date that is under way would, and the five-minute sweep does.
    system.api("POST", "dags/backfill_summary/dagRuns", {"logical_date": None})
    system.until(lambda: len(system.mails(DAG)) == mails + 2)


def test_a_mail_that_sendgrid_puts_off_is_sent_later_and_one_that_it_refuses_is_kept(
    system: System,
):
    system.faults([])
    system.sendgrid.refusals.append(503)
    mails = len(system.mails(DAG))
    begin(system, "the UI", date(2024, 4, 1), date(2024, 4, 2), at_once=2)
    system.until(
        lambda: system.ops(
            "SELECT 1 FROM ops.outbox WHERE state = 'pending' AND last_error LIKE '%%503%%'"
        )
    )
    assert system.mails(DAG)[mails:] == []

    system.ops("UPDATE ops.outbox SET next_try_at = now() WHERE state = 'pending' RETURNING 1")
    system.api("POST", "dags/backfill_summary/dagRuns", {"logical_date": None})

    system.until(lambda: len(system.mails(DAG)) == mails + 1)
