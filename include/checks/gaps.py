"""Gaps: the dates of a window that are not done by their own data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from include.checks.standing import Fault, standing
from include.partition import Partition
from include.results import DateResult
from include.sources.spec import Source
from include.storage.store import Store
from include.warehouse.open import Warehouse


@dataclass(frozen=True, kw_only=True)
class Gap(DateResult):
    """A date of an endpoint that is not done, and what is wrong with it."""

    fault: Fault


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
            yield Gap(
                day=day,
                outcome=found.outcome,
                endpoint=name,
                message=found.message,
                missing=found.manifest.missing if found.manifest else (),
                fault=found.fault,
            )
