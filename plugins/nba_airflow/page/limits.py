"""The page of limits and money: JSON, which the page itself polls, and the same as HTML."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from include.ops.progress import read_spent_by_month
from nba_airflow.limits import read_limits
from nba_airflow.page.access import DagIds, Readable, open_ledger, show
from nba_airflow.page.shared import Shared
from nba_airflow.specs import dag_ids, hosts, sources
from nba_airflow.under_way import count_bought

if TYPE_CHECKING:
    import psycopg

router = APIRouter(dependencies=Readable)

MONTHS = 6
"""Of so many, this one included, money is told: what it costs must not grow with the ledger."""


def _read() -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """Connection -> its limits, and the money, of all that there are."""
    with open_ledger() as ledger:
        limits = {name: read_limits(ledger, host) for name, host in hosts().items()}
        return limits, _read_money(ledger, dag_ids())


NOW = Shared(_read)


@router.get("/api/v1/limits")
def get_limits(dag_ids: DagIds, dag_id: str | None = None) -> dict[str, Any]:
    """``{"connections": [...], "money": [...]}``: the limits of each connection that one of the
    DAGs uses, as `airflow nba status -o json` has them; and by UTC month and DAG, the newest first,
    what its tries have taken and the US dollars of it. With ``dag_id`` of that DAG alone."""
    wanted = [each for each in dag_ids if dag_id in (None, each)]
    limits, money = NOW.get()
    mine = _connections_of(wanted)
    return {
        "connections": [found for name, found in limits.items() if name in mine],
        "money": [row for row in money if row["dag_id"] in wanted],
    }


def _connections_of(dag_ids: Collection[str]) -> set[str]:
    of_dags = (source for dag_id, source in sources().items() if dag_id in dag_ids)
    return {host.connection for source in of_dags for host in source.hosts}


def _read_money(ledger: psycopg.Connection[Any], dag_ids: Collection[str]) -> list[dict[str, Any]]:
    """Credits by the price of the plan that is bought now."""
    spent = read_spent_by_month(ledger, dag_ids, _months_ago(MONTHS - 1))
    bought = {dag_id: count_bought(ledger, dag_id) for dag_id in dag_ids}
    return [
        {
            "month": month,
            "dag_id": dag_id,
            "requests": taken.requests,
            "credits": taken.credits,
            "bytes_billed": taken.bytes_billed,
            "operations": taken.operations,
            "dollars": taken.price(bought[dag_id]).once,
        }
        for (month, dag_id), taken in spent.items()
    ]


def _months_ago(count: int) -> datetime:
    """The first moment of the UTC month so many before this one."""
    today = datetime.now(UTC).date()
    year, month = divmod(today.year * 12 + today.month - 1 - count, 12)
    return datetime.combine(today.replace(year=year, month=month + 1, day=1), time(), UTC)


@router.get("/limits", response_class=HTMLResponse)
def show_limits(request: Request, dag_ids: DagIds, dag_id: str | None = None) -> HTMLResponse:
    """The same as a page."""
    found = get_limits(dag_ids, dag_id)
    months = sorted({row["month"] for row in found["money"]}, reverse=True)
    total = {
        month: sum(row["dollars"] for row in found["money"] if row["month"] == month)
        for month in months
    }
    return show(request, "limits.html.j2", **found, total=total, dag_id=dag_id)
