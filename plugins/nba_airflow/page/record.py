"""The record of a DAG's newest backfill, as it lies where records are kept."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from nba_airflow.page.access import DagIds, Readable, show
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
    text = (store.read(max(named)) or b"").decode("utf-8", "replace")
    place = f"{store.url}/{max(named)}"
    return show(request, "record.html.j2", dag_id=dag_id, place=place, text=text)
