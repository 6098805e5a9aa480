"""What a month's allowance leaves for live runs and for backfills, and when there will be more:
arithmetic only."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from include.sources.spec import Credits

Purpose = Literal["live", "backfill"]

DAYS_A_MONTH = 30
"""What plans and prices count with."""
LARGER_PLAN = (
    'after buying a larger plan, raise {"credits": {"monthly": ..., "live_reserve": ...}} in the'
    " connection's extra"
)


@dataclass(frozen=True, kw_only=True)
class Month:
    """How an account stands in the month that starts on ``month`` (UTC), in credits.

    ``billed``: what the upstream says was used. ``open_*``: reserved, and not known to be in
    ``billed``. ``spent_*``: what our settled requests cost. ``upstream_total``: the allowance by
    the upstream's own account, and ``told_under`` the one that was declared then.
    ``exhausted_under``: the declared one when the upstream said that nothing is left (0: it has
    not). A larger declaration (a plan that was raised) outranks both. ``backfill_since``: the first
    day of the month on which a backfill asked. ``last_reservation``: id of the newest reservation;
    ``settled_through``: what that was when the upstream's total last came in. ``key_hash``: of the
    key that the upstream has spoken of; empty where nobody has said.
    """

    month: date
    billed: int = 0
    open_live: int = 0
    open_backfill: int = 0
    spent_live: int = 0
    spent_backfill: int = 0
    backfill_since: date | None = None
    upstream_total: int | None = None
    told_under: int = 0
    exhausted_under: int = 0
    last_reservation: int = 0
    settled_through: int = 0
    key_hash: str = ""

    @property
    def committed(self) -> int:
        """The most that can have been used by now."""
        return self.billed + self.open_live + self.open_backfill

    def under(self, key_hash: str) -> Month:
        """As it stands for a key: what the upstream said of another one says nothing of it."""
        if not key_hash or key_hash == self.key_hash:
            return self
        if not self.key_hash:
            return replace(self, key_hash=key_hash)
        return Month(
            month=self.month,
            open_live=self.open_live,
            open_backfill=self.open_backfill,
            spent_live=self.spent_live,
            spent_backfill=self.spent_backfill,
            backfill_since=self.backfill_since,
            last_reservation=self.last_reservation,
            settled_through=self.last_reservation,
            key_hash=key_hash,
        )

    def opened(self, purpose: Purpose, amount: int) -> Month:
        """With ``amount`` more (or less) under way."""
        if purpose == "live":
            return replace(self, open_live=self.open_live + amount)
        return replace(self, open_backfill=self.open_backfill + amount)

    def spent(self, purpose: Purpose, cost: int) -> Month:
        """With a settled request's cost more."""
        if purpose == "live":
            return replace(self, spent_live=self.spent_live + cost)
        return replace(self, spent_backfill=self.spent_backfill + cost)

    def told(self, reservation_id: int, used: int, remaining: int | None, declared: int) -> Month:
        """With the upstream's own totals, from the answer to a reservation's request.

        Answers overtake each other, so a total only goes down when its request began after the last
        total came in.
        """
        told = replace(
            self,
            billed=used if reservation_id > self.settled_through else max(self.billed, used),
            settled_through=self.last_reservation,
        )
        return (
            told
            if remaining is None
            else replace(told, upstream_total=used + remaining, told_under=declared)
        )


def allotment(credits: Credits, purpose: Purpose) -> int:
    """The credits that runs of the purpose get at a time, and so the most that a date may cost:
    backfills that are spread a day's share, others the month's."""
    if purpose == "live":
        return credits.monthly
    left = credits.monthly - credits.live_reserve
    return left // DAYS_A_MONTH if credits.spread else left


def month_of(day: date) -> date:
    """The first day of its month."""
    return day.replace(day=1)


def next_month(day: date) -> date:
    """The first day of the month after."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def total(month: Month, credits: Credits) -> int:
    """The month's allowance: what is declared, or less where the upstream grants less."""
    if month.upstream_total is None or credits.monthly > month.told_under:
        return credits.monthly
    return min(credits.monthly, month.upstream_total)


def room(month: Month, credits: Credits, purpose: Purpose) -> int:
    """What is left of the month. A backfill cannot touch the part of ``live_reserve`` that live
    runs have left."""
    if credits.monthly <= month.exhausted_under:
        return 0
    free = total(month, credits) - month.committed
    if purpose == "backfill":
        free -= reserve_left(month, credits)
    return max(0, free)


def reserve_left(month: Month, credits: Credits) -> int:
    """What of ``live_reserve`` live runs have not used: no backfill gets it."""
    return max(0, credits.live_reserve - month.spent_live - month.open_live)


def room_of_a_month(month: Month, credits: Credits, purpose: Purpose) -> int:
    """What a whole fresh month has for the purpose, under the allowance that the upstream grants
    now."""
    return room(_fresh(month), credits, purpose)


def _fresh(month: Month) -> Month:
    """One of which nothing is used, under the allowance that the upstream grants now."""
    return Month(
        month=month.month, upstream_total=month.upstream_total, told_under=month.told_under
    )


def room_today(month: Month, credits: Credits, today: date) -> int:
    """What a backfill may use now when its credits are spread over the days from its first one to
    the month's end.

    Each day adds an equal share; what a day leaves is there on the next.
    """
    used = month.spent_backfill + month.open_backfill
    pool = used + room(month, credits, "backfill")
    share, days = _shares(month, today)
    return max(0, min(pool, -(-pool * share // days)) - used)


def more_at(month: Month, credits: Credits, purpose: Purpose, cost: int, today: date) -> datetime:
    """The UTC midnight from which ``cost``, which does not fit now, can fit; at the latest the
    month's end."""
    end = next_month(month.month)
    if purpose == "live" or cost > room(month, credits, purpose):
        return datetime.combine(end, time(), UTC)
    used = month.spent_backfill + month.open_backfill
    pool = used + room(month, credits, "backfill")
    today_share, days = _shares(month, today)
    share = (used + cost - 1) * days // pool + 1
    return datetime.combine(today + timedelta(days=share - today_share), time(), UTC)


def room_now(month: Month, credits: Credits, today: date) -> int:
    """What backfills may use at once: today's share where they are spread, else the month's."""
    if credits.spread:
        return room_today(month, credits, today)
    return room(month, credits, "backfill")


def last_share_at(month: Month, credits: Credits, cost: int, now: datetime) -> datetime | None:
    """The moment (UTC) from which the last of ``cost`` credits of backfills can be used that begin
    now; None: never."""
    today, left = now.date(), room(month, credits, "backfill")
    if cost <= room_now(month, credits, today):
        return now
    if cost > left:
        # This month's are used up first, then those of whole months; the rest is of the last one.
        most = room_of_a_month(month, credits, "backfill")
        if not most:
            return None
        today, cost = next_month(today), cost - left
        for _ in range((cost - 1) // most):
            today, cost = next_month(today), cost - most
        month = replace(_fresh(month), month=today)
        if cost <= room_now(month, credits, today):
            return datetime.combine(today, time(), UTC)
    return more_at(month, credits, "backfill", cost, today)


def project_use(month: Month, now: datetime) -> int:
    """The credits that will have been used when the month ends, at its pace until ``now`` (UTC), of
    a day at least."""
    begun = datetime.combine(month.month, time(), UTC)
    end = datetime.combine(next_month(month.month), time(), UTC)
    gone = max(timedelta(days=1), now - begun)
    return round(month.committed * max(1.0, (end - begun) / gone))


def project_end(month: Month, credits: Credits, now: datetime) -> date | None:
    """The day (UTC) on which nothing is left of the month at that pace; None where it ends
    before."""
    left = room(month, credits, "live")
    if not left:
        return now.date()
    rest = datetime.combine(next_month(month.month), time(), UTC) - now
    more = project_use(month, now) - month.committed
    return (now + rest * left / more).date() if more > left else None


def _shares(month: Month, today: date) -> tuple[int, int]:
    """(days that have begun, all days) from the first backfill of the month to its end."""
    since = month.backfill_since or today
    days = monthrange(since.year, since.month)[1] - since.day + 1
    return (today - since).days + 1, days
