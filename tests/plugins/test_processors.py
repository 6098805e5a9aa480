"""A processor in Airflow: its runs come when its inputs are done or have changed, once, and never
else; its task makes no request."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from include.guards.preflight import Start
from include.ops import built
from include.ops.db import connect
from include.ops.outcomes import OutcomeRow, record
from include.outcome import Outcome
from include.partition import DateRange
from nba_airflow import specs
from nba_airflow.specs import dag_ids, endpoint_names, processors, sources
from tests.plugins.running import Airflow, Killed, transaction

DAYS = DateRange(date(2025, 1, 15), date(2025, 1, 16))
DAY = DAYS.first
RESULTS = "prop_results"
PROPS, SCORES = ("odds_api_props", "player_props"), ("bdl_box_scores", "box_scores")


@pytest.fixture(autouse=True)
def _results_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others that are made of the same sources have runs of their own."""
    monkeypatch.setattr(specs, "processors", lambda: {RESULTS: processors()[RESULTS]})


@pytest.fixture(autouse=True)
def _no_touched(airflow: Airflow) -> None:
    airflow.ledger.execute("TRUNCATE ops.touched, ops.built")
    airflow.ledger.commit()


def done(airflow: Airflow, source: tuple[str, str], day: date = DAY, content: str = "one") -> None:
    """A date of a source is done, and its rows have this content."""
    write(airflow.ledger, source, day, content)


def write(
    ledger: psycopg.Connection[Any], source: tuple[str, str], day: date, content: str
) -> None:
    dag_id, endpoint = source
    row = OutcomeRow(
        dag_id=dag_id,
        endpoint=endpoint,
        day=day,
        run_id=f"{dag_id} {content}",
        attempt=1,
        phase="audit",
        outcome=Outcome.COMPLETE,
        started_at=datetime.now(UTC),
        ended_at=datetime.now(UTC),
        content=content,
    )
    record(ledger, row)


def process(airflow: Airflow, day: date = DAY) -> None:
    """The date's results are made of its inputs as they are, as their task notes it."""
    ready = built.read_ready(airflow.ledger, processors()[RESULTS].inputs, [day])
    built.note_built(airflow.ledger, RESULTS, day, ready[day].content)
    airflow.ledger.commit()


def look() -> int:
    """What the scheduler does every five minutes."""
    from nba_airflow.metadata import derived

    with transaction() as session:
        return derived.look(session)


def note_done(source: tuple[str, str], day: date = DAY) -> None:
    """What the scheduler does when a date's run has ended well."""
    from nba_airflow.metadata import derived

    with transaction() as session:
        run = SimpleNamespace(dag_id=source[0], partition_key=str(day))
        derived.note_done(run, session)  # type: ignore[arg-type]  # as much of a run as it looks at


def runs(airflow: Airflow, day: date = DAY) -> list[str]:
    return replace(airflow, dag_id=RESULTS).run_ids(day)


def test_the_run_comes_when_the_second_input_is_done_and_only_once(airflow: Airflow) -> None:
    done(airflow, PROPS)
    note_done(PROPS)
    assert (look(), runs(airflow)) == (0, [])
    done(airflow, SCORES)
    for _ in range(2):
        note_done(SCORES)
        note_done(PROPS)
        look()
    (run_id,) = runs(airflow)
    assert run_id.startswith("inputs__2025-01-15__")


def test_what_the_listener_missed_is_found_by_the_look_which_then_forgets_it(
    airflow: Airflow,
) -> None:
    for source in (PROPS, SCORES):
        done(airflow, source)
    assert (look(), len(runs(airflow))) == (1, 1)
    assert (look(), look()) == (0, 0)
    assert airflow.ledger.execute("SELECT count(*) FROM ops.touched").fetchall() == [(0,)]


def test_a_look_makes_so_many_runs_and_the_next_one_the_rest(
    airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nba_airflow.metadata.derived.MAX_MADE", 1, raising=False)
    for day in DAYS.days:
        for source in (PROPS, SCORES):
            done(airflow, source, day)
    made = []
    for _ in range(3):
        found = look()
        made.append((found, [len(runs(airflow, day)) for day in DAYS.days]))
    assert made == [(1, [1, 0]), (1, [1, 1]), (0, [1, 1])]
    assert airflow.ledger.execute("SELECT count(*) FROM ops.touched").fetchall() == [(0,)]


def test_a_run_that_its_scheduler_did_not_commit_is_made_by_the_next_look(
    airflow: Airflow,
) -> None:
    from nba_airflow.metadata import derived

    def look_and_die() -> None:
        with transaction() as session:
            derived.look(session)
            raise Killed

    for source in (PROPS, SCORES):
        done(airflow, source)
    with pytest.raises(Killed):
        look_and_die()
    assert runs(airflow) == []
    assert (look(), len(runs(airflow))) == (1, 1)


def test_only_the_date_that_changed_runs_again(airflow: Airflow) -> None:
    for day in DAYS.days:
        for source in (PROPS, SCORES):
            done(airflow, source, day)
    look()
    for day in DAYS.days:
        process(airflow, day)
    done(airflow, SCORES, DAY, content="healed")
    note_done(SCORES)
    look()
    assert [len(runs(airflow, day)) for day in DAYS.days] == [2, 1]


def test_a_date_that_is_done_again_with_the_same_rows_is_left_alone(airflow: Airflow) -> None:
    for source in (PROPS, SCORES):
        done(airflow, source)
    process(airflow)
    note_done(SCORES)
    assert (look(), runs(airflow)) == (0, [])


def test_inputs_that_return_to_what_they_were_are_processed_once_more(airflow: Airflow) -> None:
    done(airflow, PROPS)
    for n, content in enumerate(("first", "second", "first")):
        done(airflow, SCORES, content=content)
        note_done(SCORES)
        assert (look(), len(runs(airflow))) == (0, n + 1)
        process(airflow)


def test_a_run_that_failed_is_followed_once_its_inputs_are_done_again_as_they_were(
    airflow: Airflow,
) -> None:
    for source in (PROPS, SCORES):
        done(airflow, source)
    note_done(SCORES)
    (failed,) = runs(airflow)
    replace(airflow, dag_id=RESULTS).move_run(failed, "failed")
    look()
    assert runs(airflow) == [failed]
    done(airflow, SCORES)
    note_done(SCORES)
    look()
    assert len(runs(airflow)) == 2


def test_no_run_is_made_of_a_dag_that_is_paused(airflow: Airflow) -> None:
    from airflow.models.dag import DagModel

    for source in (PROPS, SCORES):
        done(airflow, source)
    with transaction() as session:
        session.get_one(DagModel, RESULTS).is_paused = True
    try:
        note_done(SCORES)
        assert (look(), runs(airflow)) == (0, [])
    finally:
        with transaction() as session:
            session.get_one(DagModel, RESULTS).is_paused = False


def test_a_processor_whose_file_cannot_be_read_leaves_sources_and_the_sweep_as_they_are(
    airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was touched meanwhile is processed once the file is right."""
    known, ids = [*sources()], dag_ids()
    for source in (PROPS, SCORES):
        done(airflow, source)
    with monkeypatch.context() as typo:
        typo.setenv("NBA_ACTUAL_SOURCE", "nba.com")
        typo.delitem(sys.modules, "nba_dags_prop_results", raising=False)
        assert find_error(sources) == ""
        assert ([*sources()], endpoint_names(SCORES[0])) == (known, [SCORES[1]])
        assert dag_ids() == ids
        assert {*ids} >= {*known, RESULTS}
        assert find_error(processors).startswith("NBA_ACTUAL_SOURCE is 'nba.com': it can be ")
        with suppress(ValueError):
            look()
    assert (look(), len(runs(airflow))) == (1, 1)


def test_a_source_whose_file_cannot_be_read_stops_nothing_else_of_the_sweep(
    airflow: Airflow,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What is late cannot be told; what comes after that is."""
    folder = shutil.copytree(specs.DAGS, tmp_path / "dags")
    (folder / "torn.py").write_text("\nSOURCE = 1 / 0\n")
    monkeypatch.setattr(specs, "DAGS", folder)
    for source in (PROPS, SCORES):
        done(airflow, source)
    with suppress(ZeroDivisionError):  # as Airflow does
        airflow.sweep()
    assert len(runs(airflow)) == 1
    said = [record.getMessage() for record in caplog.records if record.exc_info]
    assert said == ["the sweep could not note late dates: its next turn tries again"]


def find_error(read: Callable[[], object]) -> str:
    try:
        read()
    except ValueError as error:
        return str(error)
    return ""


def test_its_runs_send_a_mail_only_where_they_fail(airflow: Airflow) -> None:
    results = replace(airflow, dag_id=RESULTS)
    for source in (PROPS, SCORES):
        done(airflow, source)
    look()
    results.start(DAY)
    results.end(DAY, state="success")
    results.sweep()
    results.summarise()
    assert results.mails() == []
    done(airflow, SCORES, content="corrected")
    look()
    results.start(DAY)
    results.end(DAY, state="failed")
    results.summarise()
    (subject,) = results.subjects()
    assert RESULTS in subject


def test_there_is_no_live_schedule_and_a_backfill_has_the_dates(airflow: Airflow) -> None:
    from airflow.models.dag import DagModel

    with transaction() as session:
        assert session.get_one(DagModel, RESULTS).next_dagrun_create_after is None
    results = replace(airflow, dag_id=RESULTS)
    results.backfill(DAYS)
    assert results.states() == {"2025-01-15": "queued", "2025-01-16": "queued"}


def test_two_sources_that_are_done_in_the_same_second_make_one_run(
    airflow: Airflow, ops_db: str
) -> None:
    """Two schedulers, each told of one of them, at the same moment; no look comes after them."""
    together = Barrier(2)

    def end(source: tuple[str, str], day: date) -> None:
        with connect(ops_db) as ledger:
            together.wait()
            write(ledger, source, day, "one")
            note_done(source, day)

    days = [DAY + timedelta(days=n) for n in range(20)]
    with ThreadPoolExecutor(2) as schedulers:
        for day in days:
            list(schedulers.map(lambda source, day=day: end(source, day), (PROPS, SCORES)))
    assert [len(runs(airflow, day)) for day in days] == [1] * 20


def test_seasons_of_one_source_alone_make_no_run_and_are_looked_at_by_few_queries(
    airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    execute = psycopg.Cursor.execute

    def count(cursor: Any, query: Any, *args: Any, **more: Any) -> Any:
        asked.append(str(query))
        return execute(cursor, query, *args, **more)

    monkeypatch.setattr(psycopg.Cursor, "execute", count)
    done(airflow, SCORES)
    asked.clear()
    assert look() == 0
    of_one_date = len(asked)
    for n in range(3 * 174):
        done(airflow, SCORES, DAY + timedelta(days=n), content="again")
    asked.clear()
    assert (look(), len(asked)) == (0, of_one_date)
    assert replace(airflow, dag_id=RESULTS).states() == {}
    assert of_one_date < 20


def test_its_tasks_leave_half_of_the_workers_to_others(airflow_environment: None) -> None:
    from airflow.dag_processing.dagbag import DagBag

    from include.settings import SETTINGS
    from tests.plugins.scheduling import DAGS

    workers = {each.name: each.value for each in SETTINGS}["AIRFLOW__CORE__PARALLELISM"]
    assert DagBag(DAGS).dags[RESULTS].max_active_tasks <= int(workers) // 2


def test_preflight_names_the_inputs_that_are_not_done_and_what_makes_them(airflow: Airflow) -> None:
    from nba_airflow.probes import check_inputs

    done(airflow, SCORES)
    found = check_inputs(Start(dag_id=RESULTS, window=DAYS))
    assert {f"{each.status} {each.what}: {each.repair}" for each in found} == {
        "warn its input odds_api_props is not done on every date: airflow dags backfill"
        " odds_api_props -s 2025-01-15 -e 2025-01-16",
        "warn its input bdl_box_scores is not done on 2025-01-16: airflow dags backfill"
        " bdl_box_scores -s 2025-01-16 -e 2025-01-16",
    }
    done(airflow, PROPS)
    found = check_inputs(Start(dag_id=RESULTS, window=DateRange(DAY, DAY)))
    assert "pass its input odds_api_props is done on every date" in [
        f"{each.status} {each.what}" for each in found
    ]
    assert [*check_inputs(Start(dag_id="bdl_box_scores", window=DAYS))] == []
