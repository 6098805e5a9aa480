"""Every source's limit with the sandbox as judge: eight processes, two of them killed and started
again on the way, one stopped for a while, each request held up between admission and sending."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.sandbox.judge import worst_window
from devstack.sandbox.server import Sandbox, running
from include.sources.nbacom import STATS
from tests.steps.credentials import key_file

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = 8
WINDOWS = 3

# Windows scaled down from a minute to two seconds; The Odds API's second is as it is.
SOURCES = {
    "balldontlie": {
        "windows": [[20, 2.0]],
        "auth": "header",
        "key_name": "Authorization",
        "path": "/v1/games",
        "params": {"dates[]": "2025-01-15", "per_page": "100"},
    },
    "nba_stats": {
        "windows": [[34, 2.0]],
        "path": "/stats/leaguegamelog",
        "params": {
            **{
                "Counter": "1000",
                "DateFrom": "2025-01-15",
                "DateTo": "2025-01-15",
                "Direction": "DESC",
            },
            **{
                "LeagueID": "00",
                "PlayerOrTeam": "P",
                "Season": "2024-25",
                "SeasonType": "Regular Season",
            },
            "Sorter": "DATE",
        },
        "headers": dict(STATS.headers),
    },
    "nba_cdn": {
        "windows": [[34, 2.0]],
        "path": "/static/json/staticData/scheduleLeagueV2.json",
        "params": {},
        "headers": dict(STATS.headers),
    },
    "the_odds_api": {
        "windows": [[30, 1.0]],
        "auth": "query",
        "key_name": "apiKey",
        "path": "/v4/historical/sports/basketball_nba/events",
        "params": {"date": "2025-01-15T12:00:00Z"},
    },
    "bigdataball": {
        "windows": [[20, 2.0]],
        "auth": "service account",
        "path": "/drive/v3/files",
        "params": {"q": "name contains '2025-01-15'", "fields": "nextPageToken,files(id,name)"},
    },
}


def until_asked(sandbox: Sandbox, times: int, workers: list[subprocess.Popen[bytes]]) -> None:
    while len(sandbox.log()) < times:
        assert any(worker.poll() is None for worker in workers)


@pytest.mark.parametrize("source", SOURCES)
def test_no_sliding_window_at_the_sandbox_is_exceeded(
    ops_db: str, tmp_path: Path, source: str
) -> None:
    order = {"auth": "", "key_name": "", "headers": {}, "accept": "json", **SOURCES[source]}
    ((limit, seconds),) = order["windows"]
    share = limit * WINDOWS // PROCESSES + 1
    config = {"limits": {source: order["windows"]}, "monthly_credits": 100_000}
    with running(tmp_path, **config) as sandbox:
        if order["auth"] == "service account":
            order["key_file"] = key_file(sandbox)
        order |= {
            "name": source,
            "database": ops_db,
            "base": sandbox.base(source),
            "requests": share,
        }
        command = [sys.executable, "-m", "tests.trials.asking", json.dumps(order)]
        workers = [subprocess.Popen(command, cwd=ROOT) for _ in range(PROCESSES)]
        until_asked(sandbox, limit, workers)  # in the second window, with requests under way
        for worker in workers[:2]:
            worker.kill()
            worker.wait()
        workers[:2] = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
        workers[2].send_signal(signal.SIGSTOP)
        until_asked(sandbox, limit * 2, [*workers[:2], *workers[3:]])
        workers[2].send_signal(signal.SIGCONT)
        assert [worker.wait() for worker in workers] == [0] * PROCESSES
        log = [entry for entry in sandbox.log() if not entry["path"].endswith("/token")]

    arrivals = [request["mono"] for request in log]
    allowed = limit * (arrivals[-1] - arrivals[0]) / seconds
    said = (
        f"{source}: {len(log)} requests, {len(log) / allowed:.1%} of what {limit} per {seconds:g} s"
        " allow\n"
    )
    sys.stderr.write(said)
    assert worst_window(arrivals, seconds) <= limit
    assert [request for request in log if request["limited"]] == []
    assert len(log) >= limit * WINDOWS
