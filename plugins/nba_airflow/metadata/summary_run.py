"""In the scheduler: the start of the summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nba_airflow.metadata.new_run import create_run

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

SUMMARY = "backfill_summary"


def start_summary(name: str, session: Session) -> None:
    """Creates the summary's run of that name, unless there is one. What could not be started is
    left to the next scheduled summary."""
    create_run(SUMMARY, f"batch__{name}", session)
