"""The page in Airflow's UI: built in the api-server, at its first request, and nowhere else."""

from __future__ import annotations

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


def make_views() -> list[dict[str, str]]:
    """Where the page is in Airflow's UI. That may lie below a path (an ingress), and takes an
    address as it is."""
    from airflow.configuration import conf

    root = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
    return [
        {
            "name": "Game dates",
            "href": f"{root}{PREFIX}/",
            "destination": "nav",
            "category": "browse",
            "url_route": "nba-game-dates",
        },
        {
            "name": "Game dates",
            "href": f"{root}{PREFIX}/?dag_id={{DAG_ID}}",
            "destination": "dag",
            "url_route": "nba-game-dates-of-dag",
        },
    ]
