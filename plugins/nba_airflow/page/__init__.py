"""The page in Airflow's UI: built in the api-server, at its first request, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

PREFIX = "/nba"


class LazyApp:
    """An ASGI application that is made when it is first asked: Airflow reads plugins in every
    process, and FastAPI costs each of them a second."""

    def __init__(self) -> None:
        self._app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers one request."""
        if self._app is None:
            from nba_airflow.page.app import make_app

            self._app = make_app()
        await self._app(scope, receive, send)


APPS = [{"app": LazyApp(), "url_prefix": PREFIX, "name": "NBA backfills"}]


@dataclass(frozen=True, kw_only=True)
class Page:
    """One of the pages that Airflow's navigation names: where it is below ``/nba``, and the end of
    its address in Airflow's UI."""

    name: str
    path: str
    route: str


DATES = Page(name="Game dates", path="/", route="nba-game-dates")
PAGES: Sequence[Page] = (
    DATES,
    Page(name="Running", path="/running", route="nba-running"),
    Page(name="Limits", path="/limits", route="nba-limits"),
    Page(name="Errors", path="/errors", route="nba-errors"),
    Page(name="Mails", path="/mails", route="nba-mails"),
)
"""As they are listed."""


def find_root() -> str:
    """The path at which Airflow's UI lies (below an ingress); empty for a host of its own."""
    from airflow.configuration import conf

    return urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")


def make_views() -> list[dict[str, str]]:
    """Where the pages are in Airflow's UI, which takes an address as it is: each in its navigation,
    the dates on every DAG too."""
    at = f"{find_root()}{PREFIX}"
    named = [
        {
            "name": page.name,
            "href": f"{at}{page.path}",
            "destination": "nav",
            "category": "browse",
            "url_route": page.route,
        }
        for page in PAGES
    ]
    of_dag = {
        "name": DATES.name,
        "href": f"{at}{DATES.path}?dag_id={{DAG_ID}}",
        "destination": "dag",
        "url_route": f"{DATES.route}-of-dag",
    }
    return [*named, of_dag]
