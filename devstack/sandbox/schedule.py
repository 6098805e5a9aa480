"""Who plays whom and when: preseason, 1,230 regular games and the Cup final of any season, from a
seed alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from random import Random

from devstack.sandbox.teams import EASTERN_DIVISIONS, TEAMS, WESTERN_DIVISIONS, Team

MAX_GAMES_A_DATE = 15


class Stage(StrEnum):
    """The third digit of NBA.com's game id."""

    PRESEASON = "1"
    REGULAR = "2"
    ALL_STAR = "3"
    PLAYOFFS = "4"
    PLAY_IN = "5"
    CUP_FINAL = "6"


COUNTING = frozenset({Stage.REGULAR, Stage.PLAYOFFS, Stage.PLAY_IN, Stage.CUP_FINAL})


@dataclass(frozen=True, kw_only=True)
class Game:
    """One game. ``day`` is its US/Eastern date, ``season`` the year in which the season begins;
    ``first_day`` is the date that it was first put on, where it was moved."""

    season: int
    stage: Stage
    number: str
    day: date
    away: Team
    home: Team
    tip_off: datetime
    neutral: bool = False
    first_day: date | None = None

    @property
    def nba_id(self) -> str:
        """NBA.com's id, a zero-padded string: ``0022400561``."""
        return f"00{self.stage}{self.season % 100:02d}{self.number}"

    @property
    def balldontlie_id(self) -> int:
        """Ball Don't Lie's id, another number for the same game."""
        return int(f"{self.season % 100}{self.stage}{self.number}")

    def __str__(self) -> str:
        return f"{self.away.tricode}@{self.home.tricode}"


def season_of(day: date) -> int:
    """The year in which the season of a date begins; a season runs from September to August."""
    return day.year if day.month >= 9 else day.year - 1


def _weekday_from(day: date, weekday: int) -> date:
    return day + timedelta(days=(weekday - day.weekday()) % 7)


def opening_night(season: int) -> date:
    """The Tuesday from 20 to 26 October (2024-10-22, 2025-10-21, 2026-10-20)."""
    return _weekday_from(date(season, 10, 20), 1)


def last_regular_day(season: int) -> date:
    """The second Sunday of April (2024-04-14, 2025-04-13, 2026-04-12)."""
    return _weekday_from(date(season + 1, 4, 8), 6)


def cup_final_day(season: int) -> date:
    """A Tuesday in mid December on which nothing else is played (2024-12-17)."""
    return _weekday_from(date(season, 12, 12), 1)


def all_star_sunday(season: int) -> date:
    """The third Sunday of February (2025-02-16)."""
    return _weekday_from(date(season + 1, 2, 15), 6)


def off_days(season: int) -> frozenset[date]:
    """Dates of the regular season without a regular game."""
    break_starts = all_star_sunday(season) - timedelta(days=2)
    off = {break_starts + timedelta(days=n) for n in range(6)}
    off.add(date(season, 12, 24))
    off.add(_weekday_from(date(season, 11, 22), 3))  # Thanksgiving
    off.add(_weekday_from(date(season + 1, 4, 1), 0))  # the college final
    off.add(cup_final_day(season))
    if season % 2 == 0:
        off.add(_weekday_from(date(season, 11, 2), 1))  # election day
    return frozenset(off)


_WEEKDAY_WEIGHT = (8, 6, 10, 4, 10, 8, 8)


def _pairings(rng: Random) -> Counter[tuple[str, str]]:
    """(home, away) -> how often: 4 against the division, 3 or 4 in the conference, 2 elsewhere; 82
    each, 41 at home."""
    divisions: dict[str, list[str]] = {}
    for team in TEAMS:
        divisions.setdefault(team.division, []).append(team.tricode)
    for members in divisions.values():
        rng.shuffle(members)
    games: Counter[tuple[str, str]] = Counter()
    names = [*EASTERN_DIVISIONS, *WESTERN_DIVISIONS]
    for i, first in enumerate(names):
        for a in divisions[first]:
            for b in divisions[first]:
                if a != b:
                    games[a, b] += 2
        for second in names[i + 1 :]:
            same_conference = (first in EASTERN_DIVISIONS) == (second in EASTERN_DIVISIONS)
            for m, a in enumerate(divisions[first]):
                for n, b in enumerate(divisions[second]):
                    # Two of the five opponents are met three times, once with each side at home the
                    # more often.
                    turn = (n - m) % 5
                    games[a, b] += 1 + int(same_conference and turn != 1)
                    games[b, a] += 1 + int(same_conference and turn != 0)
    return games


def _fill(season: int, rng: Random) -> dict[date, list[tuple[str, str]]] | None:
    """Every pairing on a date, no team twice on one; None if this shuffle left games over."""
    left = _pairings(rng)
    first, last, off = opening_night(season), last_regular_day(season), off_days(season)
    span = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    days = [day for day in span if day not in off]
    dates: dict[date, list[tuple[str, str]]] = {day: [] for day in days}
    busy: dict[date, set[str]] = {day: set() for day in days}

    def place(day: date, pair: tuple[str, str]) -> None:
        left[pair] -= 1
        dates[day].append(pair)
        busy[day].update(pair)

    east = [t.tricode for t in TEAMS if t.conference == "East"]
    west = [t.tricode for t in TEAMS if t.conference == "West"]
    rng.shuffle(west)
    for n, pair in enumerate(zip(east, west, strict=True)):  # everybody plays on the last day
        place(last, pair if n % 2 else (pair[1], pair[0]))

    tricodes = [team.tricode for team in TEAMS]
    to_play = dict.fromkeys(tricodes, 81)
    last_played = dict.fromkeys(tricodes, date.min)
    weights = {day: _WEEKDAY_WEIGHT[day.weekday()] for day in days}
    weights[first], weights[date(season, 12, 25)] = 2, 5
    weight_left, games_left = sum(weights.values()) - weights[last], 1230 - 15
    # As many games as the weekday gets; teams that waited longest play first.
    for day in days[:-1]:
        fixed = weights[day] if day in (first, date(season, 12, 25)) else None
        wanted = fixed or min(
            MAX_GAMES_A_DATE - 1,
            round(games_left * weights[day] / weight_left + rng.uniform(-1, 1)),
        )
        weight_left -= weights[day]
        yesterday = day - timedelta(days=1)
        need = {
            t: to_play[t] + rng.random() * 2 - 5 * (last_played[t] == yesterday) for t in tricodes
        }
        waiting = sorted(tricodes, key=need.__getitem__, reverse=True)
        while len(waiting) > 1 and len(dates[day]) < wanted:
            team = waiting.pop(0)
            for other in waiting:
                pairs = [pair for pair in ((team, other), (other, team)) if left[pair] > 0]
                if pairs:
                    pair = max(pairs, key=left.__getitem__)
                    place(day, pair)
                    waiting.remove(other)
                    for t in pair:
                        to_play[t] -= 1
                        last_played[t] = day
                    games_left -= 1
                    break
    for pair in [pair for pair, count in left.items() for _ in range(count)]:
        free = [
            d for d in days if len(dates[d]) < MAX_GAMES_A_DATE and not busy[d].intersection(pair)
        ]
        if not free:
            return None
        place(min(free, key=lambda d: len(dates[d])), pair)
    return dates


def _tip_off(day: date, home: Team, turn: int) -> datetime:
    """An evening of the home team's zone, matinees at weekends, five games through Christmas."""
    eastern = TEAMS[0].zone
    if (day.month, day.day) == (12, 25):
        starts = (time(12), time(14, 30), time(17), time(20), time(22, 30))
        return datetime.combine(day, starts[turn % 5], tzinfo=eastern).astimezone(UTC)
    if day.weekday() >= 5 and turn % 4 == 0:
        return datetime.combine(day, time(15, 30) if turn else time(13), tzinfo=eastern).astimezone(
            UTC
        )
    return datetime.combine(
        day, time(19, 30) if turn % 3 == 1 else time(19), tzinfo=home.zone
    ).astimezone(UTC)


@lru_cache(maxsize=8)
def regular_games(season: int, seed: int) -> tuple[Game, ...]:
    """The season's 1,230 regular games in order of date and tip-off."""
    by_tricode = {team.tricode: team for team in TEAMS}
    for attempt in range(50):
        dates = _fill(season, Random(f"schedule {seed} {season} {attempt}"))
        if dates is not None:
            break
    else:
        raise RuntimeError(f"no schedule for season {season} with seed {seed}: take another seed")
    games: list[Game] = []
    for day, pairs in dates.items():
        timed = [
            (_tip_off(day, by_tricode[home], n), home, away) for n, (home, away) in enumerate(pairs)
        ]
        for tip_off, home, away in sorted(timed):
            games.append(
                Game(
                    season=season,
                    stage=Stage.REGULAR,
                    number=f"{len(games) + 1:05d}",
                    day=day,
                    away=by_tricode[away],
                    home=by_tricode[home],
                    tip_off=tip_off,
                )
            )
    return tuple(games)


def preseason_games(season: int, seed: int) -> tuple[Game, ...]:
    """Seventy-five games in the two weeks before opening night; only NBA.com knows them."""
    rng = Random(f"preseason {seed} {season}")
    first = opening_night(season) - timedelta(days=16)
    games: list[Game] = []
    # Five games a night.
    for n in range(15):
        day, teams = first + timedelta(days=n), list(TEAMS)
        rng.shuffle(teams)
        for turn, (away, home) in enumerate(zip(teams[:5], teams[5:10], strict=True)):
            number = f"{len(games) + 1:05d}"
            tip_off = _tip_off(day, home, turn)
            games.append(
                Game(
                    season=season,
                    stage=Stage.PRESEASON,
                    number=number,
                    day=day,
                    away=away,
                    home=home,
                    tip_off=tip_off,
                )
            )
    return tuple(games)


def cup_final(season: int, seed: int) -> Game:
    """The one game whose id begins with 006: on neutral ground, of two teams out of both
    conferences."""
    rng = Random(f"cup {seed} {season}")
    away = rng.choice([t for t in TEAMS if t.conference == "East"])
    home = rng.choice([t for t in TEAMS if t.conference == "West"])
    day = cup_final_day(season)
    tip_off = datetime.combine(day, time(20, 30), tzinfo=TEAMS[0].zone).astimezone(UTC)
    return Game(
        season=season,
        stage=Stage.CUP_FINAL,
        number="00001",
        day=day,
        away=away,
        home=home,
        tip_off=tip_off,
        neutral=True,
    )
