"""A date's peak of memory is bounded, and a scrape's does not grow with the number of games: one body at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

from include.parsing.nbacom import SCHEDULE
from include.partition import days_between
from include.sandbox.league import League
from include.sandbox.server import Sandbox
from tests.pipeline.one_date import stores_in

ROOT = Path(__file__).resolve().parents[2]
MEASURE = """
import json, resource, sys
from datetime import date
from pathlib import Path
import pyarrow.parquet, requests
from include.pipeline import load, scrape
from tests.pipeline.one_date import PLAY_BY_PLAY, SOURCE, OpenGate, partition, stores_in, wired
folder, url, day = Path(sys.argv[1]), sys.argv[2], date.fromisoformat(sys.argv[3])
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
stores, at = stores_in(folder), partition(PLAY_BY_PLAY, day)
begun = peak()
with wired(url, OpenGate()) as wire:
    done = scrape(SOURCE, PLAY_BY_PLAY, at, stores, wire, refetch=False).manifest.done
scraped = peak()
rows = load(PLAY_BY_PLAY, at, stores).rows
print(json.dumps({"done": done, "rows": rows, "scrape": scraped - begun, "load": peak() - begun}))
"""


def measured(sandbox: Sandbox, folder: Path, day: date) -> dict[str, float]:
    """Rows, and the megabytes by which a process that takes the date through scrape and load grew at most."""
    games = League(seed=1).games_on(day)
    facts = {"game_date": day, "season_type": "Regular Season", "counts": True, "postponed": False, "source_file": "x"}
    rows = [
        {**facts, "game_id": g.nba_id, "away_tricode": g.away.tricode, "home_tricode": g.home.tricode} for g in games
    ]
    stores_in(folder).warehouse.replace(SCHEDULE, day, rows)
    command = [sys.executable, "-c", MEASURE, str(folder), sandbox.url, str(day)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {"games": len(games), **json.loads(done.stdout)}


def test_the_fullest_date_needs_little_more_than_the_emptiest(sandbox: Sandbox, tmp_path: Path) -> None:
    days = days_between(date(2024, 10, 20), date(2025, 4, 20))
    by_games = sorted(
        (day for day in days if League(seed=1).games_on(day)), key=lambda d: len(League(seed=1).games_on(d))
    )

    few = measured(sandbox, tmp_path / "few", by_games[0])
    many = measured(sandbox, tmp_path / "many", by_games[-1])

    assert (few["done"], many["done"], many["games"]) == (True, True, 15)
    assert many["rows"] > 3 * few["rows"]
    assert many["scrape"] - few["scrape"] < 15  # MB, of about 12 games more of 0.4 MB each
    assert many["load"] < 150
