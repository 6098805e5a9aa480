"""Orders of fresh bodies: when, by what a run's conf says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.storage.refetch import refetch_moment

BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("order", "moment"),
    [
        (None, None),
        (False, None),
        (True, BEGAN),
        ("2026-01-31T12:00:00Z", NOON),
        ("2026-01-31T07:00:00-05:00", NOON),
        (NOON.isoformat(), NOON),
    ],
)
def test_moment_of_an_order(order: Any, moment: datetime | None) -> None:
    assert refetch_moment(order, run_began=BEGAN) == moment


@pytest.mark.parametrize(
    "order", ["yes", "", "2026-01-31", "2026-01-31T12:00:00", 1, {"at": "noon"}, []]
)
def test_anything_else_is_refused_by_name(order: Any) -> None:
    with pytest.raises(ValueError, match="write true, or a moment with its zone") as caught:
        refetch_moment(order, run_began=BEGAN)
    assert repr(order) in str(caught.value)


def test_moment_to_come_is_refused_since_nothing_would_be_fresh_before_it() -> None:
    now = datetime.now(UTC)
    soon = now + timedelta(minutes=4)
    assert refetch_moment(soon.isoformat(), run_began=BEGAN) == soon
    later = (now + timedelta(minutes=10)).isoformat()
    with pytest.raises(ValueError, match="which is to come: write true") as caught:
        refetch_moment(later, run_began=BEGAN)
    assert repr(later) in str(caught.value)
