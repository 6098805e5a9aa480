"""Metrics at the other end: a collector on loopback takes what Airflow's own emitter sends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from include.ops.db import connect
from include.ops.outcomes import OutcomeRow, record
from include.outcome import Outcome
from tests.conftest import ROOT

EMIT = """
import airflow.settings, sys
from include.ops.db import connect
from nba_airflow.metrics import emit_totals
with connect(sys.argv[1]) as connection:
    emit_totals(connection, [])
"""


class Collector(ThreadingHTTPServer):
    """Answers ``status`` to whatever is posted, and keeps it."""

    def __init__(self, status: int) -> None:
        self.status, self.bodies = status, list[bytes]()
        super().__init__(("127.0.0.1", 0), _Handler)

    def gauges(self) -> dict[str, tuple[float, dict[str, str]]]:
        """Name -> value and tags of each gauge of this package."""
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
            ExportMetricsServiceRequest,
        )

        metrics = [
            metric
            for body in self.bodies
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]
        return {
            metric.name: (
                point.as_double or point.as_int,
                {tag.key: tag.value.string_value for tag in point.attributes},
            )
            for metric in metrics
            for point in metric.gauge.data_points
            if ".nba." in metric.name
        }


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keeps the tests' output clean."""


@contextmanager
def collector(status: int) -> Iterator[Collector]:
    with Collector(status) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


@pytest.fixture
def ledger(ops_db: str) -> str:
    """One date is complete."""
    now = datetime.now(UTC)
    row: dict[str, Any] = {"dag_id": "bdl_box_scores", "endpoint": "box_scores", "run_id": "r"}
    with connect(ops_db) as connection:
        done = OutcomeRow(
            **row,
            day=date(2025, 1, 15),
            attempt=1,
            phase="audit",
            outcome=Outcome.COMPLETE,
            started_at=now,
            ended_at=now,
            requests=2,
        )
        record(connection, done)
    return ops_db


def emit(ledger: str, found: Collector, home: Path) -> None:
    """A process of an Airflow that has metrics switched on as docs/metrics.md says."""
    variables = {
        "PATH": os.environ["PATH"],
        "AIRFLOW_HOME": str(home),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__METRICS__OTEL_ON": "True",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{found.server_port}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    }
    command = [sys.executable, "-c", EMIT, ledger]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_collector_receives_the_totals_through_airflows_own_emitter(
    ledger: str, tmp_path: Path
) -> None:
    with collector(200) as found:
        emit(ledger, found, tmp_path)
        box_scores = {"dag_id": "bdl_box_scores", "endpoint": "box_scores"}
        assert found.gauges() == {
            "airflow.nba.dates": (1, {**box_scores, "outcome": "complete"}),
            "airflow.nba.requests_last_day": (2, box_scores),
            "airflow.nba.mails_unsent": (0, {}),
            "airflow.nba.backfills_held": (0, {"kind": "quiet hours"}),  # the last of its kinds
        }


def test_no_process_tries_a_collector_that_is_down_again_and_again(
    ledger: str, tmp_path: Path
) -> None:
    with collector(503) as found:
        emit(ledger, found, tmp_path)
        assert len(found.bodies) == 1
