"""The credit ledger against an upstream that keeps its own bill: never more than the allowance, and
equal at rest."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from include.errors import ErrorClass, Problem
from include.limits.allowance import Month, Purpose, month_of, next_month
from include.limits.credit_rows import balance
from include.limits.credits import Meter, Reservation
from include.ops.db import connect
from include.ops.session import Session
from include.outcome import Later, Outcome
from include.sources.spec import Credits

ROOT = Path(__file__).resolve().parents[2]
ODDS = "the_odds_api"
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
REQUEST_TIMEOUT = timedelta(minutes=5)


@dataclass
class Clock:
    """The time of the meters and of the upstream."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def db(ops_db: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(ops_db) as connection:
        connection.autocommit = True
        empty(connection)
        yield connection


def empty(db: psycopg.Connection[Any]) -> None:
    db.execute("TRUNCATE ops.credit_months, ops.credit_reservations, ops.credit_entries")


MakeMeter = Callable[..., Meter]


@pytest.fixture
def meter(ops_db: str, db: psycopg.Connection[Any], clock: Clock) -> Iterator[MakeMeter]:
    """``meter("backfill", spread=..., monthly=...)``: another process's meter of 500 credits, 100
    of them for live."""
    made: list[Session] = []

    def make(purpose: Purpose, *, spread: bool = False, monthly: int = 500) -> Meter:
        credits = Credits(monthly=monthly, live_reserve=100)
        made.append(Session(ops_db))
        return Meter(made[-1], {ODDS: credits}, purpose=purpose, spread=spread, now=clock)

    yield make
    for one in made:
        one.close()


def refused(meter: Meter, cost: int) -> tuple[datetime, int]:
    """(until, left) of a reservation that must wait."""
    with pytest.raises(Later) as wait:
        meter.reserve(ODDS, cost)
    left = re.match(
        rf"{ODDS}: the request needs up to {cost} credits and (\d+) may be used now;",
        wait.value.reason,
    )
    assert left
    return wait.value.until, int(left[1])


def spend(meter: Meter, cost: int, *, used: int | None = None) -> None:
    reservation = meter.reserve(ODDS, cost)
    reservation.settle(cost=cost, used=used, remaining=None if used is None else 500 - used)


def entries(db: psycopg.Connection[Any]) -> list[tuple[str, str, int]]:
    """(kind, purpose, amount) of every booking, oldest first."""
    return db.execute(
        "SELECT kind, purpose, amount FROM ops.credit_entries ORDER BY entry_id"
    ).fetchall()


def open_reservations(db: psycopg.Connection[Any]) -> int:
    row = db.execute("SELECT count(*) FROM ops.credit_reservations").fetchone()
    assert row is not None
    return row[0]


# One request after the other.


def test_a_request_is_reserved_at_its_most_and_settled_at_its_cost(
    meter: MakeMeter, db: psycopg.Connection[Any]
) -> None:
    backfill = meter("backfill")
    reservation = backfill.reserve(ODDS, 30)
    assert balance(db, ODDS, NOON.date()).open_backfill == 30
    reservation.settle(cost=20, used=20, remaining=480)
    found = balance(db, ODDS, NOON.date())
    assert found == Month(
        month=date(2026, 1, 1),
        billed=20,
        spent_backfill=20,
        backfill_since=date(2026, 1, 15),
        upstream_total=500,
        told_under=500,
        last_reservation=found.last_reservation,
        settled_through=found.last_reservation,
    )
    assert entries(db) == [("reserve", "backfill", 30), ("settle", "backfill", -10)]


def test_a_request_that_was_not_sent_costs_nothing(
    meter: MakeMeter, db: psycopg.Connection[Any]
) -> None:
    meter("live").reserve(ODDS, 30).refund()
    assert balance(db, ODDS, NOON.date()).committed == 0
    assert entries(db) == [("reserve", "live", 30), ("refund", "live", -30)]
    assert open_reservations(db) == 0


@pytest.mark.parametrize("used", [None, 20])
def test_closing_a_reservation_again_changes_nothing(
    meter: MakeMeter, db: psycopg.Connection[Any], used: int | None
) -> None:
    reservation = meter("live").reserve(ODDS, 30)
    reservation.settle(cost=20, used=used)
    before = (balance(db, ODDS, NOON.date()), entries(db))
    reservation.settle(cost=20, used=used)
    reservation.refund()
    assert (balance(db, ODDS, NOON.date()), entries(db)) == before


def test_an_account_without_credits_is_a_mistake_of_the_program(meter: MakeMeter) -> None:
    with pytest.raises(KeyError, match="no credits are declared for 'balldontlie': known are"):
        meter("live").reserve("balldontlie", 1)


def test_a_month_without_a_request_is_empty(db: psycopg.Connection[Any]) -> None:
    assert balance(db, ODDS, date(2026, 3, 9)) == Month(month=date(2026, 3, 1))


def test_a_lost_connection_is_replaced(meter: MakeMeter, db: psycopg.Connection[Any]) -> None:
    live = meter("live")
    reservation = live.reserve(ODDS, 10)
    db.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )
    reservation.settle(cost=10, used=10, remaining=490)
    assert balance(db, ODDS, NOON.date()).billed == 10


# What does not fit.


def test_backfills_stop_at_the_reserve_and_live_runs_at_the_allowance(meter: MakeMeter) -> None:
    backfill, live = meter("backfill"), meter("live")
    spend(backfill, 390, used=390)
    assert refused(backfill, 11) == (datetime(2026, 2, 1, tzinfo=UTC), 10)
    spend(backfill, 10, used=400)
    assert refused(backfill, 1) == (datetime(2026, 2, 1, tzinfo=UTC), 0)
    spend(live, 95, used=495)
    assert refused(live, 10) == (datetime(2026, 2, 1, tzinfo=UTC), 5)


def test_what_does_not_fit_today_waits_for_the_day_on_which_it_does(
    meter: MakeMeter, clock: Clock
) -> None:
    backfill = meter("backfill", spread=True)
    assert refused(backfill, 50) == (datetime(2026, 1, 17, tzinfo=UTC), 24)
    spend(backfill, 20, used=20)
    clock.now = datetime(2026, 1, 17, 0, 0, 1, tzinfo=UTC)
    spend(backfill, 50, used=70)
    assert refused(backfill, 10) == (datetime(2026, 1, 18, tzinfo=UTC), 1)


def test_live_runs_do_not_wait_for_the_days_share(meter: MakeMeter) -> None:
    spend(meter("live", spread=True), 500, used=500)


@pytest.mark.parametrize(("purpose", "cost", "most"), [("backfill", 401, 400), ("live", 501, 500)])
def test_a_request_that_fits_into_no_month_is_a_problem_that_says_so(
    meter: MakeMeter, db: psycopg.Connection[Any], purpose: Purpose, cost: int, most: int
) -> None:
    with pytest.raises(Problem) as failed:
        meter(purpose).reserve(ODDS, cost)
    assert failed.value == Problem(
        error_class=ErrorClass.QUOTA_EXHAUSTED,
        message=(
            f"one request can cost {cost} credits of the_odds_api, and {purpose} runs have {most}"
            " in a whole month: ask for fewer markets or regions at a time; or, after buying a"
            ' larger plan, raise {"credits": {"monthly": ..., "live_reserve": ...}} in the'
            " connection's extra"
        ),
        source=ODDS,
    )
    assert entries(db) == []


def test_who_just_misses_what_is_under_way_comes_back_in_a_minute(
    meter: MakeMeter, clock: Clock
) -> None:
    live = meter("live")
    under_way = live.reserve(ODDS, 495)
    assert refused(live, 10) == (NOON + timedelta(minutes=1), 5)
    clock.pass_(minutes=1)
    under_way.settle(cost=490, used=490, remaining=10)
    spend(live, 10, used=500)
    assert refused(live, 10) == (datetime(2026, 2, 1, tzinfo=UTC), 0)


def test_nobody_comes_back_soon_for_what_a_dead_process_reserved(
    meter: MakeMeter, clock: Clock
) -> None:
    live = meter("live")
    live.reserve(ODDS, 495)
    clock.now = NOON + REQUEST_TIMEOUT + timedelta(seconds=1)
    assert refused(live, 10) == (datetime(2026, 2, 1, tzinfo=UTC), 5)


def test_the_wait_says_what_is_left(meter: MakeMeter) -> None:
    spend(meter("live"), 493)
    with pytest.raises(Later) as wait:
        meter("live").reserve(ODDS, 30)
    assert wait.value.args == (
        datetime(2026, 2, 1, tzinfo=UTC),
        "the_odds_api: the request needs up to 30 credits and 7 may be used now;"
        " more can be free at 2026-02-01 00:00 UTC; after buying a larger plan, raise"
        ' {"credits": {"monthly": ..., "live_reserve": ...}} in the connection\'s extra',
        Outcome.QUOTA_WAIT,
    )


# The month.


def test_a_new_month_is_a_new_allowance_and_the_old_one_is_kept(
    meter: MakeMeter, db: psycopg.Connection[Any], clock: Clock
) -> None:
    live = meter("live")
    spend(live, 500, used=500)
    clock.now = refused(live, 10)[0]
    spend(live, 10)
    assert balance(db, ODDS, date(2026, 1, 31)).committed == 500
    assert balance(db, ODDS, date(2026, 2, 1)).committed == 10


def test_nothing_is_reserved_so_late_that_the_reset_could_come_first(
    meter: MakeMeter, clock: Clock
) -> None:
    live = meter("live")
    reset = datetime(2026, 2, 1, tzinfo=UTC)
    clock.now = reset - REQUEST_TIMEOUT - timedelta(seconds=1)
    live.reserve(ODDS, 10)
    clock.now = reset - REQUEST_TIMEOUT
    assert refused(live, 10) == (reset, 0)


def test_on_the_first_a_total_may_be_last_months_and_does_not_count(
    meter: MakeMeter, db: psycopg.Connection[Any], clock: Clock
) -> None:
    live = meter("live")
    clock.now = datetime(2026, 2, 1, 23, 59, tzinfo=UTC)
    spend(live, 10, used=490)
    assert balance(db, ODDS, clock.now.date()).committed == 10
    spend(live, 10, used=500)
    clock.now = datetime(2026, 2, 2, 0, 10, tzinfo=UTC)
    spend(live, 1, used=25)
    found = balance(db, ODDS, clock.now.date())
    assert (found.committed, found.billed) == (25, 25)


@pytest.mark.parametrize("at", ["00:00", "07:30", "23:59"])
def test_on_the_first_a_refusal_may_be_last_months_and_means_a_wait_of_an_hour(
    meter: MakeMeter, db: psycopg.Connection[Any], clock: Clock, at: str
) -> None:
    live = meter("live")
    clock.now = datetime.fromisoformat(f"2026-02-01T{at}Z")
    again = clock.now + timedelta(hours=1)
    with pytest.raises(Later) as wait:
        live.exhausted(ODDS)
    assert wait.value.args == (
        again,
        "the_odds_api: the upstream still counts last month's credits, it seems: it resets them"
        " on the 1st, at an hour that is not documented; asked again at"
        f" {again:%Y-%m-%d %H:%M} UTC",
        Outcome.QUOTA_WAIT,
    )
    assert balance(db, ODDS, clock.now.date()) == Month(month=date(2026, 2, 1))
    spend(live, 500)


def test_from_the_second_on_a_refusal_is_this_months(meter: MakeMeter, clock: Clock) -> None:
    live = meter("live")
    clock.now = datetime(2026, 2, 2, tzinfo=UTC)
    live.exhausted(ODDS)
    assert refused(live, 1) == (datetime(2026, 3, 1, tzinfo=UTC), 0)


# The upstream is right.


def test_what_somebody_else_used_of_the_key_is_booked_and_counts(
    meter: MakeMeter, db: psycopg.Connection[Any]
) -> None:
    backfill = meter("backfill")
    spend(backfill, 10, used=310)
    assert entries(db)[-1] == ("adjust", "backfill", 300)
    assert refused(backfill, 91) == (datetime(2026, 2, 1, tzinfo=UTC), 90)


def test_a_plan_that_was_raised_counts_at_once(meter: MakeMeter) -> None:
    spend(meter("live"), 500, used=500)
    refused(meter("live"), 10)
    meter("live", monthly=20_000).reserve(ODDS, 10).settle(cost=10, used=510, remaining=19_490)
    spend(meter("backfill", monthly=20_000), 19_000)


def test_a_month_that_the_upstream_calls_used_up_is_used_up_for_all(
    meter: MakeMeter, clock: Clock
) -> None:
    live, backfill = meter("live"), meter("backfill", spread=True)
    live.exhausted(ODDS)
    end = datetime(2026, 2, 1, tzinfo=UTC)
    assert [refused(live, 1), refused(backfill, 1)] == [(end, 0), (end, 0)]
    spend(meter("live", monthly=501), 1)
    clock.now = end
    spend(live, 500)


# What died, and what was not answered.


@pytest.mark.parametrize("billed", [0, 10])
def test_a_dead_processs_reservation_counts_until_a_later_answer_brings_the_bill(
    meter: MakeMeter, db: psycopg.Connection[Any], clock: Clock, billed: int
) -> None:
    meter("backfill").reserve(ODDS, 10)  # and never more of it
    live = meter("live")
    clock.now = NOON + REQUEST_TIMEOUT
    spend(live, 5, used=billed + 5)
    assert balance(db, ODDS, NOON.date()).committed == billed + 15  # it could still be on its way
    clock.now = NOON + REQUEST_TIMEOUT + timedelta(seconds=1)
    spend(live, 5, used=billed + 10)
    assert balance(db, ODDS, NOON.date()).committed == billed + 10
    assert open_reservations(db) == 0
    assert sum(amount for _, _, amount in entries(db)) == billed + 10


def test_an_answer_that_began_before_a_process_can_be_called_dead_does_not_close_its_reservation(
    meter: MakeMeter, db: psycopg.Connection[Any], clock: Clock
) -> None:
    live = meter("live")
    live.reserve(ODDS, 10)
    slow = live.reserve(ODDS, 5)
    clock.now = NOON + REQUEST_TIMEOUT + timedelta(seconds=1)
    slow.settle(cost=5, used=5, remaining=495)
    assert balance(db, ODDS, NOON.date()).committed == 15


def test_an_answer_without_totals_counts_as_told_until_totals_come(
    meter: MakeMeter, db: psycopg.Connection[Any], clock: Clock
) -> None:
    live = meter("live")
    live.reserve(ODDS, 10).settle(cost=10, used=None)
    spend(live, 5, used=5)
    assert balance(db, ODDS, NOON.date()).committed == 15
    clock.now = NOON + REQUEST_TIMEOUT + timedelta(seconds=1)
    spend(live, 5, used=10)
    assert balance(db, ODDS, NOON.date()).committed == 10


def test_an_unanswered_live_request_that_was_not_billed_leaves_the_reserve_as_it_was(
    meter: MakeMeter, clock: Clock
) -> None:
    backfill = meter("backfill")
    meter("live").reserve(ODDS, 60).settle(cost=60, used=None)
    clock.now = NOON + REQUEST_TIMEOUT + timedelta(seconds=1)
    spend(backfill, 1, used=1)
    assert refused(backfill, 400)[1] == 399


def test_an_unanswered_request_of_a_backfill_counts_for_its_days_share(
    meter: MakeMeter, clock: Clock
) -> None:
    backfill = meter("backfill", spread=True)
    backfill.reserve(ODDS, 10).settle(cost=10, used=None)
    clock.now = NOON + REQUEST_TIMEOUT + timedelta(seconds=1)
    spend(backfill, 1, used=1)
    assert refused(backfill, 20)[1] == 14


def test_a_process_that_wakes_up_after_it_was_called_dead_is_billed_by_its_answer(
    meter: MakeMeter, db: psycopg.Connection[Any], clock: Clock
) -> None:
    live = meter("live")
    stopped = live.reserve(ODDS, 10)
    clock.now = NOON + REQUEST_TIMEOUT + timedelta(seconds=1)
    spend(live, 5, used=5)
    stopped.settle(cost=10, used=15, remaining=485)
    assert balance(db, ODDS, NOON.date()).committed == 15
    assert sum(amount for _, _, amount in entries(db)) == 15


def test_answers_that_overtake_each_other_leave_the_later_bill(
    meter: MakeMeter, db: psycopg.Connection[Any]
) -> None:
    live = meter("live")
    first, second, third = (live.reserve(ODDS, 10) for _ in range(3))
    second.settle(cost=10, used=30, remaining=470)  # the upstream had billed all three by then
    assert balance(db, ODDS, NOON.date()).committed == 50
    third.settle(cost=10, used=20, remaining=480)
    first.settle(cost=10, used=10, remaining=490)
    assert balance(db, ODDS, NOON.date()).committed == 30


# Any sequence of all that.

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
        booked = db.execute(
            "SELECT month, sum(amount)::int FROM ops.credit_entries GROUP BY month"
        ).fetchall()
        assert all(total == balance(db, ODDS, month).committed for month, total in booked)


# Many processes.

WORKER = """
import sys
from datetime import datetime, timedelta
from include.limits.credits import Meter
from include.ops.db import connect
from include.ops.session import Session
from include.outcome import Later
from include.sources.spec import Credits

url, now, dies_at = sys.argv[1], datetime.fromisoformat(sys.argv[2]), int(sys.argv[3])
credits = {"the_odds_api": Credits(monthly=500, live_reserve=100)}
meter = Meter(Session(url), credits, purpose="backfill", spread=False, now=lambda: now)
upstream = connect(url)
upstream.autocommit = True
sent = 0
while True:
    try:
        reservation = meter.reserve("the_odds_api", 10)
    except Later as wait:
        if wait.until > now + timedelta(minutes=1):
            break
        continue
    (used,) = upstream.execute("UPDATE public.bill SET used = used + 10 RETURNING used").fetchone()
    sent += 1
    if sent == dies_at:
        print("sent", flush=True)
        sys.stdin.read()
    reservation.settle(cost=10, used=used, remaining=500 - used)
"""


@pytest.fixture
def bill(db: psycopg.Connection[Any]) -> Callable[[], int]:
    """The upstream's bill, kept in the same server and by nobody of ours."""
    db.execute("DROP TABLE IF EXISTS public.bill; CREATE TABLE public.bill AS SELECT 0 AS used")

    def used() -> int:
        row = db.execute("SELECT used FROM public.bill").fetchone()
        assert row is not None
        return row[0]

    return used


def start(url: str, *, now: datetime = NOON, dies_at: int = 0) -> subprocess.Popen[str]:
    """A backfill that asks until nothing is left, or hangs after sending its request number
    ``dies_at``."""
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, url, now.isoformat(), str(dies_at)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def end(*processes: subprocess.Popen[str]) -> list[int]:
    """Exit codes, once they have ended."""
    for process in processes:
        process.communicate(timeout=60)
    return [process.returncode for process in processes]


def test_eight_processes_use_400_of_500_credits_exactly(
    ops_db: str, db: psycopg.Connection[Any], bill: Callable[[], int]
) -> None:
    assert end(*(start(ops_db) for _ in range(8))) == [0] * 8
    assert (bill(), balance(db, ODDS, NOON.date()).committed) == (400, 400)
    assert open_reservations(db) == 0


def test_processes_that_were_killed_on_the_way_are_counted_and_then_billed(
    ops_db: str, db: psycopg.Connection[Any], bill: Callable[[], int]
) -> None:
    doomed = [start(ops_db, dies_at=n) for n in (1, 3)]
    for process in doomed:
        assert process.stdout is not None
        assert process.stdout.readline() == "sent\n"
        process.kill()
    assert end(*doomed) == [-signal.SIGKILL] * 2
    assert open_reservations(db) == 2
    assert bill() == 40
    assert balance(db, ODDS, NOON.date()).committed >= 40
    later = NOON + REQUEST_TIMEOUT + timedelta(seconds=1)
    assert end(*(start(ops_db, now=later) for _ in range(4))) == [0] * 4
    assert (bill(), balance(db, ODDS, NOON.date()).committed) == (400, 400)
    assert open_reservations(db) == 0
