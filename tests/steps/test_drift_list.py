"""What a load tells of corrections upstream: told before the rows are replaced, never of a first
load."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest

from include.checks.drift import Drift
from include.errors import ErrorClass
from include.sources.spec import Column, Endpoint, Row
from include.steps.load import load
from tests.steps.line import DAY, NO_GAMES, Line, refused
from tests.steps.one_date import partition


def loaded(line: Line, endpoint: Endpoint | None = None) -> list[Drift]:
    """Loads the date, which is in raw already; what it told."""
    told: list[Drift] = []
    load(
        endpoint or line.endpoint,
        partition(line.endpoint, line.day),
        line.stores,
        corrected=told.append,
    )
    return told


def test_correction_of_one_value_is_told_as_that_value(line: Line) -> None:
    line.run()
    before = {row["player_id"]: row for row in line.rows()}
    line.fault("corrected", endpoint="box_scores")
    line.scrape(refetch=True)

    (drift,) = loaded(line)

    (new,) = [row for row in line.rows() if row["ast"] != before[row["player_id"]]["ast"]]
    where = (
        f"{new['away_tricode']}@{new['home_tricode']}, {new['player_name']}, {new['team_tricode']}"
    )
    change = f"{where}, player_id {new['player_id']}: ast {new['ast'] - 1} -> {new['ast']}"
    assert drift == Drift(changes=(change,), total=1)
    assert loaded(line) == []


@pytest.mark.parametrize("day", [DAY, NO_GAMES])
def test_first_load_tells_nothing(line: Line, day: object) -> None:
    line = replace(line, day=day)
    line.scrape()
    assert loaded(line) == []
    assert line.part.exists()


def test_unchanged_date_tells_nothing(line: Line) -> None:
    line.run()
    line.scrape(refetch=True)
    assert loaded(line) == []


def test_game_that_the_upstream_had_forgotten_is_rows_that_are_added(line: Line) -> None:
    line.fault("missing_game", endpoint="box_scores")
    listed = line.listed()
    line.schedule(listed[1:])
    line.run()
    before = len(line.rows())
    line.sandbox.no_faults()
    line.schedule(listed)
    line.scrape(refetch=True)

    (drift,) = loaded(line)

    assert drift.total == len(line.rows()) - before > 0
    assert {(change.split(",")[0], change.split(": ")[1]) for change in drift.changes} == {
        (listed[0], "row added")
    }


def test_change_is_told_before_the_rows_are_replaced(line: Line) -> None:
    """A process that is killed in between leaves the old rows, so that the next one finds the
    change again."""
    line.run()
    before = line.part.read_bytes()
    line.fault("corrected", endpoint="box_scores")
    line.scrape(refetch=True)

    def killed(drift: Drift) -> None:
        assert line.part.read_bytes() == before
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(line.endpoint, partition(line.endpoint, line.day), line.stores, corrected=killed)
    assert [drift.total for drift in loaded(line)] == [1]


def test_newer_table_and_newer_reading_of_the_same_bodies_are_no_corrections(line: Line) -> None:
    line.run()
    table = replace(
        line.endpoint.table, columns=(*line.endpoint.table.columns, Column("seen", "BOOLEAN"))
    )

    def rows(body: bytes, day: object) -> Sequence[Row]:
        return [{**row, "seen": True, "ast": 0} for row in line.endpoint.rows(body, DAY)]

    assert loaded(line, replace(line.endpoint, table=table, rows=rows)) == []
    assert {(row["seen"], row["ast"]) for row in line.rows()} == {(True, 0)}


def test_damaged_partition_is_replaced_and_the_log_says_that_nothing_can_be_compared(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    line.run()
    sound = line.part.read_bytes()
    line.part.write_bytes(b"torn")
    with caplog.at_level(logging.WARNING, logger="include.steps.load"):
        assert loaded(line) == []
    assert line.part.read_bytes() == sound
    (warning,) = caplog.messages
    at = partition(line.endpoint, line.day)
    assert warning.startswith(f"{at}: what changed upstream cannot be told: ")
    assert warning.endswith("clear the date's task to write it again")


def test_rows_of_a_wrong_type_are_refused_before_they_are_compared(line: Line) -> None:
    line.run()
    line.fault("corrected", endpoint="box_scores")
    line.scrape(refetch=True)
    wrong = replace(
        line.endpoint,
        rows=lambda body, day: [{**r, "player_id": [1]} for r in line.endpoint.rows(body, day)],
    )
    assert refused(lambda: loaded(line, wrong)).error_class is ErrorClass.SCHEMA_DRIFT


def test_refused_rows_leave_the_old_ones_after_what_was_told(line: Line) -> None:
    line.run()
    before = line.part.read_bytes()
    line.fault("corrected", endpoint="box_scores")
    line.scrape(refetch=True)
    wrong = replace(
        line.endpoint,
        rows=lambda body, day: [{**r, "ast": "7"} for r in line.endpoint.rows(body, day)],
    )
    refused(lambda: loaded(line, wrong))
    assert line.part.read_bytes() == before
