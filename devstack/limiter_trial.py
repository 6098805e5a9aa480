"""Proves the limiter against a judge with its own clock: ``python -m devstack.limiter_trial
--processes 8 --limit 60``.

Worker processes send real HTTP requests to a judge that notes each arrival; some are killed with
kill -9 and started again, or stopped for a second. The verdict is the fullest sliding window at the
judge, and how much of the allowed rate was used.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from include.limits.limiter import Limiter
from include.ops.session import Session
from include.outcome import Later
from include.sources.spec import Window

ROOT = Path(__file__).resolve().parents[1]
_NAME = "trial"


def worst_window(arrivals: Sequence[float], seconds: float) -> int:
    """The most arrivals that any sliding window of ``seconds``, both ends included, holds."""
    times = sorted(arrivals)
    first = worst = 0
    for last, moment in enumerate(times):
        while moment - times[first] > seconds:
            first += 1
        worst = max(worst, last - first + 1)
    return worst


@dataclass(kw_only=True)
class Judge:
    """An upstream that answers after a random ``latency`` (from, to) in seconds and remembers when
    it was asked."""

    latency: tuple[float, float]
    arrivals: list[float] = field(default_factory=list)
    port: int = 0

    @contextmanager
    def serving(self) -> Iterator[Judge]:
        """Serve on a free loopback port inside the block."""
        judge = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                judge.arrivals.append(time.monotonic())
                time.sleep(random.uniform(*judge.latency))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Silent: the arrivals are the log."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the judge saw: ``worst`` of at most ``limit`` in any window, ``efficiency`` = used share
    of the rate."""

    limit: int
    seconds: float
    requests: int
    worst: int
    efficiency: float
    killed: int
    stopped: int

    def __str__(self) -> str:
        kept = "kept" if self.worst <= self.limit else "BROKEN"
        return (
            f"limit {self.limit} per {self.seconds:g} s: {kept}, fullest window {self.worst};"
            f" {self.requests} requests, {self.efficiency:.1%} of the rate; {self.killed} killed,"
            f" {self.stopped} stopped"
        )


def trial(
    url: str,
    *,
    processes: int,
    limit: int,
    seconds: float,
    windows: float,
    kill: int = 0,
    stop: int = 0,
    hold: float = 2.0,
    jitter: float = 0.06,
    latency: tuple[float, float] = (0.01, 0.05),
) -> Verdict:
    """Run ``processes`` workers flat out for ``windows`` windows against a judge; the database must
    be migrated.

    ``jitter``: each request is held up by a random part of this many seconds between admission and
    sending (2-63 ms were measured on a quiet machine). ``hold`` must exceed it, the latency, and a
    stop of one second.
    """
    with Judge(latency=latency).serving() as judge:
        order = json.dumps(
            {
                "url": url,
                "limit": limit,
                "seconds": seconds,
                "hold": hold,
                "jitter": jitter,
                "port": judge.port,
            }
        )
        workers = [_worker(order) for _ in range(processes)]
        resumed: list[threading.Timer] = []
        try:
            while not judge.arrivals:
                time.sleep(0.01)
            begun, length = judge.arrivals[0], windows * seconds
            for turn in range(kill + stop):
                _sleep_until(begun + length * (turn + 1) / (kill + stop + 1))
                at = turn % processes
                if turn < kill:
                    workers[at].kill()
                    workers[at].wait()
                    workers[at] = _worker(order)
                else:
                    workers[at].send_signal(signal.SIGSTOP)
                    resumed.append(threading.Timer(1.0, workers[at].send_signal, (signal.SIGCONT,)))
                    resumed[-1].start()
            _sleep_until(begun + length)
        finally:
            for timer in resumed:
                timer.join()
            for worker in workers:
                worker.kill()
                worker.wait()
        arrivals = list(judge.arrivals)
    requests = sum(moment <= begun + length for moment in arrivals)
    return Verdict(
        limit=limit,
        seconds=seconds,
        requests=requests,
        worst=worst_window(arrivals, seconds),
        efficiency=requests / (limit * windows),
        killed=kill,
        stopped=stop,
    )


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def _worker(order: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", __spec__.name, "--worker", order], cwd=ROOT)


def _work(order: str) -> None:
    """Send requests without end, each when the limiter admits it."""
    wanted = json.loads(order)
    rules = {_NAME: (Window(limit=wanted["limit"], seconds=wanted["seconds"]),)}
    limiter = Limiter(Session(wanted["url"]), rules, hold=wanted["hold"])
    upstream = http.client.HTTPConnection("127.0.0.1", wanted["port"], timeout=wanted["hold"] / 2)
    while True:
        try:
            admission = limiter.admit(_NAME, max_wait=wanted["seconds"])
        except Later:
            continue
        with admission:
            time.sleep(random.uniform(0.0, wanted["jitter"]))
            upstream.request("GET", "/")
            response = upstream.getresponse()
        response.read()


def main() -> int:
    """Print the verdict; exit code 1 when the limit was broken."""
    parser = argparse.ArgumentParser(
        prog="python -m devstack.limiter_trial", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--limit", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--windows", type=float, default=3.0)
    parser.add_argument(
        "--kill", type=int, default=0, help="kill -9 and restart this many workers on the way"
    )
    parser.add_argument(
        "--stop", type=int, default=0, help="stop this many workers for a second on the way"
    )
    parser.add_argument(
        "--hold",
        type=float,
        default=2.0,
        help="seconds after which a killed worker's request is done",
    )
    parser.add_argument(
        "--url", default="", help="operations database; without it a temporary Postgres is used"
    )
    parser.add_argument("--worker", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        _work(given.worker)
    with _database(given.url) as url:
        verdict = trial(
            url,
            processes=given.processes,
            limit=given.limit,
            seconds=given.seconds,
            windows=given.windows,
            kill=given.kill,
            stop=given.stop,
            hold=given.hold,
        )
    sys.stdout.write(f"{verdict}\n")
    return 0 if verdict.worst <= verdict.limit else 1


@contextmanager
def _database(url: str) -> Iterator[str]:
    from devstack import postgres
    from include.ops.migrate import migrate

    if url:
        migrate(url)
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="nba-pg-") as folder:
        data = Path(folder) / "data"
        try:
            url = postgres.start(data)
            migrate(url)
            yield url
        finally:
            postgres.stop(data)


if __name__ == "__main__":
    sys.exit(main())
