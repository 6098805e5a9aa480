"""What is planted in the season: every kind of fault of the sandbox that shows in a table, each on
a date of its own, with what must be found there and what mends it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from operator import attrgetter
from typing import Any, Literal

from devstack.sandbox.league import League
from devstack.sandbox.odds import event_id
from devstack.sandbox.schedule import Game
from tests.steps.errors.cases import (
    BDL,
    DRIVE,
    LINES,
    LOGS,
    PLAYS,
    PROPS,
    SCHEDULE,
    UPSTREAM,
)
from tests.trials.season import SEASON, At, played_on

Mend = Literal["rerun", "accept", "refetch", "nothing"]
Found = tuple[str, str, tuple[str, ...]]
"""Outcome, error class, and the games that the message names."""


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A fault on a date. ``found``: what the first run of each table must say of it, unless it is
    green; ``said``: part of the message; ``kept``: it is how things are, and is not cleared."""

    at: At
    day: date
    orders: Sequence[Mapping[str, Any]]
    found: Mapping[At, Found]
    said: str = ""
    mend: Mend = "rerun"
    kept: bool = False

    @property
    def shown(self) -> Collection[At]:
        """The tables in which it may show, or must not: what the schedule says, in all."""
        if self.at == SCHEDULE:
            return set(UPSTREAM)
        return {self.at, *self.found}


Choose = Callable[[Sequence[Game]], Sequence[Game]]
"""Which of a date's games, which are in the order of their tip-offs, a fault is about."""


def _first(games: Sequence[Game]) -> Sequence[Game]:
    return games[:1]


def _lowest(games: Sequence[Game]) -> Sequence[Game]:
    return sorted(games, key=attrgetter("nba_id"))[:1]


def _highest(games: Sequence[Game]) -> Sequence[Game]:
    return sorted(games, key=attrgetter("nba_id"))[-1:]


def _each(games: Sequence[Game]) -> Sequence[Game]:
    return games


def _none(games: Sequence[Game]) -> Sequence[Game]:
    return ()


# Lists of a season cover every date: what is wrong with one date's body is not wrong with them.
_ASKED: Mapping[At, Mapping[str, str]] = {
    **{at: {"source": source} for at, source in UPSTREAM.items()},
    SCHEDULE: {"source": "nba_stats", "endpoint": "schedule"},
    BDL: {"source": "balldontlie", "endpoint": "box_scores"},
    LOGS: {"source": "nba_stats", "endpoint": "leaguegamelog"},
}
_FILES = {"source": "bigdataball", "endpoint": "list"}
PARTIAL = ("partial", "incomplete")
EMPTY = ("partial", "empty_unexpected")
GREEN = ("complete", "")
DRIFTED = ("failed", "schema_drift")
TORN = ("partial", "schema_drift")


def _failed(error_class: str) -> tuple[str, str]:
    return "failed", error_class


# Table, kind, what else is ordered, outcome and class, the game, what is said, what mends it.
_LISTED: tuple[tuple[At, str, dict[str, Any], tuple[str, str], Choose, str, Mend], ...] = (
    (BDL, "429", {}, _failed("rate_limited"), _none, "", "rerun"),
    (BDL, "500", {}, _failed("upstream_down"), _none, "500", "rerun"),
    (BDL, "hang", {}, _failed("hang"), _none, "", "rerun"),
    (BDL, "block_page_200", {}, _failed("blocked"), _none, "", "rerun"),
    (BDL, "truncated_json", {}, _failed("upstream_down"), _none, "", "rerun"),
    (BDL, "torn_body", {}, _failed("upstream_down"), _none, "", "rerun"),
    (BDL, "bad_key", {}, _failed("bad_key"), _none, "", "rerun"),
    (BDL, "schema_drift", {}, DRIFTED, _none, "pts", "rerun"),
    (BDL, "late_game", {}, PARTIAL, _first, "(unplayed)", "rerun"),
    (BDL, "unplayed", {}, EMPTY, _each, "0 of ", "rerun"),
    (BDL, "empty", {}, EMPTY, _each, "0 of ", "rerun"),
    (BDL, "undecided", {}, PARTIAL, _first, "missing ", "rerun"),
    (BDL, "missing_game", {}, PARTIAL, _first, "missing ", "accept"),
    (BDL, "wrong_score", {}, PARTIAL, _first, " points, the team ", "accept"),
    (BDL, "wrong_minutes", {}, PARTIAL, _first, " minutes, 240 expected", "accept"),
    (BDL, "half_time", {}, PARTIAL, _first, " minutes, 240 expected", "accept"),
    (BDL, "lost_players", {}, PARTIAL, _first, " minutes, 240 expected", "accept"),
    (BDL, "null_player", {}, PARTIAL, _first, ".player is NoneType", "accept"),
    (BDL, "player_twice", {}, PARTIAL, _first, "two rows with the key ", "accept"),
    (BDL, "corrected", {}, GREEN, _none, "", "refetch"),
    (LOGS, "echo", {}, _failed("internal"), _none, "400", "rerun"),
    (LOGS, "503", {}, _failed("upstream_down"), _none, "503", "rerun"),
    (LOGS, "block_page_403", {}, _failed("blocked"), _none, "", "rerun"),
    (LOGS, "schema_drift", {}, DRIFTED, _none, "PTS", "rerun"),
    (LOGS, "missing_game", {}, PARTIAL, _first, "missing ", "rerun"),
    (LOGS, "empty", {}, EMPTY, _each, "0 of ", "rerun"),
    (LOGS, "neutral_site", {}, GREEN, _none, "", "nothing"),
    (LOGS, "wrong_minutes", {}, PARTIAL, _highest, " minutes, 240 expected", "accept"),
    (LOGS, "half_time", {}, PARTIAL, _highest, " points, the schedule ", "accept"),
    (LOGS, "lost_players", {}, PARTIAL, _highest, " minutes, 240 expected", "accept"),
    (LOGS, "null_player", {}, PARTIAL, _highest, ".PLAYER_NAME is NoneType", "accept"),
    (LOGS, "player_twice", {}, PARTIAL, _highest, "two rows with the key ", "accept"),
    (PLAYS, "502", {}, _failed("upstream_down"), _none, "502", "rerun"),
    (PLAYS, "schema_drift", {}, DRIFTED, _none, "actionType", "rerun"),
    (PLAYS, "empty", {"path_contains": "{id}"}, PARTIAL, _lowest, "", "rerun"),
    (PLAYS, "absent", {"path_contains": "{id}"}, PARTIAL, _lowest, "403 for it alone", "accept"),
    (PLAYS, "another_game", {"path_contains": "{id}"}, PARTIAL, _lowest, "body is of ", "accept"),
    (PROPS, "wrong_tier", {}, _failed("not_entitled"), _none, "", "rerun"),
    (PROPS, "out_of_credits", {}, _failed("quota_exhausted"), _none, "", "rerun"),
    (PROPS, "schema_drift", {"endpoint": "events"}, DRIFTED, _none, "", "rerun"),
    (PROPS, "missing_game", {"endpoint": "events"}, PARTIAL, _first, "missing ", "rerun"),
    (PROPS, "absent", {"path_contains": "{event}"}, PARTIAL, _lowest, "", "accept"),
    (PROPS, "another_game", {"path_contains": "{event}"}, PARTIAL, _lowest, "", "accept"),
    (PROPS, "empty", {"path_contains": "{event}"}, PARTIAL, _lowest, "no bookmaker", "accept"),
    (PROPS, "other_names", {}, GREEN, _none, "", "nothing"),
    (LINES, "schema_drift", {"endpoint": "odds"}, DRIFTED, _none, "", "rerun"),
    (LINES, "empty", {"endpoint": "odds"}, EMPTY, _each, "0 of ", "rerun"),
    (LINES, "missing_game", {"endpoint": "odds"}, PARTIAL, _first, "missing ", "accept"),
    (DRIVE, "schema_drift", {"endpoint": "download"}, DRIFTED, _none, "", "rerun"),
    (DRIVE, "truncated_json", {"path_contains": "{id}"}, TORN, _lowest, "", "rerun"),
    (DRIVE, "missing_game", {"endpoint": "list"}, PARTIAL, _lowest, "missing ", "rerun"),
    (DRIVE, "empty", {"endpoint": "list"}, EMPTY, _each, "0 of ", "rerun"),
    (DRIVE, "absent", {"path_contains": "{id}"}, PARTIAL, _lowest, "", "accept"),
    (DRIVE, "old_form", {}, GREEN, _none, "", "nothing"),
)


@dataclass(kw_only=True)
class Calendar:
    """The season's dates with games, each given away once."""

    league: League
    given: set[date] = field(default_factory=set)

    def take(self, fewest: int, most: int) -> date:
        """The next date with so many games."""
        for day, games in played_on(self.league).items():
            if day not in self.given and fewest <= len(games) <= most:
                self.given.add(day)
                return day
        raise LookupError(f"the season has no date left with {fewest} to {most} games")


def plant(calendar: Calendar) -> Iterator[Planted]:
    """All of it. A play by play is made of many rows, so those dates have few games."""
    yield from _plant_in_schedule(calendar)
    for at, kind, more, (outcome, error_class), choose, said, mend in _LISTED:
        few = at in (PLAYS, DRIVE)
        day = calendar.take(2, {True: 3, False: 15}[few])
        games = calendar.league.games_on(day)
        (lowest,) = _lowest(games)
        ids = {"id": lowest.nba_id, "event": event_id(lowest, calendar.league)}
        order = {key: value.format(**ids) for key, value in more.items()}
        named = tuple(sorted(map(str, choose(games))))
        yield Planted(
            at=at,
            day=day,
            orders=[{"kind": kind, "day": str(day), **_ASKED[at], **order}],
            found=_found(at, more, (outcome, error_class, named), games),
            said=said,
            mend=mend,
        )


def _found(
    at: At, more: Mapping[str, str], found: Found, games: Sequence[Game]
) -> Mapping[At, Found]:
    """Where it must be found: a list of events is what both of the odds' tables begin with, but the
    lines of a game that is not in it are there, unless it began before all others."""
    if found[:2] == GREEN:
        return {}
    began_alone = games[0].tip_off < games[1].tip_off
    both = at == PROPS and (
        found[0] == "failed" or (more.get("endpoint") == "events" and began_alone)
    )
    return {each: found for each in ((PROPS, LINES) if both else (at,))}


def called_off(planted: Planted, league: League) -> set[str]:
    """The date's first game, if it is not played."""
    kinds = {order["kind"] for order in planted.orders}
    games = league.games_on(planted.day)
    return {str(game) for game in games[:1] if kinds & {"postponed", "cancelled"}}


def _plant_in_schedule(calendar: Calendar) -> Iterator[Planted]:
    """What the schedule itself says, so that it shows in every table, or must not."""
    day = calendar.take(2, 3)
    (first, *_) = map(str, calendar.league.games_on(day))
    unknown = ("unverified", "incomplete", ())
    yield Planted(
        at=SCHEDULE,
        day=day,
        orders=[{"kind": "late_game", "day": str(day), **_ASKED[SCHEDULE]}],
        found={
            SCHEDULE: (*PARTIAL, (first,)),
            LOGS: unknown,
            PLAYS: unknown,
            DRIVE: unknown,
        },
        said="",
    )
    day = calendar.take(2, 3)
    (first, *_) = map(str, calendar.league.games_on(day))
    unexpected = ("unverified", "incomplete", (first,))
    yield Planted(
        at=SCHEDULE,
        day=day,
        orders=[{"kind": "missing_game", "day": str(day), **_ASKED[SCHEDULE]}],
        found={BDL: unexpected, LOGS: unexpected, DRIVE: unexpected},
        mend="refetch",
    )
    for kind in ("postponed", "cancelled"):
        day = calendar.take(2, 3)
        yield Planted(
            at=SCHEDULE,
            day=day,
            orders=[
                {"kind": kind, "day": str(day), **asked}
                for asked in (_ASKED[SCHEDULE], _ASKED[LOGS], _ASKED[BDL], _FILES)
            ],
            found={},
            mend="nothing",
            kept=True,
        )
    day = calendar.take(2, 3)
    yield Planted(
        at=SCHEDULE,
        day=day,
        orders=[{"kind": "undecided", "day": str(day), **_ASKED[SCHEDULE]}],
        found={},
        mend="nothing",
        kept=True,
    )


def move_games(league: League) -> tuple[Game, Game, League]:
    """A game that is played four weeks after the date that it was first put on, one that is played
    two weeks before it, and the league with both."""
    days = played_on(league)
    later = _move(league, days, timedelta(weeks=4), date(SEASON, 12, 1))
    earlier = _move(league, days, timedelta(weeks=-2), date(SEASON + 1, 2, 1))
    made = League(seed=league.seed, moved=(later, earlier))
    games = [made.by_nba_id(game_id) for game_id, _ in made.moved]
    assert games[0]
    assert games[1]
    return games[0], games[1], made


def _move(
    league: League, days: Mapping[date, Sequence[Game]], by: timedelta, since: date
) -> tuple[str, date]:
    """The first game since then whose teams are free on the date that it is moved to."""
    for day, games in days.items():
        there = days.get(day + by, ())
        busy = {team for game in there for team in (game.home, game.away)}
        for game in games:
            if day >= since and there and not busy & {game.home, game.away}:
                return game.nba_id, day + by
    raise LookupError("no game can be moved")
