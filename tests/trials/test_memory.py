"""A date's peak of memory is bounded, and a scrape's does not grow with the number of games: one
body at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import pytest

from devstack.sandbox.league import League
from devstack.sandbox.server import Sandbox, running
from include.parsing.nbacom import SCHEDULE
from include.sources.spec import Source
from tests.steps.credentials import KEYS, key_file
from tests.steps.one_date import stores_in
from tests.steps.specs import specs_of_dags
from tests.trials.peak import RESET, Order, Peak, peak_of

LEAGUE = League(seed=1)
FEW, MANY = date(2025, 1, 23), date(2025, 4, 13)
PLAY_BY_PLAY = ["nbacom_box_scores", "bigdataball_play_by_play"]

pytestmark = pytest.mark.skipif(not RESET.exists(), reason="the peak is read from Linux's /proc")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("sandbox")
    with running(folder, limits={"nba_cdn": []}, now="2026-03-01T20:00:00Z", keys=KEYS) as server:
        yield server


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Source]]:
    with specs_of_dags(tmp_path_factory.mktemp("airflow")) as found:
        yield found


def measured(
    source: Source, day: date, folder: Path, sandbox: Sandbox, *, traced: bool = False
) -> Peak:
    facts = {
        "game_date": day,
        "season_type": "Regular Season",
        "counts": True,
        "postponed": False,
        "source_file": "x",
    }
    rows = [
        {
            **facts,
            "game_id": g.nba_id,
            "away_tricode": g.away.tricode,
            "home_tricode": g.home.tricode,
        }
        for g in LEAGUE.games_on(day)
    ]
    stores_in(folder).warehouse.replace(SCHEDULE, day, rows)
    return peak_of(
        Order(
            source=source,
            endpoint="play_by_play",
            day=day,
            folder=folder,
            url=sandbox.url,
            key_file=key_file(sandbox),
            traced=traced,
        )
    )


@pytest.mark.parametrize("dag_id", PLAY_BY_PLAY)
def test_the_fullest_date_is_scraped_and_loaded_in_150_megabytes(
    sources: Mapping[str, Source], sandbox: Sandbox, tmp_path: Path, dag_id: str
) -> None:
    assert len(LEAGUE.games_on(MANY)) == 15
    peak = measured(sources[dag_id], MANY, tmp_path, sandbox)
    assert peak.rows > 15 * 300
    # A scrape makes the rows of one game at a time; more than 5: that something is measured at all.
    assert 5 < peak.scrape < 100
    assert 20 < peak.load < 150


@pytest.mark.parametrize("dag_id", PLAY_BY_PLAY)
def test_fifteen_games_are_scraped_in_as_much_memory_as_three(
    sources: Mapping[str, Source], sandbox: Sandbox, tmp_path: Path, dag_id: str
) -> None:
    few, many = (
        measured(sources[dag_id], day, tmp_path / str(day), sandbox, traced=True)
        for day in (FEW, MANY)
    )
    assert many.rows > 4 * few.rows
    assert many.scrape - few.scrape < 1  # MB; the bodies of twelve games more are 2 to 4
