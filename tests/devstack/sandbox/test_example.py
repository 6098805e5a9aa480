"""The upstream of a new source: what its template's parser reads is what the league played."""

from __future__ import annotations

from datetime import UTC, date, datetime
from types import ModuleType

import pytest

from devstack.environment import ROOT
from devstack.sandbox.example import Example
from devstack.sandbox.exchange import Answer, Call
from devstack.sandbox.league import League
from include.parsing.names import player_key
from include.sources.spec import GameState

DAY = date(2025, 1, 15)
LEAGUE = League(seed=1)
AFTER, BEFORE = datetime(2025, 1, 17, tzinfo=UTC), datetime(2025, 1, 15, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def parser() -> ModuleType:
    """As `make new-source` writes it."""
    text = (ROOT / "devstack" / "templates" / "parser.py.txt").read_text()
    made = ModuleType("my_source")
    exec(compile(text.replace("$name", "my_source"), "my_source", "exec"), made.__dict__)
    return made


def ask(now: datetime, path: str = "/v1/players", day: str = str(DAY)) -> Answer:
    call = Call(path=path, query=(("date", day),), now=now)
    return Example().answer(call, LEAGUE)


def test_every_game_has_its_players_who_played_with_their_points(parser: ModuleType) -> None:
    body = ask(AFTER).body
    wanted = [
        (game.away.tricode, game.home.tricode, player_key(line.player.plain_name), line.pts)
        for game in LEAGUE.games_on(DAY)
        for lines in (LEAGUE.box_score(game).away, LEAGUE.box_score(game).home)
        for line in lines
        if line.played
    ]
    found = [
        (row["away_tricode"], row["home_tricode"], row["player_key"], row["points"])
        for row in parser.rows(body, DAY)
    ]
    assert len(wanted) > 100
    assert sorted(found) == sorted(wanted)
    assert {game.state for game in parser.games(body, DAY)} == {GameState.FINAL}


def test_a_game_that_is_not_over_has_no_players(parser: ModuleType) -> None:
    body = ask(BEFORE).body
    assert list(parser.rows(body, DAY)) == []
    assert {game.state for game in parser.games(body, DAY)} == {GameState.UNPLAYED}


def test_what_it_does_not_know_is_refused() -> None:
    key = Call(path="/v1/players", headers={"authorization": "mine"}, now=AFTER)
    statuses = [ask(AFTER, day="yesterday"), ask(AFTER, path="/v1/teams")]
    assert [answer.status for answer in statuses] == [400, 404]
    assert Example().authorise(key, "mine") is None
    assert (refused := Example().authorise(key, "other")) is not None
    assert refused.status == 401
