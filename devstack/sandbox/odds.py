"""The Odds API v4, historical: events, odds of one event and featured odds, with what each answer
costs."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from hashlib import md5
from typing import Any

from devstack.sandbox.exchange import Answer, Call, Upstream
from devstack.sandbox.league import League, is_final, is_known
from devstack.sandbox.odds_lines import (
    FEATURED,
    bookmakers,
    offers,
    respell,
)
from devstack.sandbox.schedule import Game
from include.partition import eastern_day
from include.sources.odds_api import PLAYER_MARKETS, REGIONS

Json = dict[str, Any]

_SPORT = "basketball_nba"
_HISTORICAL = re.compile(r"/v4/historical/sports/(\w+)/(events|odds|events/(\w+)/odds)/?")
_PLAYER_MARKETS_SINCE = datetime(2023, 5, 3, 5, 30, tzinfo=UTC)
_FIVE_MINUTES_SINCE = datetime(2022, 9, 18, tzinfo=UTC)
# Snapshots are stamped this long after the minute of the grid: asked at 12:00:00, the answer is of
# 11:55:38.
_STAMPED = timedelta(seconds=38)
_LISTED_BEFORE = timedelta(hours=40)
# A game starts about this long after the tip-off that the league announces.
_COMMENCES_AFTER = timedelta(minutes=10)
_DETAILS = "https://the-odds-api.com/liveapi/guides/v4/api-error-codes.html#"


class _Refused(Exception):
    """A request that is answered with an error code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.answer = error(status, code, message)


@dataclass(frozen=True)
class OddsApi(Upstream):
    """The key is a query parameter; 401 means three things that only ``error_code`` tells apart."""

    source: str = "the_odds_api"

    def endpoint(self, call: Call) -> str:
        """``events``, ``event_odds``, ``odds`` or ``sports``."""
        if call.path.rstrip("/") == "/v4/sports":
            return "sports"
        found = _HISTORICAL.fullmatch(call.path)
        if not found:
            return ""
        return "event_odds" if found[3] else found[2]

    def day(self, call: Call, league: League) -> date | None:
        """The event's game date; for lists the US/Eastern date of the ``date`` asked for."""
        try:
            snapshot = _snapshot(call)
        except _Refused:
            return None
        found = _HISTORICAL.fullmatch(call.path)
        if found and found[3] and (game := _by_event_id(found[3], league, snapshot)):
            return game.day
        return eastern_day(datetime.fromisoformat(call.param("date")))

    def refuse(self, kind: str) -> Answer:
        """Every refusal has an ``error_code``."""
        match kind:
            case "rate_limited":
                return error(
                    429, "EXCEEDED_FREQ_LIMIT", "Requests are made too frequently; space them out"
                )
            case "out_of_credits":
                return error(401, "OUT_OF_USAGE_CREDITS", "Usage quota has been reached")
            case "wrong_tier":
                message = "Historical odds are only available on paid usage plans"
                return error(401, "HISTORICAL_UNAVAILABLE_ON_FREE_USAGE_PLAN", message)
            case "down":
                return Answer(status=500, payload={"message": "Internal server error"})
        return error(401, "INVALID_KEY", "API key is not valid")

    def authorise(self, call: Call, key: str) -> Answer | None:
        """``apiKey`` in the query."""
        given = call.param("apiKey")
        if not given:
            return error(401, "MISSING_KEY", "API key is missing")
        return None if given == key else self.refuse("bad_key")

    def answer(self, call: Call, league: League) -> Answer:
        """404 for another sport or path; see the provider's error codes for the rest."""
        endpoint = self.endpoint(call)
        if endpoint == "sports":
            return Answer(payload=[_SPORT_ROW])
        found = _HISTORICAL.fullmatch(call.path)
        if not found:
            return Answer(status=404, payload={"message": "Not Found"})
        try:
            if found[1] != _SPORT:
                raise _Refused(404, "UNKNOWN_SPORT", "Unknown sport")
            snapshot = _snapshot(call)
            match endpoint:
                case "events":
                    return _events(call, league, snapshot)
                case "odds":
                    return _featured(call, league, snapshot)
            return _event_odds(call, league, snapshot, found[3])
        except _Refused as refused:
            return refused.answer

    def cost(self, call: Call, answer: Answer) -> int:
        """1 for events; 10 a region and market, counted as returned for one event, as asked for in
        a list; 0 if empty.

        Every ten bookmakers count as one region.
        """
        if (
            answer.status != 200
            or not isinstance(answer.payload, dict)
            or not answer.payload["data"]
        ):
            return 0
        books, regions = call.params("bookmakers"), call.params("regions")
        times = -(-len(books) // 10) if books else len(regions)
        match self.endpoint(call):
            case "events":
                return 1
            case "odds":
                return 10 * times * len(call.params("markets") or ["h2h"])
        offered = answer.payload["data"]["bookmakers"]
        return 10 * times * len({market["key"] for book in offered for market in book["markets"]})

    def bend(self, kind: str, call: Call, answer: Answer, day: date | None) -> Answer:
        """Faults in what a 200 says. A postponed or unplayed game stays listed, as it does in the
        wild."""
        if answer.status != 200 or not isinstance(answer.payload, dict):
            return answer
        payload = deepcopy(answer.payload)
        events: list[Json] = (
            payload["data"] if isinstance(payload["data"], list) else [payload["data"]]
        )
        if self.endpoint(call) == "event_odds":
            if kind == "absent":
                return error(404, "EVENT_NOT_FOUND", "Event not found at this time")
            _bend_event(kind, events[0])
        match kind:
            case "empty" | "missing_game" | "late_game" if payload["data"] is not events:
                events[0]["bookmakers"] = []
            case "empty":
                payload["data"] = []
            case "missing_game" | "late_game":
                gone = next((event for event in events if not day or _day_of(event) == day), None)
                payload["data"] = [event for event in events if event is not gone]
            case "schema_drift":
                for event in events:
                    event["start_time"] = event.pop("commence_time")
            case "corrected":
                for event in events[:1]:
                    for book in event.get("bookmakers", ())[:1]:
                        book["markets"][0]["outcomes"][0]["price"] += 1
        return replace(answer, payload=payload, text=None)


def _bend_event(kind: str, event: Json) -> None:
    match kind:
        case "another_game":
            event["id"] = event["id"][::-1]
        case "other_names":
            respell(event)


def error(status: int, code: str, message: str) -> Answer:
    """The provider's error body."""
    details = _DETAILS + code.lower().replace("_", "-")
    return Answer(
        status=status, payload={"message": message, "error_code": code, "details_url": details}
    )


_SPORT_ROW = {
    "key": _SPORT,
    "group": "Basketball",
    "title": "NBA",
    "description": "US Basketball",
    "active": True,
    "has_outrights": False,
}


def _day_of(event: Json) -> date:
    return eastern_day(datetime.fromisoformat(event["commence_time"]))


def _grid(moment: datetime) -> timedelta:
    return timedelta(minutes=5) if moment >= _FIVE_MINUTES_SINCE else timedelta(minutes=10)


def _snapshot(call: Call) -> datetime:
    """The closest snapshot at or before ``date``, and none of the future."""
    text = call.param("date")
    if not text:
        raise _Refused(422, "MISSING_HISTORICAL_TIMESTAMP", "Missing date parameter")
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text):
        raise _Refused(
            422,
            "INVALID_HISTORICAL_TIMESTAMP",
            "Invalid date parameter, use ISO 8601 as 2024-01-15T12:00:00Z",
        )
    try:
        asked = datetime.fromisoformat(text)
    except ValueError as error:
        raise _Refused(422, "INVALID_HISTORICAL_TIMESTAMP", "Invalid date parameter") from error
    asked = min(asked, call.now.replace(microsecond=0))
    epoch = datetime(2000, 1, 1, tzinfo=UTC) + _STAMPED
    return epoch + (asked - epoch) // _grid(asked) * _grid(asked)


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _envelope(call: Call, snapshot: datetime, data: Any) -> Json:
    grid = _grid(snapshot)
    following = _iso(snapshot + grid) if snapshot + grid <= call.now else None
    return {
        "timestamp": _iso(snapshot),
        "previous_timestamp": _iso(snapshot - grid),
        "next_timestamp": following,
        "data": data,
    }


def event_id(game: Game, league: League) -> str:
    """The API's id of a game: 32 hex digits."""
    return md5(f"{league.seed} {game.nba_id}".encode(), usedforsecurity=False).hexdigest()


def _between(call: Call, league: League, snapshot: datetime) -> list[Game]:
    """The listed games, narrowed by ``commenceTimeFrom`` and ``commenceTimeTo`` where they are
    given."""
    first, last = call.param("commenceTimeFrom"), call.param("commenceTimeTo")
    starts = [(game, _iso(game.tip_off + _COMMENCES_AFTER)) for game in _listed(league, snapshot)]
    return [game for game, start in starts if first <= start and (not last or start <= last)]


def _listed(league: League, snapshot: datetime) -> list[Game]:
    """Games in play and those of the next forty hours."""
    today = eastern_day(snapshot)
    games = [game for n in range(-1, 3) for game in league.games_on(today + timedelta(days=n))]
    return [
        game
        for game in games
        if game.tip_off - _LISTED_BEFORE <= snapshot
        and not is_final(game, snapshot)
        and is_known(game, snapshot)
    ]


def _by_event_id(wanted: str, league: League, snapshot: datetime) -> Game | None:
    return next(
        (game for game in _listed(league, snapshot) if event_id(game, league) == wanted), None
    )


def _event(game: Game, league: League) -> Json:
    return {
        "id": event_id(game, league),
        "sport_key": _SPORT,
        "sport_title": "NBA",
        "commence_time": _iso(game.tip_off + _COMMENCES_AFTER),
        "home_team": game.home.odds_name,
        "away_team": game.away.odds_name,
    }


def _events(call: Call, league: League, snapshot: datetime) -> Answer:
    data = [_event(game, league) for game in _between(call, league, snapshot)]
    return Answer(payload=_envelope(call, snapshot, data))


def _wanted(call: Call, known: tuple[str, ...]) -> tuple[list[str], list[str], list[str]]:
    """Markets, bookmakers and regions that are asked for."""
    markets, books, regions = (
        call.params("markets") or ["h2h"],
        call.params("bookmakers"),
        call.params("regions"),
    )
    if unknown := [market for market in markets if market not in known]:
        raise _Refused(422, "INVALID_MARKET", f"Invalid markets: {', '.join(unknown)}")
    if not books and not regions:
        raise _Refused(422, "MISSING_REGION", "Missing regions parameter")
    if not books and (strange := sorted(set(regions) - {*REGIONS})):
        raise _Refused(422, "INVALID_REGION", f"Invalid regions: {', '.join(strange)}")
    return markets, books, regions


def _featured(call: Call, league: League, snapshot: datetime) -> Answer:
    markets, keys, regions = _wanted(call, FEATURED)
    american, books = call.param("oddsFormat") == "american", bookmakers(keys, regions)
    data = [
        {
            **_event(game, league),
            "bookmakers": offers(game, league, books, markets, snapshot, american),
        }
        for game in _between(call, league, snapshot)
    ]
    return Answer(payload=_envelope(call, snapshot, data))


def _event_odds(call: Call, league: League, snapshot: datetime, wanted: str) -> Answer:
    markets, keys, regions = _wanted(call, (*FEATURED, *PLAYER_MARKETS))
    game = _by_event_id(wanted, league, snapshot)
    if game is None:
        raise _Refused(404, "EVENT_NOT_FOUND", "Event not found at this time")
    if snapshot < _PLAYER_MARKETS_SINCE:
        markets = [market for market in markets if market in FEATURED]
    american, books = call.param("oddsFormat") == "american", bookmakers(keys, regions)
    offered = offers(game, league, books, markets, snapshot, american)
    return Answer(
        payload=_envelope(call, snapshot, {**_event(game, league), "bookmakers": offered})
    )
