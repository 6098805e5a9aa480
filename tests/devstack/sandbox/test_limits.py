from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devstack.sandbox.judge import worst_window
from devstack.sandbox.limits import Limits


def test_a_window_is_half_open() -> None:
    limits = Limits({"balldontlie": ((2, 60.0),)})
    at = (0.0, 1.0, 59.999, 60.0, 60.5, 61.0)
    assert [limits.admit("balldontlie", "", t) for t in at] == [
        True,
        True,
        False,
        True,
        False,
        True,
    ]


def test_every_window_of_a_source_holds() -> None:
    limits = Limits({"the_odds_api": ((2, 1.0), (3, 10.0))})
    at = (0.0, 0.5, 0.6, 1.2, 5.0, 10.0)
    assert [limits.admit("the_odds_api", "", t) for t in at] == [
        True,
        True,
        False,
        True,
        False,
        True,
    ]


def test_callers_have_windows_of_their_own_and_an_unlimited_source_admits_all() -> None:
    limits = Limits({"nba_stats": ((1, 60.0),), "bigdataball": ()})
    assert [limits.admit("nba_stats", caller, 0.0) for caller in ("a", "b", "a")] == [
        True,
        True,
        False,
    ]
    assert all(limits.admit("bigdataball", "a", 0.0) for _ in range(1000))


def test_a_changed_limit_counts_what_was_admitted_before() -> None:
    limits = Limits({"balldontlie": ((60, 60.0),)})
    for n in range(5):
        assert limits.admit("balldontlie", "", float(n))
    limits.change({"balldontlie": ((5, 60.0),)})
    assert not limits.admit("balldontlie", "", 10.0)


def test_the_worst_window_is_found_wherever_it_starts() -> None:
    times = [0.0, 10.0, 50.0, 59.0, 61.0, 69.9, 70.0, 200.0]
    assert worst_window(times, 60.0) == 5  # from 10.0 on; 70.0 is outside
    assert worst_window(times, 1.0) == 2
    assert worst_window([0.0, 60.0], 60.0) == 1
    assert worst_window([], 60.0) == 0


@given(st.lists(st.integers(0, 50)), st.integers(1, 20))
def test_the_worst_window_starts_at_an_arrival(arrivals: list[int], seconds: int) -> None:
    slowly = max(
        (sum(start <= other < start + seconds for other in arrivals) for start in arrivals),
        default=0,
    )
    assert worst_window([float(moment) for moment in arrivals], float(seconds)) == slowly


@given(
    gaps=st.lists(st.floats(0, 30, allow_nan=False), max_size=80),
    limit=st.integers(1, 8),
    seconds=st.floats(0.5, 60, allow_nan=False),
)
def test_what_is_admitted_never_exceeds_the_limit_by_the_judges_count(
    gaps: list[float], limit: int, seconds: float
) -> None:
    limits = Limits({"balldontlie": ((limit, seconds),)})
    at, admitted = 0.0, []
    for gap in gaps:
        at += gap
        if limits.admit("balldontlie", "", at):
            admitted.append(at)
    assert worst_window(admitted, seconds) <= limit
