"""Player props and box scores into results: the last line before tip-off of each bet, and how it
came out. Every bet has a row; one that cannot be settled says why."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from operator import itemgetter
from typing import Any

from include.analytics.actual import BoxScores, Players, Teams, read_players, teams_of
from include.analytics.settle import UNTOLD, Settled, settle
from include.analytics.spec import Built, Input, Tables
from include.checks.schedule import games_in
from include.parsing.names import find_player
from include.parsing.nbacom import SCHEDULE
from include.parsing.odds_api import PLAYER_PROPS
from include.sources.spec import Column, Game, GameState, Row, Table
from include.wording import counted, number

_GAME = (
    Column("game_date", "DATE", "US/Eastern date of tip-off"),
    Column("game_id", "STRING", "The Odds API's event id"),
    Column("home_tricode", "STRING"),
    Column("away_tricode", "STRING"),
)

PLAYER_PROP_RESULTS = Table(
    dataset="analytics",
    name="player_prop_results",
    doc=(
        "How bets on players came out: a row per game, player, market, bookmaker and line, as last"
        " offered strictly before tip-off."
    ),
    columns=(
        *_GAME,
        Column("player_name", "STRING", "as the bookmaker writes it"),
        Column(
            "player_key", "STRING", "his key in the box scores; of the name where they lack him"
        ),
        Column("team_tricode", "STRING", "null where the box scores lack him"),
        Column("market", "STRING", "key, as in player_points"),
        Column("bookmaker", "STRING", "key, as in draftkings"),
        Column("line", "DOUBLE", "null in markets without one"),
        Column("price_over", "DOUBLE", "of Over, or Yes; null where it was not offered"),
        Column("price_under", "DOUBLE", "of Under, or No; null where it was not offered"),
        Column("snapshot_at", "TIMESTAMP", "when these were offered, UTC"),
        Column("commence_time", "TIMESTAMP", "tip-off as known then, UTC"),
        Column("minutes_before_tip", "INTEGER", "whole minutes from snapshot_at to commence_time"),
        Column("actual", "DOUBLE", "the market's statistic; 1 or 0 in markets of yes and no"),
        Column("result", "STRING", "over, under, push, void, yes, no; null: see why"),
        Column("why", "STRING", "why it is void, or cannot be settled; else null"),
        Column("actual_source", "STRING", "table that actual comes from"),
    ),
    key=("game_id", "market", "bookmaker", "player_name", "line"),
)

UNMATCHED_PLAYERS = Table(
    dataset="analytics",
    name="unmatched_players",
    doc="Players whom bookmakers name and the game's box score lacks: a row per game and spelling.",
    columns=(
        *_GAME,
        Column("player_name", "STRING", "as it is written"),
        Column("player_key", "STRING", "folded name"),
        Column("bookmakers", "STRING", "who writes it so, separated by commas"),
        Column(
            "candidates", "STRING", "keys in the box score that look like it, the nearest first"
        ),
        Column("actual_source", "STRING", "table that was searched"),
    ),
    key=("game_id", "player_name"),
)

_PRICES = {"Under": "price_under", "No": "price_under"}
_BET = ("game_id", "market", "bookmaker", "player_name")
_COPIED = (
    *("game_date", "game_id", "home_tricode", "away_tricode", "player_name", "market"),
    *("bookmaker", "line", "snapshot_at", "commence_time", "minutes_before_tip", "source_file"),
)
MAX_CANDIDATES = 3


@dataclass(frozen=True, kw_only=True)
class Results:
    """The rows of a date for both tables."""

    results: Sequence[Row]
    unmatched: Sequence[Row]


def inputs(source: BoxScores) -> tuple[Input, ...]:
    """What the results are made of, with this source's box scores."""
    return (
        Input(dag_id="odds_api_props", endpoint="player_props", table=PLAYER_PROPS),
        Input(dag_id=source.dag_id, endpoint=source.endpoint, table=source.table),
        Input(dag_id="nbacom_schedule", endpoint="schedule", table=SCHEDULE, required=False),
    )


def builder(source: BoxScores) -> Callable[[date, Tables], Built]:
    """``build_results`` of a processor's inputs."""

    def build(day: date, rows: Tables) -> Built:
        found = build_results(
            rows[str(PLAYER_PROPS)],
            rows[str(source.table)],
            games_in(rows[str(SCHEDULE)], day),
            source,
        )
        return Built(
            rows={
                str(PLAYER_PROP_RESULTS): found.results,
                str(UNMATCHED_PLAYERS): found.unmatched,
            },
            games=len({row["game_id"] for row in found.results}),
            said=_say(found),
        )

    return build


def _say(found: Results) -> str:
    """How many bets are not settled, and who was not found; nothing where those are only bets that
    no box score settles."""
    open_ = [str(row["why"]) for row in found.results if row["result"] is None]
    if all(why.startswith(UNTOLD) for why in open_) and not found.unmatched:
        return ""
    unmatched = counted(len(found.unmatched), "player")
    bets = counted(len(found.results), "bet")
    return f"{number(len(open_))} of {bets} not settled, {unmatched} not in the box scores"


def build_results(
    props: Iterable[Row], box_scores: Iterable[Row], schedule: Collection[Game], source: BoxScores
) -> Results:
    """Joins the rows of one date. ``schedule``: its games as far as they are known, of which the
    postponed ones make bets void."""
    games = read_players(source, box_scores)
    off = {game.teams for game in schedule if game.state is GameState.POSTPONED}
    bets = [_name(bet, games) for bet in _last_before_tip(props)]
    results = [
        {**bet, **_settled(bet, games, off)._asdict(), "actual_source": str(source.table)}
        for bet in bets
    ]
    return Results(results=results, unmatched=list(_find_unmatched(bets, games, source)))


def _last_before_tip(props: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """Each bet as it was last offered before tip-off, its two sides in one row. One that was never
    offered before it stays as it was offered first, which minutes_before_tip tells."""
    offers: dict[tuple[Any, ...], list[Row]] = {}
    for row in props:
        offers.setdefault(tuple(row[name] for name in _BET), []).append(row)
    for of_bet in offers.values():
        first = min(map(itemgetter("snapshot_at"), of_bet))
        before = map(itemgetter("snapshot_at"), filter(_is_before_tip, of_bet))
        last = max(before, default=first)
        yield from _pair([row for row in of_bet if row["snapshot_at"] == last])


def _is_before_tip(row: Row) -> bool:
    return bool(row["snapshot_at"] < row["commence_time"])


def _pair(sides: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """The sides of one snapshot, by line."""
    lines: dict[float | None, dict[str, Any]] = {}
    for row in sides:
        bet = lines.setdefault(row["line"], {"price_over": None, "price_under": None})
        bet |= {name: row[name] for name in (*_COPIED, "player_key")}
        bet[_PRICES.get(row["side"], "price_over")] = row["price"]
    yield from lines.values()


def _name(bet: Row, games: Mapping[Teams, Players]) -> Row:
    """The bet with the player as the box scores call him, and his team."""
    players = games.get(teams_of(bet), {})
    key = find_player(bet["player_key"], players.keys())
    return {**bet, "player_key": key, "team_tricode": players.get(key, {}).get("team_tricode")}


def _settled(bet: Row, games: Mapping[Teams, Players], off: Collection[Teams]) -> Settled:
    teams = teams_of(bet)
    if teams in off and teams not in games:
        return Settled(result="void", why="the game was not played on this date")
    if teams not in games:
        return Settled(why="no box score of the game")
    if not _is_before_tip(bet):
        return Settled(why="no offer from before tip-off")
    return settle(bet["market"], bet["line"], games[teams].get(bet["player_key"]))


def _find_unmatched(
    bets: Iterable[Row], games: Mapping[Teams, Players], source: BoxScores
) -> Iterator[Row]:
    """Whom the box score of a game lacks, once a spelling."""
    found: dict[tuple[str, str], list[Row]] = {}
    for bet in bets:
        if bet["player_key"] not in games.get(teams_of(bet), {bet["player_key"]: {}}):
            found.setdefault((bet["game_id"], bet["player_name"]), []).append(bet)
    for named in found.values():
        bet = named[0]
        near = get_close_matches(bet["player_key"], games[teams_of(bet)], n=MAX_CANDIDATES)
        yield {
            **{column.name: bet[column.name] for column in _GAME},
            "player_name": bet["player_name"],
            "player_key": bet["player_key"],
            "bookmakers": ",".join(sorted({each["bookmaker"] for each in named})),
            "candidates": ",".join(near) or None,
            "actual_source": str(source.table),
            "source_file": bet["source_file"],
        }
