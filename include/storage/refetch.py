"""A refetch: when fresh bodies were ordered, and what has come since, so that an interrupted one
goes on."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from include.partition import Partition
from include.storage.raw import RawObject
from include.storage.store import Store

NAME = "_refetch.json"

# How far our clock may be behind that of whoever wrote an order.
_CLOCKS = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """``ordered_at``: when fresh bodies were asked for. ``done``: the date's manifest is made of
    them."""

    ordered_at: datetime
    objects: tuple[RawObject, ...] = ()
    done: bool = False


def refetch_moment(order: Any, *, run_began: datetime | None) -> datetime | None:
    """The moment of an order as a run's conf has it under ``refetch``; None where nothing is
    ordered.

    `airflow dags backfill --refetch` writes the moment, so that clearing the run asks for nothing
    that has come since. ``true``, as people write in the UI, means the beginning of the run, so
    that every clear orders anew. Raises ValueError for anything else, and for a moment to come:
    no body would be fresh until then.
    """
    if order is None or order is False:
        return None
    if order is True:
        return run_began
    moment = _moment(order)
    if moment is None:
        raise ValueError(
            f"refetch is {order!r}: write true, or a moment with its zone like 2026-01-31T12:00:00Z"
        )
    if moment > datetime.now(UTC) + _CLOCKS:
        raise ValueError(f"refetch is {order!r}, which is to come: write true, or a moment past")
    return moment


def _moment(order: Any) -> datetime | None:
    """What is written, in UTC; None where that is not a moment with a zone."""
    with suppress(TypeError, ValueError, OverflowError):
        moment = datetime.fromisoformat(order)
        if moment.utcoffset() is not None:
            return moment.astimezone(UTC)
    return None


def progress(store: Store, partition: Partition, ordered_at: datetime) -> Progress:
    """How far the refetch that was ordered then, or a later one, has come.

    Notes of an earlier order, or none that can be read, are as good as none: all is asked for
    again.
    """
    data = store.read(f"{partition.prefix}/{NAME}")
    try:
        noted = json.loads(data or b"{}")
        if (moment := datetime.fromisoformat(noted["ordered_at"])) >= ordered_at:
            objects = tuple(RawObject(**fields) for fields in noted["objects"])
            return Progress(ordered_at=moment, objects=objects, done=noted["done"] is True)
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    return Progress(ordered_at=ordered_at)


def note(store: Store, partition: Partition, progress: Progress) -> None:
    """Replaces the notes; bodies must be stored before they are noted."""
    text = json.dumps(
        {**asdict(progress), "ordered_at": progress.ordered_at.isoformat()},
        indent=1,
        sort_keys=True,
    )
    store.replace(f"{partition.prefix}/{NAME}", text.encode())
