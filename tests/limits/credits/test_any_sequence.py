"""The credit ledger against an upstream that keeps its own bill: never more than the allowance, and
equal at rest."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

import psycopg
from hypothesis import given, note
from hypothesis import strategies as st

from include.limits.allowance import Purpose, month_of, next_month
from include.limits.credit_rows import balance
from include.limits.credits import Meter, Reservation
from include.ops.db import connect
from include.ops.session import Session
from include.outcome import Later
from include.sources.spec import Credits
from tests.limits.credits.ledger import NOON, ODDS, REQUEST_TIMEOUT, Clock, empty

SMALL = Credits(monthly=100, live_reserve=20)
"""So that a few requests use it up."""


def start_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


@dataclass
class Sent:
    """A request: what it will cost, and the total that the upstream put into its answer."""

    reservation: Reservation
    cost: int
    used: int | None = None


@dataclass
class World:
    """Meters, and an upstream that bills whatever arrives and refuses nothing."""

    db: psycopg.Connection[Any]
    clock: Clock
    meters: dict[Purpose, Meter]
    bill: Counter[date] = field(default_factory=Counter)
    by_backfills: Counter[date] = field(default_factory=Counter)
    under_way: list[Sent] = field(default_factory=list)
    waits: list[tuple[datetime, datetime]] = field(default_factory=list)

    def reserve(self, purpose: Purpose, most: int, cost: int) -> None:
        try:
            reservation = self.meters[purpose].reserve(ODDS, most)
        except Later as wait:
            self.waits.append((self.clock.now, wait.until))
            return
        self.under_way.append(Sent(reservation, cost))

    def arrive(self, sent: Sent) -> None:
        if sent.used is None:
            month = month_of(self.clock.now.date())
            self.bill[month] += sent.cost
            self.by_backfills[month] += sent.cost if sent.reservation.purpose == "backfill" else 0
            sent.used = self.bill[month]

    def answer(self, sent: Sent, with_totals: bool) -> None:
        self.arrive(sent)
        assert sent.used is not None
        self.under_way.remove(sent)
        if with_totals:
            sent.reservation.settle(
                cost=sent.cost, used=sent.used, remaining=SMALL.monthly - sent.used
            )
        else:
            sent.reservation.settle(cost=sent.reservation.amount, used=None)

    def refund(self, sent: Sent) -> None:
        if sent.used is None:
            self.under_way.remove(sent)
            sent.reservation.refund()

    def die(self, sent: Sent) -> None:
        """On its way, arrived or not: nobody will hear of it."""
        self.under_way.remove(sent)

    def creep(self, minutes: int) -> None:
        self.clock.pass_(minutes=minutes)
        # The client bounds a request: after REQUEST_TIMEOUT it has ended one way or the other.
        self.under_way = [
            s
            for s in self.under_way
            if s.reservation.reserved_at + REQUEST_TIMEOUT > self.clock.now
        ]

    leap = creep

    def check(self) -> None:
        for month, billed in self.bill.items():
            # What is under way can be in both: in the upstream's total and among the open
            # reservations.
            assert billed <= balance(self.db, ODDS, month).committed
            assert billed <= SMALL.monthly
            assert self.by_backfills[month] <= SMALL.monthly - SMALL.live_reserve

    def come_to_rest(self) -> int:
        """What the ledger holds after all has ended and one more answer came, of a request that
        cost nothing."""
        self.under_way.clear()
        self.leap(6)
        if (today := self.clock.now.date()).day == 1 or next_month(today) - today == timedelta(
            days=1
        ):
            self.leap(24 * 60)
        if (today := self.clock.now.date()).day == 1:
            self.leap(24 * 60)
        month = month_of(self.clock.now.date())
        try:
            reservation = self.meters["live"].reserve(ODDS, 1)
        except Later:
            return self.bill[month]
        reservation.settle(
            cost=0, used=self.bill[month], remaining=SMALL.monthly - self.bill[month]
        )
        return balance(self.db, ODDS, month).committed


OFTEN = {"reserve": 8, "arrive": 3, "answer": 6, "refund": 1, "die": 1, "creep": 2, "leap": 1}
STARTS = (
    NOON,
    datetime(2026, 1, 30, 23, 50, tzinfo=UTC),
    datetime(2026, 2, 28, 23, 50, tzinfo=UTC),
)


def do(world: World, chance: Random) -> tuple[Any, ...]:
    """One step; returns what it was."""
    (kind,) = chance.choices(list(OFTEN), list(OFTEN.values()))
    arguments: tuple[Any, ...] = ()
    match kind:
        case "reserve":
            purpose, most = (
                chance.choice(["live", "backfill", "backfill"]),
                chance.choice([1, 5, 10, 40]),
            )
            arguments = (purpose, most, int(most * chance.choice([0, 0.5, 1, 1])))
        case "creep":
            arguments = (chance.choice([1, 2]),)
        case "leap":
            arguments = (chance.choice([6, 60, 24 * 60, 10 * 24 * 60]),)
        case _ if not world.under_way:
            return (kind,)
        case "answer":
            arguments = (chance.choice(world.under_way), chance.random() < 0.75)
        case _:
            arguments = (chance.choice(world.under_way),)
    getattr(world, kind)(*arguments)
    return (kind, *arguments)


# Drawn by chance rather than by the strategies of hypothesis, whose many small cases rarely use up
# an allowance.
@given(st.randoms(use_true_random=True))
def test_whatever_happens_the_bill_stays_within_the_allowance_and_the_ledger_ends_equal_to_it(
    ops_db: str, chance: Random
) -> None:
    with connect(ops_db) as db:
        db.autocommit = True
        db.execute("SET synchronous_commit = off")
        empty(db)
        clock, spread = Clock(chance.choice(STARTS)), chance.random() < 0.3
        session = Session(ops_db, connect=lambda url, application_name: db)
        meters: dict[Purpose, Meter] = {
            "live": Meter(session, {ODDS: SMALL}, purpose="live", now=clock),
            "backfill": Meter(session, {ODDS: SMALL}, purpose="backfill", spread=spread, now=clock),
        }
        world = World(db, clock, meters)
        for _ in range(60):
            note(f"{clock.now} {do(world, chance)}")
            world.check()
        assert world.come_to_rest() == world.bill[month_of(clock.now.date())]
        assert all(
            asked < until <= start_of(next_month(asked.date())) for asked, until in world.waits
        )
