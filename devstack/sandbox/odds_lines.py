"""Bookmakers and what they offer on a game at a moment: prices and lines that move until tip-off.
Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from devstack.sandbox.boxscore import strength
from devstack.sandbox.league import League
from devstack.sandbox.rosters import Player
from devstack.sandbox.schedule import Game

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Bookmaker:
    """One bookmaker. ``props`` is how many players of a team it offers, 0 for none."""

    key: str
    title: str
    region: str
    props: int


BOOKMAKERS: tuple[Bookmaker, ...] = tuple(
    Bookmaker(key=key, title=title, region=region, props=props)
    for key, title, region, props in (
        ("fanduel", "FanDuel", "us", 7),
        ("draftkings", "DraftKings", "us", 7),
        ("betmgm", "BetMGM", "us", 6),
        ("williamhill_us", "Caesars", "us", 7),
        ("betrivers", "BetRivers", "us", 6),
        ("fanatics", "Fanatics", "us", 3),
        ("bovada", "Bovada", "us", 4),
        ("betonlineag", "BetOnline.ag", "us", 0),
        ("lowvig", "LowVig.ag", "us", 0),
        ("mybookieag", "MyBookie.ag", "us", 0),
        ("betus", "BetUS", "us", 0),
        ("espnbet", "theScore Bet", "us2", 5),
        ("hardrockbet", "Hard Rock Bet", "us2", 5),
        ("williamhill", "William Hill", "uk", 0),
        ("ladbrokes_uk", "Ladbrokes", "uk", 0),
        ("pinnacle", "Pinnacle", "eu", 5),
        ("sportsbet", "SportsBet", "au", 4),
    )
)

FEATURED = ("h2h", "spreads", "totals")
# What a regular scores on an average night, as a multiple of his share of the points.
_PER_SHARE = {
    "player_points": 106.0,
    "player_rebounds": 38.0,
    "player_assists": 30.0,
    "player_threes": 12.0,
    "player_steals": 7.0,
    "player_blocks": 5.0,
    "player_turnovers": 14.0,
    "player_blocks_steals": 12.0,
    "player_field_goals": 40.0,
    "player_frees_made": 18.0,
    "player_frees_attempts": 23.0,
    "player_points_rebounds_assists": 174.0,
    "player_points_rebounds": 144.0,
    "player_points_assists": 136.0,
    "player_rebounds_assists": 68.0,
    "player_points_q1": 27.0,
    "player_rebounds_q1": 10.0,
    "player_assists_q1": 8.0,
}
# Markets without a line, and the chance of a regular's Yes.
_YES_OR_NO = {"player_double_double": 0.3, "player_triple_double": 0.06}
_ALTERNATE = "_alternate"
# How far the lines of an alternate market are from the main one's.
_STEPS = (-4.0, -2.0, 0.0, 2.0, 4.0)
_MOVES_EVERY = timedelta(hours=2)


def bookmakers(keys: Sequence[str], regions: Sequence[str]) -> list[Bookmaker]:
    """Those named, or those of the regions."""
    return [book for book in BOOKMAKERS if (book.key in keys if keys else book.region in regions)]


def offers(
    game: Game,
    league: League,
    books: Sequence[Bookmaker],
    markets: Sequence[str],
    snapshot: datetime,
    american: bool,
) -> list[Json]:
    """The ``bookmakers`` of one event: only those that offer one of the markets."""
    shown: list[Json] = []
    for book in books:
        listed = [_market(game, league, book, market, snapshot, american) for market in markets]
        if offered := [market for market in listed if market["outcomes"]]:
            updated = f"{snapshot - timedelta(seconds=78):%Y-%m-%dT%H:%M:%SZ}"
            shown.append(
                {"key": book.key, "title": book.title, "last_update": updated, "markets": offered}
            )
    return shown


def _market(
    game: Game, league: League, book: Bookmaker, market: str, snapshot: datetime, american: bool
) -> Json:
    # The same until the line moves: a client that asks twice sees one price, and the last move is
    # before tip-off.
    move = max(-1, (game.tip_off - snapshot) // _MOVES_EVERY)
    rng = Random(f"odds {league.seed} {game.nba_id} {book.key} {market} {move}")
    outcomes = (
        _game_outcomes(game, league, market, rng)
        if market in FEATURED
        else _props(game, league, book, market, rng)
    )
    for outcome in outcomes:
        outcome["price"] = _american(outcome["price"]) if american else outcome["price"]
    return {
        "key": market,
        "last_update": f"{snapshot - timedelta(seconds=4):%Y-%m-%dT%H:%M:%SZ}",
        "outcomes": outcomes,
    }


def _american(price: float) -> int:
    return round((price - 1) * 100) if price >= 2 else round(-100 / (price - 1))


def _pair(rng: Random, chance: float = 0.5) -> tuple[float, float]:
    """Decimal prices of two sides with about five per cent for the house."""
    chance = min(0.95, max(0.05, chance + rng.uniform(-0.02, 0.02)))
    return round(1 / (chance * 1.05), 2), round(1 / ((1 - chance) * 1.05), 2)


def _half(value: float) -> float:
    """The nearest line; one in a few is a whole number, on which a bet can be a push."""
    return round(value * 2) / 2


def _game_outcomes(game: Game, league: League, market: str, rng: Random) -> list[Json]:
    """The two sides of a featured market, priced by the teams' strength."""
    home, away = game.home.odds_name, game.away.odds_name
    edge = strength(league.seed, game.season, game.home.tricode) - strength(
        league.seed, game.season, game.away.tricode
    )
    edge += 2.5 + rng.uniform(-1, 1)
    match market:
        case "h2h":
            prices = _pair(rng, 0.5 + edge / 34)
            return [{"name": home, "price": prices[0]}, {"name": away, "price": prices[1]}]
        case "spreads":
            line, prices = _half(edge) or 0.5, _pair(rng)
            return [
                {"name": home, "price": prices[0], "point": -line},
                {"name": away, "price": prices[1], "point": line},
            ]
    line, prices = _half(228 + rng.uniform(-4, 4)), _pair(rng)
    return [
        {"name": "Over", "price": prices[0], "point": line},
        {"name": "Under", "price": prices[1], "point": line},
    ]


def _props(game: Game, league: League, book: Bookmaker, market: str, rng: Random) -> list[Json]:
    """What the bookmaker offers on the players whom it lists; nobody offers the first basket."""
    listed: list[Player] = [
        *league.roster(game.home)[: book.props],
        *league.roster(game.away)[: book.props],
    ]
    rng.shuffle(listed)
    if chance := _YES_OR_NO.get(market):
        return [each for player in listed for each in _sides(player, rng, chance, ("Yes", "No"))]
    scale = _PER_SHARE.get(market.removesuffix(_ALTERNATE), 0.0)
    steps = _STEPS if market.endswith(_ALTERNATE) else (0.0,)
    outcomes: list[Json] = []
    for player in listed:
        middle = _half(scale * player.share * rng.uniform(0.9, 1.1))
        for line in (middle + step for step in steps):
            if line >= 0.5:
                sides = _sides(player, rng, 0.5 - (line - middle) / 20, ("Over", "Under"))
                outcomes += [{**side, "point": line} for side in sides]
    return outcomes


def _sides(player: Player, rng: Random, chance: float, names: tuple[str, str]) -> list[Json]:
    """The two sides of one bet on a player."""
    prices = _pair(rng, chance)
    return [
        {"name": name, "description": player.odds_name, "price": price}
        for name, price in zip(names, prices, strict=True)
    ]


def respell(event: Json) -> None:
    """Writes the players as bookmakers may: last name first, with a bracket, turned round, with an
    initial."""
    markets = [market for book in event.get("bookmakers", ()) for market in book["markets"]]
    outcomes = [each for market in markets for each in market["outcomes"] if "description" in each]
    for number, name in enumerate(sorted({each["description"] for each in outcomes})):
        first, _, last = name.partition(" ")
        spelled = _SPELLINGS[number % len(_SPELLINGS)].format(first=first, last=last, i=first[0])
        for outcome in outcomes:
            if outcome["description"] == name:
                outcome["description"] = spelled


_SPELLINGS = ("{last}, {first}", "{first} {last} (Phi)", "{first} (2001) {last}", "{i}. {last}")
