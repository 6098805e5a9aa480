"""Each red flag by the sandbox's own answers: real dates of a real backfill ask it, and the breaker
opens within the stated number of dates."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from devstack.sandbox.server import Sandbox, running
from include.ops import backfills
from include.ops.backfills import Backfill
from include.partition import DateRange
from include.sources.spec import Source
from tests.plugins.metadata.test_breaker import row, states
from tests.plugins.running import DAG, Airflow
from tests.steps import credentials

# All of them have games.
D = [date(2025, 1, 6) + timedelta(days=n) for n in range(12)]
NEVER = 99


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("sandbox")
    with running(folder, limits={"balldontlie": []}, keys=credentials.KEYS) as server:
        yield server


@pytest.fixture
def ask(
    airflow: Airflow,
    sandbox: Sandbox,
    sources: dict[str, Source],
    ops_db: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[date], None]]:
    """Runs a date of the backfill: its own operator asks the sandbox."""
    from nba_airflow.operators import ScrapeOperator

    found = credentials.connections(sandbox, ops_db)
    monkeypatch.setenv("AIRFLOW_CONN_BALLDONTLIE", json.dumps(found["balldontlie"]))
    source = sources[DAG]

    def run(day: date) -> None:
        from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

        airflow.start(day)
        dag_run = SimpleNamespace(
            partition_key=str(day),
            run_type="backfill",
            conf={},
            run_id=airflow.run_ids(day)[-1],
            start_date=datetime.now(UTC),
        )
        ti = SimpleNamespace(task_id="box_scores", try_number=1, log_url="")
        made = ScrapeOperator(
            task_id="box_scores", source=source, endpoint=source.endpoint("box_scores")
        )
        try:
            made.execute({"dag_run": dag_run, "ti": ti})
        except AirflowFailException:
            airflow.end(day, state="failed")
        except TaskDeferred:
            airflow.sweep()  # no date may ever end
        else:
            airflow.end(day, state="success")

    yield run
    sandbox.no_faults()


def fault(kind: str, day: date | None = None, times: int | None = None, **more: Any) -> Any:
    on = {} if day is None else {"day": str(day)}
    return {"source": "balldontlie", "kind": kind, "times": times, **on, **more}


@pytest.mark.parametrize(
    ("flag", "dates", "faults", "thresholds"),
    [
        (
            "error rate",
            10,
            [fault("bad_key", D[1]), fault("missing_game", D[4]), fault("unplayed", D[9])],
            {},
        ),
        ("same failure", 5, [fault("bad_key")], {}),
        ("refusals", 3, [fault("block_page_403")], {"max_alike": NEVER}),
        ("refusals", 1, [fault("429", retry_after=1)], {"max_refusals": 3}),
        ("pace", 10, [fault("hang", seconds=0.2)], {}),
        ("memory", 1, [], {"max_task_mb": 20}),
    ],
)
def test_flag_that_the_sandbox_raises(
    airflow: Airflow,
    sandbox: Sandbox,
    ask: Callable[[date], None],
    monkeypatch: pytest.MonkeyPatch,
    flag: str,
    dates: int,
    faults: Sequence[Any],
    thresholds: dict[str, float],
) -> None:
    monkeypatch.setenv("NBA_BREAKER", json.dumps({"*": {"max_task_mb": 9999} | thresholds}))
    backfill = airflow.backfill(DateRange(D[0], D[-1]))
    noted = Backfill(
        backfill_id=backfill,
        dag_id=DAG,
        batch_id=f"{DAG}:{backfill}:0",
        started_by="ann",
        plan={"seconds_per_date": 0.02 if flag == "pace" else 60.0},
    )
    backfills.write(airflow.ledger, noted)
    airflow.ledger.commit()
    sandbox.faults(list(faults))
    for day in D[: dates - 1]:
        ask(day)
    assert (row(backfill)[0], states(airflow)) == (False, [])
    ask(D[dates - 1])
    assert (row(backfill)[0], states(airflow)) == (True, [("open", flag)])
    airflow.summarise()
    (mail,) = airflow.mails()
    assert str(mail["Subject"]).startswith("[Halted]")
