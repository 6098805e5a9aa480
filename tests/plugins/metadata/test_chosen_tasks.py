"""Which tasks of a date run again: all that have not done their part."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from nba_airflow.metadata.runs import choose_tasks


@pytest.mark.parametrize(
    ("states", "chosen"),
    [
        (("failed", "success"), (0,)),
        # So Airflow leaves them when a person marks a run failed while its second task waits.
        (("failed", "skipped"), (0, 1)),
        (("upstream_failed", None), (0, 1)),
        (("success", "success"), (0, 1)),
    ],
)
def test_tasks_that_have_not_succeeded_run_again(
    states: tuple[str | None, str | None], chosen: tuple[int, ...]
) -> None:
    tasks = [SimpleNamespace(run_id="a", state=state) for state in states]
    assert choose_tasks(tasks) == [tasks[n] for n in chosen]
