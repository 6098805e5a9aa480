"""A date whose operations database is away, full or held up in the middle: healed, or left to
Airflow's retries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg
import pytest

from include.errors import Problem
from include.ops.db import TASK, connect
from include.sources.spec import Source
from tests.plugins.test_operators import (
    DAG,
    connected,  # noqa: F401, a fixture
    last_word,
    ledger,
    run,
    sandbox,  # noqa: F401, a fixture
)


@pytest.mark.parametrize(
    "refusal", ["connection refused", "FATAL: sorry, too many clients already"]
)
@pytest.mark.parametrize(
    ("refused", "left_to_airflow"),
    [(0, False), (1, True), (6, True)],
    ids=["for a moment", "until the outcome is written", "beyond the outcome"],
)
def test_database_that_is_away_in_the_middle_makes_no_date_red_for_good(
    sources: dict[str, Source],
    ops_db: str,
    monkeypatch: pytest.MonkeyPatch,
    refusal: str,
    refused: int,
    left_to_airflow: bool,
) -> None:
    """The first that finds it away is an admission, the next the lease's end, then the outcome."""
    left = [0]
    real = psycopg.Connection.connect.__func__

    def connecting(cls: Any, *args: Any, **options: Any) -> psycopg.Connection[Any]:
        if left[0]:
            left[0] -= 1
            raise psycopg.OperationalError(refusal)
        return real(cls, *args, **options)

    def lose(point: str) -> None:
        if point == "before fetch":
            with connect(ops_db) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            left[0] = refused

    with monkeypatch.context() as patch:
        patch.setattr("include.ops.session.PATIENCE", 0.0)
        patch.setattr(psycopg.Connection, "connect", classmethod(connecting))
        patch.setattr("include.steps.scrape.reach_failpoint", lose)
        if left_to_airflow:
            with pytest.raises(Problem, match=refusal):
                run(sources[DAG])
        else:
            run(sources[DAG])
    run(sources[DAG], attempt=2)
    assert ledger(ops_db, "outcome")[-1] == ("complete",)


def test_lock_that_is_held_too_long_is_left_to_airflows_retries(
    sources: dict[str, Source], ops_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("include.ops.session.TASK", replace(TASK, lock=0.1))
    with connect(ops_db) as holder:
        holder.execute("LOCK TABLE ops.limiters")
        with pytest.raises(Problem, match="lock timeout"):
            run(sources[DAG])
    assert last_word(ops_db)[1:3] == ("failed", "storage")
