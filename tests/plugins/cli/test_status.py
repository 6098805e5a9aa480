"""`airflow nba status`: batches, mails, limits and dates, a row each; no secret among them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from include.http.addresses import addresses
from include.limits.health import SharedHealth
from include.limits.limiter import Limiter
from include.ops import outbox
from include.ops.session import Session
from include.partition import DateRange
from include.sources.spec import Window
from include.wording import moment
from nba_airflow.cli.status import status
from tests.plugins.cli.asking import DAG, DAY, NEXT, Call, outcome
from tests.plugins.running import Airflow

pytestmark = pytest.mark.usefixtures("stores", "airflow")


def test_status_of_a_fresh_installation_names_every_limit(
    call: Call, db: psycopg.Connection[Any]
) -> None:
    today = datetime.now(UTC)
    said = call(status)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[-2:] == [
        "0 batches under way, 0 mails not sent",
        "No date has an outcome yet. Were the ledger's rows lost? airflow nba repair --ledger",
    ]
    rows = call(status, output="plain").rows
    assert {what for what, *_ in rows} == {"limit", "credits"}
    assert ["limit", "balldontlie", "0 of 60 requests / 60 s"] in rows
    assert ["limit", "the_odds_api", "0 of 30 requests / 1 s"] in rows
    (credits,) = [state for what, _, state in rows if what == "credits"]
    assert re.fullmatch(
        r"0 of 500 used; 0 reserved; 500 left; backfills may use \d+ now;"
        r" 100 are kept for live runs",
        credits,
    )
    assert ["credits", f"the_odds_api {today:%Y-%m}", credits] in rows


def test_status_shows_batches_mails_pauses_credits_and_dates(
    call: Call,
    db: psycopg.Connection[Any],
    airflow: Airflow,
    ops_db: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    airflow.backfill(DateRange(DAY, NEXT))
    airflow.start(DAY)
    airflow.end(DAY)
    outbox.put(
        db,
        outbox.Mail(mail_id="m", message_id="<m@nba>", subject="[1 failed] bdl", content=b"x"),
        [DAG],
    )
    db.commit()
    mail = outbox.claim(db)
    assert mail
    outbox.not_sent(db, mail, "bad_key: SendGrid refused the key", again=False)
    with Session(ops_db) as session:
        limiter = Limiter(session, {"balldontlie": (Window(limit=600, seconds=60.0),)})
        until = limiter.slow_down("balldontlie", 30.0)
    credits = {"monthly": 2000, "live_reserve": 500, "spread": False}
    extra = json.dumps({"conn_type": "http", "extra": {"credits": credits}})
    monkeypatch.setenv("AIRFLOW_CONN_THE_ODDS_API", extra)
    tier = json.dumps({"conn_type": "http", "extra": {"windows": [[600, 60]]}})
    monkeypatch.setenv("AIRFLOW_CONN_BALLDONTLIE", tier)
    today = datetime.now(UTC).date()
    db.execute(
        "INSERT INTO ops.credit_months (account, month, billed, open_backfill, spent_live) VALUES"
        " ('the_odds_api', %s, 120, 30, 100)",
        (today.replace(day=1),),
    )
    db.commit()
    outcome(db, DAY, "complete")
    for n, said in enumerate(("failed", "lost", "lost")):
        outcome(db, NEXT + timedelta(days=n), said)

    said = call(status)

    assert (said.code, said.err) == (1, "")
    assert said.out.splitlines()[-5:] == [
        "Why dates are not done, and what runs them again: airflow nba errors 168",
        "1 batch under way, 1 mail not sent",
        "When the cause of a given-up mail is repaired: airflow nba repair --mails",
        "Needs a person: 1 mail given up",
        "Needs a person: 1 endpoint's date not done",
    ]
    rows = call(status, output="plain").rows
    paused = f"paused until {moment(until, seconds=True)}"
    assert [row for row in rows if row[0] != "limit" or row[1] == "balldontlie"] == [
        [
            "batch",
            DAG,
            "backfill 2025-01-15..2025-01-16: 1 of 2 ended; 1 failed",
        ],
        ["mail", "[1 failed] bdl", "given up after 1 try; bad_key: SendGrid refused the key"],
        [
            "limit",
            "balldontlie",
            f"0 of 600 requests / 60 s; {paused}; 1 refusal to make up for",
        ],
        [
            "credits",
            f"the_odds_api {today:%Y-%m}",
            "120 of 2000 used; 30 reserved; 1850 left; backfills may use 1450 now;"
            " 500 are kept for live runs",
        ],
        ["dates", DAG, "box_scores to 2025-01-15: 1 complete; 2 lost; 1 failed"],
    ]

    facts = call(status, json=True).facts
    assert facts["hints"] == [
        "To ask balldontlie again at once: airflow nba resume balldontlie",
        "Why dates are not done, and what runs them again: airflow nba errors 168",
        "When the cause of a given-up mail is repaired: airflow nba repair --mails",
    ]
    assert [(b["dag_id"], b["ended"], b["runs"], b["first_day"]) for b in facts["batches"]] == [
        (DAG, 1, 2, "2025-01-15")
    ]
    assert [(m["state"], m["last_error"]) for m in facts["mails"]] == [
        ("failed", "bad_key: SendGrid refused the key")
    ]
    assert (
        facts["connections"]["balldontlie"]["limiters"][0]["paused_until"]
        == until.astimezone(UTC).isoformat()
    )
    credits = facts["connections"]["the_odds_api"]["credits"]
    by_the_day = {"projected", "projected_end"}  # what they are, tests/limits says
    assert {name: credits[name] for name in credits.keys() - by_the_day} == {
        "month": str(today.replace(day=1)),
        "total": 2000,
        "used": 120,
        "reserved": 30,
        "left": 1850,
        "left_for_backfills": 1450,
        "live_reserve": 500,
        "kept_for_live": 400,
    }
    assert facts["outcomes"] == {DAG: {"box_scores": {"complete": 1, "failed": 1, "lost": 2}}}
    assert "very-secret" not in said.out + json.dumps(facts)


def test_status_shows_what_was_cancelled_and_that_it_needs_nobody(
    call: Call, db: psycopg.Connection[Any], airflow: Airflow
) -> None:
    airflow.backfill(DateRange(DAY, NEXT))
    airflow.end(DAY, state="failed")
    airflow.end(NEXT, state="failed")
    airflow.summarise()
    said = call(status, output="plain")
    window = f"{DAY}..{NEXT}"
    assert [row for row in said.rows if row[0] == "dates"] == [
        ["dates", DAG, f"2 cancelled before the start, {window}"]
    ]
    facts = call(status, json=True).facts
    assert facts["cancelled"] == [
        {"dag_id": DAG, "dates": 2, "first_day": str(DAY), "last_day": str(NEXT)}
    ]
    assert [need for need in facts["needs_a_person"] if "date" in need] == []


def test_status_shows_until_when_a_proxy_has_its_cooldown_by_its_name_only(
    call: Call, db: psycopg.Connection[Any], ops_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxies = tuple(f"http://very-secret-{n}:very-secret@gate.test:7000" for n in (1, 2))
    extra = json.dumps({"conn_type": "http", "extra": {"proxies": proxies}})
    monkeypatch.setenv("AIRFLOW_CONN_NBA_STATS", extra)
    names = [address.name for address in addresses("nba_stats", proxies)]
    with Session(ops_db) as session:
        limiter = Limiter(session, dict.fromkeys(names, (Window(limit=100, seconds=60.0),)))
        health = SharedHealth(session)
        for name in names:
            limiter.admit(name, max_wait=0).release()
        for _ in range(3):
            health.failed(names[1])
        until = health.cooldown_until(names[1])
    assert until

    said = call(status, output="plain")

    assert said.code == 0
    used = "1 of 100 requests / 60 s"
    cooldown = f"cooldown after failures until {moment(until, seconds=True)}"
    assert [row for row in said.rows if row[1].startswith("nba_stats")] == sorted(
        [["limit", names[0], used], ["limit", names[1], f"{used}; {cooldown}"]]
    )
    facts = call(status, json=True).facts
    limiters = facts["connections"]["nba_stats"]["limiters"]
    assert {each["name"]: each["cooldown_until"] for each in limiters} == {
        names[0]: None,
        names[1]: until.isoformat(),
    }
    assert "very-secret" not in said.out + json.dumps(facts)
    assert "gate.test" not in said.out + json.dumps(facts)


def test_status_says_what_is_wrong_with_one_connection_and_shows_the_others(
    call: Call, db: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_NBA_CDN",
        json.dumps({"conn_type": "http", "extra": {"windows": [["many", 60]]}}),
    )
    rows = call(status, output="plain").rows
    assert [[name, state[:45]] for _, name, state in rows if name.startswith("nba_")] == [
        ["nba_stats", "0 of 100 requests / 60 s"],
        ["nba_cdn", "connection nba_cdn has limits in its extra th"],
    ]


def test_status_says_that_the_summary_is_paused_so_that_no_mail_is_sent(
    call: Call, db: psycopg.Connection[Any]
) -> None:
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    with create_session() as session:
        session.get_one(DagModel, "backfill_summary").is_paused = True
    try:
        hint = "backfill_summary is paused, so that no mail is sent: airflow dags unpause"
        assert f"{hint} backfill_summary" in call(status).out.splitlines()
        assert call(status, json=True).facts["obstacles"] == [f"{hint} backfill_summary"]
    finally:
        with create_session() as session:
            session.get_one(DagModel, "backfill_summary").is_paused = False
