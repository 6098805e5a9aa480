"""What things cost: a table of prices, each with its source and date, and the dollars of amounts.

Arithmetic only. A price that has changed is changed here; none is asked for anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

GB = 10**9
GIB = 2**30
TIB = 2**40
MIN_BILLED = 10 * 2**20
"""Bytes that BigQuery bills at least for each table that a query names, and for each query."""

_STORAGE = "cloud.google.com/storage/pricing, Standard in us-east1"
_BIGQUERY = "cloud.google.com/bigquery/pricing, on demand in the US"
_ODDS = "the-odds-api.com, plans, as its users quote them"


@dataclass(frozen=True, kw_only=True)
class Price:
    """``dollars`` (US) for every ``per`` of what is counted; ``free`` of it a month cost nothing.

    ``of``: the month of the price list that ``source`` names; that of storage was seen in a copy
    that has no date, and was the same in one of 2021.
    """

    what: str
    dollars: float
    per: float
    source: str
    of: str
    free: float = 0

    def pay(self, amount: float) -> float:
        """Dollars of so much, without what is free: who asks does not know what else the month
        has."""
        return amount / self.per * self.dollars


BILLED = Price(
    what="bytes that queries read",
    dollars=6.25,
    per=TIB,
    source=_BIGQUERY,
    of="2026-09",
    free=TIB,
)
TABLES = Price(
    what="bytes in tables, a month (half of it after 90 days without a change)",
    dollars=0.02,
    per=GIB,
    source=_BIGQUERY,
    of="2026-10",
)
WRITES = Price(
    what="writes and listings of objects (class A)",
    dollars=0.005,
    per=1000,
    source=_STORAGE,
    of="undated",
)
READS = Price(
    what="reads of objects (class B)", dollars=0.0004, per=1000, source=_STORAGE, of="undated"
)
OBJECTS = Price(
    what="bytes in objects, a month", dollars=0.02, per=GB, source=_STORAGE, of="undated"
)
PRICES = (BILLED, TABLES, WRITES, READS, OBJECTS)


@dataclass(frozen=True, kw_only=True)
class CreditPlan:
    """A plan of The Odds API: ``credits`` a month for ``dollars`` a month. One that costs nothing
    has no historical odds."""

    credits: int
    dollars: float
    source: str = _ODDS
    of: str = "2026-09"

    @property
    def name(self) -> str:
        """As the vendor calls it: ``20K``, ``5M``."""
        if self.credits % 1_000_000 == 0:
            return f"{self.credits // 1_000_000}M"
        return f"{self.credits // 1000}K" if self.credits >= 1000 else str(self.credits)


CREDIT_PLANS = (
    CreditPlan(credits=500, dollars=0),
    CreditPlan(credits=20_000, dollars=30),
    CreditPlan(credits=100_000, dollars=59),
    CreditPlan(credits=5_000_000, dollars=119),
    CreditPlan(credits=15_000_000, dollars=249),
)


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """What a piece of work takes: credits, bytes that queries read, writes and reads of objects;
    and what lies there afterwards, in bytes, each month."""

    credits: int = 0
    billed: float = 0
    writes: int = 0
    reads: int = 0
    raw_bytes: float = 0
    table_bytes: float = 0


@dataclass(frozen=True, kw_only=True)
class Money:
    """US dollars: ``credits``, ``queries`` and ``operations`` are paid once, ``monthly`` for what
    lies there."""

    credits: float
    queries: float
    operations: float
    monthly: float

    @property
    def once(self) -> float:
        """All but what lying there costs."""
        return self.credits + self.queries + self.operations


def money(amounts: Amounts, *, monthly_credits: int = 0) -> Money:
    """What these amounts cost; nothing that is free a month is taken off.

    ``monthly_credits``: those of the plan that was bought, of whose dollars the credits have their
    share (all of them are paid for, used or not); 0 where none is bought.
    """
    return Money(
        credits=amounts.credits * dollars_a_credit(monthly_credits),
        queries=BILLED.pay(amounts.billed),
        operations=WRITES.pay(amounts.writes) + READS.pay(amounts.reads),
        monthly=OBJECTS.pay(amounts.raw_bytes) + TABLES.pay(amounts.table_bytes),
    )


def dollars_a_credit(monthly_credits: int) -> float:
    """Of a plan with so many credits a month; the smallest one that has as many, where no plan has
    just these."""
    plan = smallest_plan(monthly_credits)
    return plan.dollars / plan.credits


def smallest_plan(credits: int) -> CreditPlan:
    """That has so many credits in one month; the largest one where none has."""
    enough = (plan for plan in CREDIT_PLANS if plan.credits >= credits)
    return next(enough, CREDIT_PLANS[-1])


def months(credits: int, monthly: int) -> int | None:
    """In how many months so many credits come; None: never."""
    return ceil(credits / monthly) if monthly > 0 else None
