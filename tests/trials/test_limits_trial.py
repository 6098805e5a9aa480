"""The limiter against a judge with a clock of its own: processes killed, stopped and held up on the
way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstack.limiter_trial import trial, worst_window


def test_both_ends_of_a_window_count() -> None:
    assert worst_window([0.0, 0.5, 1.0, 1.75, 1.875], 1.0) == 3


@given(st.lists(st.integers(0, 50)), st.integers(1, 20))
def test_the_worst_window_starts_at_an_arrival(arrivals: list[int], seconds: int) -> None:
    slowly = max(
        (sum(start <= other <= start + seconds for other in arrivals) for start in arrivals),
        default=0,
    )
    assert worst_window([float(moment) for moment in arrivals], float(seconds)) == slowly


@pytest.mark.slow
def test_no_window_is_exceeded_by_processes_that_are_killed_and_stopped(ops_db: str) -> None:
    verdict = trial(ops_db, processes=8, limit=20, seconds=2.0, windows=3, kill=2, stop=1)
    assert verdict.worst <= verdict.limit, str(verdict)
    assert verdict.requests > verdict.limit
