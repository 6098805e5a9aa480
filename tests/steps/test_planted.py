"""Faults that are planted in two weeks of a source: gaps finds each and nothing else, and they are
healed with the fewest requests."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.checks.gaps import find_gaps
from include.checks.lost import give_up_lost
from include.checks.standing import Fault
from include.errors import Problem
from include.steps.attempt import attempt
from include.steps.entry import Entry
from include.steps.job import Job, Wire
from include.steps.reprocess import reprocess
from tests.steps.line import Line
from tests.steps.one_date import SOURCE, partition

D = [date(2025, 1, 5) + timedelta(days=n) for n in range(16)]
Rows = list[dict[str, Any]]


def edit(line: Line, change: Callable[[Rows], Rows]) -> None:
    """Changes the rows of the date's partition, as no code of ours does."""
    table = pq.read_table(line.part)
    rows = change(table.to_pylist())
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), line.part)


def damage(line: Line) -> None:
    (body,) = line.folder.glob("all-*")
    body.write_bytes(b"damaged")


def lose(line: Line) -> None:
    (body,) = line.folder.glob("all-*")
    body.unlink()


def without_first_game(rows: Rows) -> Rows:
    return [row for row in rows if row["game_id"] != rows[0]["game_id"]]


def rename_first_game(rows: Rows) -> Rows:
    """A game more, which raw does not have."""
    return [{**rows[0], "away_tricode": "AAA"}, *rows]


PLANTED: dict[date, tuple[Fault, Callable[[Line], None]]] = {
    D[1]: (Fault.RAW_WITHOUT_ROWS, lambda line: line.part.unlink()),
    D[2]: (Fault.RAW_WITHOUT_ROWS, lambda line: edit(line, without_first_game)),
    D[3]: (Fault.THIN_ROWS, lambda line: edit(line, lambda rows: rows[1:])),
    D[4]: (Fault.DUPLICATE_ROWS, lambda line: edit(line, lambda rows: [rows[0], *rows])),
    D[5]: (
        Fault.DUPLICATE_ROWS,
        lambda line: edit(line, lambda rows: [rows[0], rows[0], *rows[2:]]),
    ),
    D[6]: (Fault.SURPLUS_ROWS, lambda line: edit(line, rename_first_game)),
    D[7]: (
        Fault.OLD_ROWS,
        lambda line: edit(line, lambda rows: [{**rows[0], "source_file": "old"}, *rows[1:]]),
    ),
    D[8]: (Fault.ROWS_WITHOUT_RAW, lambda line: shutil.rmtree(line.folder)),
    D[9]: (Fault.DAMAGED_RAW, lose),
    D[10]: (Fault.DAMAGED_RAW, damage),
}
NEVER, LACKS_GAME, THIN, STALE = D[11:15]
FAULTS = {
    **{day: fault for day, (fault, _) in PLANTED.items()},
    **{NEVER: Fault.MISSING_DATE, LACKS_GAME: Fault.MISSING_GAME, THIN: Fault.THIN_GAME},
    STALE: Fault.STALE_MANIFEST,
}
LATE = {LACKS_GAME: "missing_game", STALE: "missing_game", THIN: "wrong_score"}


@pytest.fixture
def lines(line: Line) -> dict[date, Line]:
    """The dates, each with its fault; the first and the last have none."""
    found = {day: replace(line, day=day) for day in D}
    for day, each in found.items():
        games = each.listed()
        each.schedule(games)
        if day in LATE:
            each.fault(LATE[day], endpoint="box_scores", times=1)
        if day != NEVER:
            run(each)
    stale = found[STALE]
    (late,) = stale.manifest().missing
    games = stale.listed()
    stale.schedule([game for game in games if game != late])
    stale.fault("missing_game", endpoint="box_scores", times=1)
    run(stale)
    stale.schedule(games)
    for day, (_, plant) in PLANTED.items():
        plant(found[day])
    return found


def run(line: Line) -> None:
    """A try of the date; what is wrong with it is told by the gaps."""

    @contextmanager
    def reach() -> Iterator[Wire]:
        yield line.wire

    at = partition(line.endpoint, line.day)
    job = Job(source=SOURCE, endpoint=line.endpoint, partition=at, stores=line.stores, reach=reach)
    with suppress(Problem):
        attempt(job, Entry(at, lambda row: None, run_id="r"))


def gaps(line: Line) -> dict[date, Fault]:
    due = [(line.endpoint.name, day) for day in D]
    found = find_gaps(SOURCE, due, line.stores.raw, line.stores.warehouse)
    return {gap.day: gap.fault for gap in found if gap}


def test_gaps_finds_each_planted_fault_and_nothing_else(lines: dict[date, Line]) -> None:
    assert gaps(lines[D[0]]) == FAULTS


def test_planted_faults_are_healed_with_the_fewest_requests(lines: dict[date, Line]) -> None:
    first = lines[D[0]]
    before = len(first.sandbox.log())
    for day, fault in gaps(first).items():
        at = partition(first.endpoint, day)
        if fault.healed_from_raw:
            reprocess(first.endpoint, at, first.stores)
        else:
            give_up_lost(first.stores.raw, at)
            run(lines[day])
    assert gaps(first) == {}
    asked = [request["path"] for request in first.sandbox.log()[before:]]
    assert asked == ["/v1/box_scores"] * len([*D[8:11], NEVER, LACKS_GAME, THIN, STALE])
