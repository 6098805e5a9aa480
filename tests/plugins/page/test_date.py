"""A date's page: its tries, its bodies in raw, what upstreams had corrected, its mails; and the
record of the newest backfill."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from include.ops import outbox
from include.ops.db import connect
from include.ops.outbox import Mail
from include.outcome import Outcome
from include.partition import Partition
from include.storage.local import LocalStore
from include.storage.raw import Manifest, put_body, write_manifest
from tests.plugins.cli.asking import DAG, DAY, outcome

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

NOW = datetime(2025, 2, 1, tzinfo=UTC)
BATCH = f"{DAG}:7:0"
PARTITION = Partition(dag_id=DAG, endpoint="box_scores", day=DAY)


@pytest.fixture(scope="module")
def ledger(ops_db: str) -> str:
    """A date that took two tries, with a correction, and the mail of its batch."""
    with connect(ops_db) as db:
        outcome(db, DAY, "failed", error_class="hang", message="no answer", requests=2, credits=1)
        changed = {"changes": ("LAL@GSW: <pts> 3 -> 4",), "changes_total": 5}
        outcome(db, DAY, "complete", attempt=2, requests=3, ended_at=NOW, **changed)
        mail = Mail(mail_id=BATCH, message_id="<m>", subject="[OK]: 1 date", content=b"")
        outbox.put(db, mail, [DAG])
        db.execute(
            "INSERT INTO ops.batches (batch_id, dag_id, kind, opened_at, cancelled) VALUES"
            " (%s, %s, 'backfill', %s, false)",
            (BATCH, DAG, NOW),
        )
        db.execute(
            "INSERT INTO ops.batch_runs (batch_id, run_id, day, state, queued_at) VALUES"
            " (%s, 'r', %s, 'success', %s)",
            (BATCH, DAY, NOW),
        )
        db.commit()
    return ops_db


def test_bodies_are_those_of_the_manifest_with_their_place(
    client: TestClient, tmp_path: Path
) -> None:
    store = LocalStore(tmp_path / "raw")
    of_body = {"item": "all", "role": "data", "url": "https://x/y", "status": 200, "suffix": "json"}
    body = replace(
        put_body(store, PARTITION, body=b"{}", **of_body),
        fetched_at="2025-02-01T09:07:32.348+00:00",
    )
    manifest = Manifest(
        dag_id=DAG,
        endpoint="box_scores",
        day=str(DAY),
        outcome=Outcome.COMPLETE,
        message="",
        expected_from="schedule",
        games_expected=1,
        games_found=1,
        missing=(),
        requests=1,
        credits=0,
        objects=(body,),
        finished_at="2025-02-01T00:00:00.000+00:00",
    )
    write_manifest(store, PARTITION, manifest)
    found = client.get(f"/nba/api/v1/dates/{DAG}/{DAY}").json()
    (told,) = found["bodies"]
    place = f"file://{tmp_path}/raw/{body.path}"
    assert (told["endpoint"], told["item"], told["bytes"], told["place"]) == (
        *("box_scores", "all", 2),
        place,
    )
    page = client.get(f"/nba/dates/{DAG}/{DAY}").text
    assert f"<td>2025-02-01 09:07:32 UTC</td><td><code>{place}</code></td>" in page


def test_tries_corrections_and_mails_of_the_date_are_told(client: TestClient) -> None:
    page = client.get(f"/nba/dates/{DAG}/{DAY}").text
    assert "<td>2025-02-01 00:00:00 UTC</td>" in page
    assert "<td>5</td><td>1</td><td>5</td>" in page  # requests, credits, corrections of all tries
    assert "the upstream had corrected 5" in page
    assert "<li>LAL@GSW: &lt;pts&gt; 3 -&gt; 4</li>" in page
    assert "no manifest names any" in page
    assert "[OK]: 1 date</a>" in page
    found = client.get(f"/nba/api/v1/dates/{DAG}/{DAY}").json()
    assert [mail["mail_id"] for mail in found["mails"]] == [BATCH]
    assert [row["outcome"] for row in found["tries"]] == ["failed", "complete"]


def test_a_store_that_cannot_be_read_hides_nothing_else(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_RAW_STORE", '{"conn_type": "generic"}')
    page = client.get(f"/nba/dates/{DAG}/{DAY}").text
    assert "Airflow connection raw_store has no &#34;url&#34; in its extra" in page
    assert "[OK]: 1 date</a>" in page


def test_last_record_is_the_newest_of_the_dag(client: TestClient, tmp_path: Path) -> None:
    assert client.get(f"/nba/record?dag_id={DAG}").status_code == 404
    (tmp_path / "records").mkdir()
    window = "2025-01-01-2025-01-02"
    for name, text in (
        (f"2025-03-01-{DAG}-{window}", "# older"),
        (f"2025-03-02-{DAG}-{window}", "# <newest>"),
        (f"2025-03-03-nbacom_schedule-{window}", "# another"),
    ):
        (tmp_path / "records" / f"{name}.md").write_text(text)
    page = client.get(f"/nba/record?dag_id={DAG}").text
    assert "# &lt;newest&gt;</pre>" in page
    assert client.get("/nba/record?dag_id=odds_api_props").status_code == 403
    assert client.get("/nba/record?dag_id=another_teams").status_code == 404


def test_of_two_records_of_a_day_the_backfill_that_began_last_has_the_newest(
    client: TestClient, tmp_path: Path, ledger: str
) -> None:
    (tmp_path / "records").mkdir()
    opened = datetime(2025, 3, 9, tzinfo=UTC)
    with connect(ledger) as db:
        # The later window began first.
        for hour, day in ((1, date(2025, 1, 20)), (2, date(2025, 1, 10))):
            values = (f"{DAG}:{hour}:1", DAG, opened + timedelta(hours=hour))
            db.execute(
                "INSERT INTO ops.batches (batch_id, dag_id, kind, opened_at, closed_at, cancelled)"
                " VALUES (%s, %s, 'backfill', %s, clock_timestamp(), false)",
                values,
            )
            db.execute(
                "INSERT INTO ops.batch_runs (batch_id, run_id, day, state, queued_at) VALUES"
                " (%s, 'r', %s, 'success', %s)",
                (values[0], day, opened),
            )
            name = f"2025-03-09-{DAG}-{day}-{day}"
            (tmp_path / "records" / f"{name}.md").write_text(f"# of {day}")
        db.commit()
    assert "# of 2025-01-10</pre>" in client.get(f"/nba/record?dag_id={DAG}").text
