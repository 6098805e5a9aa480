"""The upstream of devstack/templates: what a new source asks until it is changed to ask its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from devstack.sandbox.exchange import Answer, Call, Upstream, not_found
from devstack.sandbox.league import League, is_final, is_known
from devstack.sandbox.schedule import Game
from include.partition import BadDay, parse_day


@dataclass(frozen=True)
class Example(Upstream):
    """One path, ``/v1/players?date=``, the bare key in ``Authorization``."""

    source: str = "example"

    def endpoint(self, call: Call) -> str:
        """``players``; empty for an unknown path."""
        return "players" if call.path == "/v1/players" else ""

    def day(self, call: Call, league: League) -> date | None:
        """The one date that is asked for."""
        try:
            return parse_day(call.param("date"))
        except BadDay:
            return None

    def refuse(self, kind: str) -> Answer:
        """By status alone."""
        status = {"rate_limited": 429, "down": 500}.get(kind, 401)
        return Answer(status=status, payload={"error": kind})

    def authorise(self, call: Call, key: str) -> Answer | None:
        """The bare key in ``Authorization``."""
        return None if call.headers.get("authorization") == key else self.refuse("bad_key")

    def answer(self, call: Call, league: League) -> Answer:
        """The games of a date; 400 for a date that is none, 404 for an unknown path."""
        if not self.endpoint(call):
            return not_found()
        day = self.day(call, league)
        if day is None:
            return Answer(status=400, payload={"error": "date is not a date"})
        games = [game for game in league.listed_on(day) if is_known(game, call.now)]
        return Answer(payload={"games": [_write(game, league, call) for game in games]})

    def bend(self, kind: str, call: Call, answer: Answer, day: date | None) -> Answer:
        """It has no faults of its own in what a 200 says."""
        return answer


def _write(game: Game, league: League, call: Call) -> dict[str, Any]:
    """A game as tests' fixture of a new source has it; no players until it is over."""
    final = is_final(game, call.now)
    box = league.box_score(game) if final else None
    played = [line for line in (*box.away, *box.home) if line.played] if box else []
    return {
        "id": game.nba_id,
        "away": game.away.tricode,
        "home": game.home.tricode,
        "status": "final" if final else "scheduled",
        "players": [{"name": line.player.plain_name, "points": line.pts} for line in played],
    }
