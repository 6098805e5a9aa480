"""Quiet hours: when backfills leave upstreams alone, since games are under way and live runs come
first. Arithmetic on a clock's hands; who knows of games is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

VARIABLE = "NBA_QUIET_HOURS"
EVERY_DAG = "*"
"""In the variable: the DAGs that are not named."""
SEASON_MONTHS = frozenset({10, 11, 12, 1, 2, 3, 4, 5, 6})
"""In which a date has games as long as the schedule does not say otherwise."""
PACIFIC = ZoneInfo("US/Pacific")
FOR_EVER = timedelta(days=400)
"""Longer than any backfill: work that has not found so much open time never does."""


@dataclass(frozen=True, kw_only=True)
class QuietHours:
    """From ``begin`` to ``end``, wall clock of ``zone``; an ``end`` before ``begin`` is of the day
    after. They hold on a date with games, which is the date on which they begin."""

    begin: time = time(18)
    end: time = time(23)
    zone: ZoneInfo = PACIFIC

    def bounds(self, day: date) -> tuple[datetime, datetime]:
        """First moment and end (UTC) of those that begin on that date. A wall clock that shows an
        hour twice is quiet in both."""
        days_later = timedelta(days=self.end <= self.begin)
        first = datetime.combine(day, self.begin, self.zone)
        last = datetime.combine(day + days_later, self.end.replace(fold=1), self.zone)
        return first.astimezone(UTC), last.astimezone(UTC)


Rules = QuietHours | None
"""Of a DAG; None: it has none."""
HasGames = Callable[[date], bool]
"""Whether the date has games, as far as is known (see ``assume_games``)."""


def assume_games(day: date) -> bool:
    """Whether a date of which the schedule says nothing has games: it does in the season's
    months."""
    return day.month in SEASON_MONTHS


def in_quiet_hours(moment: datetime, rules: Rules, has_games: HasGames) -> bool:
    """Whether the moment (aware) is in quiet hours; their end is not."""
    return next_open(moment, rules, has_games) > moment


def next_open(moment: datetime, rules: Rules, has_games: HasGames) -> datetime:
    """The first moment from this one (aware) on at which a backfill may work: itself, or when quiet
    hours end (UTC)."""
    found = _next_quiet(moment, rules, has_games, days=0)
    return found[1] if found and found[0] <= moment else moment


def find_end(
    start: datetime, work: timedelta, rules: Rules, has_games: HasGames
) -> datetime | None:
    """When work ends that takes so long and is begun then, quiet hours counted in; None: never."""
    moment, left = start, work
    while found := _next_quiet(moment, rules, has_games, days=8):
        begin, end = found
        if begin - moment >= left:
            break
        left -= max(timedelta(), begin - moment)
        moment = end
        if moment - start > FOR_EVER:
            return None
    return moment + left


def _next_quiet(
    moment: datetime, rules: Rules, has_games: HasGames, *, days: int
) -> tuple[datetime, datetime] | None:
    """The quiet hours that hold then, or the first of the next ``days``; None where there are
    none."""
    if rules is None:
        return None
    today = moment.astimezone(rules.zone).date()
    near = [today + timedelta(days=n) for n in range(-1, days + 1)]
    found = ((day, *rules.bounds(day)) for day in near)
    return next(
        ((begin, end) for day, begin, end in found if end > moment and has_games(day)), None
    )


def parse_quiet_hours(text: str) -> Mapping[str, Rules]:
    """The rules by DAG that a text like ``{"*": {"begin": "18:00", "end": "23:00", "zone":
    "US/Pacific"}, "bdl_box_scores": null}`` states; what it leaves out is as above. Raises
    ValueError, which says what is wrong."""
    stated = json.loads(text or "{}")
    if not isinstance(stated, dict):
        raise ValueError("is not a JSON object of DAGs")
    return {EVERY_DAG: QuietHours()} | {dag_id: _parse(each) for dag_id, each in stated.items()}


def choose_quiet_hours(stated: Mapping[str, Rules], dag_id: str) -> Rules:
    """The rules of a DAG."""
    return stated.get(dag_id, stated[EVERY_DAG])


def _parse(stated: object) -> Rules:
    if stated is None:
        return None
    if not isinstance(stated, dict) or not stated.keys() <= {"begin", "end", "zone"}:
        raise ValueError(f"{stated!r} is not an object of begin, end and zone")
    said = {"begin": "18:00", "end": "23:00", "zone": "US/Pacific"} | stated
    try:
        begin, end = time.fromisoformat(said["begin"]), time.fromisoformat(said["end"])
        zone = ZoneInfo(said["zone"])
    except (TypeError, OSError, ZoneInfoNotFoundError) as error:
        # OSError: the zone is a folder of zones, like "US".
        raise ValueError(f"{stated!r}: {error}") from None
    if begin.tzinfo or end.tzinfo:
        raise ValueError(f"{stated!r}: begin and end are written without a zone, like 18:00")
    if begin == end:
        raise ValueError(f"{stated!r}: begin and end are the same: write null for none")
    return QuietHours(begin=begin, end=end, zone=zone)
