"""How much of a limit was used: the first window, which is free to be filled at once, proves
nothing."""

from __future__ import annotations

import pytest

from devstack.bench.season import share_of_limit


def test_a_request_a_second_uses_all_of_sixty_a_minute() -> None:
    assert share_of_limit([float(n) for n in range(181)], 60, 60.0) == 121 / 120


def test_a_burst_at_the_start_does_not_count() -> None:
    burst = [0.001 * n for n in range(60)]
    slow = [60.0 + 2 * n for n in range(61)]
    assert share_of_limit([*burst, *slow], 60, 60.0) == 61 / 120


def test_order_of_the_log_does_not_matter() -> None:
    assert share_of_limit([90.0, 0.0, 60.0, 120.0], 60, 60.0) == 3 / 60


@pytest.mark.parametrize("moments", [[0.0, 59.0], [0.0, 60.0]])
def test_less_than_a_window_says_nothing(moments: list[float]) -> None:
    with pytest.raises(ValueError, match="within the first window"):
        share_of_limit(moments, 60, 60.0)
