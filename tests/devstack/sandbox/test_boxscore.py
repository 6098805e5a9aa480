from __future__ import annotations

from collections import Counter

from devstack.sandbox.boxscore import BoxScore
from devstack.sandbox.league import League
from devstack.sandbox.rosters import rosters
from devstack.sandbox.teams import TEAMS

LEAGUE = League(seed=1)


def _some() -> list[BoxScore]:
    return [LEAGUE.box_score(game) for game in LEAGUE.season(2024)[75:375]]


def test_points_minutes_and_plus_minus_add_up_for_every_team() -> None:
    for box in _some():
        length = 48 + 5 * (box.score.periods - 4)
        margin = box.score.home_points - box.score.away_points
        for lines, points, edge in (
            (box.home, box.score.home_points, margin),
            (box.away, box.score.away_points, -margin),
        ):
            assert sum(line.pts for line in lines) == points
            assert sum(line.minutes for line in lines) == 5 * length
            assert sum(line.plus_minus for line in lines) == 5 * edge


def test_no_line_has_more_makes_than_attempts_or_more_minutes_than_the_game() -> None:
    for box in _some():
        for line in box.home + box.away:
            assert 0 <= line.fg3m <= line.fg3a <= line.fga
            assert line.fgm - line.fg3m <= line.fga - line.fg3a
            assert 0 <= line.ftm <= line.fta
            assert 0 <= line.minutes <= 48 + 5 * (box.score.periods - 4)


def test_bench_players_are_listed_with_zeros() -> None:
    benched = [line for box in _some() for line in box.home + box.away if not line.played]
    assert len(benched) > 100
    assert {(line.pts, line.reb, line.fga, line.plus_minus) for line in benched} == {(0, 0, 0, 0)}


def test_no_game_is_drawn_and_some_go_to_overtime() -> None:
    scores = [box.score for box in _some()]
    assert all(score.home_points != score.away_points for score in scores)
    assert Counter(score.periods for score in scores).keys() >= {4, 5}


def test_rosters_hold_thirteen_to_fifteen_players_with_names_that_need_folding() -> None:
    league = rosters(1)
    players = [player for team in TEAMS for player in league[team.tricode]]
    assert {len(league[team.tricode]) for team in TEAMS} == {13, 14, 15}
    assert len({player.plain_name for player in players}) == len(players)
    assert len({player.nba_id for player in players}) == len(players)
    assert sum(not player.name.isascii() for player in players) >= 10
    assert sum(bool(player.suffix) for player in players) >= 10
    assert all(player.plain_name.isascii() for player in players)


def test_a_suffix_keeps_its_dot_everywhere_but_at_bookmakers() -> None:
    junior = next(
        player for players in rosters(1).values() for player in players if player.suffix == "Jr."
    )
    assert junior.name == f"{junior.first_name} {junior.last_name} Jr."
    assert junior.odds_name == f"{junior.first_name} {junior.last_name} Jr"
