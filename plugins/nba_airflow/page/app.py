"""The page's application: the routers of its topics, each with JSON and the same as HTML. They read
our tables; every route is authorised by Airflow, and shows the DAGs that the signed-in user may
read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import psycopg
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from include.errors import Problem
from include.ops.db import unreachable
from nba_airflow.page import absent, actions, dates, errors, limits, mails, record, running

STATIC = Path(__file__).parent / "static"

# Nothing from another host, no script or style within the page; Airflow's own UI frames it.
CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'self'"
)

ROUTERS: Sequence[APIRouter] = (
    dates.router,
    running.router,
    actions.router,
    limits.router,
    errors.router,
    mails.router,
    record.router,
)
"""One a topic."""


def make_app() -> FastAPI:
    """The application, below ``/nba`` of Airflow's api-server."""
    app = FastAPI(title="NBA backfills", docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.middleware("http")(_guard)
    app.exception_handler(Problem)(_say_problem)
    app.exception_handler(psycopg.Error)(_say_database)
    app.exception_handler(HTTPException)(absent.say_http)
    app.exception_handler(RequestValidationError)(absent.say_invalid)
    for router in ROUTERS:
        app.include_router(router)
    return app


async def _guard(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await answer(request)
    response.headers.setdefault("Content-Security-Policy", CONTENT_POLICY)
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
