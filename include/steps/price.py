"""What the bodies that a date lacks can cost, and whether a day's allotment covers it: asked before
anything is bought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from include.errors import ErrorClass, Problem
from include.limits.allowance import DAYS_A_MONTH, LARGER_PLAN, Purpose, allotment
from include.partition import Partition
from include.sources.spec import Credits, Endpoint, Get, Source
from include.steps.raw_date import RawDate
from include.storage.store import Store
from include.wording import counted


@dataclass(frozen=True, kw_only=True)
class Price:
    """The most credits that an endpoint's date can still cost: of its lists together, and of so
    many ``items`` at ``each``."""

    endpoint: str
    lists: int
    items: int
    each: int

    @property
    def credits(self) -> int:
        """All of it."""
        return self.lists + self.items * self.each

    def __str__(self) -> str:
        return f"{self.endpoint} {self.lists} + {self.items} x {self.each}"


@dataclass(frozen=True, kw_only=True)
class Allotment:
    """The credits that a paid connection's runs of one purpose get at a time."""

    connection: str
    credits: Credits
    purpose: Purpose

    @property
    def most(self) -> int:
        """What a date may cost at most."""
        return allotment(self.credits, self.purpose)

    def refuse(self, day: date, games: int, prices: Sequence[Price]) -> str:
        """Why the date is not started: the arithmetic and the repair; empty where it fits."""
        total = sum(price.credits for price in prices)
        if total <= self.most:
            return ""
        told = ", ".join(str(price) for price in prices if price.credits)
        fewer = f"ask for fewer markets or regions{self._word_spread(total)}; or, {LARGER_PLAN}"
        return (
            f"{day} can cost {total:,} credits of {self.connection} with its"
            f" {counted(games, 'game')} ({told}), and {self.word()}: {fewer}"
        )

    def check(self, day: date, games: int, prices: Sequence[Price]) -> None:
        """Raises Problem(QUOTA_EXHAUSTED) for a date that is dearer."""
        if said := self.refuse(day, games, prices):
            raise Problem(
                error_class=ErrorClass.QUOTA_EXHAUSTED, message=said, source=self.connection
            )

    def word(self) -> str:
        """What is allotted, with its arithmetic."""
        monthly, reserve = self.credits.monthly, self.credits.live_reserve
        if self.purpose == "live":
            return f"live runs get {monthly:,} a month"
        if self.credits.spread:
            return (
                f"backfills get {self.most:,} a day (({monthly:,} - {reserve:,}) / {DAYS_A_MONTH})"
            )
        return f"backfills get {self.most:,} a month ({monthly:,} - {reserve:,})"

    def _word_spread(self, total: int) -> str:
        """The repair that costs nothing, where it is one."""
        month = allotment(replace(self.credits, spread=False), self.purpose)
        if not self.most < total <= month:
            return ""
        return f', or set "spread": false there to let backfills use the month\'s {month:,} at once'


def price_date(
    source: Source, day: date, games: int, store: Store, *, ordered_at: datetime | None = None
) -> list[Price]:
    """What each endpoint of the source can still cost for a date with so many games, by what raw
    has; ``ordered_at``: fresh bodies are ordered (a refetch)."""
    found = []
    for endpoint in source.endpoints:
        at = Partition(dag_id=source.dag_id, endpoint=endpoint.name, day=day)
        lacking = RawDate(endpoint, at, store, ordered_at=ordered_at).missing(games)
        found.append(price(endpoint, lacking))
    return found


def price(endpoint: Endpoint, lacking: tuple[int, int]) -> Price:
    """What so many lists and items of an endpoint can cost."""
    lists, items = lacking
    return Price(
        endpoint=endpoint.name,
        lists=lists * _cost(endpoint.listing),
        items=items,
        each=_cost(endpoint.request),
    )


def _cost(get: Get | None) -> int:
    return get.cost(get.params) if get and get.cost else 0
