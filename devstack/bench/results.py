"""``results``: a season of prop results by backfill, whole processes, of rows that are there; and
what the scheduler does with three seasons of box scores to which there are no odds."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any
from urllib.parse import quote

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from devstack import postgres
from devstack.bench.installation import Backfill, Installation, installed
from devstack.bench.lines import Line, compared
from devstack.bench.usage import sampled
from devstack.environment import ROOT
from devstack.sandbox.league import League
from devstack.sandbox.odds import event_id
from devstack.sandbox.odds_lines import bookmakers, offers
from devstack.sandbox.schedule import Game
from include.ops.db import connect
from include.ops.outcomes import OutcomeRow, record
from include.outcome import Outcome
from include.parsing.balldontlie import BOX_SCORES
from include.parsing.names import player_key
from include.parsing.odds_api import PLAYER_PROPS
from include.partition import days_between, eastern_day
from include.sources.spec import Row, Table
from include.warehouse.local import LocalWarehouse
from include.warehouse.status import DateStatus

DAG = "prop_results"
FIRST = date(2024, 10, 22)
SEASON = (FIRST, 214)
WARM = (date(2024, 1, 2), 60)
"""Before: a worker takes 13 MB more from its first task on."""
MAX_SECONDS = 180.0
LEAGUE = League(seed=1)


SEASONS = [
    FIRST - timedelta(days=365 * season) + timedelta(days=n)
    for season in (4, 5, 6)
    for n in range(174)
]
"""Dates of box scores alone."""
OTHERS = (date(2022, 11, 1), date(2023, 11, 1))
OTHER_DATES = 120
"""Of another DAG, before and after those seasons are in the ledger."""
LIVE = "nbacom_box_scores"
LIVE_DATES = 8
"""Of this DAG, live, up to the day before yesterday: yesterday's may have to wait for its hour."""
_LIVE_RUNS = """
    SELECT run_id, state, EXTRACT(epoch FROM end_date) FROM dag_run
    WHERE dag_id = %s AND run_type = 'scheduled' AND partition_key < %s
"""
PATIENCE = 120.0
"""Seconds until the live dates have run, or a date of the backfill is done."""
_TOUCH = """
    INSERT INTO ops.touched (dag_id, day)
    SELECT DISTINCT dag_id, day FROM ops.outcomes WHERE content = 'bench'
    ON CONFLICT DO NOTHING
"""
MAX_LOOK = 3.0
"""Seconds of a turn of the scheduler, of which the look is a part."""
_LOOK = """
import time
from airflow.utils.session import create_session
from nba_airflow.metadata import derived
from nba_airflow.metadata.ledger import LEDGER
with create_session() as session:
    derived.look(session)
    with LEDGER.opened() as ledger:
        ledger.execute(
            "INSERT INTO ops.touched (dag_id, day) SELECT DISTINCT dag_id, day"
            " FROM ops.outcomes WHERE content = %s ON CONFLICT DO NOTHING", ("bench",)
        )
        ledger.commit()
    began = time.perf_counter()
    made = derived.look(session)
    print(made, time.perf_counter() - began)
"""


def bench() -> Iterator[Line]:
    """Seconds of the season, beside what it may take; the peaks of memory in its second half,
    beside its first; the seconds of a look that finds three seasons of one source alone, and the
    pace of another DAG and the seconds of live runs beside it."""
    since = eastern_day(datetime.now(UTC)) - timedelta(days=LIVE_DATES + 1)
    with installed({"NBA_LIVE_SINCE": str(since)}) as system:
        _wait_for_live(system)
        warehouse = LocalWarehouse(system.home.data / "warehouse")
        for window in (WARM, SEASON):
            _fill(warehouse, *window)
        _ = _backfill(system, *WARM)
        with sampled(system.processes) as peak:
            found = _backfill(system, *SEASON)
        alone, live_alone = _run_beside_a_look(system, OTHERS[0])
        seconds = _look(system)
        beside, live_beside = _run_beside_a_look(system, OTHERS[1])
    begun, ended = peak.halves()
    yield compared("results_season", found.seconds, "s", "what it may take", MAX_SECONDS)
    yield Line(name="results_cpu_per_date", value=found.cpu_per_date, unit="CPU-s")
    against = "its first half"
    yield compared("results_memory", ended.system, "MB PSS", against, begun.system)
    yield compared("results_memory_task", ended.task, "MB PSS", against, begun.task)
    yield compared("results_look", seconds, "s", "the bound of a turn", MAX_LOOK)
    against = "before the three seasons"
    yield compared("results_other_dag", beside, "dates/min", against, alone)
    yield compared("results_live_run", live_beside, "s", against, live_alone)


def _backfill(system: Installation, first: date, dates: int) -> Backfill:
    return system.backfill(DAG, first, first + timedelta(days=dates - 1))


def _run_beside_a_look(system: Installation, first: date) -> tuple[float, float]:
    """Dates a minute of another DAG, and seconds of a live run of a third, while the scheduler's
    sweep looks at every date of box scores that is in the ledger. Raises RuntimeError where the
    look came after them."""
    system.lift_limits("balldontlie", "nba_stats")
    last = first + timedelta(days=OTHER_DATES - 1)
    system.backfill("nbacom_schedule", first, last)
    with ThreadPoolExecutor(1) as meanwhile:
        ordered = meanwhile.submit(_order_look, system, first, last)
        found = system.backfill("bdl_box_scores", first, last)
        live = ordered.result()
    if count := _ask(system, "SELECT count(*) FROM ops.touched WHERE day = ANY(%s)", SEASONS):
        raise RuntimeError(f"{count} dates of the seasons were not looked at during the backfill")
    return found.dates_per_minute, live


def _order_look(system: Installation, first: date, last: date) -> float:
    """Once a date of the window is done, all dates of box scores are to be looked at, and the run
    of the summary begins whose start is the scheduler's sweep. Returns the seconds of a live run
    that is due at that moment."""
    done = "SELECT count(*) FROM ops.outcomes WHERE day BETWEEN %s AND %s AND outcome = 'complete'"
    _wait(_ask, system, f"{done} AND dag_id = 'bdl_box_scores'", first, last)
    with connect(postgres.url(system.home.postgres, "ops")) as ledger:
        ledger.execute(_TOUCH)
        ledger.commit()
    system.api("POST", "dags/backfill_summary/dagRuns", {"logical_date": None})
    return _clear_live(system)


def _clear_live(system: Installation) -> float:
    """Clears every live run; returns the seconds from there to its end, in the middle of them."""
    cleared = time.time()
    for run_id, _, _ in _live(system):
        order = {"dry_run": False, "only_failed": False}
        system.api("POST", f"dags/{LIVE}/dagRuns/{quote(run_id)}/clear", order)
    _wait_for_live(system)
    return median(float(ended) - cleared for _, _, ended in _live(system))


def _wait_for_live(system: Installation) -> None:
    _wait(lambda: [state for _, state, _ in _live(system)] == ["success"] * LIVE_DATES)


def _live(system: Installation) -> list[tuple[Any, ...]]:
    yesterday = eastern_day(datetime.now(UTC)) - timedelta(days=1)
    return system.metadata(_LIVE_RUNS, LIVE, str(yesterday))


def _wait(until: Callable[..., object], *values: object) -> None:
    """Raises tenacity.RetryError when it does not come."""
    waiting = Retrying(
        retry=retry_if_result(lambda found: not found),
        wait=wait_fixed(0.2),
        stop=stop_after_delay(PATIENCE),
    )
    waiting(until, *values)


def _ask(system: Installation, count: str, *values: object) -> int:
    with connect(postgres.url(system.home.postgres, "ops")) as ledger:
        ((found,),) = ledger.execute(count, values).fetchall()
        return int(found)


def _look(system: Installation) -> float:
    """Seconds of a look in a process of its own, with every one of SEASONS touched: what is done in
    the scheduler every five minutes. Raises RuntimeError where it makes a run."""
    with connect(postgres.url(system.home.postgres, "ops")) as ledger:
        for day in SEASONS:
            record(ledger, _say_scored(day))
    line = f". '{system.home.env_file}' && exec python -c '{_LOOK}'"
    done = subprocess.run(
        ["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=True
    )
    made, seconds = done.stdout.split()[-2:]
    if made != "0":
        raise RuntimeError(f"{made} runs were made of box scores alone")
    return float(seconds)


def _say_scored(day: date) -> OutcomeRow:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return OutcomeRow(
        dag_id="bdl_box_scores",
        endpoint="box_scores",
        day=day,
        run_id=f"bench {day}",
        attempt=1,
        phase="audit",
        outcome=Outcome.COMPLETE,
        started_at=at,
        ended_at=at,
        content="bench",
    )


def _fill(warehouse: LocalWarehouse, first: date, dates: int) -> None:
    """What the two sources would have loaded: the points' props, and the box scores."""
    for day in days_between(first, first + timedelta(days=dates - 1)):
        games = LEAGUE.games_on(day)
        for table, read in ((PLAYER_PROPS, _read_props), (BOX_SCORES, _read_box)):
            rows = [{"game_date": day, **row} for game in games for row in read(game)]
            warehouse.replace(table, day, rows)
            warehouse.replace_status(_say_done(table, day, len(games)))


def _say_done(table: Table, day: date, games: int) -> DateStatus:
    return DateStatus(
        table=str(table),
        day=day,
        outcome=Outcome.COMPLETE if games else Outcome.NO_GAMES,
        expected_from="schedule",
        games_expected=games,
        games_found=games,
        missing=(),
        accepted=(),
        as_of=datetime(2026, 1, 1, tzinfo=UTC),
        source_file="bench",
    )


def _read_props(game: Game) -> Iterator[Row]:
    taken = game.tip_off - timedelta(minutes=5)
    # A row for each side of each bet, as include/parsing/odds_api.py makes them.
    for book in offers(game, LEAGUE, bookmakers((), ("us",)), ["player_points"], taken, False):
        for each in book["markets"][0]["outcomes"]:
            yield {
                **_name_game(game),
                "game_id": event_id(game, LEAGUE),
                "player_name": each["description"],
                "player_key": player_key(each["description"]),
                "side": each["name"],
                "bookmaker": book["key"],
                "market": "player_points",
                "line": each["point"],
                "price": each["price"],
                "snapshot_at": taken,
                "commence_time": game.tip_off,
                "minutes_before_tip": 5,
            }


def _read_box(game: Game) -> Iterator[Row]:
    score = LEAGUE.box_score(game)
    for team, lines in ((game.home, score.home), (game.away, score.away)):
        for line in lines:
            yield {
                **_name_game(game),
                "game_id": str(game.balldontlie_id),
                "team_tricode": team.tricode,
                "player_id": line.player.balldontlie_id,
                "player_key": player_key(line.player.plain_name),
                "did_not_play": not line.played,
                **{name: getattr(line, name) for name in ("pts", "reb", "ast", "fg3m", "blk")},
            }


def _name_game(game: Game) -> dict[str, Any]:
    return {
        "home_tricode": game.home.tricode,
        "away_tricode": game.away.tricode,
        "source_file": "bench",
    }
