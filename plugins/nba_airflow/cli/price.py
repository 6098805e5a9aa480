"""What dates of a paid source can cost before they are started, and which of them are too dear."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from include.checks.completeness import due
from include.checks.schedule import scheduled_games
from include.guards.plan import GAMES_PER_DATE
from include.steps.price import Allotment, price_date
from include.wording import counted, dates
from nba_airflow import connections
from nba_airflow.cli.progress import track
from nba_airflow.specs import sources


@dataclass(frozen=True, kw_only=True)
class Bill:
    """The most ``credits`` that dates can cost with so many ``games``; of the ``unknown`` ones the
    schedule does not have the games. ``refusals``: why dates are too dear to be started."""

    allotment: Allotment | None = None
    games: int = 0
    credits: int = 0
    unknown: Sequence[date] = ()
    refusals: Sequence[str] = ()

    @property
    def refusal(self) -> str:
        """Why nothing is started; empty where every date fits."""
        first, others = "".join(self.refusals[:1]), len(self.refusals[1:])
        return f"{first} (and {counted(others, 'more date')})" if others else first

    def lines(self) -> Iterator[str]:
        """The price as an operator reads it."""
        if self.allotment is None:
            return
        most, games = counted(self.credits, "credit"), counted(self.games, "game")
        yield f"  up to {most} of {self.allotment.connection} for {games}; {self.allotment.word()}"
        if self.unknown:
            yield (
                f"  {GAMES_PER_DATE} games each were counted for dates that the schedule does not"
                f" have: {dates(self.unknown)}; load nbacom_schedule first"
            )

    def facts(self) -> dict[str, object]:
        """The price for -o json."""
        return {
            "credits": self.credits,
            "games": self.games,
            "unknown": self.unknown,
            "refusals": self.refusals,
        }


def read_bill(dag_id: str, days: Collection[date], *, refetched: datetime | None) -> Bill:
    """The bill for these dates; of no credits at all where the DAG's source is not paid by the
    request.

    Reads connections, raw store and warehouse; asks nothing upstream. ``refetched``: fresh bodies
    are ordered. Raises Problem for a connection that cannot be read so.
    """
    source = sources().get(dag_id)
    if source is None or source.hosts[0].credits is None:
        return Bill()
    source, stores = connections.as_bought(source), connections.stores()
    assert source.hosts[0].credits
    allotment = Allotment(
        connection=source.connection, credits=source.hosts[0].credits, purpose="backfill"
    )
    total = games = 0
    unknown: list[date] = []
    refusals: list[str] = []
    for day in track(days, "dates priced", len(days)):
        listed = scheduled_games(stores.warehouse, day)
        if listed is None:
            unknown.append(day)
        played = GAMES_PER_DATE if listed is None else len(due(listed))
        prices = price_date(source, day, played, stores.raw, ordered_at=refetched)
        total, games = total + sum(price.credits for price in prices), games + played
        # A date whose games nobody knows is judged when its list has come.
        if listed is not None and (said := allotment.refuse(day, played, prices)):
            refusals.append(said)
    return Bill(
        allotment=allotment,
        games=games,
        credits=total,
        unknown=unknown,
        refusals=refusals,
    )
