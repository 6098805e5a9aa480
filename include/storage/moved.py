"""Games that were moved: which bodies of other dates have games of a date, so that nothing is asked
for twice."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime

from include.partition import Partition
from include.storage import shared
from include.storage.raw import RawObject
from include.storage.store import Store, change

PREFIX = "from-"
"""What the item of a body is called in another date than its own, before that date's name."""

_EVER = datetime.min.replace(tzinfo=UTC)


def moved_to(store: Store, at: Partition) -> list[RawObject]:
    """The bodies that have games of this date, by the dates that fetched them."""
    return shared.newest(store, at.dag_id, at.endpoint, f"moved-{at.day}", since=_EVER)


def is_of_other_date(found: RawObject) -> bool:
    """Whether a date has the body from another, which lists it."""
    return found.item.startswith(PREFIX)


def dated(found: RawObject) -> date:
    """The date that lists a body which another date has from it."""
    return date.fromisoformat(found.item.removeprefix(PREFIX)[:10])


def uncounted(told: Iterable[RawObject], counted: Iterable[RawObject]) -> list[RawObject]:
    """Those that a date has not counted, by their bytes: the same ones may be fetched anew."""
    known = {(each.item, each.sha256) for each in counted}
    return [each for each in told if (each.item, each.sha256) not in known]


def tell_moved(store: Store, at: Partition, found: RawObject) -> None:
    """Notes that a body of another date, by which its item is called (``name_origin``), has a game
    of this one; the newest one counts. Several dates may tell the same one at once."""

    def add(data: bytes | None) -> bytes:
        told = {each.item: each for each in shared.parse(data, since=_EVER)}
        return shared.dump([*(told | {found.item: found}).values()])

    change(store, shared.path(at.dag_id, at.endpoint, f"moved-{at.day}"), add)


def name_origin(day: date) -> str:
    """What a body of that date is called in others."""
    return f"{PREFIX}{day}"
