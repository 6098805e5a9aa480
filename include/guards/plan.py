"""A plan: what the dates of a source take, before anything is asked. Arithmetic on what is
known."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from include.guards.needs import Missing, Needs, list_needs
from include.guards.pace import Pace, declared, find_minutes
from include.guards.prices import MIN_BILLED, Amounts, Money, money
from include.guards.quiet_hours import HasGames, Rules, assume_games, find_end
from include.limits.allowance import Month, allotment, last_share_at, month_of, room_now
from include.limits.state import LimiterState
from include.sources.spec import Credits, Source

LOADS = 3
"""Queries that load and audit an endpoint's date, each billed MIN_BILLED at least."""
WRITES_BESIDE, READS_BESIDE = 3, 8
"""Operations on a bucket for an endpoint's date beside one for each body: manifest and listings."""
NO_MONEY = Money(credits=0, queries=0, operations=0, monthly=0)
SEARCHED = 14
"""Dates in which a start without quiet hours is looked for."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a plan is made from, as it is ``now`` (aware).

    ``games`` of each date, of which the schedule has the ``scheduled`` ones; ``missing`` as in
    ``list_needs``. ``done``: dates that the ledger has as done. ``paces`` by endpoint, of those
    that were measured. ``slots`` and ``months`` (how its credits stand) by connection, ``limits``
    as they are used; ``runs``: dates at work at a time, 0: not bounded. ``schemes`` of the stores,
    ``gs`` and ``bigquery`` cost money. ``has_games``, also of dates to come.
    """

    now: datetime
    games: Mapping[date, int]
    scheduled: Collection[date] = ()
    missing: Missing = field(default_factory=dict)
    done: Collection[date] = ()
    paces: Mapping[str, Pace] = field(default_factory=dict)
    slots: Mapping[str, int] = field(default_factory=dict)
    runs: int = 0
    months: Mapping[str, Month] = field(default_factory=dict)
    limits: Sequence[LimiterState] = ()
    schemes: Collection[str] = ()
    rules: Rules = None
    has_games: HasGames = assume_games


@dataclass(frozen=True, kw_only=True)
class Bought:
    """Credits that a plan needs of a paid connection. ``now``: what backfills may use at once;
    ``last_at`` (aware): when the last of them can be used, begun at ``planned_at``; None: never."""

    connection: str
    credits: Credits
    needed: int
    now: int
    planned_at: datetime
    last_at: datetime | None

    @property
    def fits(self) -> bool:
        """Whether nothing has to be waited for."""
        return self.needed <= self.now


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What dates of a DAG take from ``planned_at`` (aware) on, before anything is asked.

    ``without_games``, ``unknown`` (the schedule does not have them), ``complete`` (nothing is
    asked for them) and ``worked`` (a task is run, of which ``games`` and ``rows`` are) are some of
    its ``days``. ``minutes_low`` and ``minutes_high`` are of work,
    without the time in which it waits for credits or for quiet hours to end; ``ends_at``, with
    both, None: never. ``next_start``: the first moment at which it would meet no quiet hours, None:
    none is near. ``bytes`` are of bodies before compression, ``operations`` on a bucket.
    ``assumed``: endpoints of which nothing was measured yet. ``too_dear``: why dates cost more than
    is allotted to one.
    """

    dag_id: str
    planned_at: datetime
    days: Sequence[date]
    without_games: Sequence[date] = ()
    unknown: Sequence[date] = ()
    complete: Sequence[date] = ()
    worked: Sequence[date] = ()
    games: int = 0
    rows: int = 0
    requests: int = 0
    credits: int = 0
    bought: Bought | None = None
    bytes: int = 0
    operations: int = 0
    money: Money = NO_MONEY
    minutes_low: float = 0
    minutes_high: float = 0
    ends_at: datetime | None = None
    next_start: datetime | None = None
    assumed: Sequence[str] = ()
    too_dear: Sequence[str] = ()
    limits: Sequence[LimiterState] = ()

    @property
    def seconds_per_date(self) -> float:
        """At the slowest pace that is expected."""
        return self.minutes_high * 60 / max(1, len(self.days))

    @property
    def minutes(self) -> float | None:
        """Of wall clock, with all waits, at the slowest pace; None: it never ends."""
        if self.ends_at is None:
            return None
        return (self.ends_at - self.planned_at).total_seconds() / 60

    def facts(self) -> dict[str, Any]:
        """As JSON: for -o json, and as it is kept with the backfill."""
        lists = ("without_games", "unknown", "complete", "assumed", "too_dear")
        numbers = ("games", "rows", "requests", "credits", "bytes", "operations")
        minutes = ("minutes_low", "minutes_high")
        moments = {"ends_at": self.ends_at, "next_start": self.next_start}
        return {
            "dag_id": self.dag_id,
            "planned_at": self.planned_at.isoformat(),
            "dates": len(self.days),
            **{name: list(map(str, getattr(self, name))) for name in lists},
            **{name: getattr(self, name) for name in (*numbers, *minutes)},
            "minutes": self.minutes,
            "seconds_per_date": self.seconds_per_date,
            "dollars": self.money.once,
            "dollars_a_month": self.money.monthly,
            "credits_now": self.bought.now if self.bought else None,
            "requests_now": {state.name: count_left(state) for state in self.limits},
            **{name: at.isoformat() if at else None for name, at in moments.items()},
        }


def count_left(state: LimiterState) -> int:
    """How many requests its limits let through at once; none of one that is paused."""
    left = [use.limit - use.used for use in state.windows]
    return 0 if state.paused_until or state.cooldown_until else max(0, min(left, default=0))


def make_plan(source: Source, known: Known, *, reruns: bool = False) -> Plan:
    """For the dates whose games are known or assumed. ``reruns``: those that are complete run as
    well, asking for nothing; otherwise they are left alone."""
    needs = list_needs(source, known.games, missing=known.missing)
    complete = sorted({*known.done} - needs.days)
    worked = {day: n for day, n in known.games.items() if reruns or day not in complete}
    paces = {
        each.name: known.paces.get(each.name) or declared(source, each) for each in source.endpoints
    }
    low, high = find_minutes(
        source, needs, len(worked), paces=paces, slots=known.slots, runs=known.runs
    )
    bought = _buy(source, needs, known)
    work = timedelta(minutes=high)
    size = sum(needs.of(name).requests * pace.bytes_per_request for name, pace in paces.items())
    amounts = _find_amounts(needs, known, paces, len(worked))
    return Plan(
        dag_id=source.dag_id,
        planned_at=known.now,
        days=sorted(known.games),
        without_games=sorted(day for day, games in known.games.items() if not games),
        unknown=sorted({*known.games} - {*known.scheduled}),
        complete=complete,
        worked=sorted(worked),
        games=sum(worked.values()),
        rows=round(sum(worked.values()) * sum(pace.rows_per_game for pace in paces.values())),
        requests=needs.requests,
        credits=needs.credits,
        bought=bought,
        bytes=round(size),
        operations=amounts.writes + amounts.reads,
        money=money(
            replace(amounts, raw_bytes=size * ("gs" in known.schemes)),
            monthly_credits=bought.credits.monthly if bought else 0,
        ),
        minutes_low=low,
        minutes_high=high,
        ends_at=_end(known, bought, work),
        next_start=find_start(known, work),
        assumed=sorted(paces.keys() - known.paces.keys()),
        limits=known.limits,
    )


def _buy(source: Source, needs: Needs, known: Known) -> Bought | None:
    """The credits of the host that sells them; None where nothing is paid for."""
    today = known.now.date()
    for host in source.hosts:
        needed = needs.at(host.connection).credits
        if host.credits and needed:
            month = known.months.get(host.connection) or Month(month=month_of(today))
            return Bought(
                connection=host.connection,
                credits=host.credits,
                needed=needed,
                now=room_now(month, host.credits, today),
                planned_at=known.now,
                last_at=last_share_at(month, host.credits, needed, known.now),
            )
    return None


def _find_amounts(needs: Needs, known: Known, paces: Mapping[str, Pace], worked: int) -> Amounts:
    """What is paid for: what was measured on these stores, else a date's first fetch and load."""
    billed = sum(pace.billed_per_date or LOADS * MIN_BILLED for pace in paces.values())
    writes = reads = 0.0
    for name, pace in paces.items():
        own = needs.of(name)
        writes += pace.writes_per_date * own.tasks or own.requests + WRITES_BESIDE * own.tasks
        reads += pace.reads_per_date * own.tasks or own.requests + READS_BESIDE * own.tasks
    in_bucket = "gs" in known.schemes
    return Amounts(
        credits=needs.credits,
        billed=billed * worked * ("bigquery" in known.schemes),
        writes=round(writes) * in_bucket,
        reads=round(reads) * in_bucket,
    )


def _end(known: Known, bought: Bought | None, work: timedelta) -> datetime | None:
    """When it ends that begins now: the work, and once the last credits are there what they buy."""
    ends = find_end(known.now, work, known.rules, known.has_games)
    if bought is None or bought.fits:
        return ends
    if bought.last_at is None or ends is None:
        return None
    share = min(1.0, allotment(bought.credits, "backfill") / bought.needed)
    last = find_end(bought.last_at, work * share, known.rules, known.has_games)
    return last and max(ends, last)


def find_start(known: Known, work: timedelta) -> datetime | None:
    """The first moment from now on from which the work meets no quiet hours; None: none is near."""
    starts = [known.now]
    if known.rules:
        today = known.now.astimezone(known.rules.zone).date()
        ends = [known.rules.bounds(today + timedelta(days=n))[1] for n in range(-1, SEARCHED)]
        starts += [end for end in ends if end > known.now]
    ended = ((at, find_end(at, work, known.rules, known.has_games)) for at in starts)
    return next((at for at, end in ended if end == at + work), None)
