"""What failed in the last hours, one group per cause, against the period before: what `airflow nba
errors` and the page say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import psycopg

from include.fold import Group, fold
from include.ops.failures import read_failures
from include.ops.outcomes import OutcomeRow, read_newest


@dataclass(frozen=True, kw_only=True)
class Trend:
    """The failures of one cause, and how many tries ended by it ``before``, in as long a period."""

    group: Group
    before: int

    @property
    def says(self) -> str:
        """``new: none``, ``more: 2``, ``fewer: 5``, ``as many: 3``."""
        if not self.before:
            return "new: none"
        now = self.group.tries
        trend = ("as many", "more", "fewer")[(now > self.before) - (now < self.before)]
        return f"{trend}: {self.before}"


def read_trends(connection: psycopg.Connection[Any], back: timedelta) -> list[Trend]:
    """The causes of the failures since ``back`` ago, as ``fold`` orders them."""
    earlier = fold(read_failures(connection, 2 * back, until=back))
    before = {group.cause: group.tries for group in earlier}
    groups = fold(read_failures(connection, back))
    return [Trend(group=group, before=before.get(group.cause, 0)) for group in groups]


def read_open_days(
    connection: psycopg.Connection[Any], trends: Iterable[Trend]
) -> list[list[date]]:
    """Of each cause its dates that are not done by now."""
    groups = [trend.group for trend in trends]
    days: dict[str, set[date]] = defaultdict(set)
    for group in groups:
        days[group.dag_id].update(group.days)
    newest = {dag_id: read_newest(connection, dag_id, mine) for dag_id, mine in days.items()}
    return [
        [day for day in group.days if not _is_done(group, day, newest[group.dag_id])]
        for group in groups
    ]


def _is_done(group: Group, day: date, newest: Mapping[tuple[date, str], OutcomeRow]) -> bool:
    """By the endpoint's newest try; by all, where the failure was of no endpoint."""
    told = [
        row.outcome.done
        for (of_day, endpoint), row in newest.items()
        if of_day == day and group.endpoint in ("", endpoint)
    ]
    return bool(told) and all(told)
