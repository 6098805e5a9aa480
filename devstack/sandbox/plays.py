"""Play by play of one game, in nobody's format: from its box score, so that periods and points
agree to the point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from random import Random

from devstack.sandbox.boxscore import Line, box_score
from devstack.sandbox.rosters import Player
from devstack.sandbox.schedule import Game
from devstack.sandbox.teams import Team


class Kind(StrEnum):
    """What happened."""

    PERIOD_START = "period start"
    JUMP_BALL = "jump ball"
    TWO = "two"
    THREE = "three"
    FREE_THROW = "free throw"
    REBOUND = "rebound"
    TURNOVER = "turnover"
    FOUL = "foul"
    SUBSTITUTION = "substitution"
    PERIOD_END = "period end"
    GAME_END = "game end"


WORTH = {Kind.TWO: 2, Kind.THREE: 3, Kind.FREE_THROW: 1}


@dataclass(frozen=True, kw_only=True)
class Play:
    """One play. ``clock`` is what is left of the period in seconds; the scores are those after the
    play.

    ``other`` assists a made shot, blocks a missed one, steals a lost ball, leaves in a substitution
    or loses the jump. ``number`` of ``out_of`` counts free throws; ``offensive`` tells rebounds
    apart; ``distance`` is in feet.
    """

    kind: Kind
    period: int
    clock: int
    home_score: int
    away_score: int
    away_five: tuple[Player, ...]
    home_five: tuple[Player, ...]
    team: Team | None = None
    player: Player | None = None
    other: Player | None = None
    made: bool = False
    number: int = 0
    out_of: int = 0
    offensive: bool = False
    distance: int = 0

    @property
    def points(self) -> int:
        """What the play adds to the team's score."""
        return WORTH.get(self.kind, 0) if self.made else 0


@dataclass(frozen=True, kw_only=True)
class _Act:
    """A box score entry that has been given a period and a time; rebounds and other company come
    later."""

    kind: Kind
    clock: int
    turn: int
    player: Player
    made: bool = False
    number: int = 0
    out_of: int = 0
    leaves: Player | None = None


def length(period: int) -> int:
    """Seconds of a period."""
    return 720 if period <= 4 else 300


@lru_cache(maxsize=64)
def plays(game: Game, seed: int) -> tuple[Play, ...]:
    """The plays of a final game in order; about 450. Points per player, team and period are the box
    score's."""
    box = box_score(game, seed)
    rng = Random(f"plays {seed} {game.nba_id}")
    home, away = _Side(rng, box.home, box.score.home), _Side(rng, box.away, box.score.away)
    return tuple(_told(rng, game, home, away, box.score.periods))


class _Side:
    """One team's acts by period, and what is left of its rebounds, assists, steals and blocks."""

    def __init__(self, rng: Random, lines: Sequence[Line], by_period: Sequence[int]) -> None:
        self.active = [
            line.player for line in sorted(lines, key=lambda line: -line.minutes) if line.played
        ]
        self.left = {
            what: Counter({line.player: getattr(line, what) for line in lines})
            for what in ("oreb", "dreb", "ast", "stl", "blk")
        }
        self.fives: list[list[tuple[Player, ...]]] = []
        self.acts: list[list[_Act]] = []
        for period, entries in enumerate(_dealt(rng, lines, by_period), start=1):
            fives = self._lineups({player for _, player, _ in entries}, period)
            self.fives.append(fives)
            self.acts.append(_timed(rng, entries, fives, length(period)))

    def _lineups(self, involved: set[Player], period: int) -> list[tuple[Player, ...]]:
        """Fives that follow each other in a period and cover everybody who does something in it."""
        order = [player for player in self.active if player in involved]
        if period % 2 == 0:
            order.reverse()
        fives = [order[n : n + 5] for n in range(0, len(order), 5)] or [[]]
        for five in fives:
            five += [player for player in self.active if player not in five][: 5 - len(five)]
        return [tuple(five) for five in fives]

    def takes(
        self, rng: Random, what: str, five: Sequence[Player], but: Player | None = None
    ) -> Player | None:
        """One of the five who has that left in his box score, or None."""
        able = [player for player in five if player != but and self.left[what][player] > 0]
        if not able:
            return None
        player = able[rng.randrange(len(able))]
        self.left[what][player] -= 1
        return player


_Entry = tuple[Kind, Player, bool]


def _dealt(rng: Random, lines: Sequence[Line], by_period: Sequence[int]) -> list[list[_Entry]]:
    """Every shot, turnover and foul in a period, so that each period's makes are exactly its
    points.

    Threes first, then twos, then free throws: there are always more free throws than periods, so it
    comes out even.
    """
    entries: list[list[_Entry]] = [[] for _ in by_period]
    room = list(by_period)
    made = [
        (kind, line.player)
        for kind, count in (
            (Kind.THREE, lambda line: line.fg3m),
            (Kind.TWO, lambda line: line.fgm - line.fg3m),
            (Kind.FREE_THROW, lambda line: line.ftm),
        )
        for line in lines
        for _ in range(count(line))
    ]
    for kind, player in made:
        fitting = [n for n, points in enumerate(room) if points >= WORTH[kind]]
        n = rng.choices(fitting, [room[n] for n in fitting])[0]
        room[n] -= WORTH[kind]
        entries[n].append((kind, player, True))
    for line in lines:
        others = [Kind.THREE] * (line.fg3a - line.fg3m) + [Kind.FREE_THROW] * (line.fta - line.ftm)
        others += [Kind.TWO] * (line.fga - line.fg3a - line.fgm + line.fg3m)
        others += [Kind.TURNOVER] * line.turnover + [Kind.FOUL] * line.pf
        for kind in others:
            n = rng.choices(
                range(len(by_period)), [length(p) for p in range(1, len(by_period) + 1)]
            )[0]
            entries[n].append((kind, line.player, False))
    return entries


def _timed(
    rng: Random, entries: Sequence[_Entry], fives: Sequence[tuple[Player, ...]], seconds: int
) -> list[_Act]:
    """The entries at times when their player is on the court, with the substitutions between the
    fives."""
    acts: list[_Act] = []
    slices = [
        (seconds - seconds * n // len(fives), seconds - seconds * (n + 1) // len(fives))
        for n in range(len(fives))
    ]
    for n, (five, (start, _)) in enumerate(zip(fives, slices, strict=True)):
        if n:
            gone = [player for player in fives[n - 1] if player not in five]
            come = [player for player in five if player not in fives[n - 1]]
            acts += [
                _Act(kind=Kind.SUBSTITUTION, clock=start, turn=-1, player=enters, leaves=leaves)
                for enters, leaves in zip(come, gone, strict=True)
            ]

    def moment(player: Player) -> int:
        start, end = rng.choice(
            [at for at, five in zip(slices, fives, strict=True) if player in five]
        )
        return rng.randrange(end + 1, start)

    throws: dict[Player, list[bool]] = {}
    for turn, (kind, player, made) in enumerate(entries):
        if kind is Kind.FREE_THROW:
            throws.setdefault(player, []).append(made)
        else:
            acts.append(_Act(kind=kind, clock=moment(player), turn=turn, player=player, made=made))
    for turn, (player, results) in enumerate(throws.items(), start=len(entries)):
        rng.shuffle(results)
        for trip in (results[n : n + 2] for n in range(0, len(results), 2)):
            clock = moment(player)
            acts += [
                _Act(
                    kind=Kind.FREE_THROW,
                    clock=clock,
                    turn=turn,
                    player=player,
                    made=made,
                    number=number,
                    out_of=len(trip),
                )
                for number, made in enumerate(trip, start=1)
            ]
    return acts


def _distance(rng: Random, kind: Kind) -> int:
    """Feet of a shot; 0 for what is not one."""
    if kind is Kind.THREE:
        return rng.randint(23, 29)
    return rng.randint(1, 20) if kind is Kind.TWO else 0


def _told(rng: Random, game: Game, home: _Side, away: _Side, periods: int) -> Iterator[Play]:
    """The game's plays in order, with the score and the ten players on court after each."""
    scores = {"home_score": 0, "away_score": 0}
    # Start, jump ball in the first, what both sides did by the clock, end.
    for period in range(1, periods + 1):
        on_court = {True: home.fives[period - 1][0], False: away.fives[period - 1][0]}

        def play(
            kind: Kind, clock: int, period: int = period, on_court: dict = on_court, **more: object
        ) -> Play:
            return Play(
                kind=kind,
                period=period,
                clock=clock,
                away_five=on_court[False],
                home_five=on_court[True],
                **scores,
                **more,
            )

        yield play(Kind.PERIOD_START, length(period))
        if period == 1:
            tall = {
                is_home: max(five, key=lambda p: (p.height, p.nba_id))
                for is_home, five in on_court.items()
            }
            yield play(
                Kind.JUMP_BALL, length(period), team=game.home, player=tall[True], other=tall[False]
            )
        acts = [(act, True) for act in home.acts[period - 1]] + [
            (act, False) for act in away.acts[period - 1]
        ]
        # What one player did, who else had a part in it, and the rebound after a miss.
        for act, is_home in sorted(acts, key=lambda each: (-each[0].clock, each[0].turn, each[1])):
            ours, theirs = (home, away) if is_home else (away, home)
            team = game.home if is_home else game.away
            if act.kind is Kind.SUBSTITUTION:
                five = tuple(
                    act.player if player == act.leaves else player for player in on_court[is_home]
                )
                on_court[is_home] = five
                yield play(
                    Kind.SUBSTITUTION, act.clock, team=team, player=act.player, other=act.leaves
                )
                continue
            shot = act.kind in (Kind.TWO, Kind.THREE)
            other: Player | None = None
            if shot and act.made and rng.random() < 0.65:
                other = ours.takes(rng, "ast", on_court[is_home], act.player)
            elif shot and not act.made and rng.random() < 0.15:
                other = theirs.takes(rng, "blk", on_court[not is_home])
            elif act.kind is Kind.TURNOVER and rng.random() < 0.6:
                other = theirs.takes(rng, "stl", on_court[not is_home])
            if act.made:
                scores["home_score" if is_home else "away_score"] += WORTH[act.kind]
            yield play(
                act.kind,
                act.clock,
                team=team,
                player=act.player,
                other=other,
                made=act.made,
                number=act.number,
                out_of=act.out_of,
                distance=_distance(rng, act.kind),
            )
            if not act.made and (
                shot or (act.kind is Kind.FREE_THROW and act.number == act.out_of)
            ):
                offensive = rng.random() < 0.27
                side, at_home = (ours, is_home) if offensive else (theirs, not is_home)
                rebounder = side.takes(rng, "oreb" if offensive else "dreb", on_court[at_home])
                owner = game.home if at_home else game.away
                yield play(
                    Kind.REBOUND, act.clock, team=owner, player=rebounder, offensive=offensive
                )
        yield play(Kind.PERIOD_END, 0)
    yield Play(
        kind=Kind.GAME_END,
        period=periods,
        clock=0,
        away_five=away.fives[-1][-1],
        home_five=home.fives[-1][-1],
        **scores,
    )
