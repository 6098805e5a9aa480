"""The routes of the page: JSON of how dates stand, and the same as HTML. Reads our tables; every
route is authorised by Airflow, and shows the DAGs that the signed-in user may read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import psycopg
from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from include.errors import Problem
from include.ops.calendar import Cell, read_season, read_seasons
from include.ops.db import connect, unreachable
from include.ops.outcomes import of_runs, read_newest
from include.outcome import Outcome
from nba_airflow import connections
from nba_airflow.page import PREFIX
from nba_airflow.page.calendar import draw_calendar
from nba_airflow.page.render import render
from nba_airflow.specs import dag_ids

STATIC = Path(__file__).parent / "static"

# Nothing from another host, no script or style within the page; Airflow's own UI frames it.
CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)

Readable = [Depends(requires_access_dag("GET"))]


def readable_dags(user: GetUserDep) -> list[str]:
    """Those of ours that the user may read, in order of their ids."""
    mine = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
    return [dag_id for dag_id in dag_ids() if dag_id in mine]


DagIds = Annotated[list[str], Depends(readable_dags)]


def make_app() -> FastAPI:
    """The application, below ``/nba`` of Airflow's api-server."""
    app = FastAPI(title="NBA backfills", docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.middleware("http")(_guard)
    app.exception_handler(Problem)(_say_problem)
    app.exception_handler(psycopg.Error)(_say_database)
    app.get("/", dependencies=Readable, response_class=HTMLResponse)(show_calendar)
    app.get("/api/v1/calendar", dependencies=Readable)(get_calendar)
    dates = "/dates/{dag_id}/{day}"
    app.get(dates, dependencies=Readable, response_class=HTMLResponse)(show_date)
    app.get(f"/api/v1{dates}", dependencies=Readable)(get_date)
    return app


async def _guard(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await answer(request)
    response.headers["Content-Security-Policy"] = CONTENT_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def _say_problem(request: Request, problem: Exception) -> JSONResponse:
    """The operations tables cannot be read: one line that names the repair."""
    return JSONResponse({"detail": str(problem)}, status_code=503)


def _say_database(request: Request, error: Exception) -> JSONResponse:
    """They are away, or not there."""
    assert isinstance(error, psycopg.Error)
    return _say_problem(request, unreachable(error))


Season = Annotated[int | None, Query(ge=1946, le=2200)]
"""The year in which it starts; the league's first was 1946."""


def get_calendar(
    dag_ids: DagIds, season: Season = None, dag_id: str | None = None
) -> dict[str, Any]:
    """How every date of a season stands, by DAG: ``{"season", "seasons", "dags": {dag_id: [{"day",
    "outcome", "games_found", "games_expected", "run_id", "accepted"}]}}``. Without ``season`` the
    newest that the ledger has; with ``dag_id`` that DAG alone."""
    with connect(connections.ops_url(), application_name="nba page") as connection:
        seasons = read_seasons(connection, dag_ids)
        chosen = season if season is not None else next(iter(seasons), None)
        wanted = [each for each in dag_ids if dag_id in (None, each)]
        cells = {} if chosen is None else read_season(connection, wanted, chosen)
    return {
        "season": chosen,
        "seasons": seasons,
        "dags": {name: list(map(asdict, of_dag)) for name, of_dag in cells.items()},
    }


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
    return HTMLResponse(
        render(
            "calendar.html.j2",
            root=request.scope["root_path"],
            ui=request.scope["root_path"].removesuffix(PREFIX),
            found=found,
            calendars=drawn,
            dag_id=dag_id,
            outcome=outcome,
            outcomes=list(Outcome),
        )
    )


def get_date(dag_id: str, day: date, dag_ids: DagIds) -> dict[str, Any]:
    """A date of a DAG: each endpoint's newest try and every try of these runs, oldest first."""
    if dag_id not in dag_ids:
        raise HTTPException(404, f"{dag_id} is not a DAG of game dates")
    with connect(connections.ops_url(), application_name="nba page") as connection:
        newest = read_newest(connection, dag_id, [day])
        tries = of_runs(connection, dag_id, {row.run_id for row in newest.values()})
    if not newest:
        raise HTTPException(404, f"the ledger has no try of {dag_id} on {day}")
    return {
        "dag_id": dag_id,
        "day": day,
        "endpoints": [asdict(row) for row in newest.values()],
        "tries": [asdict(row) for row in tries],
    }


def show_date(request: Request, dag_id: str, day: date, dag_ids: DagIds) -> HTMLResponse:
    """The same as a page."""
    found = get_date(dag_id, day, dag_ids)
    return HTMLResponse(
        render(
            "date.html.j2",
            root=request.scope["root_path"],
            ui=request.scope["root_path"].removesuffix(PREFIX),
            **found,
        )
    )
