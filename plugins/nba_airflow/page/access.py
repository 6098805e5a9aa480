"""What the routes of the page share: who may read what, the ledger, and a page from a template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, Request
from fastapi.responses import HTMLResponse

from include.ops.db import PAGE, Deadlines, connect
from nba_airflow import connections
from nba_airflow.page import PAGES, PREFIX
from nba_airflow.page.render import render
from nba_airflow.specs import dag_ids

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import psycopg

Readable = [Depends(requires_access_dag("GET"))]


def readable_dags(user: GetUserDep) -> list[str]:
    """Those of ours that the user may read, in order of their ids."""
    mine = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
    return [dag_id for dag_id in dag_ids() if dag_id in mine]


DagIds = Annotated[list[str], Depends(readable_dags)]


def open_ledger(deadlines: Deadlines = PAGE) -> AbstractContextManager[psycopg.Connection[Any]]:
    """A connection to our tables, of one request."""
    return connect(connections.ops_url(), application_name="nba page", deadlines=deadlines)


def show(request: Request, template: str, **shown: Any) -> HTMLResponse:
    """The template as an answer; ``root`` in it is the prefix of the page's own addresses, ``ui``
    that of Airflow's."""
    root = request.scope["root_path"]
    ui = root.removesuffix(PREFIX)
    path = request.url.path.removeprefix(root)
    shown = {"dag_id": None, **shown}
    return HTMLResponse(render(template, root=root, ui=ui, pages=PAGES, path=path, **shown))
