"""A month of the sandbox through the line and into prop results: as its league has them, row by
row; what is accepted, healed or corrected changes its own date only."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from devstack.sandbox.league import League
from devstack.sandbox.schedule import Game
from devstack.sandbox.server import running
from include.analytics.actual import choose
from include.analytics.process import process
from include.analytics.prop_results import PLAYER_PROP_RESULTS, UNMATCHED_PLAYERS, inputs
from include.analytics.spec import Processor
from include.checks.acceptance import list_wrong, read_judged
from include.errors import Problem
from include.ops import built
from include.ops.db import connect
from include.ops.outcomes import OutcomeRow, record
from include.partition import Partition, days_between
from include.sources.odds_api import PLAYER_MARKETS
from include.sources.spec import Source
from include.steps.entry import Entry
from include.steps.job import Stores
from include.storage.accepted import Acceptance, change_accepted
from tests.steps.errors.cases import BDL, PROPS, SCHEDULE, UPSTREAM
from tests.trials.results_truth import Bet, read_bets, settle_game
from tests.trials.season import NOW, Season, clients, played_on
from tests.trials.season_faults import move_games

pytestmark = pytest.mark.slow

MARKETS = ("player_points",)
RICH = tuple(PLAYER_MARKETS)
"""What is bought of one date."""


@pytest.fixture
def moved() -> tuple[Game, League]:
    """A game that is played four weeks after its first date, and the league with it."""
    later, _, league = move_games(League(seed=1))
    return later, replace(league, moved=league.moved[:1])


@pytest.fixture
def month(moved: tuple[Game, League]) -> list[date]:
    """From the first date of the moved game to the one on which it is played."""
    game, _ = moved
    assert game.first_day
    return days_between(game.first_day, game.day)


@pytest.fixture
def season(
    moved: tuple[Game, League],
    month: list[date],
    sources: dict[str, Source],
    stores: Stores,
    ops_db: str,
    tmp_path: Path,
) -> Iterator[Season]:
    limits: dict[str, list[Any]] = {name: [] for name in UPSTREAM.values()}
    league = moved[1]
    settings = {"now": NOW, "monthly_credits": 1_000_000, "moved": dict(league.moved)}
    with (
        running(tmp_path, limits=limits, **settings) as sandbox,
        connect(ops_db) as ledger,
        clients() as (patient, hasty),
    ):
        yield Season(
            sandbox=sandbox,
            sources=buying(sources, MARKETS),
            stores=stores,
            ledger=ledger,
            league=league,
            dates={SCHEDULE: month, PROPS: month},
            patient=patient,
            hasty=hasty,
        )


def buying(sources: Mapping[str, Source], markets: Collection[str]) -> dict[str, Source]:
    """The sources, with these markets of the odds."""
    odds = sources["odds_api_props"]
    assert odds.choose
    chosen = replace(odds, endpoints=odds.choose({"markets": [*markets]}))
    return {**sources, odds.dag_id: chosen}


def test_a_month_of_results_is_what_the_league_says(
    season: Season, month: Sequence[date], moved: tuple[Game, League]
) -> None:
    later, league = moved
    plain = [d for d, games in played_on(league).items() if d in month[1:-1] and len(games) > 3]
    healed, off, rich, *_ = plain

    # Everything is bought; then a game is called off, and box scores lack another one.
    season.run_all(hasty=())
    replace(season, sources=buying(season.sources, RICH)).run(PROPS, rich)
    asked = {"source": "nba_stats", "endpoint": "schedule"}, {"source": "balldontlie"}
    postponed = [{"kind": "postponed", "day": str(off), **where} for where in asked]
    missing = {"kind": "missing_game", "day": str(healed), "source": "balldontlie"}
    season.sandbox.faults([*postponed, {**missing, "endpoint": "box_scores"}])
    season.run(SCHEDULE, off, refetch=datetime.now(UTC))
    truth = Truth(season, rich, off)

    # All dates but the one that lacks a game are as the league has them.
    assert [d for d in month if not season.run(BDL, d).outcome.done] == [healed]
    assert read_stale(season, month) == [d for d in month if d != healed]
    assert [d for d in month if settle(season, d).outcome.done] == [d for d in month if d != healed]
    assert truth.compare(month, without=healed) == {}
    assert read_stale(season, month) == []
    assert truth.results(month) == {"over", "under", "push", "void", "yes", "no", None}
    assert str(later) in truth.bets(later.day)

    # Accepted as it is: its own date, and no other, without the bets of the game that it lacks.
    accept_all(season, healed)
    assert season.run(BDL, healed).outcome == "accepted"
    assert read_stale(season, month) == [healed]
    assert settle(season, healed).outcome == "complete"
    assert read_stale(season, month) == []
    ((_, games),) = truth.compare(month).items()
    assert len(games) == 1

    # Healed: likewise, and as the league has it.
    season.sandbox.no_faults()
    season.sandbox.faults(postponed)
    season.run(BDL, healed, refetch=datetime.now(UTC))
    assert read_stale(season, month) == [healed]
    assert settle(season, healed).outcome == "complete"
    assert truth.compare(month) == {}

    # Corrected: likewise.
    season.sandbox.faults([{"kind": "corrected", "day": str(rich), "source": "balldontlie"}])
    before = read_assists(season, rich)
    season.run(BDL, rich, refetch=datetime.now(UTC))
    after = read_assists(season, rich)
    truth.more_assists[rich] = {
        name: after[name] - before[name] for name in after if after[name] != before[name]
    }
    assert list(truth.more_assists[rich].values()) == [1]
    assert list(truth.compare(month)) == [rich]
    assert read_stale(season, month) == [rich]
    settle(season, rich)
    assert truth.compare(month) == {}
    assert [season.stores.warehouse.rows(UNMATCHED_PLAYERS, d) for d in month] == [[]] * len(month)


class Truth:
    """What the league says of the dates; of ``rich`` all markets are bought, and the first game of
    ``off`` is called off."""

    def __init__(self, season: Season, rich: date, off: date) -> None:
        self.season, self.rich, self.off = season, rich, off
        self.more_assists: dict[date, dict[str, int]] = {}

    def compare(self, days: Sequence[date], without: date | None = None) -> dict[date, Any]:
        """Date -> bets that differ, by game."""
        found = {}
        for day in days:
            said, true = self.bets(day), {} if day == without else self._read(day)
            games = [game for game in {*said, *true} if said.get(game) != true.get(game)]
            if games:
                found[day] = {g: sorted(map(str, said.get(g, set()) ^ true[g]))[:4] for g in games}
        return found

    def bets(self, day: date) -> dict[str, frozenset[Bet]]:
        return read_bets(self.season.stores.warehouse.rows(PLAYER_PROP_RESULTS, day) or [])

    def results(self, days: Sequence[date]) -> set[str | None]:
        return {bet[-2] for d in days for bets in self.bets(d).values() for bet in bets}

    def _read(self, day: date) -> dict[str, frozenset[Bet]]:
        league = self.season.league
        return {
            str(game): settle_game(
                game,
                league,
                RICH if day == self.rich else MARKETS,
                off=day == self.off and n == 0,
                more_assists=self.more_assists.get(day),
            )
            for n, game in enumerate(league.games_on(day))
        }


def read_assists(season: Season, day: date) -> dict[str, int]:
    """By the name that bookmakers write."""
    league = season.league
    players = [p for g in league.games_on(day) for t in (g.home, g.away) for p in league.roster(t)]
    names = {player.balldontlie_id: player.odds_name for player in players}
    return {names[row["player_id"]]: row["ast"] or 0 for row in season.rows(BDL, day)}


def accept_all(season: Season, day: date) -> None:
    """What is wrong with the date's box scores stays so, as `airflow nba accept` leaves it."""
    at = Partition(dag_id=BDL[0], endpoint=BDL[1], day=day)
    manifest = read_judged(season.stores.raw, at)
    assert manifest
    words = {"reason": "for ever", "by": "ann", "at": "2026-01-01"}
    new = [Acceptance(wrong=wrong, **words) for wrong in list_wrong(manifest)]
    change_accepted(season.stores.raw, at, lambda there: new)


def read_stale(season: Season, days: Sequence[date]) -> list[date]:
    """The dates that the scheduler would make a run of."""
    now = built.read_ready(season.ledger, inputs(choose(None)), days)
    then = built.read_built(season.ledger, "prop_results", days)
    return [day for day in days if day in now and now[day].content != then.get(day, ("",))[0]]


def settle(season: Season, day: date) -> OutcomeRow:
    """One try of the date's results, as their task makes it."""
    from nba_airflow.specs import processors

    processor: Processor = processors()["prop_results"]
    partition = Partition(dag_id=processor.dag_id, endpoint=processor.name, day=day)
    told: list[OutcomeRow] = []
    entry = Entry(partition, told.append, run_id="results")
    ready = built.read_ready(season.ledger, processor.inputs, [day])
    try:
        with entry.recorded():
            process(processor, day, season.stores.warehouse, entry)
        built.note_built(season.ledger, processor.dag_id, day, ready[day].content)
    except Problem:
        pass  # it is in the record
    record(season.ledger, told[-1])
    return told[-1]
