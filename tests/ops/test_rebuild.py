"""Outcomes that were lost come back from manifests and warehouse; what is known stays as it was
written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.errors import ErrorClass, Problem
from include.ops.db import connect
from include.ops.outcomes import OutcomeRow, of_runs, record
from include.ops.rebuild import KNOWN, NOT_OURS, RUN_ID, UNFINISHED, rebuild
from include.outcome import Outcome
from tests.checks.kept import DAY, SOURCE, Kept, partition

NEXT = DAY + timedelta(days=1)
AT = datetime(2025, 1, 16, 11, 0, 0, 123000, tzinfo=UTC)
COMPLETE = OutcomeRow(
    dag_id="kept",
    endpoint="scores",
    day=DAY,
    run_id=RUN_ID,
    phase="audit",
    attempt=1,
    outcome=Outcome.COMPLETE,
    started_at=AT,
    ended_at=AT,
    message="2 of 2 games",
    requests=1,
    credits=3,
    rows=5,
    bytes=len('{"GSW@UTA": 2, "MIA@BOS": 3}'),
    games_expected=2,
    games_found=2,
)


@pytest.fixture
def db(ops_db: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(ops_db) as connection:
        connection.execute("TRUNCATE ops.outcomes")
        connection.commit()
        yield connection


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def again(db: psycopg.Connection[Any], kept: Kept) -> list[tuple[date, str, str]]:
    found = rebuild(db, SOURCE, kept.store, kept.warehouse)
    return [(at.day, at.endpoint, outcome) for at, outcome in found]


def rebuilt(ops_db: str) -> list[OutcomeRow]:
    """What another session sees."""
    with connect(ops_db) as connection:
        return [
            replace(row, missing=tuple(row.missing))
            for row in of_runs(connection, "kept", [RUN_ID])
        ]


def test_done_date_is_recorded_as_its_audit_had(
    ops_db: str, db: psycopg.Connection[Any], kept: Kept
) -> None:
    kept.done({"GSW@UTA": 2, "MIA@BOS": 3})
    assert again(db, kept) == [(DAY, "scores", "complete")]
    assert rebuilt(ops_db) == [COMPLETE]


def test_rebuilding_twice_leaves_the_same_rows(
    ops_db: str, db: psycopg.Connection[Any], kept: Kept
) -> None:
    kept.done({"GSW@UTA": 2})
    kept.done({}, NEXT)
    first = (again(db, kept), rebuilt(ops_db))
    assert first[0] == [(DAY, "scores", "complete"), (NEXT, "scores", "no_games")]
    assert (again(db, kept), rebuilt(ops_db)) == first


def test_rebuilt_date_is_judged_again(ops_db: str, db: psycopg.Connection[Any], kept: Kept) -> None:
    kept.fetched({"GSW@UTA": 2})
    assert again(db, kept) == [(DAY, "scores", "partial")]
    kept.loaded({"GSW@UTA": 2})
    assert again(db, kept) == [(DAY, "scores", "complete")]
    assert [row.outcome for row in rebuilt(ops_db)] == ["complete"]


def test_partial_date_keeps_what_is_missing_and_its_class(
    ops_db: str, db: psycopg.Connection[Any], kept: Kept
) -> None:
    message = "1 of 2 games: missing MIA@BOS"
    missing = {"games_expected": 2, "games_found": 1, "missing": ("MIA@BOS",)}
    kept.fetched({"GSW@UTA": 2}, outcome="partial", message=message, **missing)
    assert again(db, kept) == [(DAY, "scores", "partial")]
    problem = Problem(error_class=ErrorClass.INCOMPLETE, message=message, endpoint="scores")
    assert rebuilt(ops_db) == [
        replace(
            COMPLETE,
            outcome="partial",
            error_class="incomplete",
            fingerprint=problem.fingerprint,
            message=message,
            rows=0,
            bytes=len('{"GSW@UTA": 2}'),
            **missing,
        )
    ]


def test_date_that_the_ledger_knows_is_left_alone(
    ops_db: str, db: psycopg.Connection[Any], kept: Kept
) -> None:
    kept.done({"GSW@UTA": 2})
    written = replace(
        COMPLETE, run_id="backfill__2025-01-15", outcome=Outcome.FAILED, error_class="blocked"
    )
    record(db, written)
    assert again(db, kept) == [(DAY, "scores", KNOWN)]
    assert rebuilt(ops_db) == []


def test_folders_without_a_manifest_or_a_spec_are_counted_and_not_recorded(
    ops_db: str, db: psycopg.Connection[Any], kept: Kept
) -> None:
    kept.fetched({"GSW@UTA": 2}, endpoint="old_name")
    kept.store.create(f"{partition(NEXT).prefix}/all-000000000000.json.gz", b"")
    kept.store.create("kept/_shared/scores/2024-25.json", b"[]")
    assert again(db, kept) == [(DAY, "old_name", NOT_OURS), (NEXT, "scores", UNFINISHED)]
    assert rebuilt(ops_db) == []


def test_damaged_date_does_not_keep_the_others_from_coming_back(
    ops_db: str, db: psycopg.Connection[Any], kept: Kept
) -> None:
    for day in (DAY, NEXT):
        kept.done({"GSW@UTA": 2}, day)
    kept.body(DAY).write_bytes(b"")
    assert again(db, kept) == [(DAY, "scores", "failed"), (NEXT, "scores", "complete")]
    assert [(row.day, row.outcome, row.error_class) for row in rebuilt(ops_db)] == [
        (DAY, "failed", "storage"),
        (NEXT, "complete", ""),
    ]


def test_pass_that_was_stopped_goes_on_where_it_was(
    ops_db: str, db: psycopg.Connection[Any], kept: Kept
) -> None:
    for day in (DAY, NEXT):
        kept.done({"GSW@UTA": 2}, day)
    passing = rebuild(db, SOURCE, kept.store, kept.warehouse)
    next(passing)
    assert [row.day for row in rebuilt(ops_db)] == [DAY]
    assert again(db, kept) == [(DAY, "scores", "complete"), (NEXT, "scores", "complete")]


def test_nothing_fetched_is_nothing_to_rebuild(db: psycopg.Connection[Any], kept: Kept) -> None:
    assert again(db, kept) == []
