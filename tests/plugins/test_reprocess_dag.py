"""The DAG `reprocess`, task by task on real stores and a real ledger: what is ordered, what becomes
of each date, and what they come to."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from include.steps.job import Stores
from include.warehouse.local import LocalWarehouse
from tests.plugins.cli.asking import DAG, DAY, NEXT
from tests.plugins.cli.conftest import db, done, stores

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

    from include.sources.spec import Source

__all__ = ["db", "done", "stores"]

pytestmark = pytest.mark.usefixtures("db")

ORDER = {"dag": DAG, "start": str(DAY), "end": str(NEXT)}


class Run:
    """A run of the DAG with these params; what its dates leave is what `answer` pulls."""

    def __init__(self, params: dict[str, str]) -> None:
        self.pushed: list[Any] = []
        self.context: Any = {
            "params": params,
            "ti": SimpleNamespace(
                xcom_push=lambda key, value: self.pushed.append(value),
                xcom_pull=lambda task_ids, key: self.pushed or [None],
            ),
        }

    def dates(self) -> list[str]:
        from nba_airflow.reprocess import DatesOperator

        return DatesOperator(task_id="dates").execute(self.context)

    def tables(self, day: str) -> None:
        from nba_airflow.reprocess import ReprocessOperator

        ReprocessOperator(task_id="tables", day=day).execute(self.context)

    def answer(self) -> Any:
        from nba_airflow.reprocess import AnswerOperator

        return AnswerOperator(task_id="answer").execute(self.context)


def failure(task: Callable[[], object]) -> str:
    """What the task fails with, for good."""
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException) as caught:
        task()
    return str(caught.value)


def test_tables_are_made_of_raw_a_task_a_date_and_counted_together(
    stores: Stores, done: Callable[[date], None], sources: dict[str, Source]
) -> None:
    table = sources[DAG].endpoint("box_scores").table
    for day in (DAY, NEXT):
        done(day)
    before = {day: stores.warehouse.rows(table, day) for day in (DAY, NEXT)}
    assert isinstance(stores.warehouse, LocalWarehouse)
    shutil.rmtree(stores.warehouse.root)
    run = Run(ORDER)
    assert run.dates() == [str(DAY), str(NEXT)]
    for day in run.dates():
        run.tables(day)
    assert {day: stores.warehouse.rows(table, day) for day in (DAY, NEXT)} == before
    rows = sum(len(found or []) for found in before.values())
    assert run.answer() == {
        "dag_id": DAG,
        "first": str(DAY),
        "last": str(NEXT),
        "became": {"loaded": 2},
        "rows": rows,
        "upstream_requests": 0,
        "changes_total": 0,
        "changes": [],
        "wrong": [],
        "warehouse": {"operations": 0, "billed": 0},
        "bucket": {"writes": 0, "reads": 0},
    }


def test_what_differs_from_the_rows_before_is_in_the_answer(
    stores: Stores, done: Callable[[date], None], sources: dict[str, Source]
) -> None:
    table = sources[DAG].endpoint("box_scores").table
    done(DAY)
    right = stores.warehouse.rows(table, DAY) or []
    stores.warehouse.replace(table, DAY, [{**row, "ast": 99} for row in right[:1]] + right[1:])
    run = Run({**ORDER, "end": str(DAY)})
    run.tables(str(DAY))
    answer = run.answer()
    assert (answer["became"], answer["changes_total"]) == ({"replaced": 1}, 1)
    (told,) = answer["changes"]
    assert told["change"].endswith(f": ast 99 -> {right[0]['ast']}")


def test_date_that_is_not_whole_is_red_and_so_is_the_answer_which_counts_the_others(
    stores: Stores, done: Callable[[date], None], tmp_path: Any
) -> None:
    for day in (DAY, NEXT):
        done(day)
    (body,) = (tmp_path / "raw").glob(f"{DAG}/2025/01/{DAY}/box_scores/*.gz")
    body.write_bytes(b"torn")
    run = Run(ORDER)
    said = failure(lambda: run.tables(str(DAY)))
    assert said.startswith(f"{DAY} box_scores: failed: raw store ")
    run.tables(str(NEXT))
    assert failure(run.answer).startswith("1 of 2 dates are not whole: see above")


def test_date_whose_task_has_left_nothing_counts_as_not_whole(
    stores: Stores, done: Callable[[date], None]
) -> None:
    done(DAY)
    run = Run(ORDER)
    run.tables(str(DAY))
    assert failure(run.answer).startswith("1 of 2 dates are not whole")
    assert failure(Run(ORDER).answer) == "no date was made: see the log of task dates"


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({"dag": "no_such"}, "'no_such' is not the DAG of a source: those are bdl_box_scores, "),
        ({"start": "yesterday"}, "'yesterday' is not a date"),
        (
            {"start": "2025-01-17"},
            "the end 2025-01-16 is before the start 2025-01-17: swap them",
        ),
        ({"end": "2099-01-01"}, "2099-01-01 is not over yet in US/Eastern"),
        (
            {"start": "2020-01-01"},
            "2020-01-01..2025-01-16 are 1,843 dates: order 1,000 at most at a time",
        ),
    ],
    ids=lambda value: str(value)[:20],
)
@pytest.mark.usefixtures("stores")
def test_order_that_cannot_be_carried_out_is_refused_in_one_line_before_any_date(
    order: dict[str, str], said: str
) -> None:
    assert failure(Run({**ORDER, **order}).dates).startswith(said)


def test_store_that_is_missing_is_told_once(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_WAREHOUSE")
    monkeypatch.setattr("nba_airflow.connections.ask_database", lambda: None)
    said = failure(Run(ORDER).dates)
    assert said.startswith("internal: Airflow connection warehouse is not defined: add it in")


def test_ui_offers_the_sources_and_airflow_refuses_others(bag: DagBag) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    from nba_airflow.specs import sources

    params = bag.dags["reprocess"].params
    assert params.get_param("dag").schema["enum"] == sorted(sources())
    for name, value in (("dag", "backfill_summary"), ("start", "soon")):
        with pytest.raises(ParamValidationError):
            params.get_param(name).resolve(value)
    with pytest.raises(ParamValidationError):
        params.get_param("end").resolve()


def test_a_date_waits_in_the_warehouses_pool_behind_live_ones(bag: DagBag) -> None:
    from nba_airflow.priority import LIVE

    dag = bag.dags["reprocess"]
    assert [(task.task_id, task.pool) for task in dag.tasks] == [
        ("dates", "default_pool"),
        ("tables", "warehouse"),
        ("answer", "default_pool"),
    ]
    assert all(task.priority_weight < LIVE for task in dag.tasks)
    assert (dag.max_active_runs, dag.is_paused_upon_creation) == (1, False)
