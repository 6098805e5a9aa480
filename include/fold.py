"""Dates that ended alike, folded into groups: the one place that says which failures are the
same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from include.errors import fingerprint
from include.outcome import Outcome
from include.results import DateResult

Cause = tuple[str, str, Outcome, str, str]


@dataclass(frozen=True, kw_only=True)
class Group:
    """Results of one cause. ``tries`` counts them, ``days`` are their dates, sorted; times are
    aware.

    ``message`` and ``log_url`` are one sample: those of the earliest date that has a message. Where
    the dates say different things the message names its date (``e.g. 2024-12-02: 9 of 11 games``),
    and ``by_day`` has each date's own; else it is empty. Results of an outcome that is nobody's
    error are alike whatever they say: they have no class and no fingerprint.
    """

    dag_id: str
    endpoint: str
    outcome: Outcome
    error_class: str
    fingerprint: str
    tries: int
    days: tuple[date, ...]
    first_at: datetime | None
    last_at: datetime | None
    message: str
    log_url: str
    by_day: tuple[tuple[date, str], ...] = ()

    @property
    def cause(self) -> Cause:
        """What its results share, and no other group's."""
        return self.dag_id, self.endpoint, self.outcome, self.error_class, self.fingerprint

    @property
    def title(self) -> str:
        """Its class, or its outcome where it has none."""
        return self.error_class or str(self.outcome)


def fold(results: Iterable[DateResult]) -> list[Group]:
    """Every result that is not done, in exactly one group: what is wrong first, the largest first.

    Of two tries of one date the later one in ``results`` is its word.
    """
    alike: dict[Cause, list[DateResult]] = defaultdict(list)
    for result in results:
        if not result.outcome.done:
            alike[_cause(result)].append(result)
    groups = [_group(cause, members) for cause, members in alike.items()]
    return sorted(groups, key=_rank)


def _cause(result: DateResult) -> Cause:
    """What results of one group share."""
    if not result.outcome.wrong:
        return result.dag_id, result.endpoint, result.outcome, "", ""
    said = result.fingerprint or fingerprint(result.error_class, result.endpoint, result.message)
    return result.dag_id, result.endpoint, result.outcome, result.error_class, said


def _group(cause: Cause, members: list[DateResult]) -> Group:
    """The members' group; what it says is the earliest date's that says something."""
    dag_id, endpoint, outcome, error_class, fingerprint = cause
    newest = {member.day: member for member in members}
    in_order = [newest[day] for day in sorted(newest)]
    spoken = [each for each in in_order if each.message]
    sample = spoken[0] if spoken else in_order[0]
    differ = len({each.message for each in spoken}) > 1
    return Group(
        dag_id=dag_id,
        endpoint=endpoint,
        outcome=outcome,
        error_class=error_class,
        fingerprint=fingerprint,
        tries=len(members),
        days=tuple(each.day for each in in_order),
        first_at=min((each.first_at for each in members if each.first_at), default=None),
        last_at=max((each.last_at for each in members if each.last_at), default=None),
        message=f"e.g. {sample.day}: {sample.message}" if differ else sample.message,
        log_url=sample.log_url,
        by_day=tuple((each.day, each.message) for each in spoken) if differ else (),
    )


def _rank(group: Group) -> tuple[object, ...]:
    return (
        not group.outcome.wrong,
        -group.tries,
        group.days,
        group.outcome.severity,
        group.dag_id,
        group.endpoint,
        group.fingerprint,
    )
