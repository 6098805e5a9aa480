"""The scripts that the product is compared with do the work of a date."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from devstack.bench.guide import one_date, sequential, threads
from devstack.sandbox.server import running

Way = Callable[[Callable[[date], bool], Iterable[date]], int]
DAYS = [date(2025, 1, 15), date(2025, 1, 16)]


@pytest.mark.parametrize("way", [sequential, threads])
def test_both_fetch_keep_load_and_count_every_date(way: Way, tmp_path: Path) -> None:
    with running(tmp_path) as sandbox:
        work = partial(one_date, sandbox.base("balldontlie"), tmp_path)
        assert way(work, DAYS) == 2
        assert len(sandbox.log()) == 2
    for day in DAYS:
        assert (tmp_path / f"{day}.json").stat().st_size > 10_000
        assert pq.read_table(tmp_path / f"{day}.parquet").num_rows > 100


def test_a_date_that_lacks_rows_of_a_game_is_not_right(tmp_path: Path) -> None:
    fault = {"source": "balldontlie", "day": "2025-01-15", "kind": "unplayed"}
    with running(tmp_path, faults=[fault]) as sandbox:
        assert not one_date(sandbox.base("balldontlie"), tmp_path, DAYS[0])
