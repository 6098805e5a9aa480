"""docs/sizing.md: its numbers are those that the code computes."""

from __future__ import annotations

import re
from datetime import date, timedelta
from math import ceil

from devstack.compose.file import read
from include.guards.needs import Needs, list_needs
from include.limits.pool_size import TASK_OVERHEAD, needed_slots
from include.settings import MAX_ACTIVE_RUNS, MAX_RUNS_A_TURN, MAX_WAITING_RUNS, SETTINGS
from include.sources.spec import Source
from tests.devstack.test_readme import ROOT

PAGE = (ROOT / "docs" / "sizing.md").read_text()
COMPOSE = (ROOT / "docs" / "compose.md").read_text()
EXAMPLE = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
WORKERS = int(next(each.value for each in SETTINGS if each.name.endswith("PARALLELISM")))
SERVERS = 4
DAY = date(2024, 10, 22)


def test_slots_are_those_that_the_scheduler_makes(documented: dict[str, Source]) -> None:
    from nba_airflow.provision import pool_sizes

    hosts = [host for source in documented.values() for host in source.hosts]
    bought = {host.connection: (host, 1) for host in hosts}
    alone = pool_sizes(documented, bought, workers=1000, most=1000)
    together = pool_sizes(documented, bought, workers=WORKERS, most=WORKERS)
    limits = {
        name: f"{window.limit} / {window.seconds:g} s"
        for name, (host, _) in bought.items()
        for window in host.windows
    }
    rows = re.findall(r"^\| `(\w+)` \| (.*? s) \| (\d+) \| (\d+) \|$", PAGE, re.MULTILINE)
    assert {name: (limit, int(most), int(some)) for name, limit, most, some in rows} == {
        name: (limits[name], alone[name], together[name]) for name in bought
    }
    assert f"+ {TASK_OVERHEAD:g} / requests a task" in PAGE
    assert f"Slots of {WORKERS} workers" in PAGE


def test_requests_of_a_season_are_those_of_the_plan(
    documented: dict[str, Source],
) -> None:
    season = {DAY + timedelta(days=n): 0 for n in range(165)}
    season |= dict.fromkeys(season, 1) | {DAY: 1230 - 164}
    needs = {name: list_needs(source, season) for name, source in documented.items()}
    odds = needs.pop("odds_api_props")
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) \| (\d+) \|$", PAGE, re.MULTILINE)
    assert {name: (requests, int(minutes)) for name, requests, minutes in rows} == {
        name: (f"{asked.requests:,}", ceil(_minutes(documented[name], asked)))
        for name, asked in needs.items()
    }
    assert f"`odds_api_props` ({odds.requests:,} requests)" in PAGE


def test_example_of_a_slow_proxy_is_what_the_function_says() -> None:
    slots = needed_slots(rate=100 / 60, seconds_per_request=5, requests_per_task=1)
    assert f"100 / 60 * (5 + 3) = {slots} slots" in PAGE


def test_connections_are_counted_from_the_settings() -> None:
    size = int(EXAMPLE["AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE"])
    more = int(EXAMPLE["AIRFLOW__DATABASE__SQL_ALCHEMY_MAX_OVERFLOW"])
    each, concurrency = size + more, WORKERS
    local = SERVERS * each + concurrency
    first, further = local + concurrency, 2 * concurrency
    assert f"`AIRFLOW__DATABASE__SQL_ALCHEMY_MAX_OVERFLOW` = {each}" in PAGE
    assert f"{SERVERS} * {each} + {concurrency} = {local} |" in PAGE
    assert f"{SERVERS} * {each} + {concurrency} + {concurrency} = {first} |" in PAGE
    assert f"| {further} more |" in PAGE
    assert f"is {first} with one worker, and {further} more for each other one" in COMPOSE
    service = read()["services"]["postgres"]["command"]
    most = int(_setting(service, "max_connections"))
    workers = (most - 3 - first) // further
    assert f"Compose has {most}: {['no', 'one', 'two', 'three', 'four'][workers]} further" in PAGE


def test_bounds_of_the_scheduler_and_of_bigquery_are_those_of_the_code(
    airflow_environment: None,
) -> None:
    from nba_airflow.provision import MAX_TABLE_CHANGES

    assert f"up to {MAX_WAITING_RUNS} for a DAG" in PAGE
    assert f"{MAX_ACTIVE_RUNS} for another" in PAGE
    assert f": {MAX_RUNS_A_TURN}." in PAGE
    assert f"A pool has {MAX_TABLE_CHANGES} slots at most" in PAGE
    assert f"give each pool {ceil(MAX_TABLE_CHANGES / 2)}" in PAGE


def _setting(command: list[str], name: str) -> str:
    (found,) = [word.partition("=")[2] for word in command if word.startswith(f"{name}=")]
    return found


def _minutes(source: Source, asked: Needs) -> float:
    """Of its slowest host, at the limit."""
    return max(
        asked.at(host.connection).requests * window.seconds / window.limit / 60
        for host in source.hosts
        for window in host.windows
    )
