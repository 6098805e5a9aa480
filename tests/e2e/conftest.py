"""A whole installation in a temporary folder, as `make up` starts it: Postgres, sandbox, Airflow's
four processes."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest
from tenacity import RetryCallState, retry, retry_if_result, stop_after_delay, wait_fixed

from devstack import control
from devstack.environment import OVERRIDES, ROOT, Home
from devstack.sandbox.judge import worst_window
from include import failpoints
from include.partition import eastern_day
from include.sources.spec import OFF_SEASON
from include.warehouse.local import LocalWarehouse

Found = TypeVar("Found")


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str


class SendGridStandIn(ThreadingHTTPServer):
    """Takes v3/mail/send on loopback as SendGrid does: a bearer key, 202 and an id; ``refusals``
    answer first, and repeat what was sent as a gateway in debug mode does."""

    def __init__(self) -> None:
        self.key = "SG.stand-in-key"
        self.mails: list[dict[str, Any]] = []
        self.refusals: list[int] = []
        super().__init__(("127.0.0.1", 0), _SendGridHandler)

    @property
    def host(self) -> str:
        """For the connection's host."""
        return f"http://127.0.0.1:{self.server_port}"


SENDER = {"from_email": "backfill@localhost", "verified": True}
"""As devstack/connections.py has it."""


class _SendGridHandler(BaseHTTPRequestHandler):
    server: SendGridStandIn

    def do_GET(self) -> None:
        """What a preflight asks: what the key may do, and who may be the sender."""
        told = {"scopes": ["mail.send"], "results": [SENDER]}
        known = self.headers["Authorization"] == f"Bearer {self.server.key}"
        body = json.dumps(told).encode()
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = self.headers["Authorization"] == f"Bearer {self.server.key}"
        status = 401
        if known:
            status = self.server.refusals.pop(0) if self.server.refusals else 202
        if status == 202:
            self.server.mails.append(body)
        self.send_response(status)
        self.send_header("X-Message-Id", f"stand-in-{len(self.server.mails)}")
        told = (
            b""
            if status == 202
            else json.dumps({"errors": [{"message": str(self.headers)}]}).encode()
        )
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, format: str, *args: object) -> None:
        """Keeps the tests' output clean."""


def is_probe(request: dict[str, Any]) -> bool:
    """Whether it is a preflight's: it asks of a date of which nobody has anything."""
    return OFF_SEASON in str(request["query"]) or "scoreboard" in request["path"]


class System:
    """What a test can do with the installation, all from outside."""

    def __init__(self, home: Home, ports: dict[str, int], sendgrid: SendGridStandIn) -> None:
        self.home, self.ports, self.sendgrid = home, ports, sendgrid

    def until(self, question: Callable[[], Found], seconds: float = 240) -> Found:
        """Asks until the answer is true, and returns it; fails after so many seconds and says what
        has not ended."""

        def fail(state: RetryCallState) -> Found:
            raise AssertionError(f"not within {seconds:.0f} s; {self._unfinished()}")

        asking = retry(
            retry=retry_if_result(lambda found: not found),
            stop=stop_after_delay(seconds),
            wait=wait_fixed(0.5),
            retry_error_callback=fail,
        )
        return asking(question)()

    def _unfinished(self) -> str:
        """Tasks of runs that go on, with what Airflow knows of them, who keeps Postgres at work or
        holds locks, and the last lines of the processes' logs."""
        tasks = self.metadata(
            "SELECT r.dag_id, r.partition_key, r.state, t.task_id, t.state, t.try_number, t.pid,"
            " t.queued_dttm, t.start_date, t.last_heartbeat_at, t.updated_at FROM dag_run r"
            " LEFT JOIN task_instance t USING (dag_id, run_id) WHERE r.state IN ('queued',"
            " 'running') ORDER BY t.updated_at DESC LIMIT 20"
        )
        busy = self.metadata(
            "SELECT datname, application_name, state, xact_start, wait_event, left(query, 200) FROM"
            " pg_stat_activity WHERE state <> 'idle' AND pid <> pg_backend_pid()"
        )
        logs = [
            f"{path.name}: {line}"
            for path in sorted(self.home.logs.glob("*.log"))
            for line in path.read_text(errors="replace").splitlines()[-8:]
        ]
        return "\n".join(["these go on:", *map(str, (*tasks, *busy)), "the logs end with:", *logs])

    def catch_up(self, *dag_ids: str) -> None:
        """Unpauses the DAGs; returns when their dates of the last days have run and were
        reported."""
        today = str(eastern_day(datetime.now(UTC)))
        upcoming = "SELECT next_dagrun_partition_key FROM dag WHERE dag_id = %s"
        for dag_id in dag_ids:
            self.api("PATCH", f"dags/{dag_id}", {"is_paused": False})
        for dag_id in dag_ids:
            self.until(lambda dag_id=dag_id: self.metadata(upcoming, dag_id) == [(today,)])
            self.until(lambda dag_id=dag_id: self.mails(dag_id))

    def shell(self, words: str) -> list[str]:
        """The command line that an operator's shell would run."""
        return ["bash", "-c", f". {shlex.quote(str(self.home.env_file))} && exec {words}"]

    def airflow(self, words: str, *, stdin: str = "") -> Finished:
        """Runs `airflow WORDS` to its end; orders to crash are for the installation's processes,
        not for a command, which asks upstreams as well."""
        done = subprocess.run(
            self.shell(f"airflow {words}"),
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if name != failpoints.ORDERS},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def backfill(self, words: str) -> tuple[int, dict[str, Any]]:
        """`airflow dags backfill WORDS --skip-canary --json`: exit code and the answer."""
        done = self.airflow(f"dags backfill {words} --json -y --skip-canary")
        assert done.out.strip(), f"exit {done.code}: {done.err}"
        return done.code, json.loads(done.out.strip().splitlines()[-1])

    def faults(self, rules: Sequence[dict[str, Any]]) -> None:
        """Replaces the sandbox's faults."""
        self.sandbox("DELETE", "faults")
        self.sandbox("POST", "faults", list(rules))

    def sandbox(self, method: str, path: str, body: Any = None) -> None:
        """A call of the sandbox's control API."""
        url = f"http://127.0.0.1:{self.ports['sandbox']}/_sandbox/{path}"
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        with urllib.request.urlopen(
            urllib.request.Request(url, data, headers, method=method), timeout=10
        ) as answer:
            answer.read()

    def requests(self, source: str = "") -> list[dict[str, Any]]:
        """What runs have asked of the sandbox, or of one of its sources, oldest first; not what
        preflights did."""
        asked = [each for each in self._all_requests() if not is_probe(each)]
        return [each for each in asked if source in ("", each["source"])]

    def _all_requests(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.home.sandbox_log.read_text().splitlines()]

    def worst_minute(self, source: str) -> int:
        """The most requests of a source in any 60 seconds, by the sandbox's clock."""
        moments = [r["mono"] for r in self._all_requests() if r["source"] == source]
        return worst_window(moments, 60.0)

    def mails(self, dag_id: str = "") -> list[dict[str, Any]]:
        """What the stand-in took, oldest first; of one DAG, if one is given."""
        return [mail for mail in self.sendgrid.mails if f" {dag_id}" in mail["subject"]]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query on the warehouse."""
        with LocalWarehouse(self.home.data / "warehouse").connect() as connection:
            return connection.execute(sql).fetchall()

    def part(self, table: str, day: date) -> Path:
        """A partition's Parquet file."""
        return self.home.data / "warehouse" / "raw" / table / f"game_date={day}" / "part.parquet"

    def metadata(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a query on Airflow's metadata."""
        from devstack import postgres

        with psycopg.connect(postgres.url(self.home.postgres, "airflow")) as connection:
            return connection.execute(sql, values).fetchall()

    def ops(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a query on the operations tables."""
        from devstack import postgres

        with psycopg.connect(postgres.url(self.home.postgres, "ops")) as connection:
            return connection.execute(sql, values).fetchall()

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """A call of Airflow's REST API, which is what its UI calls."""
        base = f"http://127.0.0.1:{self.ports['api']}"
        login = {"username": "admin", "password": control.ui_password(self.home)}
        token = self._json("POST", f"{base}/auth/token", login, {})["access_token"]
        return self._json(
            method, f"{base}/api/v2/{path}", body, {"Authorization": f"Bearer {token}"}
        )

    def _json(self, method: str, url: str, body: Any, headers: dict[str, str]) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **headers}
        with urllib.request.urlopen(
            urllib.request.Request(url, data, headers, method=method), timeout=30
        ) as answer:
            text = answer.read()
        return json.loads(text) if text else None


LIVE_DAYS = 4
"""Live runs begin so many days ago; DAGs are paused until a test unpauses them, which is when they
catch up."""


@pytest.fixture(scope="module")
def crash_orders() -> Iterator[Path]:
    """A folder in which a file named like a crash point kills one process there."""
    folder = Path(tempfile.mkdtemp(prefix="nba-crash-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def system(crash_orders: Path, request: pytest.FixtureRequest) -> Iterator[System]:
    """The running installation, shared by the tests of a module: each uses dates of its own.

    A module's ``VARIABLES`` are what its installation has otherwise, its ``LIVE_DAYS`` when live
    runs begin.

    Not below pytest's own folder, which the third session after this one would remove, running or
    not.
    """
    home = Home(root=Path(tempfile.mkdtemp(prefix="nba-e2e-")))
    since = eastern_day(datetime.now(UTC)) - timedelta(
        days=getattr(request.module, "LIVE_DAYS", LIVE_DAYS)
    )
    variables = {"AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True"}
    variables |= {"NBA_BREAKER": '{"*": null}'}  # dates fail on purpose
    variables |= getattr(request.module, "VARIABLES", {})
    settings = {
        "NBA_LIVE_SINCE": str(since),
        OVERRIDES: json.dumps(variables),
        failpoints.ORDERS: str(crash_orders),
    }
    os.environ.update(settings)
    with SendGridStandIn() as sendgrid:
        threading.Thread(target=sendgrid.serve_forever, daemon=True).start()
        try:
            system = System(home, control.up(home, [])["ports"], sendgrid)
            mail = system.api("GET", "connections/mail")
            changed = {
                "connection_id": "mail",
                "conn_type": "generic",
                "host": sendgrid.host,
                "password": sendgrid.key,
            }
            system.api("PATCH", "connections/mail", {**changed, "extra": mail["extra"]})
            system.api("PATCH", "dags/backfill_summary", {"is_paused": False})
            yield system
        finally:
            control.down(home)
            sendgrid.shutdown()
            for name in settings:
                del os.environ[name]
            shutil.rmtree(home.root)
