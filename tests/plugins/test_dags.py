"""The DAGs as Airflow finds them in dags/: which there are, what they are made of, and that they
serialize."""

from __future__ import annotations

import ast
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import DAG

    from include.sources.spec import Source

ROOT = Path(__file__).resolve().parents[2]
FILES = {path.stem: path for path in (ROOT / "dags").glob("*.py")}


@pytest.fixture
def daily(bag: DagBag, sources: dict[str, Source]) -> list[tuple[DAG, Source]]:
    """Every DAG that comes from a spec, with it."""
    assert sources, "no spec was found in dags/"
    return [(bag.dags[dag_id], source) for dag_id, source in sources.items()]


def test_every_file_gives_the_dag_that_it_is_named_for_without_error_or_warning(
    bag: DagBag,
) -> None:
    assert bag.import_errors == {}
    assert bag.captured_warnings == {}
    assert len(FILES) >= 2, f"no DAG files in {ROOT / 'dags'}"
    assert {dag_id: Path(dag.fileloc) for dag_id, dag in bag.dags.items()} == FILES


def test_page_of_a_dag_begins_with_the_docstring_of_its_file_and_its_heading_describes_it(
    bag: DagBag,
) -> None:
    docs = {
        dag_id: ast.get_docstring(ast.parse(path.read_text()), clean=False) or ""
        for dag_id, path in FILES.items()
    }
    begins = {dag_id: (dag.doc_md or "")[: len(docs[dag_id])] for dag_id, dag in bag.dags.items()}
    assert begins == docs
    headings = {dag_id: doc.splitlines()[0] for dag_id, doc in docs.items()}
    assert {dag_id: f"### {dag.description}" for dag_id, dag in bag.dags.items()} == headings


def test_dag_has_one_task_per_endpoint_in_the_pool_of_the_host_that_it_asks(
    daily: list[tuple[DAG, Source]],
) -> None:
    for dag, source in daily:
        wanted = {
            endpoint.name: (endpoint.request.connection or source.connection, set())
            for endpoint in source.endpoints
        }
        found = {task.task_id: (task.pool, task.downstream_task_ids) for task in dag.tasks}
        assert found == wanted, dag.dag_id


def test_tables_are_what_their_tasks_give_others(bag: DagBag, sources: dict[str, Source]) -> None:
    """By name, and by an address that no connection has a part in."""
    from nba_airflow.specs import processors

    wanted = {
        (source.dag_id, endpoint.name): [f"x-nba://raw/{endpoint.table.name}"]
        for source in sources.values()
        for endpoint in source.endpoints
    }
    for made in processors().values():
        wanted[made.dag_id, made.name] = [f"x-nba://analytics/{t.name}" for t in made.tables]
    tasks = [task for dag in bag.dags.values() for task in dag.tasks if task.outlets]
    assert {(t.dag_id, t.task_id): [each.uri for each in t.outlets] for t in tasks} == wanted
    for task in tasks:
        assert [each.name.replace(".", "/") for each in task.outlets] == [
            each.uri.removeprefix("x-nba://") for each in task.outlets
        ]


def test_provisioned_pools_are_those_that_tasks_wait_for(bag: DagBag) -> None:
    from nba_airflow.connections import WAREHOUSE
    from nba_airflow.specs import hosts

    waited_for = {task.pool for dag in bag.dags.values() for task in dag.tasks} - {"default_pool"}
    assert waited_for == {*hosts(), WAREHOUSE}


def test_dates_are_caught_up_from_the_first_live_one_in_game_dates(
    daily: list[tuple[DAG, Source]],
) -> None:
    from nba_airflow.timetable import GameDateTimetable

    for dag, source in daily:
        assert type(dag.timetable) is GameDateTimetable
        assert dag.catchup is True
        midnight_after = datetime.combine(
            source.live_since + timedelta(days=1), datetime.min.time(), UTC
        )
        assert dag.start_date in (
            midnight_after + timedelta(hours=4),
            midnight_after + timedelta(hours=5),
        )


def test_airflow_retries_lost_workers_only_and_passes_nothing_between_tasks(
    daily: list[tuple[DAG, Source]],
) -> None:
    for dag, source in daily:
        for task in dag.tasks:
            assert (task.retries, task.retry_delay) == (3, timedelta(seconds=10))
            assert (task.do_xcom_push, task.owner, task.template_fields) == (
                False,
                source.owner,
                (),
            )


def test_first_live_date_can_be_set_for_an_installation(
    sources: dict[str, Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    from nba_airflow.factory import live_since

    source = sources["bdl_box_scores"]
    assert live_since(source) == datetime(2026, 10, 21, 4, tzinfo=UTC)
    monkeypatch.setenv("NBA_LIVE_SINCE", "2025-03-08")
    assert live_since(source) == datetime(2025, 3, 9, 5, tzinfo=UTC)


def test_dag_comes_back_from_its_serialized_form(bag: DagBag) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in bag.dags.values():
        again = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
        assert (again.dag_id, type(again.timetable).__name__) == (
            dag.dag_id,
            type(dag.timetable).__name__,
        )
        assert {task.task_id: (task.task_type, task.pool) for task in again.tasks} == {
            task.task_id: (task.task_type, task.pool) for task in dag.tasks
        }


def test_parsing_again_serializes_the_same_so_that_airflow_makes_no_new_version(
    bag: DagBag,
) -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    def written(dags: dict[str, DAG]) -> dict[str, str]:
        return {
            dag_id: json.dumps(DagSerialization.to_dict(dag), sort_keys=True)
            for dag_id, dag in dags.items()
        }

    assert written(DagBag(ROOT / "dags").dags) == written(bag.dags)


def test_summary_looks_every_five_minutes_one_run_at_a_time(bag: DagBag) -> None:
    dag = bag.dags["backfill_summary"]
    assert [task.task_id for task in dag.tasks] == ["report"]
    assert (dag.catchup, dag.max_active_runs, dag.timetable.expression) == (False, 1, "*/5 * * * *")


def test_a_task_ends_within_an_hour_and_no_honest_one_takes_so_long(
    daily: list[tuple[DAG, Source]],
) -> None:
    from include.http.client import Policy
    from include.http.transport import Bounds
    from include.ops.leases import PATIENCE

    policy, exchange = Policy(), Bounds().total
    sound = exchange + policy.max_wait
    failing = policy.max_requests * (sound + max(policy.max_backoff, policy.max_retry_after))
    longest = timedelta(seconds=17 * sound + failing + 2 * PATIENCE)
    for dag, _ in daily:
        assert {task.execution_timeout for task in dag.tasks} == {timedelta(hours=1)}
        assert longest < timedelta(hours=1)


def test_the_mail_ends_within_two_of_its_turns(bag: DagBag) -> None:
    (task,) = bag.dags["backfill_summary"].tasks
    assert task.execution_timeout == timedelta(minutes=10)


def test_the_summary_runs_from_the_first_where_airflow_pauses_new_dags(
    bag: DagBag, daily: list[tuple[DAG, Source]]
) -> None:
    assert bag.dags["backfill_summary"].is_paused_upon_creation is False
    assert {dag.is_paused_upon_creation for dag, _ in daily} == {None}
