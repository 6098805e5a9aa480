"""However a date's task ends, the ledger has its outcome, in texts that it can hold."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include.errors import ErrorClass, Problem
from include.ops.db import connect
from include.outcome import Later, Outcome
from include.sources.spec import Source
from tests.plugins.test_operators import (
    DAG,
    SCRAPE,
    connected,  # noqa: F401, a fixture
    defers,
    fails,
    last_word,
    ledger,
    run,
    sandbox,  # noqa: F401, a fixture
)

# What an upstream may put into a name, and what is kept of it.
ODD = "zero \0 byte, half \ud83c of a flag"
KEPT = "zero ? byte, half ? of a flag"


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def wrong(*args: Any, **options: Any) -> Any:
        raise error

    monkeypatch.setattr(SCRAPE, wrong)


def test_text_that_no_row_can_hold_is_cleaned_and_kept(
    sources: dict[str, Source], ops_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising(monkeypatch, Problem(error_class=ErrorClass.SCHEMA_DRIFT, message=ODD))
    assert KEPT in fails(sources[DAG])
    assert last_word(ops_db) == ("fetch", "failed", "schema_drift", KEPT)


def test_wait_with_such_a_reason_is_recorded(
    sources: dict[str, Source], ops_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising(monkeypatch, Later(datetime.now(UTC), ODD, Outcome.NOT_YET))
    defers(sources[DAG])
    assert last_word(ops_db)[1:] == ("not_yet", "", KEPT)


@pytest.mark.parametrize(
    ("error", "ending", "error_class"),
    [
        (RecursionError("maximum recursion depth exceeded"), "AirflowFailException", "internal"),
        (UnicodeEncodeError("utf-8", "\ud83c", 0, 1, "no"), "AirflowFailException", "internal"),
        (MemoryError(), "MemoryError", "internal"),
        (OSError(5, "Input/output error"), "OSError", "internal"),
        (KeyboardInterrupt(), "KeyboardInterrupt", "internal"),
        (SystemExit(1), "SystemExit", "internal"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_exception_leaves_an_outcome(
    sources: dict[str, Source],
    ops_db: str,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    ending: str,
    error_class: str,
) -> None:
    raising(monkeypatch, error)
    with pytest.raises(BaseException) as ended:
        run(sources[DAG])
    assert type(ended.value).__name__ == ending
    assert last_word(ops_db)[:3] == ("fetch", "failed", error_class)


def test_raw_store_that_cannot_be_read_is_a_storage_problem_of_the_date(
    sources: dict[str, Source], ops_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    glob = Path.glob

    def unreadable(self: Path, pattern: str) -> Any:
        if "raw" in self.parts:
            raise OSError(5, "Input/output error")
        return glob(self, pattern)

    monkeypatch.setattr("include.steps.raw_date.RawDate.body", lambda self, item: self._there)
    monkeypatch.setattr(Path, "glob", unreadable)
    assert "cannot list" in fails(sources[DAG])
    assert last_word(ops_db)[1:3] == ("failed", "storage")


def test_number_that_no_row_can_hold_costs_the_counts_and_not_the_outcome(
    sources: dict[str, Source], ops_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from include.steps.entry import Entry

    def spend_too_much(entry: Entry, requests: int, credits: int) -> None:
        entry._note(requests=2**40)

    monkeypatch.setattr(Entry, "add_spent", spend_too_much)
    run(sources[DAG])
    assert last_word(ops_db)[:2] == ("audit", "complete")


def test_ledger_goes_by_the_databases_clock_alone(
    sources: dict[str, Source], ops_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import include.steps.entry

    class WrongClock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime(2031, 1, 1, tzinfo=UTC)

    with connect(ops_db) as connection:
        ((before,),) = connection.execute("SELECT clock_timestamp()").fetchall()
        monkeypatch.setattr(include.steps.entry, "datetime", WrongClock)
        run(sources[DAG])
        ((after,),) = connection.execute("SELECT clock_timestamp()").fetchall()
    ((started, ended),) = ledger(ops_db, "started_at, ended_at")
    assert before < started < ended < after
