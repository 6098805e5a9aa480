"""The names of NBA.com's seasons."""

from __future__ import annotations

from datetime import date

import pytest

from include.parsing.nbacom import (
    season,
)


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(2024, 10, 4), "2024-25"),
        (date(2025, 6, 22), "2024-25"),
        (date(1999, 12, 31), "1999-00"),
        (date(2020, 10, 11), "2019-20"),
        (date(2020, 12, 22), "2020-21"),
        (date(2021, 7, 20), "2020-21"),
    ],
)
def test_season_of_a_date_has_the_name_of_nba_com(day: date, name: str) -> None:
    assert season(day) == name
