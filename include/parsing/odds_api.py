"""The Odds API's history: event lists into requests before tip-off, with their cost; odds into
props and lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache, partial
from math import ceil
from typing import Any

from include.errors import ErrorClass, Problem
from include.parsing.each_game import Read, each_game, games_in, rows_in
from include.parsing.fields import Record, decode, drift
from include.parsing.names import player_key, tricode
from include.partition import eastern_day
from include.sources.spec import Column, Game, GameState, Item, Listing, Row, Table

GRID = timedelta(minutes=5)
LINES = ("h2h", "spreads", "totals")
"""The featured markets, which a body about all events can have."""

_EVENT_ID = re.compile(r"[0-9A-Za-z]+", re.ASCII)

_GAME = (
    Column("game_date", "DATE", "US/Eastern date of commence_time"),
    Column("game_id", "STRING", "The Odds API's event id"),
    Column("home_tricode", "STRING"),
    Column("away_tricode", "STRING"),
)
_OFFER = (
    Column("bookmaker", "STRING", "key, as in draftkings"),
    Column("market", "STRING", "key, as in player_points or spreads"),
    Column("line", "DOUBLE", "the source's point; null where the market has none (h2h)"),
    Column("price", "DOUBLE", "in the format asked for: decimal unless the request says otherwise"),
    Column("snapshot_at", "TIMESTAMP", "when the source took the snapshot, UTC"),
    Column("commence_time", "TIMESTAMP", "tip-off as known at the snapshot, UTC"),
    Column("last_update", "TIMESTAMP", "of the market at the bookmaker, UTC"),
    Column(
        "minutes_before_tip",
        "INTEGER",
        "whole minutes left at the snapshot; negative once the game runs",
    ),
)

PLAYER_PROPS = Table(
    name="odds_api_player_props",
    doc="The Odds API: a row per game, market, bookmaker, player, side, line and snapshot.",
    columns=(
        *_GAME,
        Column("player_name", "STRING", "the source's description"),
        Column("player_key", "STRING", "folded name, equal across sources"),
        Column("side", "STRING", "Over or Under; Yes or No in markets without a line"),
        *_OFFER,
    ),
    key=("game_id", "market", "bookmaker", "player_name", "side", "line", "snapshot_at"),
)
GAME_LINES = Table(
    name="odds_api_game_lines",
    doc="The Odds API: a row per game, market, bookmaker, side, line and snapshot.",
    columns=(*_GAME, Column("side", "STRING", "Home or Away; Over or Under in totals"), *_OFFER),
    key=("game_id", "market", "bookmaker", "side", "line", "snapshot_at"),
)


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """Since when the source keeps snapshots of a kind of market (the provider's documentation)."""

    market: str
    since: datetime


_PLAYER_MARKETS = _Kept(market="player market", since=datetime(2023, 5, 3, 5, 30, tzinfo=UTC))
_FEATURED = _Kept(market="featured market", since=datetime(2020, 6, 6, tzinfo=UTC))


@dataclass(frozen=True, kw_only=True)
class _Event:
    """A game of the date, and the record that the source has of it."""

    game: Game
    commence_time: datetime
    source: Record


@dataclass(frozen=True, kw_only=True)
class _Snapshot:
    """The events of an odds body, and when the source took it, UTC."""

    taken_at: datetime
    events: Sequence[Record]


@dataclass(frozen=True, kw_only=True)
class _Offer:
    """One outcome of a market at a bookmaker; ``common`` are the columns that props and lines
    share."""

    event: _Event
    outcome: Record
    common: Mapping[str, Any]


def event_games(body: bytes, day: date) -> Iterator[Game]:
    """The date's games in an events body, which lists future days and running games too; postponed
    ones stay in it.

    ``extra`` holds ``commence_time`` (ISO, UTC). Events of other teams than the NBA's thirty
    (All-Star) are left out.
    """
    return (event.game for event in _events_of(day, _read_data(decode(body))))


def odds_cost(params: Mapping[str, str]) -> int:
    """The most credits that a request for historical odds with these parameters can cost, of one
    event or of all.

    10 for every market and region; ten bookmakers, where they are named, count as one region and
    replace the regions (the provider's documentation). Fewer are billed of one event that lacks a
    market, and none for an empty answer.
    """
    markets = max(1, _count_names(params.get("markets")))
    regions = max(1, _count_names(params.get("regions")))
    bookmakers = _count_names(params.get("bookmakers"))
    if bookmakers:
        regions = ceil(bookmakers / 10)
    return 10 * markets * regions


def _count_names(value: str | None) -> int:
    """How many names a parameter lists, separated by commas."""
    return len(list(filter(None, (value or "").split(","))))


def before_tip_off(minutes: int, markets: Sequence[str]) -> Callable[[Listing], list[Item]]:
    """Items for event odds ``minutes`` before each tip-off: one of the date's events and one of the
    markets each, in an events listing.

    Values: ``event_id``, ``market`` and ``snapshot``, an ISO time on the source's 5-minute grid and
    strictly before tip-off. Where the date's games are known, other events (postponed, preseason)
    are not asked for, since each costs credits.
    """
    return partial(_market_items, minutes=minutes, markets=markets)


def _market_items(listing: Listing, minutes: int, markets: Sequence[str]) -> list[Item]:
    kept = _FEATURED if {*markets} <= {*LINES} else _PLAYER_MARKETS
    return [
        Item(name=f"{item.name}.{market}", values={**item.values, "market": market})
        for item in _event_items(listing, minutes, kept)
        for market in markets
    ]


def before_first_tip_off(minutes: int) -> Callable[[Listing], list[Item]]:
    """One item for a date's featured odds, ``minutes`` before its first tip-off: one snapshot holds
    every game.

    Values: ``snapshot``, as in ``before_tip_off``. No games, no item.
    """
    return partial(_first_item, minutes=minutes)


def _first_item(listing: Listing, minutes: int) -> list[Item]:
    items = _event_items(listing, minutes, _FEATURED)
    if not items:
        return []
    first = min(item.values["snapshot"] for item in items)
    return [Item(name="all", values={"snapshot": first})]


def _event_items(listing: Listing, minutes: int, kept: _Kept) -> list[Item]:
    games: dict[str, Game] = {}
    for body in listing.bodies:
        games |= {game.game_id: game for game in event_games(body, listing.day)}
    return [
        _event_item(game, minutes, kept)
        for _, game in sorted(games.items())
        if _is_due(game, listing)
    ]


def _is_due(game: Game, listing: Listing) -> bool:
    if listing.expected is None:
        return True
    return game in [each for each in listing.expected if each.state is not GameState.POSTPONED]


def _event_item(game: Game, minutes: int, kept: _Kept) -> Item:
    """Raises Problem(NOT_FOUND) for a game from before such markets were kept."""
    snapshot = snapshot_before(datetime.fromisoformat(game.extra["commence_time"]), minutes)
    if snapshot < kept.since:
        raise Problem(
            error_class=ErrorClass.NOT_FOUND,
            message=(
                f"no {kept.market} is kept from before {kept.since:%Y-%m-%d}: start the range there"
            ),
            day=game.day,
        )
    values = {"event_id": game.game_id, "snapshot": f"{snapshot:%Y-%m-%dT%H:%M:%SZ}"}
    return Item(name=event_item(game), values=values)


def event_item(game: Game) -> str:
    """What the items of a game's event odds are called, before the market."""
    return f"{game.away}-{game.home}-{game.game_id}"


def snapshot_before(commence_time: datetime, minutes: int) -> datetime:
    """The last moment of the 5-minute grid that is at least ``minutes``, and never 0 seconds,
    before tip-off.

    Asked for 12:00:00Z, the source answers with the snapshot of 11:55:38Z: at or before, never
    after.
    """
    latest = commence_time - max(timedelta(minutes=minutes), timedelta(microseconds=1))
    epoch = datetime(2000, 1, 1, tzinfo=UTC)
    return epoch + (latest - epoch) // GRID * GRID


def prop_rows(body: bytes, day: date) -> Iterator[Row]:
    """One row per bookmaker, market, player, side and line of an event's odds body."""
    yield from rows_in(_read(body, day, PLAYER_PROPS, _prop_row))


def prop_games(body: bytes, day: date) -> Iterator[Game]:
    """The event's game, LISTED; with a ``problem`` where nobody offers a line or the snapshot is
    not before tip-off."""
    yield from games_in(_read(body, day, PLAYER_PROPS, _prop_row))


def line_rows(body: bytes, day: date) -> Iterator[Row]:
    """One row per bookmaker, market and side of the date's games; a featured odds body lists other
    days too."""
    yield from rows_in(_read(body, day, GAME_LINES, _line_row))


def line_games(body: bytes, day: date) -> Iterator[Game]:
    """The date's games in a featured odds body, as in ``prop_games``."""
    yield from games_in(_read(body, day, GAME_LINES, _line_row))


@lru_cache(maxsize=1)
def _read(
    body: bytes, day: date, table: Table, make_row: Callable[[_Offer], Row]
) -> Sequence[Read]:
    snapshot = _read_snapshot(body)

    def read_event(event: _Event) -> Read:
        rows = list(_without_repeats(table, map(make_row, _offers(snapshot, event))))
        return replace(event.game, problem=_find_unsound(snapshot, event, rows)), rows

    return each_game(
        (event.game, partial(read_event, event)) for event in _events_of(day, snapshot.events)
    )


def _prop_row(offer: _Offer) -> Row:
    name = offer.outcome.text("description")
    return {
        **offer.common,
        "player_name": name,
        "player_key": player_key(name),
        "side": offer.outcome.text("name"),
    }


def _line_row(offer: _Offer) -> Row:
    name, game = offer.outcome.text("name"), offer.event.game
    sides: dict[str | None, str] = {game.home: "Home", game.away: "Away"}
    return {**offer.common, "side": sides.get(tricode(name), name)}


def _without_repeats(table: Table, rows: Iterable[Row]) -> Iterator[Row]:
    """A bookmaker can list one bet twice; the first one counts."""
    seen = set()
    for row in rows:
        key = tuple(row[column] for column in table.key)
        if key not in seen:
            seen.add(key)
            yield row


def _read_snapshot(body: bytes) -> _Snapshot:
    answer = decode(body)
    return _Snapshot(taken_at=answer.moment("timestamp"), events=_read_data(answer))


def _read_data(answer: Record) -> list[Record]:
    """The events of an answer about all of them (a list) or about one (an object)."""
    if type(answer.values.get("data")) is dict:
        return [answer.child("data")]
    return answer.records("data")


def _events_of(day: date, events: Iterable[Record]) -> Iterator[_Event]:
    """The events of NBA teams whose tip-off is on the date."""
    # The id is looked at before anything is left out: it becomes a file's name.
    for event in events:
        commence_time = event.moment("commence_time")
        away, home = tricode(event.text("away_team")), tricode(event.text("home_team"))
        event_id = event.text("id")
        if not _EVENT_ID.fullmatch(event_id):
            raise drift(event.at("id"), "is not a plain id")
        if eastern_day(commence_time) != day or not away or not home:
            continue
        game = Game(
            day=day,
            away=away,
            home=home,
            state=GameState.LISTED,
            game_id=event_id,
            extra={"commence_time": commence_time.isoformat()},
        )
        yield _Event(game=game, commence_time=commence_time, source=event)


def _offers(snapshot: _Snapshot, event: _Event) -> Iterator[_Offer]:
    of_game = _game_columns(event, snapshot)
    for bookmaker in event.source.records("bookmakers"):
        for market in bookmaker.records("markets"):
            of_market = {**of_game, **_market_columns(bookmaker, market)}
            for outcome in market.records("outcomes"):
                yield _Offer(event=event, outcome=outcome, common=_with_price(of_market, outcome))


def _game_columns(event: _Event, snapshot: _Snapshot) -> dict[str, Any]:
    return {
        "game_date": event.game.day,
        "game_id": event.game.game_id,
        "home_tricode": event.game.home,
        "away_tricode": event.game.away,
        "snapshot_at": snapshot.taken_at,
        "commence_time": event.commence_time,
        "minutes_before_tip": (event.commence_time - snapshot.taken_at) // timedelta(minutes=1),
    }


def _market_columns(bookmaker: Record, market: Record) -> dict[str, Any]:
    return {
        "bookmaker": bookmaker.text("key"),
        "market": market.text("key"),
        "last_update": market.moment_or_none("last_update"),
    }


def _with_price(of_market: Mapping[str, Any], outcome: Record) -> dict[str, Any]:
    line, price = outcome.number_or_none("point"), outcome.number("price")
    return {**of_market, "line": line, "price": price}


def _find_unsound(snapshot: _Snapshot, event: _Event, rows: Sequence[Row]) -> str:
    if not rows:
        return "no bookmaker offers a line"
    if snapshot.taken_at >= event.commence_time:
        return f"snapshot of {snapshot.taken_at:%H:%M:%SZ} is not before tip-off"
    return ""
