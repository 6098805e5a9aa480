from __future__ import annotations

from collections import Counter

from devstack.sandbox.league import League
from devstack.sandbox.plays import Kind, plays
from devstack.sandbox.schedule import Game

LEAGUE = League(seed=1)
_ALONE = {Kind.PERIOD_START, Kind.PERIOD_END, Kind.GAME_END, Kind.SUBSTITUTION, Kind.JUMP_BALL}


def _games() -> list[Game]:
    games = LEAGUE.season(2024)
    overtime = next(game for game in games if LEAGUE.score(game).periods > 4)
    return [*games[200:230], overtime, games[-1]]


def test_every_period_and_every_player_has_the_points_of_the_box_score() -> None:
    for game in _games():
        box = LEAGUE.box_score(game)
        told = plays(game, 1)
        by_period: Counter[tuple[str, int]] = Counter()
        by_player: Counter[str] = Counter()
        for play in told:
            if play.points and play.team and play.player:
                by_period[play.team.tricode, play.period] += play.points
                by_player[play.player.name] += play.points
        for team, periods in ((game.home, box.score.home), (game.away, box.score.away)):
            assert tuple(by_period[team.tricode, n] for n in range(1, len(periods) + 1)) == periods
        assert {line.player.name: line.pts for line in box.home + box.away if line.pts} == dict(
            by_player
        )
        assert (told[-1].kind, told[-1].home_score, told[-1].away_score) == (
            Kind.GAME_END,
            box.score.home_points,
            box.score.away_points,
        )


def test_whoever_does_something_is_among_five_players_on_the_court() -> None:
    for game in _games():
        for play in plays(game, 1):
            five = play.home_five if play.team is game.home else play.away_five
            assert len({*play.home_five, *play.away_five}) == 10
            assert play.player is None or play.kind in _ALONE or play.player in five


def test_the_clock_runs_down_in_every_period() -> None:
    for game in _games():
        clocks = [(play.period, -play.clock) for play in plays(game, 1)]
        assert clocks == sorted(clocks)


def test_nobody_has_more_rebounds_assists_steals_or_blocks_than_in_the_box_score() -> None:
    game = LEAGUE.season(2024)[200]
    rebounds = Counter(
        play.player for play in plays(game, 1) if play.kind is Kind.REBOUND and play.player
    )
    assists = Counter(play.other for play in plays(game, 1) if play.made and play.other)
    box = LEAGUE.box_score(game)
    for line in box.home + box.away:
        assert rebounds[line.player] <= line.reb
        assert assists[line.player] <= line.ast
