"""The game dates of a season and a single one: JSON of how they stand, and the same as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse

from include.errors import Problem
from include.ops.calendar import (
    FIRST_SEASON,
    LAST_SEASON,
    Cell,
    read_season,
    read_seasons,
    season_of,
)
from include.ops.mails import list_of_date
from include.ops.outcomes import of_runs, read_newest
from include.outcome import Outcome
from include.partition import Partition
from include.storage.raw import read_manifest
from nba_airflow import connections
from nba_airflow.page.access import DagIds, Readable, open_ledger, show
from nba_airflow.page.calendar import draw_calendar

router = APIRouter(dependencies=Readable)

Season = Annotated[int | None, Query(ge=FIRST_SEASON, le=LAST_SEASON)]
"""The year in which it starts."""


@router.get("/api/v1/calendar")
def get_calendar(
    dag_ids: DagIds, season: Season = None, dag_id: str | None = None
) -> dict[str, Any]:
    """How every date of a season stands, by DAG: ``{"season", "seasons", "dags": {dag_id: [{"day",
    "outcome", "games_found", "games_expected", "run_id", "accepted"}]}}``. Without ``season`` the
    newest that the ledger has; with ``dag_id`` that DAG alone."""
    with open_ledger() as connection:
        seasons = read_seasons(connection, dag_ids)
        chosen = season if season is not None else next(iter(seasons), None)
        wanted = [each for each in dag_ids if dag_id in (None, each)]
        cells = {}
        if chosen is not None:
            cells = read_season(connection, wanted, chosen, _read_open_runs)
    return {
        "season": chosen,
        "seasons": seasons,
        "dags": {name: list(map(asdict, of_dag)) for name, of_dag in cells.items()},
    }


def _read_open_runs() -> list[str]:
    from airflow.utils.session import create_session

    from nba_airflow.metadata.register import read_open_runs

    with create_session() as session:
        return read_open_runs(session)


@router.get("/", response_class=HTMLResponse)
def show_calendar(
    request: Request,
    dag_ids: DagIds,
    season: Season = None,
    dag_id: str | None = None,
    outcome: Outcome | None = None,
) -> HTMLResponse:
    """The calendar as a page; ``outcome``: the dates that stand so, the others faint."""
    found = get_calendar(dag_ids, season, dag_id)
    years = {name: [Cell(**cell) for cell in cells] for name, cells in found["dags"].items()}
    drawn = {name: draw_calendar(cells, outcome) for name, cells in years.items()}
    return show(
        request,
        "calendar.html.j2",
        found=found,
        calendars=drawn,
        dag_id=dag_id,
        outcome=outcome,
        outcomes=list(Outcome),
    )


@router.get("/api/v1/dates/{dag_id}/{day}")
def get_date(dag_id: str, day: date, dag_ids: DagIds) -> dict[str, Any]:
    """A date of a DAG: each endpoint's newest try and every try of these runs, oldest first, with
    what upstreams had corrected; the mails that told of it; and its bodies in raw, by its
    manifests, or why they cannot be read."""
    if dag_id not in dag_ids:
        raise HTTPException(404, f"{dag_id} is not a DAG of game dates")
    with open_ledger() as connection:
        newest = read_newest(connection, dag_id, [day])
        tries = of_runs(connection, dag_id, {row.run_id for row in newest.values()})
        mails = list_of_date(connection, dag_id, day)
    if not newest:
        raise HTTPException(404, f"the ledger has no try of {dag_id} on {day}")
    places = [Partition(dag_id=dag_id, endpoint=row.endpoint, day=day) for row in newest.values()]
    bodies, problem = _read_bodies(places)
    return {
        "dag_id": dag_id,
        "day": day,
        "endpoints": [asdict(row) for row in newest.values()],
        "tries": [asdict(row) for row in tries],
        "mails": [*map(asdict, mails)],
        "bodies": bodies,
        "bodies_problem": problem,
    }


def _read_bodies(partitions: Sequence[Partition]) -> tuple[list[dict[str, Any]], str]:
    """What their manifests name, and where it lies; or what is wrong with the store."""
    try:
        store = connections.raw_store()
        found = [(each.endpoint, read_manifest(store, each)) for each in partitions]
    except Problem as problem:
        return [], problem.message
    return [
        {"endpoint": endpoint, **asdict(body), "place": f"{store.url}/{body.path}"}
        for endpoint, manifest in found
        if manifest
        for body in manifest.objects
    ], ""


@router.get("/dates/{dag_id}/{day}", response_class=HTMLResponse)
def show_date(request: Request, dag_id: str, day: date, dag_ids: DagIds) -> HTMLResponse:
    """The same as a page."""
    found = get_date(dag_id, day, dag_ids)
    return show(request, "date.html.j2", **found, season=season_of(day))
