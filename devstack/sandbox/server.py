"""The sandbox as a subprocess, for tests and benchmarks: ``with running(tmp_path) as sandbox:
sandbox.url``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from devstack.sandbox.judge import Verdict, judged

_ROOT = Path(__file__).resolve().parents[2]


class SandboxError(RuntimeError):
    """The server did not start, or refused a control request; the message is its own."""


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """A running server. Base URLs are ``url`` plus a source's prefix:
    ``sandbox.base("balldontlie")``."""

    url: str
    pid: int
    log_file: Path
    token: str = ""

    @property
    def port(self) -> int:
        """The port on loopback."""
        return int(self.url.rpartition(":")[2])

    def base(self, source: str) -> str:
        """What goes into the source's connection as host."""
        return f"{self.url}/{source}"

    def log(self, since: float = 0.0) -> list[dict[str, Any]]:
        """The requests so far, in the order in which they were answered."""
        return self._control("GET", f"/log?since={since}")

    def verdicts(self, windows: Sequence[float] = (1.0, 60.0)) -> dict[str, Verdict]:
        """The judge's verdict per source."""
        return judged(self.log(), windows)

    def faults(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Orders more faults."""
        self._control("POST", "/faults", list(rules))

    def no_faults(self) -> None:
        """Clears all faults."""
        self._control("DELETE", "/faults")

    def limits(self, limits: Mapping[str, Sequence[tuple[int, float]]]) -> None:
        """Changes limits: ``{"balldontlie": [(10, 1.0)]}``."""
        self._control("POST", "/limits", limits)

    def bill(self) -> dict[str, Any]:
        """``monthly``, ``used`` and ``remaining`` credits of the calendar's month."""
        return self._control("GET", "/bill")

    def clock(self, now: datetime | str) -> None:
        """Sets the upstreams' calendar; it runs on from there."""
        self._control("POST", "/clock", {"now": now if isinstance(now, str) else now.isoformat()})

    def _control(self, method: str, path: str, order: Any = None) -> Any:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            body = None if order is None else json.dumps(order)
            connection.request(method, f"/_sandbox{path}", body, {"X-Sandbox-Token": self.token})
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise SandboxError(f"{method} /_sandbox{path}: {answer.get('error', answer)}")
        return answer


@contextmanager
def running(folder: Path, *, port: int = 0, **settings: Any) -> Iterator[Sandbox]:
    """Starts the server with these settings (see ``Config``), its log in ``folder``; stops it at
    the end.

    Raises SandboxError when it does not start.
    """
    log, complaints = folder / "requests.jsonl", folder / "sandbox.err"
    config = folder / "sandbox.json"
    config.write_text(json.dumps(settings, default=str), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "devstack.sandbox",
        f"--port={port}",
        f"--log={log}",
        f"--config={config}",
    ]
    with (
        complaints.open("w") as stderr,
        subprocess.Popen(
            command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line.startswith("sandbox http://"):
                process.wait(timeout=10)
                raise SandboxError(complaints.read_text().strip() or "the server said nothing")
            token = str(settings.get("control_token", ""))
            yield Sandbox(url=line.split()[1], pid=process.pid, log_file=log, token=token)
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
