"""The declarative vocabulary of a source: what is asked, how often, what comes of it. Values only,
no behaviour."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any, Literal

from include.partition import eastern_moment

ColumnType = Literal["DATE", "STRING", "INTEGER", "DOUBLE", "BOOLEAN", "TIMESTAMP"]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """A typed column. Types are named as in standard SQL; TIMESTAMP is UTC with microseconds."""

    name: str
    type: ColumnType
    doc: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table partitioned by ``game_date``. ``key`` is unique in a partition and is its sort order.

    ``columns`` excludes ``source_file``, which the loader appends as the last STRING column of
    every table. ``doc`` says what a row is.
    """

    dataset: str = "raw"
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    doc: str = ""

    def __str__(self) -> str:
        return f"{self.dataset}.{self.name}"


def game_of(row: Row) -> str:
    """The row's game as ``Game`` writes it: ``GSW@POR``."""
    return f"{row['away_tricode']}@{row['home_tricode']}"


class GameState(StrEnum):
    """FINAL games count as data; UNPLAYED and LIVE ones do not; POSTPONED ones, and those that
    were cancelled, are not expected.

    LISTED ones are data of a body that does not prove play (a bookmaker's offer, a preseason game
    in the schedule): they count where the game was expected and say nothing where it was not.
    """

    FINAL = "final"
    LISTED = "listed"
    LIVE = "live"
    UNPLAYED = "unplayed"
    POSTPONED = "postponed"


@dataclass(frozen=True, kw_only=True, order=True)
class Game:
    """One game of one US/Eastern date. Equal across sources on (day, away, home); ids differ, so
    they don't count, unless a team is undecided.

    ``rows`` is how many rows the body holds for it (0 where the body is a listing). ``problem``
    names what is wrong with its rows (too few players, points that do not add up); empty when
    sound.
    """

    day: date
    away: str
    home: str
    state: GameState = field(compare=False)
    game_id: str = field(default="", compare=False)
    rows: int = field(default=0, compare=False)
    problem: str = field(default="", compare=False)
    score: tuple[int, int] | None = field(default=None, compare=False)
    """Final points of away and home: by the schedule, or what the body's players made together;
    None where they are not known."""
    sided: bool = field(default=True, compare=False)
    """Whether the body tells who is at home; without it away and home are the two teams, in the
    alphabet's order."""
    undecided: str = ""
    """Tells apart games of a date whose teams nobody knows yet (``TBD@TBD``): the game's id."""
    extra: Mapping[str, str] = field(default_factory=dict, compare=False)
    """What a later request needs to know of the game, by source (``commence_time``,
    ``season_type``)."""

    @property
    def teams(self) -> frozenset[str]:
        """Who plays, whoever is at home."""
        return frozenset((self.away, self.home))

    def __str__(self) -> str:
        return f"{self.away}@{self.home}"


@dataclass(frozen=True, kw_only=True)
class Window:
    """At most ``limit`` requests in any ``seconds``, by the upstream's clock."""

    limit: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Credits:
    """A paid allowance: ``monthly`` credits, reset on the 1st (UTC), of which ``live_reserve`` is
    for live runs.

    With ``spread`` backfills get what is left in equal daily shares; without it they may use it up
    at once.
    """

    monthly: int
    live_reserve: int
    spread: bool = True


@dataclass(frozen=True, kw_only=True)
class HeaderKey:
    """The connection's password goes into this request header as it is."""

    name: str


@dataclass(frozen=True, kw_only=True)
class QueryKey:
    """The connection's password goes into this query parameter; URLs are redacted wherever they are
    written."""

    name: str


@dataclass(frozen=True, kw_only=True)
class ServiceAccount:
    """A Google service account from the connection's extra signs in with these scopes."""

    scopes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """Pagination: the value at ``path`` (dotted) goes into ``param``; a missing or null value ends
    it."""

    path: str
    param: str


@dataclass(frozen=True, kw_only=True)
class Get:
    """One GET. ``{name}`` in path or params is filled from the item's values; ``{day}`` is always
    there.

    ``connection`` overrides the source's own where an endpoint lives on another host. ``cost``
    gives the credits that the request can cost at most, from its filled-in parameters (None: free).
    ``accept`` is what a sound body is: anything else (an HTML page) is ``blocked``.
    """

    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    pages: Cursor | None = None
    connection: str = ""
    accept: Literal["json", "csv"] = "json"
    cost: Callable[[Mapping[str, str]], int] | None = None


@dataclass(frozen=True, kw_only=True)
class Item:
    """One request of an endpoint's day. ``name`` is a file-name-safe id of the raw object;
    ``values`` fill the Get."""

    name: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What is known before the items are asked for: the schedule's games (None: not known) and the
    listing's bodies."""

    day: date
    expected: Sequence[Game] | None
    bodies: Sequence[bytes] = ()


def one_item(listing: Listing) -> list[Item]:
    """The default: the endpoint is one request, whatever the listing says."""
    return [Item(name="all")]


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The source's own list of a date's games, which counts where the schedule table does not have
    the date.

    Without ``request`` it is in the endpoint's listing, so that nothing is asked (and paid) twice.
    """

    games: Callable[[bytes, date], Iterable[Game]]
    request: Get | None = None


@dataclass(frozen=True, kw_only=True)
class Moved:
    """How to find a game that was moved, where the source keeps it under the date on which it was
    first to be played.

    ``days``: body -> the true dates of its games. ``search``: asks for a list that has the game
    wherever it is kept, filled with the game's ``values`` (None: it cannot be asked for).
    ``kept_under``: such a list and games of one date -> the other dates that it has them under.
    """

    days: Callable[[bytes], Iterable[date]]
    search: Get
    values: Callable[[Game], Mapping[str, str] | None]
    kept_under: Callable[[bytes, Iterable[Game]], Iterable[date]]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One table's worth of requests per date.

    ``rows``: body -> rows of ``table`` for the date (pure; raises Problem(SCHEMA_DRIFT) on a body
    it does not know). ``games``: body -> the games whose data is in it, each with its state (pure);
    counted against what is expected. ``available_after``: US/Eastern wall clock on the day after
    ``day`` from which the data can be final. ``late_after``: until then an incomplete day is asked
    again; after it, it has failed. ``is_schedule``: the games that its bodies list are themselves
    the truth of what is expected. ``per_game``: ``items`` are one a game and not one a date; plans
    count on it. ``shared``: the name of the dates that one body serves (a season); it is then
    fetched once for all of them, and again for a date that was not final when it was fetched.
    ``moved``: for a source that keeps a moved game under another date. ``item_of``: the name of the
    item that a game's data comes in, where items differ: what a body has of a game of another item
    does not count.
    ``parts``: each game is asked for in so many items, ``item_of(game).part``, so that a part that
    is wanted later asks only for itself; ``part_column`` is the column that has a row's part, and
    of the ``optional_parts`` a game may have no rows. ``rows_per_game`` (of each part) and
    ``bytes_per_request`` (before compression): what plans count with until they are measured.
    """

    name: str
    table: Table
    request: Get
    rows: Callable[[bytes, date], Iterable[Row]]
    games: Callable[[bytes, date], Iterable[Game]]
    listing: Get | None = None
    items: Callable[[Listing], list[Item]] = one_item
    truth: Truth | None = None
    available_after: time = time(6, 0)
    late_after: time = time(15, 0)
    per_game: bool = False
    is_schedule: bool = False
    moved: Moved | None = None
    shared: Callable[[date], str] | None = None
    item_of: Callable[[Game], str] | None = None
    parts: tuple[str, ...] = ()
    part_column: str = ""
    optional_parts: frozenset[str] = frozenset()
    rows_per_game: int = 0
    bytes_per_request: int = 0

    def count_items(self, games: int) -> int:
        """How many items of each part a date with so many games has. One that takes its items from
        the games has none without them; one that always asks, or for a season, has one."""
        if self.per_game:
            return games
        always = self.shared or (self.items is one_item and not self.listing)
        return 1 if always else min(1, games)

    def split(self, item: str) -> tuple[str, str]:
        """The name that all items of a game share, and the item's part; empty where there are
        none."""
        if not self.parts:
            return item, ""
        name, _, part = item.rpartition(".")
        return name, part

    def available_at(self, day: date) -> datetime:
        """The UTC moment from which the date's data can be final."""
        return eastern_moment(day, self.available_after, days_later=1)

    def late_at(self, day: date) -> datetime:
        """The UTC moment after which an incomplete date has failed instead of being early."""
        return eastern_moment(day, self.late_after, days_later=1)


OFF_SEASON = "2024-07-04"
"""A date of which every upstream has nothing: asked for it, one answers in a line and bills
nothing."""


@dataclass(frozen=True, kw_only=True)
class Host:
    """One upstream host: the one declaration from which its Airflow pool and its limiter both come.

    ``connection`` names the Airflow connection and the pool, ``windows`` bound the requests,
    ``headers`` go with every request, ``seconds_per_request`` is the measured median latency, which
    with the windows sizes the pool. ``probe`` is what a preflight asks: it is answered only to whom
    the plan that was bought lets in, is short and costs nothing. Two sources on one host share this
    value, and with it the limit.
    """

    connection: str
    base_url: str
    windows: tuple[Window, ...]
    auth: HeaderKey | QueryKey | ServiceAccount | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    credits: Credits | None = None
    seconds_per_request: float = 0.5
    probe: Get | None = None


class BadChoice(ValueError):
    """A field of a connection's extra chooses what is not there. The text names the field, what is
    wrong with it and the repair."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A DAG's worth of endpoints. The first host is the one that a Get without ``connection`` goes
    to.

    ``live_since`` is the first US/Eastern game date that live runs catch up from. ``fresh_by``:
    US/Eastern wall clock on the day after a game date by which its live run must have ended;
    people are told of one that has not. ``choose``: the endpoints, of the same names, as the extra
    of the first host's connection wants them; raises BadChoice.
    """

    dag_id: str
    hosts: tuple[Host, ...]
    endpoints: tuple[Endpoint, ...]
    live_since: date = date(2026, 10, 20)
    fresh_by: time = time(18, 0)
    owner: str = "data-platform"
    tags: tuple[str, ...] = ()
    choose: Callable[[Mapping[str, Any]], tuple[Endpoint, ...]] | None = None

    @property
    def connection(self) -> str:
        """The default host's connection."""
        return self.hosts[0].connection

    def fresh_at(self, day: date) -> datetime:
        """The UTC moment by which the date's live run must have ended."""
        return eastern_moment(day, self.fresh_by, days_later=1)

    def endpoint(self, name: str) -> Endpoint:
        """The endpoint of that name; KeyError names those there are."""
        for endpoint in self.endpoints:
            if endpoint.name == name:
                return endpoint
        raise KeyError(
            f"{self.dag_id} has no endpoint {name!r}: it has"
            f" {', '.join(e.name for e in self.endpoints)}"
        )
