"""What a try writes into the ledger, phase by phase: one row, which is never better than what is
known."""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, date, datetime, timedelta

import pytest

from include.checks.drift import Drift
from include.errors import ErrorClass, Problem
from include.ops.outcomes import OutcomeRow
from include.outcome import Later, Outcome
from include.partition import Partition
from include.steps.audit import Audited
from include.steps.entry import Entry
from include.storage.raw import Manifest
from include.used import Used
from include.warehouse.rows import Loaded

AT = Partition(dag_id="bdl", endpoint="box_scores", day=date(2025, 1, 15))
AST = "GSW@UTA, Stephen Curry, GSW, player_id 115: ast 6 -> 7"
PTS = "GSW@UTA, Stephen Curry, GSW, player_id 115: pts 20 -> 22"


def manifest(outcome: Outcome, message: str = "") -> Manifest:
    return Manifest(
        dag_id=AT.dag_id,
        endpoint=AT.endpoint,
        day=str(AT.day),
        outcome=outcome,
        message=message,
        expected_from="schedule",
        games_expected=3,
        games_found=2,
        missing=("MIA@BOS",),
        requests=2,
        credits=0,
        objects=(),
        finished_at="2025-01-16T11:00:00.000+00:00",
    )


@pytest.fixture
def rows() -> list[OutcomeRow]:
    """What was written, oldest first."""
    return []


@pytest.fixture
def entry(rows: list[OutcomeRow]) -> Entry:
    return Entry(AT, rows.append, run_id="r", attempt=2, log_url="http://log", spent=(3, 10))


def written(rows: list[OutcomeRow]) -> list[tuple[str, str, str]]:
    """(phase, outcome, message) of each."""
    return [(row.phase, str(row.outcome), row.message) for row in rows]


def test_what_the_stores_count_is_in_every_row_beside_what_an_earlier_leg_took(
    rows: list[OutcomeRow],
) -> None:
    entry = Entry(AT, rows.append, run_id="r", spent=(3, 10, 5, 1000, 4, 40))
    entry.used = lambda: Used(operations=7, billed=20, writes=1, reads=2)
    until = datetime(2026, 3, 1, tzinfo=UTC)
    with pytest.raises(Later), entry.recorded():
        raise Later(until, "no quota", Outcome.QUOTA_WAIT)
    (row,) = rows
    assert (row.warehouse_jobs, row.bytes_billed) == (12, 1020)
    assert (row.bucket_writes, row.bucket_reads) == (5, 42)
    assert entry.spent == (3, 10, 12, 1020, 5, 42)


def test_seconds_at_work_are_told_by_what_they_went_into_and_add_up_over_what_was_put_off(
    rows: list[OutcomeRow],
) -> None:
    now = [100.0]
    before = {"fetch": 2.0, "wait": 1.0}
    entry = Entry(AT, rows.append, run_id="r", seconds=before, monotonic=lambda: now[0])
    now[0] += 3600  # it is at work in its phases only
    with entry.phase("fetch"):
        now[0] += 10
        entry.note_fetch(wait=6, write=1)
    with entry.phase("load"):
        now[0] += 4
    with entry.phase("audit"):
        now[0] += 2
        entry.close(Audited(manifest=manifest(Outcome.COMPLETE, "3 of 3 games"), rows=384))
    (row,) = rows
    assert row.seconds == {"fetch": 5, "wait": 7, "write": 1, "load": 4, "check": 2}


def test_row_of_a_date_that_is_done_says_everything(entry: Entry, rows: list[OutcomeRow]) -> None:
    entry.add_spent(2, 20)
    with entry.phase("audit"):
        entry.close(Audited(manifest=manifest(Outcome.COMPLETE, "3 of 3 games"), rows=384))
    (row,) = rows
    assert row == OutcomeRow(
        dag_id="bdl",
        endpoint="box_scores",
        day=AT.day,
        run_id="r",
        attempt=2,
        phase="audit",
        outcome=Outcome.COMPLETE,
        message="3 of 3 games",
        log_url="http://log",
        requests=5,
        credits=30,
        rows=384,
        games_expected=3,
        games_found=2,
        missing=("MIA@BOS",),
        started_at=row.started_at,
        ended_at=row.ended_at,
    )


def test_corrections_are_written_before_the_rows_are_replaced_and_with_the_outcome(
    entry: Entry, rows: list[OutcomeRow], caplog: pytest.LogCaptureFixture
) -> None:
    """Until the try says more, its row says what is true of a worker that was killed."""
    with caplog.at_level(logging.INFO, logger="include.steps.entry"), entry.phase("load"):
        entry.note_corrections(Drift(changes=(AST, PTS), total=5))
        entry.note_loaded(Loaded(rows=384, bytes=1, changed=True))
    entry.close(Audited(manifest=manifest(Outcome.COMPLETE), rows=384))
    heard = (
        "nothing was heard after the load had begun: the worker was killed or lost; 5 changes"
        " upstream, not loaded"
    )
    assert written(rows) == [("load", "lost", heard), ("load", "complete", "")]
    assert [(row.changes, row.changes_total) for row in rows] == [((AST, PTS), 5)] * 2
    assert caplog.messages == [
        f"::group::load {AT}",
        f"corrected upstream, changes: 5\n{AST}\n{PTS}\nand 3 more",
        "384 rows, replaced",
        "::endgroup::",
    ]


def test_try_that_fails_has_corrected_nothing(entry: Entry, rows: list[OutcomeRow]) -> None:
    full = Problem(error_class=ErrorClass.STORAGE, message="the disk is full")

    def load() -> None:
        entry.note_corrections(Drift(changes=(AST,), total=1))
        raise full

    with pytest.raises(Problem) as caught, entry.recorded(), entry.phase("load"):
        load()
    assert caught.value is full
    row = rows[-1]
    assert written([row]) == [("load", "failed", "the disk is full")]
    assert (row.error_class, row.fingerprint) == ("storage", full.fingerprint)
    assert (row.changes, row.changes_total) == ((), 0)


def test_try_that_is_put_off_waits_with_its_reason(entry: Entry, rows: list[OutcomeRow]) -> None:
    later = Later(datetime(2026, 1, 1, tzinfo=UTC), "the window is full", Outcome.QUOTA_WAIT)
    with pytest.raises(Later), entry.recorded(), entry.phase("fetch"):
        raise later
    assert written(rows) == [("fetch", "quota_wait", "the window is full")]
    assert (rows[0].error_class, rows[0].requests, rows[0].credits) == ("", 3, 10)


@pytest.mark.parametrize(
    ("counted", "error_class", "outcome"),
    [
        (Outcome.PARTIAL, ErrorClass.INCOMPLETE, "partial"),
        (Outcome.PARTIAL, ErrorClass.EMPTY_UNEXPECTED, "partial"),
        (Outcome.UNVERIFIED, ErrorClass.INCOMPLETE, "unverified"),
        (Outcome.PARTIAL, ErrorClass.BLOCKED, "failed"),
    ],
)
def test_incomplete_date_keeps_its_count(
    entry: Entry,
    rows: list[OutcomeRow],
    counted: Outcome,
    error_class: ErrorClass,
    outcome: str,
) -> None:
    entry.note_manifest(manifest(counted))
    with pytest.raises(Problem), entry.recorded():
        raise Problem(error_class=error_class, message="2 of 3 games")
    (row,) = rows
    assert written(rows) == [("fetch", outcome, "2 of 3 games")]
    assert (row.games_found, row.games_expected, row.missing) == (2, 3, ("MIA@BOS",))


@pytest.mark.parametrize(
    "error",
    [
        *(ZeroDivisionError("secret"), AssertionError("secret"), AttributeError("secret")),
        *(ImportError("secret"), KeyError("secret"), NameError("secret")),
        *(RecursionError("secret"), TypeError("secret"), ValueError("secret")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_bug_becomes_a_problem_that_names_its_place(
    entry: Entry, rows: list[OutcomeRow], error: Exception
) -> None:
    with pytest.raises(Problem) as caught, entry.recorded():
        raise error
    (row,) = rows
    kind = type(error).__name__
    line = traceback.extract_tb(error.__traceback__)[-1].lineno
    assert row.message == (
        f"{kind} in test_bug_becomes_a_problem_that_names_its_place (test_entry.py:{line}),"
        " a bug: the log has its traceback; repair it and rerun the date"
    )
    assert (row.outcome, row.error_class) == (Outcome.FAILED, "internal")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is error
    assert caught.value == Problem(
        error_class=ErrorClass.INTERNAL,
        message=row.message,
        source="bdl",
        endpoint="box_scores",
        day=AT.day,
    )


def test_what_is_not_a_bug_is_recorded_and_raised_as_it_is(
    entry: Entry, rows: list[OutcomeRow]
) -> None:
    gone = ConnectionError("secret")
    with pytest.raises(ConnectionError) as caught, entry.recorded():
        raise gone
    assert caught.value is gone
    line = traceback.extract_tb(gone.__traceback__)[-1].lineno
    place = "test_what_is_not_a_bug_is_recorded_and_raised_as_it_is"
    assert written(rows) == [
        (
            "fetch",
            "failed",
            f"ConnectionError in {place} (test_entry.py:{line}), Airflow tries it again; the log"
            " has its traceback",
        )
    ]


def test_first_try_has_a_row_of_its_own_that_begins_when_it_does(
    rows: list[OutcomeRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(9))

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> Clock:
            assert tz is UTC
            return next(moments)  # type: ignore[return-value]  # only compared

    monkeypatch.setattr("include.steps.entry.datetime", Clock)
    entry = Entry(AT, rows.append, run_id="r")
    assert (entry.spent, entry.deferrals, entry.written) == ((0,) * 6, 0, False)
    entry.note_loaded(Loaded(rows=7, bytes=1, changed=False))
    with pytest.raises(Later), entry.recorded():
        raise Later(datetime(2026, 1, 2, tzinfo=UTC), "full", Outcome.QUOTA_WAIT)
    assert rows == [
        OutcomeRow(
            dag_id="bdl",
            endpoint="box_scores",
            day=AT.day,
            run_id="r",
            attempt=1,
            phase="fetch",
            outcome=Outcome.QUOTA_WAIT,
            message="full",
            rows=7,
            started_at=datetime(2026, 1, 1, tzinfo=UTC),
            ended_at=datetime(2026, 1, 1, 1, tzinfo=UTC),
        )
    ]
    assert entry.written


def test_try_is_written_once_the_ledger_has_its_last_word(rows: list[OutcomeRow]) -> None:
    away = Problem(error_class=ErrorClass.STORAGE, message="ops_db is away")

    def write(row: OutcomeRow) -> None:
        if rows:
            raise away
        rows.append(row)

    entry = Entry(AT, write, run_id="r")
    entry.note_corrections(Drift(changes=(AST,), total=1))
    assert entry.written
    with pytest.raises(Problem), entry.recorded():
        raise Later(datetime(2026, 1, 2, tzinfo=UTC), "full", Outcome.QUOTA_WAIT)
    assert not entry.written


def test_corrections_that_were_loaded_stay_told_whatever_comes_of_the_try(
    entry: Entry, rows: list[OutcomeRow]
) -> None:
    entry.note_corrections(Drift(changes=(AST,), total=1))
    entry.note_loaded(Loaded(rows=384, bytes=1, changed=True))
    with pytest.raises(Problem), entry.recorded():
        raise Problem(error_class=ErrorClass.STORAGE, message="the disk is full")
    assert [(str(row.outcome), row.changes, row.changes_total) for row in rows] == [
        ("lost", (AST,), 1),
        ("failed", (AST,), 1),
    ]


def test_log_names_all_changes_or_says_how_many_more_and_whether_rows_were_replaced(
    entry: Entry, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="include.steps.entry"):
        entry.note_corrections(Drift(changes=(AST, PTS), total=2))
        entry.note_loaded(Loaded(rows=384, bytes=1, changed=False))
    assert caplog.messages == [
        f"corrected upstream, changes: 2\n{AST}\n{PTS}",
        "384 rows, already the same",
    ]
