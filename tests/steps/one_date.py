"""Two sources to try a date's steps on, and a process of its own that takes one date through them
and may be killed.

``python -m tests.steps.one_date FOLDER URL DAY`` scrapes, loads and audits Ball Don't Lie's date
below FOLDER; URL is the sandbox's.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, date, datetime
from pathlib import Path

from include.http.admission import Gate
from include.http.client import Client, Policy
from include.http.transport import Bounds
from include.http.upstream import Upstream
from include.parsing import balldontlie, nbacom
from include.partition import Partition
from include.sources.spec import (
    Cursor,
    Endpoint,
    Get,
    HeaderKey,
    Host,
    Moved,
    Source,
    Truth,
    Window,
)
from include.steps.attempt import attempt
from include.steps.entry import Entry
from include.steps.job import Job, Stores, Wire
from include.storage.local import LocalStore
from include.warehouse.local import LocalWarehouse

BOX_SCORES = Endpoint(
    name="box_scores",
    table=balldontlie.BOX_SCORES,
    request=Get(path="/v1/box_scores", params={"date": "{day}"}),
    rows=balldontlie.rows,
    games=balldontlie.games,
    rows_per_game=28,
    bytes_per_request=47_500,
    moved=Moved(
        days=balldontlie.true_days,
        search=Get(
            path="/v1/games",
            params={"seasons[]": "{season}", "team_ids[]": "{team_id}", "per_page": "100"},
            pages=Cursor(path="meta.next_cursor", param="cursor"),
        ),
        values=balldontlie.team_season,
        kept_under=balldontlie.kept_under,
    ),
    truth=Truth(
        request=Get(
            path="/v1/games",
            params={"dates[]": "{day}", "per_page": "100"},
            pages=Cursor(path="meta.next_cursor", param="cursor"),
        ),
        games=balldontlie.listed_games,
    ),
)
PLAY_BY_PLAY = Endpoint(
    name="play_by_play",
    table=nbacom.PLAY_BY_PLAY,
    request=Get(
        path="/static/json/liveData/playbyplay/playbyplay_{game_id}.json", connection="nba_cdn"
    ),
    rows=nbacom.play_by_play_rows,
    games=nbacom.play_by_play_games,
    items=nbacom.play_by_play_items,
    per_game=True,
)
SOURCE = Source(
    dag_id="one_date",
    hosts=(
        Host(
            connection="balldontlie",
            base_url="https://balldontlie.invalid",
            auth=HeaderKey(name="Authorization"),
            windows=(Window(limit=1000, seconds=1.0),),
        ),
        Host(
            connection="nba_cdn",
            base_url="https://nba.invalid",
            windows=(Window(limit=1000, seconds=1.0),),
            headers={"User-Agent": "Mozilla/5.0", "Referer": "https://www.nba.com/"},
        ),
    ),
    endpoints=(BOX_SCORES, PLAY_BY_PLAY),
)


def partition(endpoint: Endpoint, day: date) -> Partition:
    """The endpoint's date."""
    return Partition(dag_id=SOURCE.dag_id, endpoint=endpoint.name, day=day)


def stores_in(folder: Path) -> Stores:
    """Raw store and warehouse below a folder."""
    return Stores(raw=LocalStore(folder / "raw"), warehouse=LocalWarehouse(folder / "warehouse"))


@contextmanager
def wired(url: str, gate: Gate) -> Iterator[Wire]:
    """A client that gives up soon, and the sandbox's address for each host."""
    upstreams = {
        host.connection: Upstream(
            name=host.connection,
            base_url=f"{url}/{host.connection}",
            key="sandbox-key",
            auth=host.auth,
            headers=host.headers,
        )
        for host in SOURCE.hosts
    }
    with Client(
        gate, policy=Policy(backoff=0.01, slow_down=0.05), bounds=Bounds(read=5.0)
    ) as client:
        yield Wire(client=client, upstreams=upstreams)


class OpenGate:
    """Admits everything at once; for tests that are not about limits."""

    def admit(self, name: str, *, max_wait: float) -> OpenGate:
        return self

    def slow_down(self, name: str, seconds: float) -> datetime:
        return datetime.now(UTC)

    def release(self, *, ok: bool = True, ago: float = 0.0) -> None:
        return

    def give_back(self) -> None:
        return


def job(folder: Path, wire: Wire, day: date, endpoint: Endpoint = BOX_SCORES) -> Job:
    """A try of the endpoint's date with stores below a folder."""
    return Job(
        source=SOURCE,
        endpoint=endpoint,
        partition=partition(endpoint, day),
        stores=stores_in(folder),
        reach=lambda: nullcontext(wire),
    )


def main(folder: Path, url: str, day: date) -> None:
    """One try of the date; its row of the ledger goes nowhere."""
    entry = Entry(partition(BOX_SCORES, day), lambda row: None, run_id="one_date")
    with wired(url, OpenGate()) as wire, entry.recorded():
        attempt(job(folder, wire, day), entry)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], date.fromisoformat(sys.argv[3]))
