from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.limits.pool_size import TASK_OVERHEAD, fit_into_workers, needed_slots


@pytest.mark.parametrize(
    ("rate", "requests", "slots"),
    [
        (1.0, 1.0, 4),  # 60 a minute, one request a task: 0.5 s and 3 s each
        (1.0, 9.0, 1),
        (10.0, 9.0, 9),
        (1 / 60, 1.0, 1),
    ],
)
def test_slots_are_what_the_rate_can_use(rate: float, requests: float, slots: int) -> None:
    found = needed_slots(rate=rate, seconds_per_request=0.5, requests_per_task=requests)
    assert found == slots


@pytest.mark.parametrize(("tasks_per_day", "slots"), [(0.16, 1), (4.0, 4), (4.2, 5), (1000.0, 25)])
def test_no_more_tasks_at_a_time_than_a_days_credits_can_buy(
    tasks_per_day: float, slots: int
) -> None:
    found = needed_slots(
        rate=30.0, seconds_per_request=0.5, requests_per_task=9.0, tasks_per_day=tasks_per_day
    )
    assert found == slots


def test_no_source_has_more_than_half_of_the_workers_its_pools_together() -> None:
    wanted = {"stats": 6, "cdn": 5, "odds": 25}
    assert fit_into_workers(wanted, [("stats", "cdn"), ("odds",)], 32) == {
        "stats": 6,
        "cdn": 5,
        "odds": 16,
    }
    assert fit_into_workers(wanted, [("stats", "cdn"), ("odds",)], 20) == {
        "stats": 5,
        "cdn": 5,
        "odds": 8,
    }


def test_sources_that_share_a_pool_are_bound_each() -> None:
    wanted = {"stats": 9, "cdn": 9}
    assert fit_into_workers(wanted, [("stats", "cdn"), ("cdn",)], 16) == {"stats": 4, "cdn": 4}


def test_all_together_leave_two_workers_free_and_the_small_ones_keep_what_they_need() -> None:
    wanted = {"bdl": 4, "stats": 6, "cdn": 2, "odds": 8, "drive": 8}
    sources = [("bdl",), ("stats", "cdn"), ("odds",), ("drive",)]
    assert fit_into_workers(wanted, sources, 16) == {
        "bdl": 3,
        "cdn": 2,
        "drive": 3,
        "odds": 3,
        "stats": 3,
    }


def test_every_pool_keeps_a_slot_where_there_are_fewer_workers_than_pools() -> None:
    assert fit_into_workers({"a": 5, "b": 1, "c": 2}, [("a",), ("b",), ("c",)], 2) == {
        "a": 1,
        "b": 1,
        "c": 1,
    }


@given(
    wanted=st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 40), min_size=1),
    workers=st.integers(1, 64),
)
def test_what_fits_is_never_more_than_wanted_and_within_every_bound(
    wanted: dict[str, int], workers: int
) -> None:
    sources = [(name,) for name in wanted]
    slots = fit_into_workers(wanted, sources, workers)
    assert slots.keys() == wanted.keys()
    assert all(1 <= slots[name] <= wanted[name] for name in wanted)
    assert all(slots[name] <= max(1, workers // 2) for name in wanted)
    assert sum(slots.values()) <= max(workers - 2, len(wanted))


def test_the_slots_reach_the_rate() -> None:
    """Each slot's tasks take turns, so it asks ``requests`` times a task's length."""
    for rate, requests in [(1.0, 1.0), (1.67, 2.5), (10.0, 9.0)]:
        slots = needed_slots(rate=rate, seconds_per_request=0.5, requests_per_task=requests)
        assert slots * requests / (0.5 * requests + TASK_OVERHEAD) >= rate
