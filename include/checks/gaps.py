"""Gaps: the dates of a window that are not done by their own data, folded, and the commands that
fill them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from include.checks.standing import standing
from include.errors import normalised
from include.outcome import Outcome
from include.partition import Partition, day_ranges
from include.sources.spec import Source
from include.storage.raw import Store
from include.warehouse.open import Warehouse

MOST_COMMANDS = 5
"""More ranges than these are one command over all of them: dates that raw has whole cost no request
anyway."""


@dataclass(frozen=True, kw_only=True)
class Gap:
    """One endpoint's date that is not done; ``missing`` names its games (``GSW@UTA``) where they
    are known."""

    endpoint: str
    day: date
    outcome: Outcome
    message: str
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GapGroup:
    """Gaps of one endpoint that are alike but for dates and numbers; ``message`` is the first
    one's.

    Where games are missing that are known, only gaps of the same games are alike: their names are
    in the message.
    """

    endpoint: str
    outcome: Outcome
    message: str
    days: tuple[date, ...]


def find_gaps(
    source: Source, dates: Iterable[tuple[str, date]], store: Store, warehouse: Warehouse
) -> Iterator[Gap | None]:
    """For each (endpoint, date): what is missing, or None. Reads the date's manifest, bodies and
    rows; no requests."""
    for name, day in dates:
        partition = Partition(dag_id=source.dag_id, endpoint=name, day=day)
        found = standing(source.endpoint(name), partition, store, warehouse)
        if found.done:
            yield None
        else:
            missing = found.manifest.missing if found.manifest else ()
            yield Gap(
                endpoint=name,
                day=day,
                outcome=found.outcome,
                message=found.message,
                missing=missing,
            )


def folded(found: Iterable[Gap]) -> list[GapGroup]:
    """Every gap in exactly one group, the largest group first."""
    groups: dict[tuple[str, Outcome, str], list[Gap]] = {}
    for gap in sorted(found, key=lambda gap: (gap.day, gap.endpoint)):
        said = gap.message if gap.missing else normalised(gap.message)
        groups.setdefault((gap.endpoint, gap.outcome, said), []).append(gap)
    of_a_kind = [
        GapGroup(
            endpoint=members[0].endpoint,
            outcome=members[0].outcome,
            message=members[0].message,
            days=tuple(gap.day for gap in members),
        )
        for members in groups.values()
    ]
    return sorted(of_a_kind, key=lambda group: (-len(group.days), group.days, group.endpoint))


def filling(dag_id: str, days: Sequence[date]) -> list[str]:
    """The commands that run these dates, whether they have a run or not and whatever its colour."""
    ranges = day_ranges(list(days))
    if len(ranges) > MOST_COMMANDS:
        ranges = [(ranges[0][0], ranges[-1][1])]
    return [
        f"airflow dags backfill {dag_id} -s {first} -e {last} --reset-dagruns -y"
        for first, last in ranges
    ]
