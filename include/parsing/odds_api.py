"""The Odds API's history: event lists into requests before tip-off, with their cost; odds into
props and lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial

from include.errors import ErrorClass, Problem
from include.parsing import fields
from include.parsing.fields import Json
from include.parsing.names import player_key, tricode
from include.partition import eastern_day
from include.sources.spec import Column, Game, GameState, Item, Listing, Row, Table

# The provider's documentation: before it, historical bodies hold no player market.
PLAYER_MARKETS_SINCE = datetime(2023, 5, 3, 5, 30, tzinfo=UTC)
GRID = timedelta(minutes=5)

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
    columns=(*_GAME, Column("side", "STRING", "Home or Away; Over or Under in totals"), *_OFFER),
    key=("game_id", "market", "bookmaker", "side", "line", "snapshot_at"),
)


@dataclass(frozen=True, kw_only=True)
class _Event:
    game: Game
    commence_time: datetime
    source: Json
    path: str


def event_games(body: bytes, day: date) -> Iterator[Game]:
    """The date's games in an events body, which lists future days and running games too; postponed
    ones stay in it.

    ``extra`` holds ``commence_time`` (ISO, UTC). Events of other teams than the NBA's thirty
    (All-Star) are left out.
    """
    return (event.game for event in _events(_data(fields.decoded(body)), day))


def odds_cost(params: Mapping[str, str]) -> int:
    """The most credits that a request for historical odds with these parameters can cost, of one
    event or of all.

    10 for every market and region; ten bookmakers, where they are named, count as one region and
    replace the regions (the provider's documentation). Fewer are billed of one event that lacks a
    market, and none for an empty answer.
    """
    markets, regions, bookmakers = (
        _listed(params.get(name, "")) for name in ("markets", "regions", "bookmakers")
    )
    return 10 * max(1, markets) * (-(-bookmakers // 10) or max(1, regions))


def _listed(value: str) -> int:
    return sum(bool(part) for part in value.split(","))


def before_tip_off(minutes: int) -> Callable[[Listing], list[Item]]:
    """Items for event odds ``minutes`` before each tip-off: one of the date's events each, in an
    events listing.

    Values: ``event_id`` and ``snapshot``, an ISO time on the source's 5-minute grid and strictly
    before tip-off. Where the date's games are known, other events (postponed, preseason) are not
    asked for, since each costs credits.
    """
    return partial(_event_items, minutes=minutes)


def before_first_tip_off(minutes: int) -> Callable[[Listing], list[Item]]:
    """One item for a date's featured odds, ``minutes`` before its first tip-off: one snapshot holds
    every game.

    Values: ``snapshot``, as in ``before_tip_off``. No games, no item.
    """
    return partial(_first_item, minutes=minutes)


def _first_item(listing: Listing, minutes: int) -> list[Item]:
    each = [item.values["snapshot"] for item in _event_items(listing, minutes)]
    return [Item(name="all", values={"snapshot": min(each)})] if each else []


def _event_items(listing: Listing, minutes: int) -> list[Item]:
    games = {
        game.game_id: game for body in listing.bodies for game in event_games(body, listing.day)
    }
    due = None
    if listing.expected is not None:
        due = {game for game in listing.expected if game.state is not GameState.POSTPONED}
    items = []
    for event_id, game in sorted(games.items()):
        if due is not None and game not in due:
            continue
        snapshot = snapshot_before(datetime.fromisoformat(game.extra["commence_time"]), minutes)
        if snapshot < PLAYER_MARKETS_SINCE:
            raise Problem(
                error_class=ErrorClass.NOT_FOUND,
                message=(
                    f"no player market is kept from before {PLAYER_MARKETS_SINCE:%Y-%m-%d}: start"
                    " the range there"
                ),
                day=listing.day,
            )
        values = {"event_id": event_id, "snapshot": f"{snapshot:%Y-%m-%dT%H:%M:%SZ}"}
        items.append(Item(name=f"{game.away}-{game.home}-{event_id}", values=values))
    return items


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
    return _prop_rows(_envelope(body), day)


def prop_games(body: bytes, day: date) -> Iterator[Game]:
    """The event's game, LISTED; with a ``problem`` where nobody offers a line or the snapshot is
    not before tip-off."""
    envelope = _envelope(body)
    return _offered(envelope, day, _prop_rows(envelope, day))


def line_rows(body: bytes, day: date) -> Iterator[Row]:
    """One row per bookmaker, market and side of the date's games; a featured odds body lists other
    days too."""
    return _line_rows(_envelope(body), day)


def line_games(body: bytes, day: date) -> Iterator[Game]:
    """The date's games in a featured odds body, as in ``prop_games``."""
    envelope = _envelope(body)
    return _offered(envelope, day, _line_rows(envelope, day))


def _prop_rows(envelope: _Envelope, day: date) -> Iterator[Row]:
    seen = set()
    for common, outcome, at, _ in _outcomes(envelope, day):
        name = fields.text(outcome, "description", at)
        row = {
            **common,
            "player_name": name,
            "player_key": player_key(name),
            "side": fields.text(outcome, "name", at),
        }
        key = tuple(row[column] for column in PLAYER_PROPS.key)
        # A bookmaker can list one bet twice; the first one counts.
        if key not in seen:
            seen.add(key)
            yield row


def _line_rows(envelope: _Envelope, day: date) -> Iterator[Row]:
    seen = set()
    for common, outcome, at, game in _outcomes(envelope, day):
        name = fields.text(outcome, "name", at)
        team = tricode(name)
        row = {**common, "side": {game.home: "Home", game.away: "Away"}.get(team or "", name)}
        key = tuple(row[column] for column in GAME_LINES.key)
        if key not in seen:
            seen.add(key)
            yield row


@dataclass(frozen=True, kw_only=True)
class _Envelope:
    snapshot_at: datetime
    data: Sequence[tuple[Json, str]]


def _envelope(body: bytes) -> _Envelope:
    envelope = fields.decoded(body)
    said = fields.text(envelope, "timestamp", "")
    return _Envelope(snapshot_at=fields.moment(said, "timestamp"), data=_data(envelope))


def _data(envelope: Json) -> list[tuple[Json, str]]:
    """The events of an answer about all of them (a list) or about one (an object)."""
    if type(envelope.get("data")) is dict:
        return [(envelope["data"], "data")]
    return fields.records(envelope, "data")


def _events(data: Iterable[tuple[Json, str]], day: date) -> Iterator[_Event]:
    for event, at in data:
        commence_time = fields.moment(
            fields.text(event, "commence_time", at), f"{at}.commence_time"
        )
        teams = [tricode(fields.text(event, key, at)) for key in ("away_team", "home_team")]
        event_id = fields.text(event, "id", at)
        if not _EVENT_ID.fullmatch(event_id):
            raise fields.wrong(f"{at}.id", "is no plain id")
        if eastern_day(commence_time) == day and None not in teams:
            away, home = (team or "" for team in teams)
            game = Game(
                day=day,
                away=away,
                home=home,
                state=GameState.LISTED,
                game_id=event_id,
                extra={"commence_time": commence_time.isoformat()},
            )
            yield _Event(game=game, commence_time=commence_time, source=event, path=at)


def _outcomes(
    envelope: _Envelope, day: date
) -> Iterator[tuple[dict[str, object], Json, str, Game]]:
    for event in _events(envelope.data, day):
        left = (event.commence_time - envelope.snapshot_at) // timedelta(minutes=1)
        of_game = {
            "game_date": day,
            "game_id": event.game.game_id,
            "home_tricode": event.game.home,
            "away_tricode": event.game.away,
            "snapshot_at": envelope.snapshot_at,
            "commence_time": event.commence_time,
            "minutes_before_tip": left,
        }
        for bookmaker, at_bookmaker in fields.records(event.source, "bookmakers", event.path):
            name = fields.text(bookmaker, "key", at_bookmaker)
            for market, at_market in fields.records(bookmaker, "markets", at_bookmaker):
                updated = fields.text_or_none(market, "last_update", at_market)
                of_market = {
                    **of_game,
                    "bookmaker": name,
                    "market": fields.text(market, "key", at_market),
                    "last_update": (
                        None
                        if updated is None
                        else fields.moment(updated, f"{at_market}.last_update")
                    ),
                }
                for outcome, at in fields.records(market, "outcomes", at_market):
                    line, price = (
                        fields.number_or_none(outcome, "point", at),
                        fields.number(outcome, "price", at),
                    )
                    yield {**of_market, "line": line, "price": price}, outcome, at, event.game


def _offered(envelope: _Envelope, day: date, rows: Iterable[Row]) -> Iterator[Game]:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["game_id"]] = counts.get(row["game_id"], 0) + 1
    for event in _events(envelope.data, day):
        found = counts.get(event.game.game_id, 0)
        problem = "" if found else "no bookmaker offers a line"
        if found and envelope.snapshot_at >= event.commence_time:
            problem = f"snapshot of {envelope.snapshot_at:%H:%M:%SZ} is not before tip-off"
        yield Game(
            day=day,
            away=event.game.away,
            home=event.game.home,
            state=GameState.LISTED,
            game_id=event.game.game_id,
            rows=found,
            problem=problem,
            extra=event.game.extra,
        )
