from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from devstack.sandbox.judge import main as judge
from devstack.sandbox.judge import summary
from devstack.sandbox.server import Sandbox, SandboxError, running

KEY = {"Authorization": "sandbox-key"}


def _status(sandbox: Sandbox, **more: object) -> int:
    url = sandbox.base("balldontlie") + "/v1/teams"
    return requests.get(url, **{"headers": KEY, "timeout": 10, **more}).status_code


def test_the_sixty_first_request_in_a_minute_is_refused_and_logged(fresh: Sandbox) -> None:
    statuses = [_status(fresh) for _ in range(61)]
    assert statuses == [200] * 60 + [429]
    assert [entry["limited"] for entry in fresh.log()] == [False] * 60 + [True]
    verdict = summary(fresh.log_file, (60.0,))["balldontlie"]
    assert (verdict.requests, verdict.limited, verdict.statuses) == (61, 1, {"200": 60, "429": 1})
    assert verdict.worst == {"127.0.0.1": {"60s": 61}}


def test_limits_can_be_scaled_while_it_runs(fresh: Sandbox) -> None:
    fresh.limits({"balldontlie": [(2, 3600.0)]})
    assert [_status(fresh) for _ in range(3)] == [200, 200, 429]
    with pytest.raises(SandboxError, match="no such source: mlb"):
        fresh.limits({"mlb": [(1, 1.0)]})


def test_a_log_entry_says_what_was_asked_and_holds_no_key(fresh: Sandbox) -> None:
    url = fresh.base("balldontlie") + "/v1/games?dates[]=2024-01-15&apiKey=hush-hush"
    requests.get(url, headers={"Authorization": "also-hush"}, timeout=10)
    (entry,) = fresh.log()
    assert entry == {
        "t": entry["t"],
        "mono": entry["mono"],
        "source": "balldontlie",
        "address": "127.0.0.1",
        "path": "/v1/games",
        "query": "dates[]=2024-01-15&apiKey=***",
        "status": 401,
        "billed": 0,
        "credits_used": 0,
        "limited": False,
        "fault": None,
    }
    assert json.loads(fresh.log_file.read_text()) == entry
    assert "hush" not in fresh.log_file.read_text()


def test_the_address_is_a_header_or_the_user_of_a_proxy(tmp_path: Path) -> None:
    with running(tmp_path, proxies={"alpha": "pw-a", "beta": "pw-b"}) as sandbox:

        def through(credentials: str) -> dict[str, str]:
            return {"http": sandbox.url.replace("://", f"://{credentials}@")}

        assert _status(sandbox, headers={**KEY, "X-Sandbox-Address": "10.0.0.7"}) == 200
        assert _status(sandbox, proxies=through("alpha:pw-a")) == 200
        assert _status(sandbox, proxies=through("beta:pw-b")) == 200
        assert _status(sandbox, proxies=through("beta:wrong")) == 407
        assert _status(sandbox, proxies={"http": sandbox.url}) == 407
        assert [entry["address"] for entry in sandbox.log()] == ["10.0.0.7", "alpha", "beta"]


def test_the_calendar_moves_and_games_become_final(fresh: Sandbox) -> None:
    def period() -> int:
        url = fresh.base("balldontlie") + "/v1/box_scores?date=2031-01-15"
        return requests.get(url, headers=KEY, timeout=10).json()["data"][0]["period"]

    assert period() == 0
    fresh.clock(datetime(2031, 1, 16, 12, tzinfo=UTC))
    assert period() >= 4
    assert fresh.bill()["now"].startswith("2031-01-16T12:00")


def test_control_needs_its_token_where_one_is_set(tmp_path: Path) -> None:
    with running(tmp_path, control_token="open-sesame") as sandbox:
        sandbox.no_faults()
        assert requests.get(f"{sandbox.url}/_sandbox/bill", timeout=10).status_code == 403


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_even_while_a_client_hangs(number: signal.Signals) -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "devstack.sandbox"]
    with subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[1]
        requests.post(f"{url}/_sandbox/faults", json=[{"kind": "hang"}], timeout=10)
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as client:
            client.sendall(b"GET /balldontlie/v1/teams HTTP/1.1\r\nHost: sandbox\r\n\r\n")
            while not requests.get(f"{url}/_sandbox/log", timeout=10).json():
                pass
            os.kill(process.pid, number)
            process.wait(timeout=10)
        rest, complaints = process.communicate(timeout=10)
    assert (process.returncode, rest, complaints) == (0, "", "")


def test_a_busy_port_and_a_bad_setting_are_one_line_and_exit_code_2(
    fresh: Sandbox, tmp_path: Path
) -> None:
    def start(*arguments: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "devstack.sandbox", *arguments]
        done = subprocess.run(
            command, cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=20
        )
        return done.returncode, done.stdout, done.stderr

    busy = f"sandbox: port {fresh.port} cannot be used: Address already in use; take another one\n"
    assert start(f"--port={fresh.port}") == (2, "", busy)
    code, out, complaint = start(f"--recorded={tmp_path}/nowhere")
    assert (code, out, complaint.count("\n")) == (2, "", 1)
    assert complaint.startswith(
        f"sandbox: no recordings in {tmp_path}/nowhere: manifest.json cannot be read"
    )


def test_the_judge_prints_a_table_or_json(
    fresh: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh.faults([{"kind": "503", "times": 1}])
    assert [_status(fresh), _status(fresh)] == [503, 200]
    assert judge([str(fresh.log_file), "--json", "--window", "60"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "balldontlie": {
            "requests": 2,
            "statuses": {"200": 1, "503": 1},
            "limited": 0,
            "faults": {"503": 1},
            "billed": 0,
            "worst": {"127.0.0.1": {"60s": 2}},
        }
    }
    assert judge([str(fresh.log_file), "--window", "60"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == [
        "balldontlie", "127.0.0.1", "2", "0", "0", "60s:2", "200:1", "503:1;", "503:1",
    ]  # fmt: skip
    assert judge(["/nowhere/requests.jsonl"]) == 2
    assert "cannot read the log /nowhere/requests.jsonl: No such file" in capsys.readouterr().err
