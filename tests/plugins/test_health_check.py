"""What a container's health check says of every answer of Airflow's API."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from nba_airflow.health_check import find_fault

ANSWERS = {
    "all well": {name: {"status": "healthy"} for name in ("metadatabase", "scheduler")},
    "silent scheduler": {
        "metadatabase": {"status": "healthy"},
        "scheduler": {"status": "unhealthy"},
    },
    "never started": {"metadatabase": {"status": "healthy"}, "scheduler": {"status": None}},
    "another service": ["hello"],
}


class _Api(BaseHTTPRequestHandler):
    answer: object = None

    def do_GET(self) -> None:
        body = json.dumps(self.answer).encode()
        self.send_response(200 if self.path == "/api/v2/monitor/health" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keeps the tests' output clean."""


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """The variables of a container; the API that they name is played."""
    with HTTPServer(("127.0.0.1", 0), _Api) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/execution/"
        yield {"AIRFLOW__CORE__EXECUTION_API_SERVER_URL": url}
        server.shutdown()


@pytest.mark.parametrize(
    ("part", "answer", "fault"),
    [
        ("scheduler", "all well", ""),
        ("api-server", "all well", ""),
        ("scheduler", "silent scheduler", "scheduler is unhealthy"),
        ("api-server", "silent scheduler", ""),
        ("scheduler", "never started", "scheduler is None"),
        ("triggerer", "all well", "triggerer: its health is not known: KeyError('triggerer')"),
    ],
)
def test_a_part_is_as_healthy_as_the_api_says(
    part: str,
    answer: str,
    fault: str,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_Api, "answer", ANSWERS[answer])
    assert find_fault(part, environment) == fault


def test_another_service_at_the_address_is_not_healthy(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Api, "answer", ANSWERS["another service"])
    assert find_fault("scheduler", environment).startswith("scheduler: its health is not known")


def test_an_api_that_does_not_answer_is_not_healthy() -> None:
    nowhere = {"AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://127.0.0.1:9/execution/"}
    fault = find_fault("api-server", nowhere)
    assert fault.startswith("api-server: its health is not known: ")
    assert "refused" in fault
