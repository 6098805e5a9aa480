"""### The Odds API: player props and game lines

Closing player lines in `raw.odds_api_player_props`, featured lines in `raw.odds_api_game_lines`.

| | |
| --- | --- |
| Reference | https://the-odds-api.com/liveapi/guides/v4/#get-historical-event-odds |
| Connection, pool | `the_odds_api` (password = API key; redacted wherever URLs are written) |
| Partition | US/Eastern date of tip-off; snapshots are historical, final at once |
| Limit | 30 requests a second; 500 credits a month, 100 of them kept for live runs |
| Credits a date | props 10 per game, market and region; game lines 30 per region; lists 2 |

The connection's extra chooses what is bought: `{"markets": "main", "regions": ["us", "us2"]}`.

| Field | Values | Without it |
| --- | --- | --- |
| `markets` | `main` (points, rebounds, assists, threes), `all` (33), or names | `player_points` |
| `regions` | `us us2 us_dfs us_ex uk eu fr se au`; each is paid | `us` |
| `bookmakers` | names instead of regions; every ten are paid as a region | |
| `game_lines` | `once` a date, or `each_game` (30 a game and region) | `once` |

A market that is added later is bought alone, for the dates that run again; `airflow nba gaps` names
them. One that is removed costs nothing any more, and what was bought stays. Other regions or
bookmakers hold for what is bought from then on; a refetch buys dates anew. A game without one of
the main markets that are wanted is not sound; any other market may be without offers, but not all
that are wanted of a game.

Oddities: a season of 1,230 games costs 12,300 credits a player market, and 1 a date. A snapshot
lists other dates and running games too, so each game's props are taken strictly before its own
tip-off. Game lines are one snapshot for the whole date, before its first tip-off: those of later
games are hours older (`minutes_before_tip` says how much), unless `each_game` is chosen. Game lines
are kept since 2020-06-06, player props since 2023-05-03. 401 means a bad key, no credits or the
wrong plan: the `error_code` tells. A date that is dearer than a day's allotment is refused before
anything is asked; what does not fit the credits of today waits, deferred, as `quota_wait`.

Needs `nbacom_schedule` for the date: a postponed game stays listed here, and without the schedule
it counts as expected.
"""

from datetime import time

from include.parsing import odds_api
from include.sources.odds_api import MAIN, PLAYER_MARKETS, Choice, read_choice
from include.sources.spec import (
    OFF_SEASON,
    Credits,
    Endpoint,
    Get,
    Host,
    QueryKey,
    Source,
    Truth,
    Window,
)
from nba_airflow.factory import daily_dag

MINUTES_BEFORE_TIP_OFF = 5
PRICES = {"oddsFormat": "decimal", "date": "{snapshot}"}
SPORT = "/v4/historical/sports/basketball_nba"
# As soon as they are available: a snapshot of the past does not change, so asking again in half an
# hour would only pay for the same answer again.
LATE = time(6, 0)

THE_ODDS_API = Host(
    connection="the_odds_api",
    base_url="https://api.the-odds-api.com",
    auth=QueryKey(name="apiKey"),
    windows=(Window(limit=30, seconds=1),),
    credits=Credits(monthly=500, live_reserve=100),
    # Historical, as only paid plans have it; an empty list is free.
    probe=Get(
        path=f"{SPORT}/events",
        params={"date": f"{OFF_SEASON}T12:00:00Z"},
        cost=lambda params: 1,
    ),
)

# Noon UTC is before every tip-off of the US/Eastern date, and its games are listed by then.
EVENTS = Get(path=f"{SPORT}/events", params={"date": "{day}T12:00:00Z"}, cost=lambda params: 1)


def of_each_game(choice: Choice) -> Get:
    """One market of one game: a market that is wanted later is bought alone."""
    return Get(
        path=f"{SPORT}/events/{{event_id}}/odds",
        params={**PRICES, **choice.offers, "markets": "{market}"},
        cost=odds_api.odds_cost,
    )


def player_props(choice: Choice) -> Endpoint:
    """The chosen markets of each game."""
    return Endpoint(
        name="player_props",
        table=odds_api.PLAYER_PROPS,
        listing=EVENTS,
        truth=Truth(games=odds_api.event_games),
        request=of_each_game(choice),
        items=odds_api.before_tip_off(MINUTES_BEFORE_TIP_OFF, choice.markets),
        item_of=odds_api.event_item,
        per_game=True,
        parts=choice.markets,
        part_column="market",
        optional_parts=frozenset(PLAYER_MARKETS) - {*MAIN},
        rows=odds_api.prop_rows,
        games=odds_api.prop_games,
        rows_per_game=160,
        bytes_per_request=10_900,
        late_after=LATE,
    )


def lines_once(choice: Choice) -> Endpoint:
    """All games in one snapshot, before the first tip-off."""
    return Endpoint(
        name="game_lines",
        table=odds_api.GAME_LINES,
        listing=EVENTS,
        truth=Truth(games=odds_api.event_games),
        request=Get(
            path=f"{SPORT}/odds",
            params={**PRICES, **choice.offers, "markets": ",".join(odds_api.LINES)},
            cost=odds_api.odds_cost,
        ),
        items=odds_api.before_first_tip_off(MINUTES_BEFORE_TIP_OFF),
        rows=odds_api.line_rows,
        games=odds_api.line_games,
        rows_per_game=66,
        bytes_per_request=27_600,
        late_after=LATE,
    )


def lines_of_each_game(choice: Choice) -> Endpoint:
    """Each game before its own tip-off."""
    return Endpoint(
        name="game_lines",
        table=odds_api.GAME_LINES,
        listing=EVENTS,
        truth=Truth(games=odds_api.event_games),
        request=of_each_game(choice),
        items=odds_api.before_tip_off(MINUTES_BEFORE_TIP_OFF, odds_api.LINES),
        item_of=odds_api.event_item,
        per_game=True,
        parts=odds_api.LINES,
        part_column="market",
        optional_parts=frozenset(odds_api.LINES),
        rows=odds_api.line_rows,
        games=odds_api.line_games,
        rows_per_game=22,
        bytes_per_request=27_600,
        late_after=LATE,
    )


def endpoints(choice: Choice) -> tuple[Endpoint, ...]:
    """What is asked for of a date."""
    game_lines = lines_of_each_game if choice.lines_of_each_game else lines_once
    return player_props(choice), game_lines(choice)


SOURCE = Source(
    dag_id="odds_api_props",
    hosts=(THE_ODDS_API,),
    tags=("source", "odds"),
    endpoints=endpoints(Choice()),
    choose=lambda extra: endpoints(read_choice(extra)),
)

dag = daily_dag(SOURCE, __doc__)
