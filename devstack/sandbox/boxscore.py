"""The numbers of one game: points per period, then a line per player that adds up to them. Pure and
cheap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random

from devstack.sandbox.rosters import Player, rosters
from devstack.sandbox.schedule import Game

# More than there are periods: play by play can then fill every period to the point (see plays.py).
_MIN_FREE_THROWS = 9


@dataclass(frozen=True, kw_only=True)
class Score:
    """Points per period, overtimes included; never a draw."""

    home: tuple[int, ...]
    away: tuple[int, ...]

    @property
    def home_points(self) -> int:
        """The home team's final score."""
        return sum(self.home)

    @property
    def away_points(self) -> int:
        """The visitors' final score."""
        return sum(self.away)

    @property
    def periods(self) -> int:
        """4, or more after overtime."""
        return len(self.home)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One player's game. Minutes are whole; a player who stayed on the bench has zeros
    everywhere."""

    player: Player
    minutes: int = 0
    fgm: int = 0
    fga: int = 0
    fg3m: int = 0
    fg3a: int = 0
    ftm: int = 0
    fta: int = 0
    oreb: int = 0
    dreb: int = 0
    ast: int = 0
    stl: int = 0
    blk: int = 0
    turnover: int = 0
    pf: int = 0
    plus_minus: int = 0

    @property
    def pts(self) -> int:
        """Points, made of the shots."""
        return 2 * self.fgm + self.fg3m + self.ftm

    @property
    def reb(self) -> int:
        """All rebounds."""
        return self.oreb + self.dreb

    @property
    def played(self) -> bool:
        """False for a player who was listed and did not enter the game."""
        return self.minutes > 0


@dataclass(frozen=True, kw_only=True)
class BoxScore:
    """A final game."""

    game: Game
    score: Score
    home: tuple[Line, ...]
    away: tuple[Line, ...]


@lru_cache(maxsize=64)
def strength(seed: int, season: int, tricode: str) -> float:
    """Points by which the team is better than the average of its season."""
    return Random(f"strength {seed} {season} {tricode}").gauss(0, 4)


@lru_cache(maxsize=4096)
def score(game: Game, seed: int) -> Score:
    """The score of a game once it is over."""
    rng = Random(f"score {seed} {game.nba_id}")
    edge = strength(seed, game.season, game.home.tricode) - strength(
        seed, game.season, game.away.tricode
    )
    edge += 0 if game.neutral else 2.5
    home = [max(12, round(rng.gauss(28.6 + edge / 8, 4.6))) for _ in range(4)]
    away = [max(12, round(rng.gauss(28.6 - edge / 8, 4.6))) for _ in range(4)]
    while sum(home) == sum(away):
        overtimes = len(home) - 3
        home.append(rng.randint(5, 16))
        # After three overtimes somebody wins: Ball Don't Lie has columns for three.
        away.append(rng.randint(5, 16) if overtimes < 3 else home[-1] - 1 - rng.randrange(3))
    return Score(home=tuple(home), away=tuple(away))


def _split(total: int, weights: Sequence[float]) -> list[int]:
    """``total`` in whole parts, proportional to the weights, largest remainders first."""
    scale = total / sum(weights)
    parts = [int(weight * scale) for weight in weights]
    order = sorted(range(len(weights)), key=lambda n: weights[n] * scale - parts[n], reverse=True)
    for n in order[: total - sum(parts)]:
        parts[n] += 1
    return parts


def _minutes(weights: Sequence[float], periods: int) -> list[int]:
    """Five players' worth of minutes; nobody plays longer than all but six minutes of the game."""
    length = 48 + 5 * (periods - 4)
    minutes = _split(5 * length, weights)
    while max(minutes) > length - 6:
        minutes[minutes.index(max(minutes))] -= 1
        minutes[minutes.index(min(minutes))] += 1
    return minutes


def _shots(rng: Random, points: int, guard: bool) -> dict[str, int]:
    """Field goals, threes and free throws that make exactly these points, with the misses beside
    them."""
    threes = int(points * rng.uniform(0.15, 0.6 if guard else 0.4) / 3)
    rest = points - 3 * threes
    free = min(rest, round(rest * rng.uniform(0.05, 0.3)))
    if (rest - free) % 2:
        free += 1 if free < rest else -1
    twos = (rest - free) // 2
    missed_threes = threes + rng.randint(0, 3 if guard else 2)
    return {
        "fgm": threes + twos,
        "fga": threes + twos + missed_threes + rng.randint(0, 2) + twos // 2,
        "fg3m": threes,
        "fg3a": threes + missed_threes,
        "ftm": free,
        "fta": free + (rng.randint(0, 2) if free else 0),
    }


def _team(
    rng: Random, players: Sequence[Player], points: int, margin: int, periods: int
) -> tuple[Line, ...]:
    bench = {n for n in range(8, len(players)) if rng.random() < 0.45}
    if rng.random() < 0.35:  # one of the regulars rests
        bench.add(rng.randrange(5))
    active = [n for n in range(len(players)) if n not in bench]
    weight = {n: (players[n].share + 0.02) * rng.uniform(0.75, 1.25) for n in active}
    minutes = dict(zip(active, _minutes([weight[n] + 0.2 for n in active], periods), strict=True))
    scored = dict(
        zip(
            active, _split(points, [weight[n] * rng.uniform(0.5, 1.5) for n in active]), strict=True
        )
    )
    # Five players are on the court at any time, so the team's plus-minus adds up to five times the
    # margin.
    raw = [round(margin * minutes[n] / (48 + 5 * (periods - 4)) + rng.gauss(0, 5)) for n in active]
    missing = 5 * margin - sum(raw)
    raw = [value + missing // len(raw) + int(n < missing % len(raw)) for n, value in enumerate(raw)]
    plus_minus = dict(zip(active, raw, strict=True))
    lines: list[Line] = []
    # What busy, tall players and guards do more often than others.
    for n, player in enumerate(players):
        if n not in minutes:
            lines.append(Line(player=player))
            continue
        busy, guard = minutes[n] / 36, player.position.startswith("G")
        tall = 1 + int(not guard) + int("C" in player.position)
        lines.append(
            Line(
                player=player,
                minutes=minutes[n],
                **_shots(rng, scored[n], guard),
                oreb=int(rng.random() * 2.2 * tall * busy),
                dreb=int(rng.random() * 7 * tall * busy),
                ast=int(rng.random() * (10 if guard else 5) * busy),
                stl=int(rng.random() * 2.6 * busy),
                blk=int(rng.random() * 1.2 * tall * busy),
                turnover=int(rng.random() * 4.5 * busy),
                pf=min(6, int(rng.random() * 5.5 * busy)),
                plus_minus=plus_minus[n],
            )
        )
    return tuple(_with_free_throws(lines))


def _with_free_throws(lines: list[Line]) -> list[Line]:
    """The same points with at least nine free throws: a two becomes two free throws where there are
    too few."""
    n = 0
    while sum(line.ftm for line in lines) < _MIN_FREE_THROWS:
        line = lines[n % len(lines)]
        if line.fgm > line.fg3m:
            fewer = {
                "fgm": line.fgm - 1,
                "fga": line.fga - 1,
                "ftm": line.ftm + 2,
                "fta": line.fta + 2,
            }
            lines[n % len(lines)] = replace(line, **fewer)
        n += 1
    return lines


@lru_cache(maxsize=1024)
def box_score(game: Game, seed: int) -> BoxScore:
    """Every listed player of both teams; points add up to the score, team by team."""
    final, league = score(game, seed), rosters(seed)
    rng = Random(f"box {seed} {game.nba_id}")
    margin = final.home_points - final.away_points
    return BoxScore(
        game=game,
        score=final,
        home=_team(rng, league[game.home.tricode], final.home_points, margin, final.periods),
        away=_team(rng, league[game.away.tricode], final.away_points, -margin, final.periods),
    )
