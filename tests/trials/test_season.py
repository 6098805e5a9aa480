"""A season of the sandbox with every kind of fault planted once: each is found, and nothing else;
after reruns and acceptances every date is green and the warehouse has the league's truth."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from devstack.sandbox.faults import KINDS
from devstack.sandbox.league import League
from devstack.sandbox.schedule import Game
from devstack.sandbox.server import running
from include.ops.db import connect
from include.ops.outcomes import OutcomeRow, read_newest
from include.outcome import Outcome
from include.partition import days_between
from include.steps.job import Stores
from tests.plugins.cli.asking import Call
from tests.steps.errors.cases import BDL, DRIVE, LINES, LOGS, PLAYS, PROPS, SCHEDULE, UPSTREAM
from tests.trials.season import NOW, At, Season, clients, named_in, played_on
from tests.trials.season_faults import (
    Calendar,
    Found,
    Planted,
    called_off,
    move_games,
    plant,
)
from tests.trials.season_truth import read_league, read_rows

if TYPE_CHECKING:
    from include.sources.spec import Source

EVERY_DATE_UNTIL = date(2025, 12, 10)
"""From then on every sixth date is run, and those on which something is planted."""
NOT_SHOWN = frozenset({"moved_game"})
"""Kinds that are not ordered here: games are moved in the league itself, so that every source has
them on the date on which they are played."""

Place = tuple[At, date]


@pytest.fixture
def moved() -> tuple[Game, Game, League]:
    """See ``move_games``."""
    return move_games(League(seed=1))


@pytest.fixture
def planted(moved: tuple[Game, Game, League]) -> list[Planted]:
    *games, league = moved
    days = {day for game in games for day in (game.day, game.first_day) if day}
    return list(plant(Calendar(league=league, given=days)))


@pytest.fixture
def season(
    moved: tuple[Game, Game, League],
    planted: list[Planted],
    sources: dict[str, Source],
    stores: Stores,
    ops_db: str,
    tmp_path: Path,
) -> Iterator[Season]:
    league = moved[2]
    limits: dict[str, list[Any]] = {name: [] for name in UPSTREAM.values()}
    settings = {"now": NOW, "monthly_credits": 1_000_000, "moved": dict(league.moved)}
    with (
        running(tmp_path, limits=limits, faults=orders_of(planted), **settings) as sandbox,
        connect(ops_db) as ledger,
        clients() as (patient, hasty),
    ):
        yield Season(
            sandbox=sandbox,
            sources=sources,
            stores=stores,
            ledger=ledger,
            league=league,
            dates=choose_dates(moved, planted),
            patient=patient,
            hasty=hasty,
        )


def orders_of(planted: Sequence[Planted]) -> list[Mapping[str, Any]]:
    return [order for each in planted for order in each.orders]


def choose_dates(
    moved: tuple[Game, Game, League], planted: Sequence[Planted]
) -> dict[At, Sequence[date]]:
    """Which dates of which table are run. Of the large tables those of their own faults, and of the
    schedule's."""
    later, earlier, league = moved
    every = days_between(*(list(played_on(league))[n] for n in (0, -1)))
    own = {at: {each.day for each in planted if at in each.shown} for at in UPSTREAM}
    days = {day for day in every if day <= EVERY_DATE_UNTIL} | set(every[::6])
    days = days.union(*own.values(), *({game.day, game.first_day} for game in (later, earlier)))
    all_days = sorted(day for day in days if day)
    small = {at: all_days for at in (SCHEDULE, BDL, LOGS)}
    return small | {at: sorted(own[at]) for at in (PLAYS, PROPS, LINES, DRIVE)}


def test_every_kind_is_planted(planted: list[Planted]) -> None:
    kinds = {order["kind"] for order in orders_of(planted)}
    assert kinds == KINDS - NOT_SHOWN
    assert len({each.day for each in planted}) == len(planted)


@pytest.mark.slow
def test_season_with_every_fault_is_found_mended_and_whole(
    season: Season, moved: tuple[Game, Game, League], planted: list[Planted], call: Call
) -> None:
    later, earlier, _ = moved
    hung = {(each.at, each.day) for each in planted if each.orders[0]["kind"] == "hang"}

    # The first run: what was planted is not green, with its class and its game, and nothing else.
    rows = season.run_all(hasty=hung)
    expected = {(at, each.day): found for each in planted for at, found in each.found.items()}
    assert find_wrong(rows) == expected
    # A moved game is in a body that is there, or is asked for where the source keeps it.
    assert rows[BDL, later.day].requests == 1 < rows[BDL, earlier.day].requests
    for each in planted:
        if each.found:
            assert each.said in rows[each.at, each.day].message
    assert set(season.gaps()) == set(expected)
    assert_sound_games_are_loaded(season, rows, planted)

    # What has passed runs again, what stays is accepted.
    season.sandbox.no_faults()
    season.sandbox.faults(orders_of([each for each in planted if each.kept]))
    accepted = {(each.at, each.day): each for each in planted if each.mend == "accept"}
    for each in planted:
        if each.mend == "refetch":
            rows[each.at, each.day] = season.run(each.at, each.day, refetch=datetime.now(UTC))
        if each.mend == "accept":
            accept_game(call, each)
    again = {place for place in expected if place not in accepted}
    asked = len(season.sandbox.log())
    rows |= {place: season.run(*place) for place in accepted}
    assert len(season.sandbox.log()) == asked
    rows |= {place: season.run(*place) for place in sorted(again, key=_schedule_first)}
    # Tables that were green by a schedule that has changed since: their audit finds it out, and the
    # run after it asks.
    for place in 2 * refetched_by(planted, season):
        rows[place] = season.run(*place)

    # All is green, by every word on it, and as the league has it.
    assert season.gaps() == {}
    outcomes = {place: row.outcome for place, row in rows.items()}
    assert {place for place in outcomes if outcomes[place] is Outcome.ACCEPTED} == set(accepted)
    assert find_wrong(rows) == {}
    assert {place: season.status(*place) for place in rows} == outcomes
    assert read_ledger(season) == outcomes
    assert find_untrue(season, planted) == {}
    (corrected,) = (each.day for each in planted if (each.at, each.mend) == (BDL, "refetch"))
    assert rows[BDL, corrected].changes_total == 1


def refetched_by(planted: Sequence[Planted], season: Season) -> list[Place]:
    """The other tables of the date whose schedule was fetched anew."""
    (day,) = (e.day for e in planted if (e.at, e.mend) == (SCHEDULE, "refetch"))
    return [(at, day) for at, days in season.dates.items() if at != SCHEDULE and day in days]


def find_wrong(rows: Mapping[Place, OutcomeRow]) -> dict[Place, Found]:
    """What is not green: outcome, class and the games that the message names."""
    return {
        place: (str(row.outcome), row.error_class, named_in(row.message))
        for place, row in rows.items()
        if not row.outcome.done
    }


def accept_game(call: Call, planted: Planted) -> None:
    """As the README has it."""
    from nba_airflow.cli.accept import accept

    _, _, (game,) = planted.found[planted.at]
    dag_id, endpoint = planted.at
    given = {"dag_id": dag_id, "endpoint": endpoint, "date": str(planted.day), "game": game}
    more = {"missing": False, "until": "", "undo": False, "list": False}
    said = call(accept, reason="it stays so", **given, **more)
    assert (said.code, said.err) == (0, "")


def _schedule_first(place: Place) -> tuple[bool, Place]:
    return place[0] != SCHEDULE, place


def read_ledger(season: Season) -> dict[Place, Outcome]:
    """What the newest row of each date says."""
    found: dict[Place, Outcome] = {}
    for at, days in season.dates.items():
        newest = read_newest(season.ledger, at[0], days)
        found |= {(at, day): newest[day, at[1]].outcome for day in days}
    return found


def assert_sound_games_are_loaded(
    season: Season, rows: Mapping[Place, OutcomeRow], planted: Sequence[Planted]
) -> None:
    """Of a date that was counted and is not whole all games but those that are named are there, as
    the league has them; not so in the schedule, of which half would be taken for the whole."""
    for each in planted:
        if each.mend != "refetch" and each.found and each.at != SCHEDULE:
            row = rows[each.at, each.day]
            truth = read_league(each.at, each.day, season.league)
            sound = {} if row.outcome is Outcome.FAILED else truth
            left = {game: sound[game] for game in sound if game not in named_in(row.message)}
            found = read_rows(each.at, season.rows(each.at, each.day), season.league)
            assert found == left, (each.at, each.day)


def find_untrue(season: Season, planted: Sequence[Planted]) -> dict[Place, Collection[str]]:
    """The games of which the warehouse has something else than the league; those that were accepted
    are left out, and those that were called off, on which bookmakers go on offering lines."""
    off = {each.day: called_off(each, season.league) for each in planted}
    accepted = {
        (at, each.day): games
        for each in planted
        for at, (_, _, games) in each.found.items()
        if each.mend == "accept"
    }
    found: dict[Place, Collection[str]] = {}
    for at, days in season.dates.items():
        for day in days:
            gone = off.get(day, set())
            truth = read_league(at, day, season.league, gone)
            there = read_rows(at, season.rows(at, day), season.league)
            left_out = {*accepted.get((at, day), ()), *{LINES: gone}.get(at, ())}
            games = {*truth, *there} - left_out
            if untrue := [game for game in games if truth.get(game) != there.get(game)]:
                found[at, day] = untrue
    return found
