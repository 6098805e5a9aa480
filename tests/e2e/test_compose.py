"""docker-compose.yaml on bare processes: a backfill by two Celery workers, one of them killed."""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psycopg
import pytest
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from devstack import postgres
from devstack.sandbox.judge import worst_window
from include.partition import eastern_day
from tests.e2e.containers import Machine, running_machine, shell

pytestmark = pytest.mark.slow

DAG = "bdl_box_scores"
WORKERS = (1, 2)
SERVERS = ("airflow-apiserver", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")
LOGS = {"old.log": 31, "new.log": 29}  # and their ages in days
# Not the file's 60 seconds, so that this test does not wait for them.
AT_ANY_TIME = {"NBA_QUIET_HOURS": '{"*": null}'}
SOONER = {"AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15"}


def until(question: Callable[[], Any], seconds: float = 180) -> Any:
    """Asks until the answer is true, and returns it."""
    asking = retry(
        retry=retry_if_result(lambda found: not found),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(0.5),
    )
    return asking(question)()


class Team:
    """The running installation, as its operators and its databases see it."""

    def __init__(self, machine: Machine, data: Path) -> None:
        self.machine, self._data = machine, data

    def airflow(self, words: str) -> tuple[int, str]:
        """`docker compose exec airflow-scheduler airflow WORDS`."""
        return self.machine.run("airflow-scheduler", shell(f"airflow {words}"))

    def backfill(self, window: str) -> tuple[int, dict[str, Any]]:
        """Exit code and answer of a backfill that is followed to its end."""
        code, out = self.airflow(f"dags backfill {DAG} {window} --json -y")
        answers = [line for line in out.splitlines() if line.startswith("{")]
        assert answers, out + self.machine.log("airflow-scheduler-1")[-3000:]
        return code, json.loads(answers[-1])

    def metadata(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(postgres.url(self._data, "airflow")) as connection:
            return connection.execute(sql.encode()).fetchall()

    def requests(self) -> list[dict[str, Any]]:
        """The sandbox's log, oldest first."""
        log = self.machine.volume("data") / "sandbox" / "requests.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()]

    def mails(self) -> list[str]:
        """Subjects of what was written to the outbox."""
        written = sorted((self.machine.volume("data") / "outbox").glob("*.eml"))
        return [re.findall(r"^Subject: (.*)", path.read_text(), re.M)[0] for path in written]

    def order_fault(self, **rule: Any) -> None:
        """Has the sandbox answer wrongly."""
        url = f"http://{self.machine.network.address('sandbox')}:8180/_sandbox/faults"
        headers = {"Content-Type": "application/json"}
        with urlopen(Request(url, json.dumps([rule]).encode(), headers)) as answer:
            answer.read()


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    """Every service of the file, started in the order of its ``depends_on``, and healthy."""
    today = str(eastern_day(datetime.now(UTC)))
    with running_machine({"NBA_LIVE_SINCE": today, **AT_ANY_TIME}, SOONER) as (machine, data):
        for name in ("redis", "sandbox"):
            machine.start(name)
        until(lambda: all(machine.is_healthy(name) for name in ("postgres", "redis", "sandbox")))
        code, _ = machine.run("airflow-init")
        assert code == 0, machine.log("airflow-init-1")[-3000:]
        for name, days in LOGS.items():
            log = machine.volume("logs") / name
            log.write_text("a task's")
            os.utime(log, (time.time() - days * 86400,) * 2)
        for name in (*SERVERS, "log-groomer"):
            machine.start(name)
        until(lambda: all(machine.is_healthy(name) for name in (*SERVERS, "log-groomer")))
        for copy in WORKERS:
            machine.start("airflow-worker", copy)
        until(lambda: all(machine.is_healthy("airflow-worker", copy) for copy in WORKERS))
        team = Team(machine, data)
        until(lambda: team.metadata(f"SELECT 1 FROM dag WHERE dag_id = '{DAG}'"))
        assert team.airflow(f"dags unpause {DAG}")[0] == 0
        yield team


def test_every_service_runs_and_every_health_check_was_asked(team: Team) -> None:
    services = set(team.machine.services)
    assert {name.rpartition("-")[0] for name in team.machine.running} == services - {
        "postgres",
        "airflow-init",
    }
    assert team.machine.checked == services - {"airflow-init"}


def test_logs_are_kept_for_thirty_days(team: Team) -> None:
    left = {path.name for path in team.machine.volume("logs").iterdir()}
    assert left & LOGS.keys() == {"new.log"}


def test_workers_have_imported_what_tasks_need_before_they_forked(team: Team) -> None:
    for copy in WORKERS:
        log = team.machine.log(f"airflow-worker-{copy}")
        assert "imported what tasks need" in log[: log.index("ready.")]


def test_a_worker_that_is_killed_amid_a_backfill_costs_nothing(team: Team) -> None:
    # Of one date: the preflight's probe meets none of them.
    team.order_fault(source="balldontlie", day="2024-12-04", kind="hang", seconds=60, times=2)
    window = "-s 2024-12-02 -e 2024-12-09"
    assert team.airflow(f"dags backfill {DAG} {window} --detach -y --skip-canary")[0] == 0

    def busy() -> list[str]:
        """The worker that one of the hanging tasks runs on."""
        running = "SELECT pid FROM task_instance WHERE state = 'running' AND pid IS NOT NULL"
        pids = {pid for (pid,) in team.metadata(running)}
        names = [f"airflow-worker-{copy}" for copy in WORKERS]
        return [name for name in names if pids & team.machine.processes(name)]

    team.machine.kill(until(busy)[0])
    _, answer = team.backfill(f"{window} --attach")

    assert Counter(found["outcome"] for found in answer["dates"].values()) == {"complete": 8}
    assert answer["exit_code"] == 0
    (subject,) = until(team.mails)
    assert DAG in subject
    times = [each["mono"] for each in team.requests() if each["source"] == "balldontlie"]
    assert len(times) >= 8
    assert worst_window(times, 60.0) <= 60
