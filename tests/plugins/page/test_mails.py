"""The page of mails: what the outbox holds, for who may read all DAGs that a mail tells of, and as
its readers see it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from include.mail.message import make_message, make_notice, to_bytes
from include.mail.report import Report
from include.ops import outbox
from include.ops.db import connect
from include.ops.outbox import Mail
from include.outcome import Outcome
from include.results import DateResult
from tests.plugins.cli.asking import DAG, DAY

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

NOW = datetime(2025, 2, 1, tzinfo=UTC)
SCHEDULE, ODDS = "nbacom_schedule", "odds_api_props"
BATCH = f"{DAG}:7:0"
LATE = "late:<1@x>/?&"
REPORT = Report(
    batch_id=BATCH,
    dag_id=DAG,
    kind="backfill",
    first_day=DAY,
    last_day=DAY,
    state="finished",
    started_at=NOW,
    ended_at=NOW,
    dates=[DateResult(day=DAY, outcome=Outcome.FAILED, dag_id=DAG, message="<script>x</script>")],
    requests=1,
    credits_used=0,
)


@pytest.fixture(scope="module")
def ledger(ops_db: str) -> str:
    """A batch's mail that was sent, and notices: one of two DAGs, one of nobody's, one given up."""

    def put(db: Any, mail_id: str, content: bytes, *about: str) -> None:
        mail = Mail(mail_id=mail_id, message_id=mail_id, subject=f"<{mail_id}>", content=content)
        outbox.put(db, mail, about)
        db.commit()

    notice = to_bytes(make_notice("late", "1 < 2 dates\n", "<1@x>"))
    with connect(ops_db) as db:
        put(db, BATCH, to_bytes(make_message(REPORT)), DAG)
        assert outbox.claim(db)
        outbox.sent(db, BATCH, "accepted: 202")
        put(db, LATE, notice, SCHEDULE)
        given_up = outbox.claim(db)
        assert given_up
        outbox.not_sent(db, given_up, "bad_key: refused", again=False)
        put(db, "both", notice, DAG, ODDS)
        put(db, "of nobody", notice)
        db.execute(
            "INSERT INTO ops.batches (batch_id, dag_id, kind, opened_at, cancelled) VALUES"
            " (%s, %s, 'backfill', %s, false)",
            (BATCH, DAG, NOW),
        )
        db.execute(
            "INSERT INTO ops.batch_runs (batch_id, run_id, day, state, queued_at) VALUES"
            " (%s, 'r', %s, 'failed', %s)",
            (BATCH, DAY, NOW),
        )
        db.commit()
    return ops_db


def test_mails_are_listed_newest_first_to_who_may_read_all_their_dags(
    client: TestClient, everything: TestClient
) -> None:
    mails = client.get("/nba/api/v1/mails").json()["mails"]
    told = ("mail_id", "subject", "state", "attempts", "receipt", "last_error", "about")
    assert [[mail[name] for name in told] for mail in mails] == [
        [LATE, f"<{LATE}>", "failed", 1, "", "bad_key: refused", [SCHEDULE]],
        [BATCH, f"<{BATCH}>", "sent", 1, "accepted: 202", "", [DAG]],
    ]
    all_mails = everything.get("/nba/api/v1/mails").json()["mails"]
    assert [mail["mail_id"] for mail in all_mails] == ["both", LATE, BATCH]
    of_dag = client.get(f"/nba/api/v1/mails?dag_id={DAG}").json()["mails"]
    assert [mail["mail_id"] for mail in of_dag] == [BATCH]


def test_the_list_leads_to_each_mail_and_escapes_it(client: TestClient) -> None:
    page = client.get("/nba/mails").text
    address = f"/nba/mail?mail_id={quote(LATE)}"
    assert f'<a href="{address}">&lt;late:' in page
    assert "<td>given up</td>" in page
    one = client.get(address).text
    assert "<iframe sandbox title=" in one
    assert f'src="/nba/mail/body?mail_id={quote(LATE)}">' in one


def test_a_body_is_what_readers_see_without_scripts_and_ways_out(client: TestClient) -> None:
    answer = client.get("/nba/mail/body", params={"mail_id": BATCH})
    assert answer.headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'self'; sandbox"
    )
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<style>" in answer.text
    assert "<script" not in answer.text
    notice = client.get("/nba/mail/body", params={"mail_id": LATE})
    assert (notice.text.strip(), notice.headers["Content-Type"]) == (
        "1 < 2 dates",
        "text/plain; charset=utf-8",
    )


@pytest.mark.parametrize("mail_id", ["both", "of nobody", "none"])
@pytest.mark.parametrize("path", ["/nba/mail", "/nba/mail/body"])
def test_a_mail_of_a_dag_that_the_user_may_not_read_is_not_there(
    client: TestClient, path: str, mail_id: str
) -> None:
    assert client.get(path, params={"mail_id": mail_id}).status_code == 404
