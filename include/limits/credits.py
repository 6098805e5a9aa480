"""The credit ledger: credits are reserved before a request and settled after it, for any number of
processes.

At every moment ``billed`` + open reservations is at least what the upstream has billed. A
reservation is closed by its answer; one whose process died stays counted, until an answer arrives
to a request that began ``request_timeout`` later or more: the upstream's total must include it
then. The upstream's totals (``x-requests-used``, ``-remaining``) are always right: what differs
from our sum becomes an ``adjust`` entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from typing import Any

import psycopg

from include.errors import ErrorClass, Problem
from include.limits.allowance import (
    LARGER_PLAN,
    Month,
    Purpose,
    month_of,
    more_at,
    next_month,
    room,
    room_of_a_month,
    room_today,
)
from include.limits.credit_rows import lock_month, write_month
from include.ops.session import Session
from include.outcome import Later, Outcome
from include.sources.spec import Credits

# On the 1st a total may still be last month's: the hour of its reset is not documented.
_RESET = timedelta(days=1)
# How long a refusal on that day holds: until then the upstream may have reset.
_ASK_AGAIN = timedelta(hours=1)
# Requests under way can cost less than was reserved: who just misses them comes back soon.
_SOON = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """Credits set aside for one request, in the UTC month that starts on ``month``."""

    meter: Meter = field(repr=False)
    reservation_id: int
    account: str
    month: date
    purpose: Purpose
    amount: int
    reserved_at: datetime

    def settle(self, *, cost: int, used: int | None = None, remaining: int | None = None) -> None:
        """The answer came: the request cost ``cost``; ``used`` and ``remaining`` are the upstream's
        own totals.

        Without them the cost stays counted until another answer brings them. Calling twice does
        nothing.
        """
        self.meter._settle(self, cost, used, remaining)

    def refund(self) -> None:
        """The request was surely not billed (not sent, or refused for free)."""
        self.meter._settle(self, 0, None, None)


class Meter:
    """Reserves credits of the accounts in ``allowances`` (connection -> Credits) for one purpose.

    ``spread``: backfills get an equal share of the month's credits each day instead of all at once.
    ``request_timeout``: seconds after its reservation within which a request ends; covers the wait
    for the limiter as well. The last of them before a month's reset admit nothing. ``keys``: the
    accounts' keys; another key is another account. ``now``: for tests; otherwise the database's
    clock counts, one for all hosts.
    """

    def __init__(
        self,
        session: Session,
        allowances: Mapping[str, Credits],
        *,
        purpose: Purpose,
        spread: bool = True,
        request_timeout: float = 300.0,
        keys: Mapping[str, str] | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._session = session
        self._allowances = allowances
        self._purpose: Purpose = purpose
        self._spread = spread
        self._request_timeout = timedelta(seconds=request_timeout)
        self._keys = {name: _hash(key) for name, key in (keys or {}).items() if key}
        self._now = now

    def reserve(self, name: str, cost: int) -> Reservation:
        """Set ``cost``, the most that the request can cost, aside. Raises Later when it does not
        fit now.

        Raises Problem(QUOTA_EXHAUSTED) when it could not fit into a whole fresh month either.
        """
        if name not in self._allowances:
            raise KeyError(
                f"no credits are declared for {name!r}: known are {sorted(self._allowances)}"
            )
        reserved = self._session.run(lambda connection: self._reserve(connection, name, cost))
        if isinstance(reserved, Exception):
            raise reserved
        return reserved

    def exhausted(self, name: str) -> None:
        """The upstream says that the month's credits are used up: nobody reserves before the next,
        whatever is left.

        Unless a larger allowance is declared meanwhile. On the 1st, when it may be about last
        month, nothing is written down; raises Later for an hour, since a request that has
        waited for the reset must not fail by it.
        """
        declared = self._allowances[name].monthly

        def work(connection: psycopg.Connection[Any]) -> Later | None:
            with connection.transaction():
                now = self._moment(connection)
                if not _is_this_months(now):
                    return _not_reset(name, now + _ASK_AGAIN)
                month = lock_month(connection, name, month_of(now.date()))
                if self._is_of_our_key(month, name):
                    exhausted = max(declared, month.exhausted_under)
                    write_month(connection, name, replace(month, exhausted_under=exhausted))
            return None

        if wait := self._session.run(work):
            raise wait

    def _reserve(
        self, connection: psycopg.Connection[Any], name: str, cost: int
    ) -> Reservation | Later | Problem:
        credits, purpose = self._allowances[name], self._purpose
        # The month's row is locked from reading what is left to booking: two processes must not
        # both take the last credits.
        with connection.transaction():
            now = self._moment(connection)
            today = now.date()
            month = lock_month(connection, name, month_of(today)).under(self._keys.get(name, ""))
            reset = datetime.combine(next_month(today), time(), UTC)
            if now >= reset - self._request_timeout:
                # It could be billed to the old month or to the new one.
                return _not_now(name, reset, cost, left=0)
            if purpose == "backfill" and month.backfill_since is None:
                month = replace(month, backfill_since=today)
                write_month(connection, name, month)
            fits = room(month, credits, purpose)
            if purpose == "backfill" and self._spread:
                fits = room_today(month, credits, today)
            if cost > fits:
                if cost > (most := room_of_a_month(month, credits, purpose)):
                    return _never(name, cost, most, purpose)
                until = more_at(month, credits, purpose, cost, today)
                if cost <= fits + _under_way(
                    connection, name, month.month, now - self._request_timeout
                ):
                    until = min(until, now + _SOON)
                return _not_now(name, until, cost, left=fits)
            row = connection.execute(
                "INSERT INTO ops.credit_reservations (account, month, purpose, amount, reserved_at)"
                " VALUES (%s, %s, %s, %s, %s) RETURNING reservation_id",
                (name, month.month, purpose, cost, now),
            ).fetchone()
            assert row is not None
            reservation = Reservation(
                meter=self,
                reservation_id=row[0],
                account=name,
                month=month.month,
                purpose=purpose,
                amount=cost,
                reserved_at=now,
            )
            write_month(
                connection, name, replace(month.opened(purpose, cost), last_reservation=row[0])
            )
            return reservation

    def _settle(
        self, reservation: Reservation, cost: int, used: int | None, remaining: int | None
    ) -> None:
        def work(connection: psycopg.Connection[Any]) -> None:
            # A total is compared with our sum only where it surely is of the reservation's month;
            # around a reset it can be the other one's.
            with connection.transaction():
                now = self._moment(connection)
                month = lock_month(connection, reservation.account, reservation.month)
                if (
                    used is not None
                    and self._is_of_our_key(month, reservation.account)
                    and _is_this_months(now)
                    and month_of(now.date()) == reservation.month
                ):
                    declared = self._allowances[reservation.account].monthly
                    _take_bill(
                        connection,
                        reservation,
                        cost,
                        used,
                        remaining,
                        declared,
                        self._request_timeout,
                    )
                else:
                    _count_until_billed(connection, reservation, cost)

        self._session.run(work)

    def _is_of_our_key(self, month: Month, name: str) -> bool:
        """Whether what the upstream says to us is about the account that the month is of now."""
        return month.key_hash in ("", self._keys.get(name, month.key_hash))

    def _moment(self, connection: psycopg.Connection[Any]) -> datetime:
        if self._now:
            return self._now().astimezone(UTC)
        moment: datetime
        ((moment,),) = connection.execute("SELECT clock_timestamp()").fetchall()
        return moment.astimezone(UTC)


def _hash(key: str) -> str:
    """Tells keys apart and does not tell what they are."""
    return sha256(key.encode()).hexdigest()[:8]


def _is_this_months(now: datetime) -> bool:
    """Whether what the upstream says at that moment surely is about the month that it is by our
    clock."""
    return now >= datetime.combine(month_of(now.date()), time(), UTC) + _RESET


def _under_way(connection: psycopg.Connection[Any], name: str, month: date, since: datetime) -> int:
    """Credits of the reservations that will still be settled: those that are older than ``since``
    are dead."""
    row = connection.execute(
        "SELECT coalesce(sum(amount), 0) FROM ops.credit_reservations"
        " WHERE account = %s AND month = %s AND reserved_at >= %s AND NOT settled",
        (name, month, since),
    ).fetchone()
    assert row is not None
    return int(row[0])


def _not_now(name: str, until: datetime, needed: int, *, left: int) -> Later:
    """The credits do not suffice before ``until``: ``left`` may be used now."""
    reason = (
        f"{name}: the request needs up to {needed} credits and {left} may be used now; more can be"
        f" free at {until:%Y-%m-%d %H:%M} UTC; {LARGER_PLAN}, then run `airflow"
        f" nba resume {name}`"
    )
    return Later(until, reason, Outcome.QUOTA_WAIT)


def _not_reset(name: str, until: datetime) -> Later:
    """It is not our ledger that says so but the upstream, on the day of its reset."""
    reason = (
        f"{name}: the upstream still counts last month's credits, it seems: it resets them on the"
        f" 1st, at an hour that is not documented; asked again at {until:%Y-%m-%d %H:%M} UTC"
    )
    return Later(until, reason, Outcome.QUOTA_WAIT)


def _never(name: str, cost: int, most: int, purpose: Purpose) -> Problem:
    return Problem(
        error_class=ErrorClass.QUOTA_EXHAUSTED,
        message=(
            f"one request can cost {cost} credits of {name}, and {purpose} runs have {most} in a"
            f" whole month: ask for fewer markets or regions at a time; or, {LARGER_PLAN}"
        ),
        source=name,
    )


def _take_bill(
    connection: psycopg.Connection[Any],
    reservation: Reservation,
    cost: int,
    used: int,
    remaining: int | None,
    declared: int,
    request_timeout: timedelta,
) -> None:
    """Close the reservation, and those that died long before it began; make the upstream's total
    ours."""
    after = lock_month(connection, reservation.account, reservation.month)
    closed = connection.execute(
        "DELETE FROM ops.credit_reservations WHERE account = %s AND month = %s"
        " AND (reservation_id = %s OR reserved_at < %s)"
        " RETURNING reservation_id, purpose, amount, settled",
        (
            reservation.account,
            reservation.month,
            reservation.reservation_id,
            reservation.reserved_at - request_timeout,
        ),
    ).fetchall()
    mine = False
    for reservation_id, purpose, amount, counted in closed:
        after = after.opened(purpose, -amount)
        if reservation_id == reservation.reservation_id:
            mine = True
        elif counted and purpose == "backfill":
            # Perhaps it cost less. For a live run that must not count as used: backfills would get
            # its reserve.
            after = after.spent(purpose, amount)
    if mine:
        after = after.spent(reservation.purpose, cost)
        after = after.told(reservation.reservation_id, used, remaining, declared)
    else:
        # Settled before, or given up for dead: its total may be old news, but is never too high.
        after = replace(after, billed=max(after.billed, used))
    write_month(connection, reservation.account, after)


def _count_until_billed(
    connection: psycopg.Connection[Any], reservation: Reservation, cost: int
) -> None:
    """No total came with the answer, or not surely this month's: the cost stays open."""
    month = lock_month(connection, reservation.account, reservation.month)
    if cost == 0:
        statement = (
            "DELETE FROM ops.credit_reservations WHERE reservation_id = %s AND NOT settled"
            " RETURNING 1"
        )
        values: tuple[Any, ...] = (reservation.reservation_id,)
    else:
        statement = (
            "UPDATE ops.credit_reservations SET amount = %s, settled = true"
            " WHERE reservation_id = %s AND NOT settled RETURNING 1"
        )
        values = (cost, reservation.reservation_id)
    if connection.execute(statement, values).fetchone() is None:
        return
    change = cost - reservation.amount
    write_month(connection, reservation.account, month.opened(reservation.purpose, change))
