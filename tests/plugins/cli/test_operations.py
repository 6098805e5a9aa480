"""`airflow nba`: what each command prints and exits with, on a real ledger and stores in a folder,
without Airflow."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.http.addresses import addresses
from include.limits.health import SharedHealth
from include.limits.limiter import Limiter
from include.ops import batches, outbox
from include.ops.db import connect
from include.ops.outcomes import OutcomeRow, record
from include.ops.session import Session
from include.outcome import Outcome
from include.parsing.nbacom import SCHEDULE
from include.partition import DateRange, Partition
from include.sources.spec import Source, Window
from include.steps.job import Stores
from include.steps.load import load
from include.storage import raw
from include.storage.local import LocalStore
from include.warehouse.local import LocalWarehouse
from include.wording import period
from nba_airflow.cli.answer import Answer, Line, command, tracked
from nba_airflow.cli.errors import errors
from nba_airflow.cli.gaps import due, gaps
from nba_airflow.cli.repair import repair
from nba_airflow.cli.status import status

DAG = "bdl_box_scores"
DAY = date(2025, 1, 15)
NEXT = date(2025, 1, 16)
FIXTURE = Path(__file__).parents[2] / "fixtures" / DAG / f"box_scores.{DAY}.json"


@dataclass(frozen=True, kw_only=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def facts(self) -> dict[str, Any]:
        """Its --json answer: one line, nothing beside it."""
        (line,) = self.out.splitlines()
        return json.loads(line)


Call = Callable[..., Said]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    """Runs a command's entry with arguments as Airflow's parser gives them."""

    def run(entry: Callable[[Namespace], None], **arguments: Any) -> Said:
        given = {
            "json": False,
            "dag_id": None,
            "ledger": False,
            "mails": False,
            "hours": "24",
            **arguments,
        }
        with pytest.raises(SystemExit) as ended:
            entry(Namespace(**given))
        out, err = capfd.readouterr()
        return Said(code=int(ended.value.code or 0), out=out, err=err)

    return run


@pytest.fixture(autouse=True)
def stores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ops_db: str, sources: dict[str, Source]
) -> Stores:
    """Connections as an installation has them; the stores are below a folder of the test.

    The specs come first: Airflow says on stdout that it is being tested when it is first imported.
    """
    urls = {
        "raw_store": f"file://{tmp_path}/raw",
        "warehouse": f"duckdb://{tmp_path}/warehouse",
        "ops_db": ops_db,
    }
    for name, url in urls.items():
        monkeypatch.setenv(
            f"AIRFLOW_CONN_{name.upper()}",
            json.dumps({"conn_type": "generic", "extra": {"url": url}}),
        )
    for name in {host.connection for source in sources.values() for host in source.hosts}:
        monkeypatch.setenv(
            f"AIRFLOW_CONN_{name.upper()}",
            json.dumps({"conn_type": "http", "password": "very-secret"}),
        )
    return Stores(
        raw=LocalStore(tmp_path / "raw"), warehouse=LocalWarehouse(tmp_path / "warehouse")
    )


@pytest.fixture
def db(ops_db: str) -> Iterator[psycopg.Connection[Any]]:
    tables = (
        "outcomes, batches, batch_runs, outbox, limiters, limiter_windows, limiter_requests,"
        " credit_months"
    )
    with connect(ops_db) as connection:
        connection.execute(f"TRUNCATE {tables}, address_health")
        connection.commit()
        yield connection


@pytest.fixture
def done(stores: Stores, sources: dict[str, Source]) -> Callable[[date], None]:
    """Puts a date of Ball Don't Lie into raw store and warehouse, as its tasks leave it."""

    def put(day: date) -> None:
        endpoint = sources[DAG].endpoint("box_scores")
        at = Partition(dag_id=DAG, endpoint="box_scores", day=day)
        body = FIXTURE.read_bytes().replace(str(DAY).encode(), str(day).encode())
        stored = raw.put_body(
            stores.raw, at, item="all", role="data", body=body, url="", status=200, suffix="json"
        )
        manifest = raw.Manifest(
            dag_id=DAG,
            endpoint="box_scores",
            day=str(day),
            outcome=Outcome.COMPLETE,
            message="1 of 1 games",
            expected_from="listing",
            games_expected=1,
            games_found=1,
            missing=(),
            requests=2,
            credits=0,
            objects=(stored,),
            finished_at="2025-01-17T11:00:00.000+00:00",
        )
        raw.write_manifest(stores.raw, at, manifest)
        load(endpoint, at, stores)

    return put


def outcome(db: psycopg.Connection[Any], day: date, said: str, **more: Any) -> None:
    now = datetime.now(UTC)
    fields = {
        "dag_id": DAG,
        "endpoint": "box_scores",
        "run_id": f"backfill__{day}",
        "phase": "audit",
        "attempt": 1,
    }
    record(
        db,
        OutcomeRow(**{**fields, "started_at": now, "ended_at": now, **more}, day=day, outcome=said),
    )


# --- what all of them share


def answering(answer: Answer) -> Callable[[Namespace], None]:
    return command("test")(lambda args: answer)


def test_text_is_plain_where_there_is_no_terminal_and_never_read_as_markup(call: Call) -> None:
    lines = [
        Line(text="[1 failed] [bold]not markup[/bold] :smile:", style="bold red"),
        Line(text="x" * 300),
    ]
    said = call(answering(Answer(lines=lines, facts={}, code=1)))
    assert said == Said(
        code=1, out=f"[1 failed] [bold]not markup[/bold] :smile:\n{'x' * 300}\n", err=""
    )


def test_json_is_one_object_with_dates_as_text_and_the_exit_code(call: Call) -> None:
    facts = {"days": (DAY,), "at": {"first": datetime(2025, 1, 15, 10, tzinfo=UTC)}, "none": None}
    said = call(answering(Answer(lines=[Line(text="not shown")], facts=facts, code=1)), json=True)
    assert said.facts == {
        "days": ["2025-01-15"],
        "at": {"first": "2025-01-15T10:00:00+00:00"},
        "none": None,
        "exit_code": 1,
    }


def test_what_is_printed_meanwhile_is_not_part_of_the_answer(call: Call) -> None:
    @command("test")
    def noisy(args: Namespace) -> Answer:
        os.write(1, b"a warning of Airflow's\n")
        return Answer(lines=[], facts={})

    said = call(noisy, json=True)
    assert (said.facts, said.err) == ({"exit_code": 0}, "a warning of Airflow's\n")


def test_command_that_is_stopped_says_so_without_a_traceback(call: Call) -> None:
    @command("test")
    def stopped(args: Namespace) -> Answer:
        raise KeyboardInterrupt

    assert call(stopped) == Said(code=130, out="", err="airflow nba test: stopped\n")


def test_progress_passes_everything_on_and_is_silent_where_there_is_no_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert list(tracked(iter("abc"), "letters", 3)) == ["a", "b", "c"]
    assert capfd.readouterr() == ("", "")


def test_long_work_says_how_far_it_is_where_there_is_no_terminal(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nba_airflow.cli.answer.SAY_EVERY", 0.0)
    assert list(tracked(iter("ab"), "letters", 2)) == ["a", "b"]
    assert list(tracked(iter("a"), "letters")) == ["a"]
    assert capfd.readouterr() == ("", "1 of 2 letters\n2 of 2 letters\n1 letters\n")


@pytest.mark.parametrize(
    ("entry", "arguments"),
    [
        (status, {}),
        (errors, {}),
        (repair, {"ledger": True}),
        (repair, {"mails": True}),
    ],
)
def test_database_that_is_away_is_one_line_without_its_password(
    call: Call, monkeypatch: pytest.MonkeyPatch, entry: Any, arguments: dict[str, Any]
) -> None:
    extra = {"url": "postgresql://nba:very-secret@127.0.0.1:1/ops"}
    monkeypatch.setenv("AIRFLOW_CONN_OPS_DB", json.dumps({"conn_type": "generic", "extra": extra}))
    said = call(entry, **arguments)
    assert (said.code, said.out) == (2, "")
    (line,) = said.err.splitlines()
    assert line.startswith(
        f"airflow nba {entry.__name__}: storage: the operations database (ops_db) failed: "
    )
    assert "very-secret" not in line


def test_database_without_our_tables_is_one_line_with_the_repair(
    call: Call, monkeypatch: pytest.MonkeyPatch, postgres_dir: Path
) -> None:
    from devstack import postgres

    extra = {"url": postgres.ensure_database(postgres_dir, "never_migrated")}
    monkeypatch.setenv("AIRFLOW_CONN_OPS_DB", json.dumps({"conn_type": "generic", "extra": extra}))
    said = call(status)
    assert (said.code, said.out) == (2, "")
    (line,) = said.err.splitlines()
    assert line.endswith("bring its tables up to date: python -m include.ops migrate")


# --- status


def test_status_of_a_fresh_installation_names_every_limit(
    call: Call, db: psycopg.Connection[Any]
) -> None:
    today = datetime.now(UTC)
    said = call(status)
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[:4] == ["Batches", "  none under way", "Mails not sent", "  none"]
    assert "  balldontlie: 0 of 60 requests / 60 s" in lines
    assert "  the_odds_api: 0 of 30 requests / 1 s" in lines
    (credits,) = [line for line in lines if "credits of" in line]
    head = f"    credits of {today:%Y-%m}: 0 of 500 used, 0 reserved, 500 left; backfills may use "
    assert credits.startswith(head)
    assert credits.endswith(" now, 100 are kept for live runs")
    assert lines[-1] == "  none yet (were the ledger's rows lost? airflow nba repair --ledger)"


def test_status_shows_batches_mails_pauses_credits_and_dates(
    call: Call, db: psycopg.Connection[Any], ops_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = batches.current(db, DAG, 7)
    batches.register(db, batch.batch_id, {"a": DAY, "b": NEXT})
    batches.mark(db, batch.batch_id, "a", "failed")
    outbox.put(
        db, outbox.Mail(mail_id="m", message_id="<m@nba>", subject="[1 failed] bdl", content=b"x")
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
    outcome(db, NEXT, "failed", error_class="blocked")

    said = call(status)

    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    since = f"{batch.opened_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    assert (
        lines[1]
        == f"  {DAG} backfill 2025-01-15..2025-01-16: 1 of 2 ended, 1 failed, since {since}"
    )
    assert lines[3:6] == [
        "  [1 failed] bdl (1 try, given up)",
        "    bad_key: SendGrid refused the key",
        "  When the cause is repaired: airflow nba repair --mails",
    ]
    paused = f"paused until {until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    assert f"  balldontlie: 0 of 600 requests / 60 s; {paused}; 1 refusals to make up for" in lines
    assert (
        f"    credits of {today:%Y-%m}: 120 of 2000 used, 30 reserved, 1850 left; backfills may use"
        " 1450 now, 500 are kept for live runs" in lines
    )
    assert lines[-1] == f"  {DAG} box_scores: 1 complete, 1 failed"

    facts = call(status, json=True).facts
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
    assert facts["connections"]["the_odds_api"]["credits"] == {
        "month": str(today.replace(day=1)),
        "total": 2000,
        "used": 120,
        "reserved": 30,
        "left": 1850,
        "left_for_backfills": 1450,
        "live_reserve": 500,
    }
    assert facts["outcomes"] == {DAG: {"box_scores": {"complete": 1, "failed": 1}}}
    assert "very-secret" not in said.out + json.dumps(facts)


def test_status_shows_the_cooldown_of_a_proxy_by_its_name_only(
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

    said = call(status)

    assert [line for line in said.out.splitlines() if line.startswith("  nba_stats")] == sorted(
        [
            f"  {names[0]}: 1 of 100 requests / 60 s",
            (
                f"  {names[1]}: 1 of 100 requests / 60 s; cooldown after failures until"
                f" {until:%Y-%m-%d %H:%M:%S} UTC"
            ),
        ]
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
    lines = call(status).out.splitlines()
    assert [line[:60] for line in lines if line.startswith("  nba_")] == [
        "  nba_stats: 0 of 100 requests / 60 s",
        "  nba_cdn: connection nba_cdn has limits in its extra that a",
    ]


# --- errors


def test_errors_groups_what_failed_with_its_dates_and_a_log(
    call: Call, db: psycopg.Connection[Any]
) -> None:
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    facts = {
        "error_class": "blocked",
        "fingerprint": "0123456789ab",
        "message": "403 page",
        "log_url": "http://log",
    }
    for n, day in enumerate((DAY, NEXT, date(2025, 1, 19))):
        moment = at + timedelta(minutes=n)
        outcome(db, day, "failed", **facts, started_at=moment, ended_at=moment)

    said = call(errors)

    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        f"3 x blocked: {DAG} box_scores, 3 dates [0123456789ab]",
        "  2025-01-15..2025-01-16, 2025-01-19",
        f"  {period(at, at + timedelta(minutes=2))}",
        "  403 page",
        "  http://log",
    ]
    assert call(errors, json=True).facts == {
        "hours": 24.0,
        "groups": [
            {
                "dag_id": DAG,
                "endpoint": "box_scores",
                "outcome": "failed",
                **facts,
                "tries": 3,
                "days": ["2025-01-15", "2025-01-16", "2025-01-19"],
                "by_day": [],
                "first_at": at.isoformat(),
                "last_at": (at + timedelta(minutes=2)).isoformat(),
            }
        ],
        "exit_code": 0,
    }
    assert call(errors, hours="1.5").out == "no failure in the last 1.5 hours\n"


@pytest.mark.parametrize("hours", ["x", "0", "-1", "nan", "inf", "8785", ""])
def test_hours_that_are_none_are_refused_on_one_line(call: Call, hours: str) -> None:
    said = call(errors, hours=hours)
    wanted = (
        f"airflow nba errors: {hours!r} is not a number of hours: write one above 0 and up to 8784,"
        " for example 24\n"
    )
    assert said == Said(code=2, out="", err=wanted)


# --- gaps


def window(first: date = DAY, last: date = NEXT, dag_id: str = DAG) -> dict[str, str]:
    return {"dag_id": dag_id, "start_date": str(first), "end_date": str(last)}


def off_day(stores: Stores, day: date) -> None:
    stores.warehouse.replace(SCHEDULE, day, [])


def test_gaps_of_a_whole_window_are_none(
    call: Call, stores: Stores, done: Callable[[date], None]
) -> None:
    done(DAY)
    off_day(stores, NEXT)
    said = call(gaps, **window())
    assert said == Said(code=0, out=f"{DAG}: 2025-01-15..2025-01-16: no gaps in 2 dates\n", err="")


def test_gaps_are_found_beside_the_data_whatever_the_ledger_says(
    call: Call, db: psycopg.Connection[Any], stores: Stores, done: Callable[[date], None]
) -> None:
    done(DAY)
    done(NEXT)
    for day in (DAY, NEXT):
        outcome(db, day, "complete")
    assert isinstance(stores.warehouse, LocalWarehouse)
    (part,) = stores.warehouse.root.glob(f"raw/{DAG}/game_date={NEXT}/*")
    part.unlink()

    said = call(gaps, **window(last=date(2025, 1, 17)))

    assert (said.code, said.err) == (1, "")
    assert said.out.splitlines() == [
        f"{DAG}: 2025-01-15..2025-01-17: 2 of 3 dates have gaps",
        (
            f"  partial box_scores: 2025-01-16: raw.{DAG} has other rows than raw: the partition is"
            " not there"
        ),
        (
            "  not_run box_scores: 2025-01-17: never fetched, and the schedule does not have"
            " the date either"
        ),
        "Fill them:",
        f"  airflow dags backfill {DAG} -s 2025-01-16 -e 2025-01-17 --reset-dagruns -y",
    ]


def test_gaps_as_json_name_the_missing_games(
    call: Call, stores: Stores, done: Callable[[date], None]
) -> None:
    done(DAY)
    at = Partition(dag_id=DAG, endpoint="box_scores", day=DAY)
    whole = raw.read_manifest(stores.raw, at)
    assert whole
    message = "1 of 2 games: missing MIA@BOS"
    partial = raw.Manifest(
        **{
            **vars(whole),
            "outcome": "partial",
            "message": message,
            "games_expected": 2,
            "missing": ("MIA@BOS",),
        }
    )
    raw.write_manifest(stores.raw, at, partial)
    said = call(gaps, **window(last=DAY), json=True)
    assert said.code == 1
    assert said.facts == {
        "dag_id": DAG,
        "first": "2025-01-15",
        "last": "2025-01-15",
        "dates": 1,
        "days": ["2025-01-15"],
        "gaps": [
            {
                "endpoint": "box_scores",
                "outcome": "partial",
                "message": message,
                "days": ["2025-01-15"],
            }
        ],
        "missing": [{"endpoint": "box_scores", "day": "2025-01-15", "games": ["MIA@BOS"]}],
        "commands": [f"airflow dags backfill {DAG} -s 2025-01-15 -e 2025-01-15 --reset-dagruns -y"],
        "exit_code": 1,
    }


def test_gaps_look_at_every_endpoint(call: Call) -> None:
    said = call(gaps, **window(last=DAY, dag_id="nbacom_box_scores"), json=True)
    assert [gap["endpoint"] for gap in said.facts["gaps"]] == ["box_scores", "play_by_play"]


def test_date_that_cannot_be_final_yet_is_no_gap(sources: dict[str, Source]) -> None:
    days = DateRange(DAY, NEXT)
    just_before_six_eastern = datetime(2025, 1, 17, 10, 59, tzinfo=UTC)
    assert due(sources[DAG], days, just_before_six_eastern) == [("box_scores", DAY)]
    assert due(sources[DAG], days, just_before_six_eastern + timedelta(minutes=1)) == [
        ("box_scores", DAY),
        ("box_scores", NEXT),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (window(dag_id="nope"), "'nope' is not the DAG of a source: those are "),
        (
            window(dag_id="backfill_summary"),
            "'backfill_summary' is not the DAG of a source: those are ",
        ),
        (
            window(first=NEXT, last=DAY),
            "the end 2025-01-15 is before the start 2025-01-16: swap them",
        ),
        (window(last=date(2099, 1, 1)), "2099-01-01 is not over yet in US/Eastern"),
        ({**window(), "end_date": "2025-02-30"}, "'2025-02-30' is not a day of the calendar"),
    ],
)
def test_window_that_is_none_is_refused_on_one_line(
    call: Call, arguments: dict[str, str], said: str
) -> None:
    found = call(gaps, **arguments)
    assert (found.code, found.out) == (2, "")
    (line,) = found.err.splitlines()
    assert line.startswith(f"airflow nba gaps: {said}")


# --- repair


def test_lost_ledger_is_rebuilt_and_counted(
    call: Call,
    db: psycopg.Connection[Any],
    stores: Stores,
    sources: dict[str, Source],
    done: Callable[[date], None],
) -> None:
    for day in (DAY, NEXT, date(2025, 1, 17)):
        done(day)
    assert isinstance(stores.warehouse, LocalWarehouse)
    (part,) = stores.warehouse.root.glob(f"raw/{DAG}/game_date={NEXT}/*")
    part.unlink()
    outcome(db, DAY, "failed", error_class="blocked")

    said = call(repair, ledger=True)

    assert (said.code, said.err) == (0, "")
    rebuilt = "2 rebuilt (1 complete, 1 partial); 1 known already"
    assert said.out.splitlines() == [
        f"{name}: {rebuilt if name == DAG else '0 rebuilt'}" for name in sources
    ]
    counted = {"known": 1, "partial": 1, "complete": 1}
    assert call(repair, ledger=True, dag_id=DAG, json=True).facts == {
        "ledger": {DAG: counted},
        "exit_code": 0,
    }
    assert call(status, json=True).facts["outcomes"] == {
        DAG: {"box_scores": {"complete": 1, "failed": 1, "partial": 1}}
    }


def test_mails_that_were_given_up_are_made_due(call: Call, db: psycopg.Connection[Any]) -> None:
    outbox.put(db, outbox.Mail(mail_id="m", message_id="<m@nba>", subject="s", content=b"x"))
    db.commit()
    mail = outbox.claim(db)
    assert mail
    outbox.not_sent(db, mail, "bad_key", again=False)
    said = call(repair, mails=True)
    assert said == Said(
        code=0, out="mails: 1 due again, sent by the next run of backfill_summary\n", err=""
    )
    assert call(repair, mails=True, json=True).facts == {"mails": 0, "exit_code": 0}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "say what to repair: --ledger [DAG] or --mails"),
        ({"dag_id": DAG}, "say what to repair: --ledger [DAG] or --mails"),
        ({"dag_id": DAG, "mails": True}, f"{DAG} goes with --ledger only"),
        ({"dag_id": "nope", "ledger": True}, "'nope' is not the DAG of a source: those are "),
    ],
)
def test_repair_of_nothing_is_refused_on_one_line(
    call: Call, arguments: dict[str, Any], said: str
) -> None:
    found = call(repair, **arguments)
    assert (found.code, found.out) == (2, "")
    (line,) = found.err.splitlines()
    assert line.startswith(f"airflow nba repair: {said}")


# --- the command line


def test_commands_are_registered_once_beside_airflows_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.cli import cli_config

    from nba_airflow.cli.commands import extend

    before = list(cli_config.core_commands)
    monkeypatch.setattr(cli_config, "core_commands", list(before))
    extend()
    extend()
    names = [each.name for each in cli_config.core_commands]
    assert names == [*(each.name for each in before if each.name != "nba"), "nba"]
    groups = {each.name: each for each in cli_config.core_commands}
    assert [each.name for each in groups["nba"].subcommands] == [
        "status",
        "errors",
        "gaps",
        "repair",
    ]
    dags = [each.name for each in groups["dags"].subcommands]
    assert dags.count("backfill") == 1
    assert {"list", "trigger", "unpause"} < set(dags)
