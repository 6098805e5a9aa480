"""The page of errors: what failed lately by cause, what runs it again, and the breakers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import AfterValidator

from include.guards.breaker import word_rules
from include.ops.breakers import read_not_closed
from include.ops.trends import read_open_days, read_trends
from include.reruns import word_reruns
from nba_airflow.guards import read_thresholds
from nba_airflow.page.access import DagIds, Readable, open_ledger, show
from nba_airflow.page.shared import Shared

router = APIRouter(dependencies=Readable)

PERIODS: Mapping[str, float] = {"6 hours": 6, "a day": 24, "a week": 168, "a month": 744}


def _check_period(hours: float) -> float:
    if hours not in PERIODS.values():
        raise ValueError(f"not one of {sorted(PERIODS.values())}")
    return hours


Hours = Annotated[float, Query(), AfterValidator(_check_period)]
"""One of PERIODS alone, so that every reading is shared."""


def _read(hours: float) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The causes and the breakers of all DAGs."""
    with open_ledger() as ledger:
        trends = read_trends(ledger, timedelta(hours=hours))
        open_days = read_open_days(ledger, trends)
        breakers = read_not_closed(ledger)
    groups = [
        asdict(trend.group)
        | {
            "tries_before": trend.before,
            "trend": trend.says,
            "open_days": days,
            "rerun": "\n".join(word_reruns(trend.group.dag_id, days)),
        }
        for trend, days in zip(trends, open_days, strict=True)
    ]
    return groups, [asdict(each) | {"holds": each.holds} for each in breakers]


NOW = {hours: Shared(partial(_read, hours)) for hours in PERIODS.values()}
"""Of the periods that the page has."""


@router.get("/api/v1/errors")
def get_errors(dag_ids: DagIds, hours: Hours = 24, dag_id: str | None = None) -> dict[str, Any]:
    """``{"hours", "groups", "breakers", "rules"}``: the failures of the last hours (6, 24, 168 or
    744) by cause, as `airflow nba errors -o json` has them, each with its trend, its dates that are
    not done by now and the commands that run those again and no other, one a line; the breakers
    that hold something back, and by DAG the rules of its own in words."""
    wanted = [each for each in dag_ids if dag_id in (None, each)]
    groups, breakers = NOW[hours].get()
    return {
        "hours": hours,
        "groups": [group for group in groups if group["dag_id"] in wanted],
        "breakers": [each for each in breakers if each["dag_id"] in wanted],
        "rules": {each: word_rules(read_thresholds(each)) for each in wanted},
    }


@router.get("/errors", response_class=HTMLResponse)
def show_errors(
    request: Request, dag_ids: DagIds, hours: Hours = 24, dag_id: str | None = None
) -> HTMLResponse:
    """The same as a page."""
    found = get_errors(dag_ids, hours, dag_id)
    return show(request, "errors.html.j2", **found, periods=PERIODS, dag_id=dag_id)
