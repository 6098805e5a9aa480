"""Which of Airflow's processes live and do nothing: what a health check of Kubernetes finds, and
restarts."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

MAX_SILENCE = 120.0
"""Seconds. Airflow calls a process unhealthy 30 s after its last heartbeat; a database that is away
for a minute is not a reason to end anything."""
MAX_START = 600.0
"""Seconds for a process of which nothing was heard yet: a first start imports and migrates."""
MAX_PAUSE = 30.0
"""Seconds between two looks after which this machine itself stood still, and nobody is to blame."""
PATIENCE = 15.0
"""Seconds for one answer: a busy host answers late, and is healthy."""

_PARTS = {"scheduler": "scheduler", "dag_processor": "dag-processor", "triggerer": "triggerer"}
_API = "api-server"


def ask_health(port: int) -> Mapping[str, Any] | None:
    """What Airflow's API says of the health of each part; None when it does not say anything."""
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=PATIENCE
        ) as answer:
            found = json.load(answer)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def is_healthy(health: Mapping[str, Any] | None, part: str) -> bool:
    """Whether it is said of the part; not of one that nothing is said of."""
    return bool((health or {}).get(part, {}).get("status") == "healthy")


class Silence:
    """For how long nothing was heard of each process. ``monotonic``: for tests."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._heard: dict[str, float] = {}
        self._looked = monotonic()

    def find(self, health: Mapping[str, Any] | None, started: Mapping[str, float]) -> list[str]:
        """The processes of which nothing was heard for MAX_SILENCE, or ever, MAX_START after they
        were ``started``.

        The API is silent if it does not answer; of the others nothing is known then, nor while the
        database is away.
        """
        now = self._monotonic()
        if now - self._looked > MAX_PAUSE:
            self._heard = dict.fromkeys(started, now)
        self._looked = now
        unknown = not is_healthy(health, "metadatabase")
        heard = {name for part, name in _PARTS.items() if unknown or is_healthy(health, part)}
        if health is not None:
            heard.add(_API)
        self._heard |= dict.fromkeys(heard, now)
        watched = started.keys() & {_API, *_PARTS.values()}
        return sorted(name for name in watched if now > self._bound(name, started[name]))

    def _bound(self, name: str, since: float) -> float:
        """Until when it may be silent."""
        heard = self._heard.get(name, since)
        return heard + MAX_SILENCE if heard > since else since + MAX_START
