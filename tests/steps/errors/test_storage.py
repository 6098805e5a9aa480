"""Folders that cannot be read or written."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.partition import Partition
from tests.steps.bench import Bench
from tests.steps.errors.cases import (
    DAY,
    SCHEDULE,
    SOUND,
    judged,
    named,
)


@pytest.mark.parametrize("at", SOUND, ids=named)
def test_a_raw_folder_that_cannot_be_read_costs_no_request(
    bench: Bench, tmp_path: Path, at: tuple[str, str]
) -> None:
    (tmp_path / "raw").write_text("a file where the folder should be")
    ended = bench.run(at, DAY, tmp_path, requests=0)
    assert judged(ended) == ("failed", "storage", 0)
    assert ended.message == f"cannot read FOLDER/raw/{prefix(at)}/_manifest.json: Not a directory"


@pytest.mark.parametrize("at", SOUND, ids=named)
def test_a_raw_folder_that_cannot_be_written_ends_the_date_at_its_first_body(
    bench: Bench, tmp_path: Path, at: tuple[str, str]
) -> None:
    folder = tmp_path / "raw" / prefix(at)
    folder.parent.mkdir(parents=True)
    folder.symlink_to(tmp_path / "a disk that is not mounted")
    ended = bench.run(at, DAY, tmp_path, requests=1)
    assert judged(ended) == ("failed", "storage", 1)


@pytest.mark.parametrize("at", SOUND, ids=named)
def test_a_warehouse_that_cannot_be_written_costs_its_requests_only_once(
    bench: Bench, tmp_path: Path, at: tuple[str, str]
) -> None:
    table = bench.sources[at[0]].endpoint(at[1]).table
    in_the_way = tmp_path / "warehouse" / table.dataset / table.name
    in_the_way.parent.mkdir(parents=True)
    in_the_way.write_text("a file where the folder should be")
    ended = bench.run(at, DAY, tmp_path, requests=SOUND[at], scheduled=at != SCHEDULE)
    assert judged(ended) == ("failed", "storage", SOUND[at])

    in_the_way.unlink()
    assert judged(bench.run(at, DAY, tmp_path, requests=0)) == ("complete", "", 0)


def prefix(at: tuple[str, str]) -> str:
    return Partition(dag_id=at[0], endpoint=at[1], day=DAY).prefix
