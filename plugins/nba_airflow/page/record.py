"""The record of a DAG's newest backfill, as it lies where records are kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from include.guards.record.chapters import list_names
from nba_airflow.page.access import DagIds, Readable, open_ledger, show
from nba_airflow.records import open_place

router = APIRouter(dependencies=Readable)


@router.get("/record", response_class=HTMLResponse)
def show_record(request: Request, dag_ids: DagIds, dag_id: str) -> HTMLResponse:
    """Its text. Records are named for the day on which their backfill began."""
    if dag_id not in dag_ids:
        raise HTTPException(404, f"{dag_id} is not a DAG of game dates")
    store = open_place()
    named = [name for name in store.walk("") if f"-{dag_id}-" in name and name.endswith(".md")]
    if not named:
        raise HTTPException(404, f"there is no record of {dag_id} in {store.url} yet")
    newest = _find_newest(dag_id, named)
    text = (store.read(newest) or b"").decode("utf-8", "replace")
    place = f"{store.url}/{newest}"
    return show(request, "record.html.j2", dag_id=dag_id, place=place, text=text)


def _find_newest(dag_id: str, named: Sequence[str]) -> str:
    """Of the last day; of several the one whose backfill began last by the ledger."""
    last = max(named)[: len("2025-01-15")]
    of_day = sorted(name for name in named if name.startswith(last))
    if len(of_day) == 1:
        return of_day[0]
    with open_ledger() as ledger:
        names = [f"{name}.md" for name in list_names(ledger, dag_id, date.fromisoformat(last))]
    return next((name for name in names if name in of_day), of_day[-1])
