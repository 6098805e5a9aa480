"""`airflow dags backfill` on Airflow's own books: what is only looked at, or refused, stays as it
is."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from include.steps.job import Stores
from nba_airflow.cli.backfill import backfill
from nba_airflow.metadata.runs import complete_ended_backfills
from tests.plugins import scheduling
from tests.plugins.cli.asking import DAG, Call
from tests.plugins.scheduling import Scheduler, bag_since, live_day, scheduler

OLD = date(2025, 1, 15)
ARGUMENTS: dict[str, Any] = {
    "dag_id": DAG,
    "start_date": str(OLD),
    "end_date": str(OLD + timedelta(days=2)),
    "dry_run": False,
    "rerun_failed_tasks": False,
    "reset_dagruns": False,
    "refetch": False,
    "run_backwards": False,
    "conf": None,
    "yes": False,
    "max_active_runs": 2,
    "detach": True,
    "attach": False,
    "unpause": False,
    "spread": False,
    "reason": "",
    "ramp": False,
    "announce": False,
    "ignore_quiet_hours": False,
    "skip_canary": True,
}


@pytest.fixture
def books_of_a_paused_dag(books: str, stores: Stores) -> Iterator[Scheduler]:
    """The DAG is paused; a backfill of its first date has ended well, which Airflow has not noted
    yet."""
    from airflow.models.backfill import Backfill
    from sqlalchemy import update

    with scheduler(bag_since(live_day(2)), DAG) as found:
        scheduling.backfill(DAG, OLD, OLD)
        found.run_of(DAG).state = "success"
        found.session.execute(update(Backfill).values(completed_at=None))
        found.session.commit()
        yield found


def another_under_way(found: Scheduler) -> None:
    complete_ended_backfills(DAG, found.session)
    found.session.commit()
    scheduling.backfill(DAG, OLD + timedelta(days=5), OLD + timedelta(days=6))


def read_books(url: str) -> dict[str, list[Any]]:
    """Every row that a backfill could change."""
    with psycopg.connect(url) as connection:
        return {
            table: connection.execute(f"SELECT t::text FROM {table} t ORDER BY 1").fetchall()
            for table in ("dag", "dag_run", "task_instance", "backfill", "backfill_dag_run")
        }


def paused(url: str) -> list[tuple[bool]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT is_paused FROM dag WHERE dag_id = %s", (DAG,)).fetchall()


@pytest.mark.usefixtures("books_of_a_paused_dag")
def test_a_dry_run_changes_nothing(books: str, call: Call) -> None:
    before = read_books(books)
    said = call(backfill, **ARGUMENTS | {"dry_run": True, "unpause": True})
    assert said.code == 0
    assert read_books(books) == before


@pytest.mark.usefixtures("books_of_a_paused_dag")
def test_the_plan_knows_how_many_dates_are_at_work_at_a_time(call: Call) -> None:
    order = ARGUMENTS | {"dry_run": True, "unpause": True}
    plans = [call(backfill, **order | {"max_active_runs": n}, output="json") for n in (1, 32)]
    one, many = (said.facts["plan"]["minutes_high"] for said in plans)
    assert one > many


@pytest.mark.usefixtures("books_of_a_paused_dag")
def test_a_no_to_the_question_changes_nothing(
    books: str, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    before = read_books(books)
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    said = call(backfill, **ARGUMENTS | {"reset_dagruns": True, "unpause": True})
    assert read_books(books) == before
    assert (said.code, said.out) == (2, "")
    assert said.err.endswith("nothing was cleared and nothing was started\n")


@pytest.mark.usefixtures("books_of_a_paused_dag")
def test_a_question_that_nobody_can_answer_changes_nothing(books: str, call: Call) -> None:
    before = read_books(books)
    said = call(backfill, **ARGUMENTS | {"reset_dagruns": True, "unpause": True})
    assert (said.code, said.out) == (2, "")
    assert read_books(books) == before


@pytest.mark.usefixtures("books_of_a_paused_dag")
def test_what_airflow_refuses_changes_nothing(
    books: str, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.exceptions import AirflowException

    def refuse(**_: Any) -> None:
        raise AirflowException("not now")

    monkeypatch.setattr("airflow.models.backfill._create_backfill", refuse)
    said = call(backfill, **ARGUMENTS | {"unpause": True})
    assert (said.code, said.out) == (2, "")
    assert said.err.endswith("Airflow refused the backfill: not now\n")
    assert paused(books) == [(True,)]


@pytest.mark.usefixtures("books_of_a_paused_dag")
def test_window_of_which_nothing_is_known_cannot_be_followed(call: Call) -> None:
    never = {"start_date": "2025-03-01", "end_date": "2025-03-02"}
    said = call(backfill, **ARGUMENTS | never | {"attach": True, "detach": False, "unpause": True})
    assert (said.code, said.out, said.err) == (
        2,
        "",
        f"airflow dags backfill: no backfill of {DAG} is under way, and no date of"
        " 2025-03-01..2025-03-02 was ever tried: leave --attach out to start them\n",
    )


@pytest.mark.usefixtures("books_of_a_paused_dag")
def test_following_what_has_ended_says_so(call: Call) -> None:
    ended = {"end_date": str(OLD), "attach": True, "detach": False, "unpause": True}
    said = call(backfill, **ARGUMENTS | ended)
    assert said.code == 1
    assert "  no date of it is under way now: this is how they ended\n" in said.err


@pytest.mark.usefixtures("books_of_a_paused_dag")
def test_dates_that_could_never_start_are_refused(books: str, call: Call) -> None:
    before = read_books(books)
    said = call(backfill, **ARGUMENTS | {"max_active_runs": 0, "unpause": True})
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "airflow dags backfill: --max-active-runs must be at least 1, else no date would ever"
        " start\n"
    )
    assert read_books(books) == before


def test_an_agreed_backfill_is_made_and_its_dag_unpaused(
    books: str, books_of_a_paused_dag: Scheduler, call: Call
) -> None:
    assert call(backfill, **ARGUMENTS | {"unpause": True}).code == 0
    assert books_of_a_paused_dag.runs(DAG, "queued") == ["2025-01-16", "2025-01-17"]
    assert paused(books) == [(False,)]


def test_what_has_a_run_can_run_again_while_another_backfill_is_under_way(
    books_of_a_paused_dag: Scheduler, call: Call
) -> None:
    first = {"end_date": str(OLD), "reset_dagruns": True, "yes": True, "unpause": True}
    another_under_way(books_of_a_paused_dag)
    assert call(backfill, **ARGUMENTS | first).code == 0
    assert str(OLD) in books_of_a_paused_dag.runs(DAG, "queued")


@pytest.mark.parametrize(
    ("paused", "said"),
    [
        (False, "running backfill (id {id}, {of}): wait, or cancel it in the UI; to"),
        (True, "paused backfill (id {id}, {of}): go on with it or cancel it in the UI; to"),
    ],
)
def test_new_dates_are_refused_while_another_backfill_is_under_way(
    books_of_a_paused_dag: Scheduler, call: Call, paused: bool, said: str
) -> None:
    from airflow.models.backfill import Backfill
    from sqlalchemy import select, update

    another_under_way(books_of_a_paused_dag)
    session = books_of_a_paused_dag.session
    newest = session.scalars(select(Backfill.id).order_by(Backfill.id.desc())).first()
    session.execute(update(Backfill).where(Backfill.id == newest).values(is_paused=paused))
    session.commit()
    refused = call(backfill, **ARGUMENTS | {"unpause": True})
    assert refused.code == 2
    assert refused.err.splitlines()[-1] == (
        f"airflow dags backfill: {DAG} has a {said.format(id=newest, of='2025-01-20..2025-01-21')}"
        f" follow it: airflow dags backfill {DAG} -s 2025-01-20 -e 2025-01-21 --attach"
    )


@pytest.mark.usefixtures("books_of_a_paused_dag")
def test_dates_that_could_not_ask_their_upstream_are_not_started(
    books: str, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxies = {"conn_type": "http", "extra": {"proxies": ["http", "https"]}}
    monkeypatch.setenv("AIRFLOW_CONN_BALLDONTLIE", json.dumps(proxies))
    before = read_books(books)
    said = call(backfill, **ARGUMENTS | {"unpause": True})
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines()[-1].startswith(
        "airflow dags backfill: internal: connection balldontlie has proxies in its extra that"
        " cannot be used (entry 1 has no host and port)"
    )
    assert read_books(books) == before
