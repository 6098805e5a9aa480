"""The links of a date's task in Airflow's UI. The api-server makes them when somebody looks: they
cost a task nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.operatorlink import BaseOperatorLink

from nba_airflow.page import PREFIX, find_root

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey


def _named(module: str, name: str) -> type[Any]:
    """Stands for an operator, which Airflow finds by these two (3.3.2), and imports nothing:
    plugins are read in every process."""
    return type(name, (), {"__module__": module})


OPERATORS = [
    _named("nba_airflow.operators", "ScrapeOperator"),
    _named("nba_airflow.processors", "ProcessOperator"),
]


class RawBodies(BaseOperatorLink):
    """To the date's page, which names its bodies and where they lie."""

    name = "Raw bodies"
    operators = OPERATORS[:1]

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        """Empty for a run that has no game date."""
        day = _find_day(ti_key)
        return day and f"{find_root()}{PREFIX}/dates/{ti_key.dag_id}/{day}#bodies"


class GameDates(BaseOperatorLink):
    """To the calendar of the date's season."""

    name = "Game dates"
    operators = OPERATORS

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        """That of the newest season for a run that has no game date."""
        from include.ops.calendar import season_of
        from include.partition import parse_day

        day = _find_day(ti_key)
        season = f"&season={season_of(parse_day(day))}" if day else ""
        return f"{find_root()}{PREFIX}/?dag_id={ti_key.dag_id}{season}"


def _find_day(ti_key: TaskInstanceKey) -> str:
    """The run's game date as its key has it; empty where it has none."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    from include.partition import BadDay, parse_day

    asked = select(DagRun.partition_key).where(
        DagRun.dag_id == ti_key.dag_id, DagRun.run_id == ti_key.run_id
    )
    with create_session() as session:
        key = session.scalar(asked)
    try:
        return str(parse_day(key or ""))
    except BadDay:
        return ""


LINKS = [RawBodies(), GameDates()]
