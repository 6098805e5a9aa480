"""A whole installation in a temporary folder, as `make up` starts it: Postgres, sandbox, Airflow's four processes."""

from __future__ import annotations

import email
import json
import shlex
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.local import control
from include.local.environment import ROOT, Home
from include.sandbox.judge import worst_window
from include.warehouse.local import LocalWarehouse


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str


class System:
    """What a test can do with the installation, all from outside."""

    def __init__(self, home: Home, ports: dict[str, int]) -> None:
        self.home, self.ports = home, ports

    def shell(self, words: str) -> list[str]:
        """The command line that an operator's shell would run."""
        return ["bash", "-c", f". {shlex.quote(str(self.home.env_file))} && exec {words}"]

    def airflow(self, words: str, *, stdin: str = "") -> Finished:
        """Runs `airflow WORDS` to its end."""
        done = subprocess.run(
            self.shell(f"airflow {words}"), cwd=ROOT, input=stdin, capture_output=True, text=True, check=False
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def backfill(self, words: str) -> tuple[int, dict[str, Any]]:
        """`airflow dags backfill bdl_box_scores WORDS --json`: exit code and the answer."""
        done = self.airflow(f"dags backfill {words} --json -y")
        assert done.out.strip(), f"exit {done.code}: {done.err}"
        return done.code, json.loads(done.out.strip().splitlines()[-1])

    def faults(self, rules: Sequence[dict[str, Any]]) -> None:
        """Replaces the sandbox's faults."""
        self._sandbox("DELETE", None)
        self._sandbox("POST", list(rules))

    def _sandbox(self, method: str, body: Any) -> None:
        url = f"http://127.0.0.1:{self.ports['sandbox']}/_sandbox/faults"
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=10) as answer:
            answer.read()

    def requests(self) -> list[dict[str, Any]]:
        """The sandbox's log, oldest first."""
        return [json.loads(line) for line in self.home.sandbox_log.read_text().splitlines()]

    def worst_minute(self, source: str) -> int:
        """The most requests of a source in any 60 seconds, by the sandbox's clock."""
        return worst_window([r["mono"] for r in self.requests() if r["source"] == source], 60.0)

    def mails(self) -> list[EmailMessage]:
        """The outbox' mails, oldest first."""
        files = sorted(self.home.outbox.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
        return [email.message_from_bytes(path.read_bytes(), policy=default) for path in files]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query on the warehouse."""
        with LocalWarehouse(self.home.data / "warehouse").connect() as connection:
            return connection.execute(sql).fetchall()

    def part(self, table: str, day: date) -> Path:
        """A partition's Parquet file."""
        return self.home.data / "warehouse" / "raw" / table / f"game_date={day}" / "part.parquet"

    def metadata(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a query on Airflow's metadata."""
        from include.local import postgres

        with psycopg.connect(postgres.url(self.home.postgres, "airflow")) as connection:
            return connection.execute(sql, values).fetchall()

    def ops(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a query on the operations tables."""
        from include.local import postgres

        with psycopg.connect(postgres.url(self.home.postgres, "ops")) as connection:
            return connection.execute(sql, values).fetchall()

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """A call of Airflow's REST API, which is what its UI calls."""
        base = f"http://127.0.0.1:{self.ports['api']}"
        login = {"username": "admin", "password": control.ui_password(self.home)}
        token = self._json("POST", f"{base}/auth/token", login, {})["access_token"]
        return self._json(method, f"{base}/api/v2/{path}", body, {"Authorization": f"Bearer {token}"})

    def _json(self, method: str, url: str, body: Any, headers: dict[str, str]) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **headers}
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    """The running installation, shared by all tests: each uses dates of its own.

    Not below pytest's own folder, which the third session after this one would remove, running or not.
    """
    home = Home(root=Path(tempfile.mkdtemp(prefix="nba-e2e-")))
    try:
        yield System(home, control.up(home, [])["ports"])
    finally:
        control.down(home)
        shutil.rmtree(home.root)
