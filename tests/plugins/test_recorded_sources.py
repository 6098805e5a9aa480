"""Recorded answers of every source through the whole line: scrape, load and audit of the specs in
dags/."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from devstack.sandbox.server import Sandbox, running
from include.http.client import Client, Policy, Upstream
from include.ops.outcomes import OutcomeRow
from include.parsing import balldontlie
from include.parsing.nbacom import SCHEDULE, box_score_games
from include.partition import Partition, days_between
from include.sources.spec import Game, GameState
from include.steps.attempt import attempt
from include.steps.entry import Entry
from include.steps.job import Job, Stores, Wire
from include.steps.load import load
from include.steps.raw_date import RawDate
from include.steps.scrape import scrape
from include.storage.local import LocalStore
from include.warehouse.local import LocalWarehouse
from tests.parsing.nbacom.test_box_scores import logs_by_day
from tests.steps.one_date import OpenGate

if TYPE_CHECKING:
    from include.sources.spec import Source

__all__ = ["logs_by_day"]

JANUARY = days_between(date(2024, 1, 10), date(2024, 1, 20))


@pytest.fixture(scope="module")
def sandbox(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    unlimited: dict[str, list[tuple[int, float]]] = {
        "balldontlie": [],
        "nba_stats": [],
        "nba_cdn": [],
    }
    with running(tmp_path_factory.mktemp("sandbox"), recorded=recorded, limits=unlimited) as server:
        yield server


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return Stores(
        raw=LocalStore(tmp_path / "raw"), warehouse=LocalWarehouse(tmp_path / "warehouse")
    )


@pytest.fixture
def wire(sandbox: Sandbox, sources: dict[str, Source]) -> Iterator[Wire]:
    hosts = {host.connection: host for source in sources.values() for host in source.hosts}
    upstreams = {
        name: Upstream(
            name=name,
            base_url=sandbox.base(name),
            key="sandbox-key",
            auth=host.auth,
            headers=host.headers,
        )
        for name, host in hosts.items()
    }
    with Client(OpenGate(), policy=Policy(backoff=0.01)) as client:
        yield Wire(client=client, upstreams=upstreams)


def run(source: Source, endpoint: str, day: date, stores: Stores, wire: Wire) -> tuple[str, int]:
    """One try of the date: outcome and rows."""
    at = Partition(dag_id=source.dag_id, endpoint=endpoint, day=day)
    told: list[OutcomeRow] = []
    job = Job(
        source=source,
        endpoint=source.endpoint(endpoint),
        partition=at,
        stores=stores,
        reach=lambda: nullcontext(wire),
    )
    attempt(job, Entry(at, told.append, run_id="recorded"))
    return told[-1].outcome, told[-1].rows


def expect(stores: Stores, day: date, games: Sequence[Game], ids: Sequence[str]) -> None:
    """Makes these the schedule's games of the date: the schedule of these seasons was not
    recorded."""
    facts = {
        "season_type": "Regular Season",
        "counts": True,
        "postponed": False,
        "source_file": "by hand",
    }
    rows = [
        {
            "game_date": day,
            "game_id": game_id,
            "away_tricode": game.away,
            "home_tricode": game.home,
            **facts,
        }
        for game, game_id in zip(games, ids, strict=True)
    ]
    stores.warehouse.replace(SCHEDULE, day, rows)


def test_eleven_dates_of_player_game_logs_load_1744_rows(
    sources: dict[str, Source],
    stores: Stores,
    wire: Wire,
    recorded: Path,
    logs_by_day: dict[date, bytes],
) -> None:
    listed = json.loads((recorded / "balldontlie" / "games_2024-01-10_2024-01-20.json").read_text())
    for day in JANUARY:
        body = json.dumps(
            {"data": [game for game in listed if game["date"] == str(day)], "meta": {}}
        ).encode()
        games = sorted(balldontlie.listed_games(body, day))
        # The two sources agree on the games of every date of the season, so one's list is the
        # other's schedule; its ids are NBA.com's.
        ids = {game: game.game_id for game in box_score_games(logs_by_day[day], day)}
        expect(stores, day, games, [ids[game] for game in games])

    found = [run(sources["nbacom_box_scores"], "box_scores", day, stores, wire) for day in JANUARY]

    assert {outcome for outcome, _ in found} == {"complete"}
    assert sum(rows for _, rows in found) == 1744


@pytest.mark.parametrize(("game_id", "actions"), [("0022400500", 571), ("0022400561", 506)])
def test_recorded_play_by_play_loads_every_action(
    sources: dict[str, Source],
    stores: Stores,
    wire: Wire,
    recorded: Path,
    game_id: str,
    actions: int,
) -> None:
    schedule = json.loads(
        gzip.decompress((recorded / "nba_com" / "scheduleleaguev2_2024-25.json.gz").read_bytes())
    )
    (game,) = [
        game
        for on in schedule["leagueSchedule"]["gameDates"]
        for game in on["games"]
        if game["gameId"] == game_id
    ]
    day = date.fromisoformat(game["gameDateEst"][:10])
    away, home = game["awayTeam"]["teamTricode"], game["homeTeam"]["teamTricode"]
    expect(stores, day, [Game(day=day, away=away, home=home, state=GameState.FINAL)], [game_id])

    assert run(sources["nbacom_box_scores"], "play_by_play", day, stores, wire) == (
        "complete",
        actions,
    )


@pytest.mark.slow
def test_one_request_loads_the_schedule_of_a_whole_season(
    sources: dict[str, Source], stores: Stores, wire: Wire, recorded: Path, sandbox: Sandbox
) -> None:
    body = json.loads(
        gzip.decompress((recorded / "nba_com" / "scheduleleaguev2_2024-25.json.gz").read_bytes())
    )
    written = [on["gameDate"][:10] for on in body["leagueSchedule"]["gameDates"]]
    dates = {datetime.strptime(text, "%m/%d/%Y").date() for text in written}  # noqa: DTZ007  a date has no zone
    days = sorted(dates | {date(2024, 12, 24)})
    before = len(sandbox.log())

    source = sources["nbacom_schedule"]
    endpoint = source.endpoint("schedule")
    # Without the audit, which would read the season's five megabytes once more for each.
    for day in days:
        at = Partition(dag_id=source.dag_id, endpoint=endpoint.name, day=day)
        found = RawDate(endpoint, at, stores.raw)
        assert scrape(source, found, stores.warehouse, wire).manifest.done
        load(endpoint, at, stores)

    assert len(sandbox.log()) - before == 1
    with stores.warehouse.connect() as connection:
        counted = connection.execute(
            "SELECT count(*), count(DISTINCT game_date), count(*) FILTER (counts), count(DISTINCT"
            " game_date) FILTER (counts), count(*) FILTER (game_date = '2024-12-24'), count(*)"
            " FILTER (game_date = '2024-12-25' AND counts) FROM raw.nbacom_schedule"
        ).fetchone()
    assert counted == (1400, 231, 1321, 214, 0, 5)
