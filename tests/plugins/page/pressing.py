"""A backfill on the page "Running", and who presses a button of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from include.ops import backfills, batches
from include.ops.backfills import Backfill
from include.partition import DateRange
from tests.plugins.running import DAG, Airflow, transaction

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

FIRST = date(2024, 12, 2)
D = [FIRST + timedelta(days=n) for n in range(14)]
RUNNING = "/nba/api/v1/running"
Sign = Callable[..., "TestClient"]


def begin(airflow: Airflow, **plan: Any) -> int:
    """A backfill of four dates: one is complete, one has failed, one is under way."""
    number = airflow.backfill(DateRange(D[0], D[3]))
    order = Backfill(
        backfill_id=number,
        dag_id=DAG,
        batch_id=batches.name_backfill(DAG, number),
        started_by="ann",
        plan={"requests": 40, "dollars": 0.06, **plan},
    )
    backfills.write(airflow.ledger, order)
    airflow.ledger.commit()
    airflow.start(D[0], D[1], D[2])
    airflow.write(D[0], "complete", requests=3)
    airflow.end(D[0], state="success")
    airflow.write(D[1], "failed", requests=5)
    airflow.end(D[1])
    return number


def halt(airflow: Airflow, number: int) -> None:
    """Its breaker holds the backfill, for an hour more."""
    from airflow.models.backfill import Backfill as Made

    from include.ops import breakers
    from include.ops.breakers import Breaker

    now = datetime.now(UTC)
    opened = Breaker(
        backfill_id=number,
        dag_id=DAG,
        state="open",
        flag="same failure",
        why="5 alike",
        opened_at=now,
        probe_at=now + timedelta(hours=1),
    )
    with transaction() as session:
        session.get_one(Made, number).is_paused = True
    breakers.write(airflow.ledger, opened)
    backfills.hold(airflow.ledger, number, "breaker", opened.holds)
    airflow.ledger.commit()


def state(number: int) -> tuple[bool, bool]:
    """Airflow's own: is it paused, is it over."""
    from airflow.models.backfill import Backfill as Made

    with transaction() as session:
        made = session.get(Made, number)
        return bool(made.is_paused), made.completed_at is not None


def find(client: TestClient, label: str) -> str:
    """The address at which the button with this label asks."""
    found = client.get(RUNNING).json()
    offered = [*found["batches"], *found["ended"]]
    offered += [part for batch in found["batches"] for part in batch["backfills"]]
    (ask,) = (a["ask"] for each in offered for a in each["actions"] if a["label"] == label)
    return f"/nba{ask}"


def press(client: TestClient, label: str) -> tuple[dict[str, Any], Any]:
    """The question of the button, and what is answered after a yes."""
    question = client.get(find(client, label)).json()
    address = question["address"].removeprefix(client.base_url.path.rstrip("/"))
    answer = client.request(question["method"], address)
    assert answer.status_code == 200, answer.text
    assert client.get("/nba/running?fresh=true").status_code == 200
    return question, answer.json()
