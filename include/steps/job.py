"""What a try of a date is given: the date, its stores, and how upstreams are reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime

from include.http.client import Client
from include.http.upstream import Upstream
from include.partition import Partition
from include.sources.spec import Endpoint, Source
from include.steps.price import Allotment
from include.storage.store import Store
from include.used import Used
from include.warehouse.open import Warehouse


@dataclass(frozen=True, kw_only=True)
class Stores:
    """Where bodies and rows live."""

    raw: Store
    warehouse: Warehouse

    @property
    def used(self) -> Used:
        """What both have been asked for so far."""
        return self.raw.used + self.warehouse.used


@dataclass(frozen=True, kw_only=True)
class Wire:
    """How upstreams are reached: one client, where each connection leads, and what the paid ones
    allot to a date."""

    client: Client
    upstreams: Mapping[str, Upstream]
    allotments: Mapping[str, Allotment] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One endpoint's date and all that a try of it needs.

    ``reach`` opens the way to the upstreams; it is opened only when something has to be asked for.
    ``refetch``: the moment at which fresh bodies were ordered, if they were. ``ask_schedule`` puts
    the date into the schedule where that lacks it, if it can.
    """

    source: Source
    endpoint: Endpoint
    partition: Partition
    stores: Stores
    reach: Callable[[], AbstractContextManager[Wire]]
    refetch: datetime | None = None
    ask_schedule: Callable[[], None] = lambda: None
