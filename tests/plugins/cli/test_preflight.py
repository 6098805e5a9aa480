"""`airflow nba preflight`: each thing that would keep a backfill from going well, provoked once on
the real thing, is one line that names its repair."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from devstack import postgres
from devstack.connections import postgres_fields, upstreams
from devstack.sandbox.server import Sandbox, running
from include.guards.plan import Plan
from include.guards.preflight import Start, failures
from include.ops.migrate import migrate
from include.partition import DateRange
from include.settings import MAX_RUNS_A_TURN, SETTINGS
from include.sources.spec import Source
from include.steps.job import Stores
from nba_airflow.cli.backfill import backfill
from nba_airflow.cli.preflight import check, preflight
from tests.disk import small_disk
from tests.mail.stand_in import KEY, listening
from tests.plugins import scheduling
from tests.plugins.cli.asking import Call
from tests.plugins.cli.test_backfill import ARGUMENTS, read_books
from tests.plugins.scheduling import Scheduler, bag_since, live_day, scheduler

DAG, ODDS = "bdl_box_scores", "odds_api_props"
DAY = date(2025, 1, 15)
NOW = datetime(2026, 9, 1, tzinfo=UTC)
WINDOW = {"start_date": str(DAY), "end_date": str(DAY)}

Connect = Callable[..., None]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running(tmp_path_factory.mktemp("sandbox"), monthly_credits=20_000) as found:
        yield found


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Sets fields of a connection."""

    def define(name: str, **fields: Any) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(fields))

    return define


@pytest.fixture
def fit(
    books: str,
    stores: Stores,
    db: psycopg.Connection[Any],
    sandbox: Sandbox,
    connect: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Scheduler]:
    """An installation in which everything is as it should be."""
    for name, fields in upstreams(sandbox.url, tmp_path).items():
        connect(name, **{**fields, "extra": json.loads(fields.get("extra", "{}"))})
    monkeypatch.setenv("NBA_QUIET_HOURS", '{"*": null}')
    for setting in SETTINGS:
        monkeypatch.setenv(setting.name, setting.value)
    with scheduler(bag_since(live_day(2))) as found:
        yield found
    sandbox.no_faults()


def failed(dag_id: str = DAG, **more: Any) -> list[str]:
    found = check(Start(dag_id=dag_id, window=DateRange(DAY, DAY), **more))
    return list(map(str, failures(found)))


# --- a fit installation

PASSES = [
    "scope: # date, # games, # request",
    "canary: # dates went well with this code and configuration, and few are asked for",
    "batching: backfill_summary sends one mail for all dates",
    "limits: pools: balldontlie #",
    "limits: balldontlie answers and lets us in",
    "limits: our clock is # s off balldontlie's",
    "progress: the operations tables are there",
    "resumable: the raw store file://TMP/raw can be read and written",
    "time window: no other backfill is under way",
    "time window: no quiet hours would interrupt it",
    "dependencies: bdl_box_scores is there and not paused",
    "dependencies: scheduler, triggerer, dag-processor are running",
    "dependencies: Airflow's database takes # connections, # are used",
    "dependencies: the settings of .env.example are made",
    "dependencies: the warehouse duckdb://TMP/warehouse can be loaded",
    "dependencies: # GB free for TMP/raw, TMP/warehouse, TMP/mail",
    "notification: the one mail goes to c@d.example",
]


@pytest.mark.usefixtures("fit")
def test_fit_installation_passes_each_check(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", "/proc")  # a disk of its own
    said = call(preflight, **WINDOW | {"dag_id": DAG}, output="json")
    found = [each for each in said.facts["findings"] if "/proc" not in each["what"]]
    lines = ["{check}: {what}".format(**each).replace(str(tmp_path), "TMP") for each in found]
    assert [re.sub(r"\d+(\.\d+)?", "#", line) for line in lines] == PASSES
    assert {each["status"] for each in found} == {"pass"}


@pytest.mark.parametrize(
    "dag_id", ["odds_api_props", "nbacom_box_scores", "nbacom_schedule", "bigdataball_play_by_play"]
)
@pytest.mark.usefixtures("fit")
def test_each_source_answers_its_probe_and_bills_nothing(dag_id: str, sandbox: Sandbox) -> None:
    billed = sandbox.bill()["used"]
    found = check(Start(dag_id=dag_id, window=DateRange(DAY, DAY)))
    assert [str(each) for each in found if each.status != "pass"] == []
    assert sandbox.bill()["used"] == billed


def test_every_host_declares_its_probe(sources: dict[str, Source]) -> None:
    without = [
        f"{dag_id}: {host.connection}"
        for dag_id, source in sources.items()
        for host in source.hosts
        if host.probe is None
    ]
    assert without == []


# --- upstreams

REFUSALS = {
    ("bdl_box_scores", "wrong_tier"): (
        "fail limits: balldontlie: key refused, or its tier lacks this endpoint: check the"
        " connection's key and the account's plan [401]"
    ),
    ("odds_api_props", "wrong_tier"): (
        "fail limits: the_odds_api: HISTORICAL_UNAVAILABLE_ON_FREE_USAGE_PLAN: the key's plan has"
        " no historical data: historical endpoints need a paid plan [401]"
    ),
    ("odds_api_props", "out_of_credits"): (
        "fail limits: the_odds_api: OUT_OF_USAGE_CREDITS: the month's credits are used up: wait for"
        ' the reset on the 1st; or, after buying a larger plan, raise {"credits": {"monthly": ...,'
        ' "live_reserve": ...}} in the connection\'s extra [401]'
    ),
    ("bigdataball_play_by_play", "wrong_tier"): (
        "fail limits: bigdataball: accessNotConfigured: the API is not enabled in the service"
        " account's project [403]"
    ),
    ("nbacom_schedule", "block_page_200"): (
        "fail limits: nba_stats: an HTML page instead of data: this address is being blocked; wait,"
        " or use other proxies [200]"
    ),
}


@pytest.mark.parametrize(("dag_id", "kind"), REFUSALS)
@pytest.mark.usefixtures("fit")
def test_refusal_that_only_a_person_can_repair(dag_id: str, kind: str, sandbox: Sandbox) -> None:
    sandbox.faults([{"kind": kind, "times": 2}])
    assert failed(dag_id) == [REFUSALS[dag_id, kind]]


@pytest.mark.usefixtures("fit")
def test_trouble_that_passes_is_a_warning(sandbox: Sandbox) -> None:
    sandbox.faults([{"kind": "500", "times": 2}])
    found = check(Start(dag_id=DAG, window=DateRange(DAY, DAY)))
    assert [str(each) for each in found if each.status != "pass"] == [
        "warn limits: balldontlie: the upstream fails with status 500: rerun the date when the"
        " upstream is well again [500]"
    ]


@pytest.mark.usefixtures("fit")
def test_wrong_key(connect: Connect, sandbox: Sandbox) -> None:
    connect("balldontlie", conn_type="http", host=sandbox.base("balldontlie"), password="wrong")
    assert failed() == [REFUSALS[DAG, "wrong_tier"]]


@pytest.mark.usefixtures("fit")
def test_no_key(connect: Connect, sandbox: Sandbox) -> None:
    connect("balldontlie", conn_type="http", host=sandbox.base("balldontlie"))
    assert failed() == [
        "fail limits: connection balldontlie has no key: put it into the connection's password"
    ]


@pytest.mark.usefixtures("fit")
def test_credits_that_do_not_suffice_this_month_are_a_warning(sandbox: Sandbox) -> None:
    plan = Plan(dag_id=ODDS, planned_at=NOW, next_start=NOW, days=[DAY], credits=50_000)
    start = Start(dag_id=ODDS, window=DateRange(DAY, DAY), plan=plan)
    left = sandbox.bill()["remaining"]
    assert [str(each) for each in check(start) if each.status != "pass"] == [
        f"warn limits: {left:,} credits of the_odds_api left this month, and 50,000 are needed:"
        ' dates wait for the reset; or, after buying a larger plan, raise {"credits": {"monthly":'
        ' ..., "live_reserve": ...}} in the connection\'s extra'
    ]


class _AnHourAhead(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "11")
        self.end_headers()
        self.wfile.write(b'{"data":[]}')

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(time.time() + 3600)

    def log_message(self, format: str, *args: object) -> None:
        """Keeps the tests' output clean."""


@pytest.mark.usefixtures("fit")
def test_clock_that_is_off(connect: Connect) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _AnHourAhead) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        url = f"http://127.0.0.1:{server.server_port}"
        connect("balldontlie", conn_type="http", host=url, password="a-key")
        said = failed()
        server.shutdown()
    assert [re.sub(r"\d+", "#", line) for line in said] == [
        "fail limits: our clock is # s off balldontlie's: set this machine's clock (chrony or ntpd)"
    ]


# --- our own places


@pytest.mark.usefixtures("fit")
def test_missing_bucket(connect: Connect, gcs_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_url)
    connect("raw_store", conn_type="generic", extra={"url": "gs://not-there/raw"})
    connect("google_cloud_default", conn_type="google_cloud_platform", extra={"is_anonymous": True})
    assert failed() == [
        "fail resumable: cannot write below gs://not-there/raw: there is no bucket not-there:"
        " create it, or correct the store's URL"
    ]


@pytest.mark.usefixtures("fit")
def test_folder_that_cannot_be_written(connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    connect("warehouse", conn_type="generic", extra={"url": f"duckdb://{tmp_path}/file/in"})
    assert failed() == [
        f"fail dependencies: cannot write below {tmp_path}/file/in: Not a directory"
    ]


@pytest.mark.usefixtures("fit")
def test_full_disk(connect: Connect, tmp_path: Path) -> None:
    plan = Plan(dag_id=DAG, planned_at=NOW, days=[DAY], bytes=10**9)
    with small_disk(tmp_path / "small") as folder:
        connect("raw_store", conn_type="generic", extra={"url": f"file://{folder}"})
        room = f"0.0 GB free for {folder}: free 1.5 GB there, or set another folder"
        assert failed(plan=plan) == [f"fail dependencies: {room}"]


@pytest.mark.usefixtures("fit")
def test_missing_tables(connect: Connect, postgres_dir: Path) -> None:
    url = postgres.ensure_database(postgres_dir, "preflight_without_tables")
    connect("ops_db", **postgres_fields(url))
    assert "fail progress: there are no operations tables: airflow nba repair --tables" in failed()
    migrate(url)
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE ops.looks, ops.alerts")
    assert failed() == [
        "fail progress: the operations tables lack ops.looks, ops.alerts: run `DROP SCHEMA ops"
        " CASCADE` in that database, then `airflow nba repair --tables` and `airflow nba repair"
        " --ledger`"
    ]


@pytest.mark.usefixtures("fit")
def test_mail_that_would_not_go_out(connect: Connect) -> None:
    connect("mail", conn_type="generic", extra={"sender": "a@b.example"})
    assert failed() == [
        'fail notification: connection `mail`: "recipients" in its extra is missing; write it like'
        ' {"recipients": "NBA <nba@example.com>"}'
    ]
    with listening() as sendgrid:
        people = {"sender": "a@b.example", "recipients": "c@d.example"}
        sendgrid.told = {"/v3/scopes": {"scopes": ["stats.read"]}}
        fields = {"host": sendgrid.host, "password": KEY, "extra": people}
        connect("mail", conn_type="generic", **fields)
        assert failed() == [
            "fail notification: the key of connection `mail` may not send mails: set a SendGrid key"
            " with the Mail Send permission as the password of connection `mail`"
        ]


# --- Airflow


def change(found: Scheduler, sql: str) -> None:
    found.session.execute(text(sql))
    found.session.commit()


AIRFLOW = {
    "UPDATE dag SET is_paused = true WHERE dag_id = 'bdl_box_scores'": (
        "fail dependencies: bdl_box_scores is paused, its runs would stay queued: airflow dags"
        " unpause bdl_box_scores"
    ),
    "UPDATE dag SET is_stale = true WHERE dag_id = 'bdl_box_scores'": (
        "fail dependencies: there is no DAG bdl_box_scores: airflow dags list-import-errors"
    ),
    "UPDATE dag SET is_paused = true WHERE dag_id = 'backfill_summary'": (
        "fail batching: backfill_summary is paused, so no mail is sent: airflow dags unpause"
        " backfill_summary"
    ),
    "UPDATE job SET latest_heartbeat = now() - interval '5 min' WHERE job_type = 'TriggererJob'": (
        "fail dependencies: the triggerer is not running: start it (`make up` on one machine)"
    ),
    "UPDATE job SET state = 'failed' WHERE job_type = 'SchedulerJob'": (
        "fail dependencies: the scheduler is not running: start it (`make up` on one machine)"
    ),
    "DELETE FROM slot_pool WHERE pool = 'balldontlie'": (
        "fail limits: pool balldontlie has no slots, its tasks would wait for ever: airflow pools"
        " set balldontlie 2 'asks balldontlie'"
    ),
}


@pytest.mark.parametrize("sql", AIRFLOW)
def test_what_is_wrong_in_airflow(fit: Scheduler, sql: str) -> None:
    change(fit, sql)
    assert failed() == [AIRFLOW[sql]]


def test_another_backfill_under_way(fit: Scheduler, call: Call) -> None:
    scheduling.backfill(DAG, DAY, DAY)
    (said,) = failed()
    assert re.sub(r"backfill \d+", "backfill #", said) == (
        "fail time window: bdl_box_scores has backfill # (2025-01-15) under way: wait for it, or"
        " cancel it in the UI"
    )
    assert failed(again=True) == []
    looked = call(preflight, **WINDOW | {"dag_id": DAG})
    assert "under way, which has 1 date of this window already\n" in looked.out
    assert looked.code == 0


def test_backfill_that_shares_an_upstream_is_a_warning(fit: Scheduler) -> None:
    scheduling.backfill("nbacom_box_scores", DAY, DAY)
    found = check(Start(dag_id="nbacom_schedule", window=DateRange(DAY, DAY)))
    assert [str(each) for each in found if each.status != "pass"] == [
        "warn time window: backfills of nbacom_box_scores share its limit: all take longer"
    ]


@pytest.mark.usefixtures("fit")
def test_settings_that_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    turns, parallelism = "AIRFLOW__SCHEDULER__MAX_DAGRUNS_PER_LOOP_TO_SCHEDULE", SETTINGS[0].name
    monkeypatch.delenv(turns)
    monkeypatch.setenv(parallelism, "64")  # a choice of its own is made
    found = check(Start(dag_id=DAG, window=DateRange(DAY, DAY)))
    assert [str(each) for each in found if each.status != "pass"] == [
        f"warn dependencies: not set: {turns}: set them as .env.example does, with reason",
        "warn dependencies: the scheduler looks at 20 runs a turn, and at no backfill's while so"
        f" many others wait (apache/airflow#58554): set {turns} to {MAX_RUNS_A_TURN}",
    ]


# --- the command that starts


def test_nothing_is_started_where_the_preflight_fails(
    fit: Scheduler, books: str, call: Call, sandbox: Sandbox
) -> None:
    sandbox.faults([{"kind": "bad_key", "times": 2}])
    before = read_books(books)
    said = call(backfill, **ARGUMENTS | WINDOW | {"dry_run": True}, output="json")
    assert (said.code, said.facts["preflight"][0]["status"]) == (2, "pass")
    refused = call(backfill, **ARGUMENTS | WINDOW)
    assert (refused.code, refused.err.splitlines()[-2:]) == (
        2,
        [
            "airflow dags backfill: the preflight failed, so nothing was started",
            REFUSALS[DAG, "wrong_tier"],
        ],
    )
    assert read_books(books) == before
    assert call(backfill, **ARGUMENTS | WINDOW).code == 0
    assert fit.runs(DAG, "queued") == [str(DAY)]
