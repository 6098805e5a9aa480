"""What an operator had before: a script that takes the dates one after the other, and the same with
five threads.

``python -m devstack.bench.guide sequential|threads URL FOLDER FIRST LAST`` does for each date what
a task does, and nothing else: one request, the raw file, the rows, the Parquet file, the count. No
limit, no ledger, no lease, no rerun. Prints how many dates were right.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import requests

from devstack.connections import KEY
from include.parsing import balldontlie
from include.partition import days_between, parse_day
from include.sources.spec import GameState
from include.warehouse.rows import SOURCE_FILE, sorted_rows, to_parquet

MAX_THREADS = 5


def one_date(url: str, folder: Path, day: date) -> bool:
    """Fetches and loads the date; whether each of its games is final and has all its rows."""
    answer = requests.get(
        f"{url}/v1/box_scores",
        params={"date": str(day)},
        headers={"Authorization": KEY},
        timeout=30,
    )
    answer.raise_for_status()
    body = answer.content
    (folder / f"{day}.json").write_bytes(body)

    rows = [{**row, SOURCE_FILE.name: f"{day}.json"} for row in balldontlie.rows(body, day)]
    table = balldontlie.BOX_SCORES
    (folder / f"{day}.parquet").write_bytes(to_parquet(table, sorted_rows(table, rows)))

    games = list(balldontlie.games(body, day))
    sound = all(game.state is GameState.FINAL and not game.problem for game in games)
    return sound and sum(game.rows or 0 for game in games) == len(rows)


def sequential(work: Callable[[date], bool], days: Iterable[date]) -> int:
    """One date after the other; how many were right."""
    return sum(work(day) for day in days)


def threads(work: Callable[[date], bool], days: Iterable[date]) -> int:
    """Five dates at a time; how many were right."""
    with ThreadPoolExecutor(max_workers=MAX_THREADS) as pool:
        return sum(pool.map(work, days))


def main() -> None:
    """Runs the way that the command line names."""
    way, url, folder, first, last = sys.argv[1:]
    run = {"sequential": sequential, "threads": threads}[way]
    days = days_between(parse_day(first), parse_day(last))
    sys.stdout.write(f"{run(lambda day: one_date(url, Path(folder), day), days)}\n")


if __name__ == "__main__":
    main()
