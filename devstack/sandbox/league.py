"""The league as a whole: every game of every season, what is known and final at a moment; pure,
made from a seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from devstack.sandbox.boxscore import BoxScore, Score, box_score, score
from devstack.sandbox.rosters import Player, rosters
from devstack.sandbox.schedule import (
    COUNTING,
    Game,
    Stage,
    cup_final,
    last_regular_day,
    preseason_games,
    regular_games,
    season_of,
)
from devstack.sandbox.teams import TEAMS, Team

Moved = tuple[tuple[str, date], ...]
"""NBA.com's ids of games that were moved, and the dates on which they are played."""

_LENGTH_OF_A_GAME = timedelta(hours=2, minutes=30)
# The pairing of a knock-out game is known about this long before it.
_DRAWN_BEFORE = timedelta(days=3)
_FIRST_HOSTS = (True, True, False, False, True, False, True)
_SERIES_DAYS = (0, 2, 4, 6, 8, 10, 12)
_FINALS_DAYS = (0, 3, 6, 8, 11, 14, 17)
# Days from the first Saturday of the playoffs to the start of each round; a seventh final falls on
# day 64.
_ROUND_STARTS = (0, 16, 31, 47)


@dataclass(frozen=True, kw_only=True)
class League:
    """Answers are equal for equal seeds, in every process and Python version. A game that was
    ``moved`` keeps its id, its numbers and the time of its tip-off."""

    seed: int = 1
    moved: Moved = ()

    def season(self, season: int) -> tuple[Game, ...]:
        """All games of a season in order of date and tip-off, preseason and knock-out rounds
        included."""
        return _season(season, self.seed, self.moved)

    def games_on(self, day: date, stages: frozenset[Stage] = COUNTING) -> tuple[Game, ...]:
        """The games of one US/Eastern date, by default those that count."""
        games = _by_day(season_of(day), self.seed, self.moved).get(day, ())
        return tuple(game for game in games if game.stage in stages)

    def listed_on(self, day: date) -> tuple[Game, ...]:
        """The games that count of one date, by a source that keeps a moved game under its first
        one."""
        games = self.season(season_of(day))
        counting = (game for game in games if game.stage in COUNTING)
        return tuple(game for game in counting if (game.first_day or game.day) == day)

    def by_nba_id(self, nba_id: str) -> Game | None:
        """The game with this id, if there is one."""
        if len(nba_id) != 10 or not nba_id.isdecimal():
            return None
        return _by_nba_id(2000 + int(nba_id[3:5]), self.seed, self.moved).get(nba_id)

    def score(self, game: Game) -> Score:
        """The final score."""
        return score(game, self.seed)

    def box_score(self, game: Game) -> BoxScore:
        """The final box score."""
        return box_score(game, self.seed)

    def roster(self, team: Team) -> tuple[Player, ...]:
        """The team's players, best scorer first."""
        return rosters(self.seed)[team.tricode]


def is_final(game: Game, now: datetime) -> bool:
    """Whether the game is over: two and a half hours after tip-off."""
    return now >= game.tip_off + _LENGTH_OF_A_GAME


def has_begun(game: Game, now: datetime) -> bool:
    """Whether the ball is or was in play."""
    return now >= game.tip_off


def is_known(game: Game, now: datetime) -> bool:
    """Whether a schedule published now lists the game: knock-out games only once their pairing is
    drawn."""
    knock_out = game.stage in (Stage.PLAY_IN, Stage.PLAYOFFS, Stage.CUP_FINAL)
    return not knock_out or now >= game.tip_off - _DRAWN_BEFORE


@lru_cache(maxsize=8)
def _season(season: int, seed: int, moved: Moved) -> tuple[Game, ...]:
    regular = regular_games(season, seed)
    games = [
        *preseason_games(season, seed),
        *regular,
        cup_final(season, seed),
        *_knock_out(regular, season, seed),
    ]
    days = dict(moved)
    games = [_move(game, days.get(game.nba_id, game.day)) for game in games]
    return tuple(sorted(games, key=lambda game: (game.day, game.tip_off, game.nba_id)))


def _move(game: Game, day: date) -> Game:
    if day == game.day:
        return game
    tip_off = game.tip_off + (day - game.day)
    return replace(game, day=day, tip_off=tip_off, first_day=game.day)


@lru_cache(maxsize=8)
def _by_day(season: int, seed: int, moved: Moved) -> dict[date, tuple[Game, ...]]:
    days: dict[date, list[Game]] = {}
    for game in _season(season, seed, moved):
        days.setdefault(game.day, []).append(game)
    return {day: tuple(games) for day, games in days.items()}


@lru_cache(maxsize=8)
def _by_nba_id(season: int, seed: int, moved: Moved) -> dict[str, Game]:
    return {game.nba_id: game for game in _season(season, seed, moved)}


def _winner(game: Game, seed: int) -> Team:
    final = score(game, seed)
    return game.home if final.home_points > final.away_points else game.away


def standings(games: Sequence[Game], seed: int) -> dict[str, list[Team]]:
    """Conference -> its teams, most wins first, equal ones by tricode."""
    wins = Counter(_winner(game, seed).tricode for game in games)
    ranked = sorted(TEAMS, key=lambda team: (-wins[team.tricode], team.tricode))
    return {side: [team for team in ranked if team.conference == side] for side in ("East", "West")}


def _game(
    stage: Stage, season: int, number: str, day: date, away: Team, home: Team, at: time
) -> Game:
    tip_off = datetime.combine(day, at, tzinfo=TEAMS[0].zone).astimezone(UTC)
    return Game(
        season=season, stage=stage, number=number, day=day, away=away, home=home, tip_off=tip_off
    )


def _knock_out(regular: Sequence[Game], season: int, seed: int) -> list[Game]:
    """Play-in from Tuesday to Friday, then four rounds of best of seven from Saturday on."""
    table = standings(regular, seed)
    games: list[Game] = []
    seeded: dict[str, list[Team]] = {}
    tuesday = last_regular_day(season) + timedelta(days=2)
    for turn, (side, ranked) in enumerate(table.items()):
        at = time(19, 30) if side == "East" else time(22)
        numbers = (f"001{2 * turn}1", f"001{2 * turn + 1}1", f"002{turn}1")
        seventh = _game(Stage.PLAY_IN, season, numbers[0], tuesday, ranked[7], ranked[6], at)
        ninth = _game(
            Stage.PLAY_IN, season, numbers[1], tuesday + timedelta(days=1), ranked[9], ranked[8], at
        )
        winner, survivor = _winner(seventh, seed), _winner(ninth, seed)
        loser = seventh.away if winner == seventh.home else seventh.home
        eighth = _game(
            Stage.PLAY_IN, season, numbers[2], tuesday + timedelta(days=3), survivor, loser, at
        )
        games += [seventh, ninth, eighth]
        seeded[side] = [*ranked[:6], winner, _winner(eighth, seed)]

    saturday = tuesday + timedelta(days=4)
    champions: list[Team] = []
    pairs = {
        side: [(t[0], t[7]), (t[3], t[4]), (t[2], t[5]), (t[1], t[6])] for side, t in seeded.items()
    }
    rank = {team.tricode: place for teams in seeded.values() for place, team in enumerate(teams)}
    # Three rounds in each conference; the winners of two neighbouring series meet.
    for round_number in (1, 2, 3):
        # The East plays first in the evening, the series start in turns.
        for turn, side in enumerate(("East", "West")):
            through: list[Team] = []
            for n, (better, worse) in enumerate(pairs[side]):
                series = n + turn * len(pairs[side])
                start = saturday + timedelta(days=_ROUND_STARTS[round_number - 1] + (n + turn) % 2)
                at = time(19) if side == "East" else time(21, 30)
                through.append(
                    _series(
                        games, season, seed, f"00{round_number}{series}", start, better, worse, at
                    )
                )
            meetings = zip(through[::2], through[1::2], strict=False)
            pairs[side] = [
                (a, b) if rank[a.tricode] < rank[b.tricode] else (b, a) for a, b in meetings
            ]
            if round_number == 3:
                champions += through
    finals = saturday + timedelta(days=_ROUND_STARTS[3])
    _series(games, season, seed, "0040", finals, champions[0], champions[1], time(20))
    return games


def _series(
    games: list[Game],
    season: int,
    seed: int,
    prefix: str,
    start: date,
    better: Team,
    worse: Team,
    at: time,
) -> Team:
    """Appends the games of one series until somebody has four wins; that team."""
    spread = _FINALS_DAYS if prefix[2] == "4" else _SERIES_DAYS
    wins: Counter[str] = Counter()
    for n, (days, better_hosts) in enumerate(zip(spread, _FIRST_HOSTS, strict=True), start=1):
        home, away = (better, worse) if better_hosts else (worse, better)
        game = _game(
            Stage.PLAYOFFS, season, f"{prefix}{n}", start + timedelta(days=days), away, home, at
        )
        games.append(game)
        winner = _winner(game, seed)
        wins[winner.tricode] += 1
        if wins[winner.tricode] == 4:
            return winner
    raise AssertionError("seven games without a winner of four")
