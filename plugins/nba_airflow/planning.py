"""Plans: what dates of a DAG take, by the schedule, raw store, ledger, limits and pools as they are
now. Asks nothing of any upstream."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache, partial
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from include.checks.completeness import due
from include.checks.schedule import games_between
from include.guards.needs import GAMES_PER_DATE, Missing
from include.guards.plan import Known, Plan, make_plan
from include.guards.quiet_hours import HasGames, assume_games
from include.partition import Partition
from include.steps.price import Allotment, price
from include.steps.raw_date import RawDate
from nba_airflow import connections
from nba_airflow.guards import read_quiet_hours

if TYPE_CHECKING:
    import psycopg

    from include.limits.allowance import Month
    from include.limits.state import LimiterState
    from include.ops.outcomes import OutcomeRow
    from include.sources.spec import Game, Host, Source
    from include.storage.store import Store

T = TypeVar("T")
Watch = Callable[[Iterable[T], str, int], Iterable[T]]
Newest = Mapping[tuple[date, str], "OutcomeRow"]


def _unseen(items: Iterable[T], what: str, total: int) -> Iterable[T]:
    return items


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What is known of a date: its games (``listed``: by the schedule, else as usual), what raw
    lacks of its endpoints where that was looked at, and why it is too dear (empty: it is not)."""

    day: date
    games: int
    listed: bool
    missing: Missing
    too_dear: str


def read_plan(
    dag_id: str,
    days: Collection[date],
    *,
    now: datetime,
    refetched: datetime | None = None,
    reruns: bool = False,
    quiet: bool = True,
    runs: int = 0,
    watch: Watch[date] = _unseen,
) -> Plan | None:
    """The plan of these dates, begun ``now``; None of a DAG that is not a source's, and of no date.

    ``refetched``: fresh bodies are ordered. ``reruns``: see ``make_plan``. ``quiet``: quiet
    hours hold for it. ``runs``: dates at work at a time, 0: not bounded. ``watch`` is given the
    dates as they are read. Raises Problem for a connection or store that cannot be read.
    """
    from include.ops.db import connect
    from include.ops.outcomes import read_newest
    from include.ops.paces import read_paces
    from nba_airflow.specs import sources

    source = sources().get(dag_id)
    if source is None or not days:
        return None
    source, stores = connections.chosen(source), connections.stores()
    source = replace(source, hosts=tuple(map(_as_limited, source.hosts)))
    # What was done with these dates, what was measured of others, and what is left of the credits.
    with connect(connections.ops_url(), application_name="airflow nba") as ledger:
        newest = read_newest(ledger, dag_id, days)
        paces, months = read_paces(ledger, dag_id), _read_months(ledger, source, now)
        limits = [_read_limits(ledger, host) for host in source.hosts]
    listed = games_between(stores.warehouse, min(days), max(days))
    look = partial(_look, source, stores.raw, listed, newest, refetched)
    seen = [look(day) for day in watch(sorted(days), "dates planned", len(days))]
    known = Known(
        now=now,
        games={each.day: each.games for each in seen},
        scheduled={each.day for each in seen if each.listed},
        missing=dict(ChainMap(*(dict(each.missing) for each in seen))),
        done=[] if refetched else [day for day in days if _is_done(source, day, newest)],
        paces=paces,
        slots=_read_slots(),
        runs=runs,
        months=months,
        limits=list(chain.from_iterable(limits)),
        schemes=connections.store_schemes(),
        rules=read_quiet_hours(dag_id) if quiet else None,
        has_games=_has_games(stores.raw),
    )
    too_dear = [each.too_dear for each in seen if each.too_dear]
    return replace(make_plan(source, known, reruns=reruns), too_dear=too_dear)


def read_has_games(days: Collection[date]) -> HasGames:
    """Whether these dates have games: as the schedule says; those that it lacks, as the season
    does. Raises Problem for a warehouse that cannot be read."""
    listed = games_between(connections.warehouse(), min(days), max(days))

    def has_games(day: date) -> bool:
        return bool(due(listed[day])) if day in listed else assume_games(day)

    return has_games


def _as_limited(host: Host) -> Host:
    """With the limits that its connection names, once for each address that has its own."""
    bought, upstream = connections.reached(host)
    addresses = len({address.limiter for address in upstream.addresses})
    windows = tuple(replace(each, limit=each.limit * addresses) for each in bought.windows)
    return replace(bought, windows=windows)


def _look(
    source: Source,
    store: Store,
    listed: Mapping[date, Sequence[Game]],
    newest: Newest,
    refetched: datetime | None,
    day: date,
) -> Seen:
    """Raw is looked at where it can have anything of the date: one that was tried or is paid for,
    or whose body others may have fetched."""
    games = len(due(listed[day])) if day in listed else GAMES_PER_DATE * assume_games(day)
    lacking: dict[str, tuple[int, int]] = {}
    for endpoint in source.endpoints:
        if (day, endpoint.name) in newest or endpoint.shared or endpoint.request.cost:
            at = Partition(dag_id=source.dag_id, endpoint=endpoint.name, day=day)
            in_raw = RawDate(endpoint, at, store, ordered_at=refetched)
            lacking[endpoint.name] = in_raw.missing(games)
    return Seen(
        day=day,
        games=games,
        listed=day in listed,
        missing={(name, day): counts for name, counts in lacking.items()},
        # A date whose games nobody knows is judged when its list has come.
        too_dear=_refuse(source, day, games, lacking) if day in listed else "",
    )


def _refuse(source: Source, day: date, games: int, lacking: Mapping[str, tuple[int, int]]) -> str:
    """Why the date costs more than is allotted to one; empty where it does not."""
    credits = source.hosts[0].credits
    if credits is None:
        return ""
    allotment = Allotment(connection=source.connection, credits=credits, purpose="backfill")
    prices = [price(source.endpoint(name), counts) for name, counts in lacking.items()]
    return allotment.refuse(day, games, prices)


def _is_done(source: Source, day: date, newest: Newest) -> bool:
    rows = [newest.get((day, endpoint.name)) for endpoint in source.endpoints]
    return all(row is not None and row.outcome.done for row in rows)


def _read_months(
    ledger: psycopg.Connection[object], source: Source, now: datetime
) -> dict[str, Month]:
    """How the credits of its connections stand."""
    from include.limits.credit_rows import balance

    today = now.astimezone(UTC).date()
    return {
        host.connection: balance(ledger, host.connection, today)
        for host in source.hosts
        if host.credits
    }


def _read_limits(ledger: psycopg.Connection[object], host: Host) -> list[LimiterState]:
    """How many requests of its limits are used, by address."""
    from include.limits.state import limiter_states

    return limiter_states(ledger, host.connection, connections.tier(host).windows)


def _read_slots() -> dict[str, int]:
    """The slots of Airflow's pools; of one that is not made yet nothing is known."""
    from airflow.models.pool import Pool
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        return {str(pool.pool): pool.slots for pool in session.scalars(select(Pool))}


def _has_games(store: Store) -> HasGames:
    """Of dates to come: as the newest schedule in raw says; without one, as the season does."""
    from include.ops.game_days import count_games

    @cache
    def has_games(day: date) -> bool:
        games = count_games(store, day)
        return assume_games(day) if games is None else games > 0

    return has_games
