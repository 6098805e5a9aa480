"""``page``: what 50 people who look at a backfill cost it, and how long the server takes for the
first paint of each page with ten seasons in the ledger."""

from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from statistics import mean, median

from devstack import postgres
from devstack.bench.installation import Installation, installed
from devstack.bench.lines import Line, compared
from devstack.bench.reporting import close_batch
from include.ops import batches
from include.ops.db import connect

DAG = "bdl_box_scores"
BEFORE = (date(2022, 11, 1), date(2023, 1, 29))
WATCHED = (date(2023, 10, 24), date(2024, 4, 14))
AFTER = (date(2024, 11, 1), date(2025, 1, 29))
VIEWERS = 50
EVERY = 10.0
"""Seconds between two polls of a viewer, as static/live.js has them."""
SOURCES = (
    *("bdl_box_scores", "bigdataball_play_by_play", "nbacom_box_scores"),
    *("nbacom_schedule", "odds_api_props"),
)
SEASONS, DATES, FAILED = 10, 174, 6
MAX_MS, MAX_KB = 100, 300
TIMES = 5


def bench() -> Iterator[Line]:
    """The pace with viewers to that without, before and after; then each page to its bounds."""
    with installed() as system:
        system.lift_limits("balldontlie")
        system.set_pool("balldontlie", 128)
        alone = [_pace(system, *BEFORE)]
        with _viewed(system) as polls:
            viewed = _pace(system, *WATCHED)
        alone.append(_pace(system, *AFTER))
        yield compared("page_pace", viewed, "dates/min", "without viewers", mean(alone))
        slowest = f"{len(polls)} polls, the slowest {1000 * max(polls):.0f} ms"
        yield Line(name="page_poll", value=1000 * median(polls), unit="ms", against=slowest)
        _fill(system)
        yield from _first_paints(system)


def _pace(system: Installation, first: date, last: date) -> float:
    """Dates a minute, from the order to the last run's end."""
    dates = system.backfill(DAG, first, last).dates
    ((minutes,),) = system.metadata(_TOOK, DAG, str(first), str(last))
    return float(dates / minutes)


_TOOK = """
    SELECT extract(epoch FROM max(end_date) - min(queued_at))::float / 60 FROM dag_run
    WHERE dag_id = %s AND partition_key BETWEEN %s AND %s AND run_type = 'backfill'
"""


@contextmanager
def _viewed(system: Installation) -> Iterator[Sequence[float]]:
    """As long as it lasts, the page is polled; the seconds that each poll took."""
    polls: list[float] = []
    stopped = threading.Event()
    token = system.token()
    threads = [
        threading.Thread(target=_view, args=(system, token, number, stopped, polls))
        for number in range(VIEWERS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield polls
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def _view(
    system: Installation,
    token: str,
    number: int,
    stopped: threading.Event,
    polls: list[float],
) -> None:
    """One viewer: what has changed is fetched as a page too."""
    known = b""
    stopped.wait(EVERY * number / VIEWERS)
    while not stopped.is_set():
        seconds, facts = _get(system, token, "/nba/api/v1/running")
        polls.append(seconds)
        if facts != known:
            _get(system, token, "/nba/running")
        known = facts
        stopped.wait(EVERY)


def _get(system: Installation, token: str, path: str) -> tuple[float, bytes]:
    """Seconds, and the body."""
    asked = urllib.request.Request(
        system.address(path), headers={"Authorization": f"Bearer {token}"}
    )
    began = time.perf_counter()
    with urllib.request.urlopen(asked, timeout=60) as answer:
        body = answer.read()
    return time.perf_counter() - began, body


def _fill(system: Installation) -> None:
    """Ten seasons of five sources, a few dates of each failed."""
    with connect(postgres.url(system.home.postgres, "ops")) as db:
        for season in range(SEASONS):
            for dag_id in SOURCES:
                first = date(2015 + season, 10, 22)
                number = 10_000 + season
                batches.reported(
                    db, close_batch(db, number, DATES, FAILED, dag_id=dag_id, first=first)
                )
        db.execute("ANALYZE")
        db.commit()


def _first_paints(system: Installation) -> Iterator[Line]:
    """The fastest of a few, nothing kept from the one before."""
    from nba_airflow.page import PAGES

    token = system.token()
    for page in PAGES:
        path = f"/nba{page.path}?fresh=true"
        taken = [_get(system, token, path) for _ in range(TIMES)]
        milliseconds = 1000 * min(seconds for seconds, _ in taken)
        kilobytes = len(taken[0][1]) / 1000
        name = page.route.removeprefix("nba-").replace("-", "_")
        yield compared(f"page_paint_{name}", milliseconds, "ms", "the bound", MAX_MS)
        yield compared(f"page_size_{name}", kilobytes, "kB", "the bound", MAX_KB)
