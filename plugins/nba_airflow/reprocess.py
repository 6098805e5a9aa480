"""The DAG `reprocess`: a source's tables made again from raw, a mapped task for each date.

One task a date, not one for all: a worker that is lost costs one date, each can be cleared by
itself, and the grid shows how far it is. Dates whose rows come out the same are left alone, so that
a run that is cleared goes on where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, BaseOperator, Param
from airflow.sdk.exceptions import AirflowFailException

from include.errors import Problem, Refused
from nba_airflow import connections
from nba_airflow.connections import WAREHOUSE
from nba_airflow.dag_page import shown
from nba_airflow.factory import LOST_WORKER
from nba_airflow.priority import BACKFILL
from nba_airflow.specs import source_ids

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.partition import DateRange
    from include.sources.spec import Source
    from include.steps.reprocess_dates import Made

DATES, TABLES, ANSWER = "dates", "tables", "answer"
"""The tasks, in their order."""
MADE = "made"
"""What a date's task leaves, whether it ends well or not."""
MAX_DATES = 1000
"""Of a run: Airflow maps a task 1,024 times at most ([core] max_map_length)."""
MAX_TASK = timedelta(minutes=30)
"""A date takes seconds; a job in BigQuery may take five minutes, and a date has two tables at
most, each with a swap and a note."""


class DatesOperator(BaseOperator):
    """Checks what was ordered, and that there are stores to do it with; gives the dates.

    Whatever is wrong with either fails here, once, before any date is begun.
    """

    ui_color = "#fef3c7"

    def execute(self, context: Context) -> list[str]:
        try:
            source, window = _read_order(context)
            warehouse = connections.stores().warehouse
            for endpoint in source.endpoints:
                warehouse.prepare(endpoint.table)
        except Refused as refused:
            raise AirflowFailException(str(refused)) from None
        except Problem as problem:
            if problem.passing:
                raise
            raise AirflowFailException(str(problem)) from None
        return [str(day) for day in window.days]


class ReprocessOperator(BaseOperator):
    """Makes the rows of one date again; red where one of its tables is not whole."""

    ui_color = "#dcfce7"

    def __init__(self, *, day: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.day = day

    def execute(self, context: Context) -> None:
        from include.ops.session import Session
        from include.steps.reprocess_dates import reprocess_date

        source, _ = _read_order(context)
        day = date.fromisoformat(self.day)
        with Session(connections.ops_url()) as session:
            made = reprocess_date(source, day, connections.stores(), session)
        context["ti"].xcom_push(key=MADE, value=made.pack())
        for result in made.results:
            self.log.info("%s: %s, %d rows", result.endpoint, result.became, result.rows)
        if made.wrong:
            raise AirflowFailException("; ".join(map(str, made.wrong)))


class AnswerOperator(BaseOperator):
    """Counts all dates together; fails where one could not be made whole, so that the run is
    red."""

    ui_color = "#ede9fe"

    def execute(self, context: Context) -> Any:
        from include.steps.reprocess_dates import sum_up, word
        from nba_airflow.cli.answer import as_json_knows

        made = _read_made(context["ti"].xcom_pull(task_ids=[TABLES], key=MADE))
        if not made:
            raise AirflowFailException(f"no date was made: see the log of task {DATES}")
        source, window = _read_order(context)
        first, *lines = word(source.dag_id, window, made)
        for line in (first, *lines):
            self.log.info("%s", line)
        # A date whose worker was lost has left nothing.
        lost = len(window.days) - len(made)
        wrong = sum(bool(each.wrong) for each in made) + lost
        if wrong:
            raise AirflowFailException(
                f"{wrong} of {len(window.days)} dates are not whole: see above, and the log of each"
                f" red task {TABLES}; clear the failed tasks when they are mended"
            )
        return as_json_knows(sum_up(source.dag_id, window, made))


def _read_made(pulled: Sequence[Any]) -> list[Made]:
    from include.steps.reprocess_dates import Made

    return [Made.unpack(packed) for packed in pulled if packed]


def _read_order(context: Context) -> tuple[Source, DateRange]:
    """What the run's params order. Raises Refused, in one line."""
    from nba_airflow.cli.answer import find_source
    from nba_airflow.cli.window import parse_window

    params = context["params"]
    source = find_source(params["dag"])
    window = parse_window(params["start"], params["end"], datetime.now(UTC))
    if (dates := len(window.days)) > MAX_DATES:
        raise Refused(f"{window} are {dates:,} dates: order {MAX_DATES:,} at most at a time")
    return source, window


def reprocess_dag(doc: str | None) -> DAG:
    """The DAG; it runs when somebody triggers it, one run at a time."""
    with DAG(
        dag_id="reprocess",
        schedule=None,
        max_active_runs=1,
        is_paused_upon_creation=False,
        **shown("reprocess", doc),
        tags=["raw"],
        params={
            "dag": Param(
                type="string", enum=source_ids(), description="The source whose tables are made"
            ),
            "start": Param(type="string", format="date", description="First game date, US/Eastern"),
            "end": Param(type="string", format="date", description="Last game date, included"),
        },
        default_args={
            "owner": "data-platform",
            "do_xcom_push": False,
            "priority_weight": BACKFILL,
            "weight_rule": "absolute",
            "execution_timeout": MAX_TASK,
            **LOST_WORKER,
        },
    ) as dag:
        dates = DatesOperator(task_id=DATES, do_xcom_push=True)
        tables = ReprocessOperator.partial(
            task_id=TABLES, pool=WAREHOUSE, map_index_template="{{ task.day }}"
        ).expand(day=dates.output)
        tables >> AnswerOperator(task_id=ANSWER, do_xcom_push=True, trigger_rule="all_done")
    return dag
