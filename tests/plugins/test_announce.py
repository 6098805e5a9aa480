"""What the team is told of a backfill: begin, tenths and end, each once, by notifiers of theirs
that stop nothing when they fail."""

from __future__ import annotations

import json
import os
import socketserver
import threading
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from email import message_from_string
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devstack.connections import postgres_fields
from include.errors import Refused
from include.ops import backfills, batches, stages
from include.ops.backfills import Backfill
from include.ops.db import connect
from include.ops.stages import Stage
from nba_airflow.announce import _bounded, announce_due, check_announce
from tests.ops.written import batch_run
from tests.plugins.cli.asking import DAG

BATCH = f"{DAG}:7:0"
OURS = "tests.plugins.notifiers"


@pytest.fixture
def db(ops_db: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection[Any]]:
    monkeypatch.setenv("AIRFLOW_CONN_OPS_DB", json.dumps(postgres_fields(ops_db)))
    with connect(ops_db) as connection:
        tables = "ops.batches, ops.outbox, ops.outcomes, ops.backfills, ops.announcements"
        tables += ", ops.stages"
        connection.execute(f"TRUNCATE {tables} CASCADE")
        connection.commit()
        yield connection


Configure = Callable[..., None]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Configure:
    def set_to(*notifiers: tuple[str, dict[str, Any]], every: bool = True) -> None:
        named = [{"class": path, "kwargs": kwargs} for path, kwargs in notifiers]
        setting = {"notifiers": named, "every_backfill": every}
        monkeypatch.setenv("NBA_ANNOUNCE", json.dumps(setting))

    return set_to


def to_file(path: Path, name: str = "FileNotifier") -> tuple[str, dict[str, Any]]:
    return f"{OURS}.{name}", {"path": str(path), "text": "{{ announcement }}"}


def order(db: psycopg.Connection[Any], **options: Any) -> None:
    backfill = Backfill(
        backfill_id=7,
        dag_id=DAG,
        batch_id=BATCH,
        started_by="ann",
        reason="new season",
        options=options,
    )
    backfills.note(db, backfill)
    db.commit()


def look(db: psycopg.Connection[Any], ended: int, *, over: bool = False) -> None:
    """As the sweep leaves 20 dates of which so many have ended, the first one badly."""
    states = ["failed", *["success"] * (ended - 1)][:ended]
    runs = [batch_run(n, state) for n, state in enumerate([*states, *["queued"] * (20 - ended)])]
    batches.forget_open(db)
    batches.write(db, BATCH, runs, over=over)
    if over:
        db.execute(
            "INSERT INTO ops.outbox (mail_id, message_id, subject, content) VALUES (%s, 'm',"
            " '[1 failed] bdl: 19 of 20 dates complete', '')",
            (BATCH,),
        )
        batches.reported(db, BATCH)
    db.commit()


WINDOW = f"{DAG} 2025-01-15..2025-02-03"
BEGUN = f"Backfill {WINDOW} has begun: 20 dates, by ann: new season"
ENDED = "Backfill ended: [1 failed] bdl: 19 of 20 dates complete"


def tenth(ended: int, percent: int) -> str:
    return f"Backfill {WINDOW}: {ended} of 20 dates ended, 1 failed ({percent} %)"


def test_begin_tenths_and_end_are_told_once_each(
    db: psycopg.Connection[Any], tmp_path: Path, configure: Configure
) -> None:
    told = tmp_path / "told"
    configure(to_file(told))
    order(db)
    for ended in (0, 0, 1, 2, 3, 9, 9, 20):  # what lies between is not told afterwards
        look(db, ended)
        announce_due(db)
    look(db, 20, over=True)
    announce_due(db)
    announce_due(db)
    assert told.read_text().splitlines() == [
        BEGUN,
        tenth(2, 10),
        tenth(9, 40),
        tenth(20, 90),
        ENDED,
    ]


def test_stages_to_come_are_dates_of_the_backfill(
    db: psycopg.Connection[Any], tmp_path: Path, configure: Configure
) -> None:
    told = tmp_path / "told"
    configure(to_file(told))
    order(db)
    days = [date(2025, 2, 4) + timedelta(days=n) for n in range(20)]
    stages.write(db, BATCH, [Stage(stage="whole", days=days)])
    for ended in (0, 20):
        look(db, ended)
        announce_due(db)
    both = f"{DAG} 2025-01-15..2025-02-23"
    assert told.read_text().splitlines() == [
        f"Backfill {both} has begun: 40 dates, by ann: new season",
        f"Backfill {both}: 20 of 40 dates ended, 1 failed (50 %)",
    ]


@pytest.mark.parametrize(
    ("every", "ordered", "says"), [(False, True, 1), (False, False, 0), (True, False, 1)]
)
def test_it_is_told_of_where_it_was_ordered_or_of_every_backfill(
    db: psycopg.Connection[Any],
    tmp_path: Path,
    configure: Configure,
    every: bool,
    ordered: bool,
    says: int,
) -> None:
    told = tmp_path / "told"
    told.touch()
    configure(to_file(told), every=every)
    order(db, announce=ordered)
    look(db, 20, over=True)  # it has ended before anybody has looked
    announce_due(db)
    configure(to_file(told), every=True)
    announce_due(db)
    assert told.read_text().splitlines() == [ENDED] * says


def test_it_is_not_told_again_by_who_comes_after_a_process_that_was_killed(
    db: psycopg.Connection[Any], ops_db: str, tmp_path: Path, configure: Configure
) -> None:
    told = tmp_path / "told"
    order(db)
    look(db, 20, over=True)
    configure(to_file(told, "KilledAfterwards"))
    child = os.fork()
    if not child:
        try:
            with connect(ops_db) as connection:
                announce_due(connection)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    announce_due(db)
    assert told.read_text().splitlines() == [ENDED]


def test_notifier_that_fails_is_tried_three_times_and_stops_nothing(
    db: psycopg.Connection[Any], tmp_path: Path, configure: Configure
) -> None:
    called, told = tmp_path / "called", tmp_path / "told"
    failing = (f"{OURS}.FailingNotifier", {"path": str(called)})
    configure(failing, ("nowhere.to.be.Found", {}), to_file(told))
    order(db)
    look(db, 20, over=True)
    for _ in range(5):
        announce_due(db)
    assert called.read_text().splitlines() == ["called"] * 3
    assert told.read_text().splitlines() == [ENDED]
    rows = db.execute(
        "SELECT notifier, state, tries, last_error FROM ops.announcements ORDER BY notifier"
    ).fetchall()
    assert rows == [
        ("nowhere.to.be.Found", "failed", 3, "ModuleNotFoundError: No module named 'nowhere'"),
        (
            f"{OURS}.FailingNotifier",
            "failed",
            3,
            "ConnectionError: https://***@hooks.example is away",
        ),
        (f"{OURS}.FileNotifier", "sent", 1, ""),
    ]


def test_address_and_key_of_a_webhook_are_neither_noted_nor_logged(
    db: psycopg.Connection[Any], configure: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    hook = {"url": "https://hooks.example/services/T0/very-secret-token", "api_key": "abc123"}
    configure((f"{OURS}.WebhookNotifier", {"hooks": [hook]}))
    order(db)
    look(db, 20, over=True)
    announce_due(db)
    ((noted,),) = db.execute("SELECT last_error FROM ops.announcements").fetchall()
    assert noted.startswith(f"ConnectionError: {'x' * 180} url: /***")
    assert "a notifier has failed" in caplog.text
    assert not [part for part in ("very-secret", "abc123") if part in noted + caplog.text]


def test_notifier_that_hangs_is_left_behind() -> None:
    never = threading.Event()
    assert _bounded(lambda: never.wait() and None, seconds=0.01) == "no end within 0 s"
    never.set()


def test_summary_goes_on_where_the_setting_cannot_be_read(
    db: psycopg.Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nba_airflow.summary import SummaryOperator

    mail = {
        "host": f"file://{tmp_path}/outbox",
        "extra": {"sender": "a@b.c", "recipients": "d@e.f"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_MAIL", json.dumps({"conn_type": "generic", **mail}))
    monkeypatch.setenv("NBA_RECORDS", str(tmp_path / "records"))
    monkeypatch.setenv("NBA_ANNOUNCE", "{")
    batches.write(db, BATCH, [batch_run()], over=True)
    db.commit()
    SummaryOperator(task_id="report").execute({})
    assert len(list((tmp_path / "outbox").glob("*.eml"))) == 1


@pytest.mark.parametrize(
    "setting", ["", "{}", '{"notifiers": []}', "{", "[1]", '{"notifiers": [{}]}']
)
def test_announce_without_anybody_to_tell_is_refused(
    monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("NBA_ANNOUNCE", setting)
    with pytest.raises(Refused, match="NBA_ANNOUNCE"):
        check_announce(True)
    check_announce(False)


# --- Airflow's own notifier, at the wire


class _Mailbox(socketserver.StreamRequestHandler):
    """As much of SMTP as a client needs that logs in nowhere."""

    def handle(self) -> None:
        self._say("220 here")
        while words := self.rfile.readline().decode().lower().split():
            if words[0] == "data":
                self._say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.mails.append(b"".join(lines).decode())  # type: ignore[attr-defined]  # set below
            self._say("221 bye" if words[0] == "quit" else "250 ok")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@pytest.fixture
def mailbox() -> Iterator[Any]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Mailbox) as server:
        server.daemon_threads = True
        server.mails = []  # type: ignore[attr-defined]  # what has come
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()


def test_airflows_smtp_notifier_mails_the_team(
    db: psycopg.Connection[Any],
    configure: Configure,
    mailbox: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    where = {
        "conn_type": "smtp",
        "host": "127.0.0.1",
        "port": mailbox.server_address[1],
        "extra": {"disable_ssl": True, "disable_tls": True, "from_email": "nba@example.com"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_TEAM_MAIL", json.dumps(where))
    kwargs = {
        "smtp_conn_id": "team_mail",
        "to": "team@example.com",
        "subject": "{{ dag_id }}: {{ percent }} %",
        "html_content": "{{ announcement }}",
    }
    configure(("airflow.providers.smtp.notifications.smtp.SmtpNotifier", kwargs))
    order(db)
    look(db, 9)
    announce_due(db)
    assert db.execute("SELECT state, last_error FROM ops.announcements").fetchall() == [
        ("sent", "")
    ]
    (mail,) = map(message_from_string, mailbox.mails)
    assert (mail["To"], mail["Subject"]) == ("team@example.com", f"{DAG}: 40 %")
    (part,) = [part for part in mail.walk() if part.get_content_type() == "text/html"]
    assert tenth(9, 40) in str(part.get_payload(decode=True))
