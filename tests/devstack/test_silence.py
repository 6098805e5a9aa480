"""A process that lives and does nothing is found, and ended; one that merely waits for the database
is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

import pytest

from devstack.silence import MAX_SILENCE, MAX_START, Silence
from devstack.supervisor import Service, _end_silent, _started

STARTED = dict.fromkeys(("sandbox", "api-server", "scheduler", "dag-processor", "triggerer"), 0.0)


def health(**unhealthy: str) -> dict[str, Any]:
    parts = ("metadatabase", "scheduler", "dag_processor", "triggerer")
    return {part: {"status": unhealthy.get(part, "healthy")} for part in parts}


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Looks:
    """Looks every ten seconds, as the supervisor does more often."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.silence = Silence(self.clock)

    def until(self, second: float, said: Any, started: Mapping[str, float] = STARTED) -> list[str]:
        """What the last one finds."""
        found = []
        while self.clock.now < second:
            self.clock.now = min(second, self.clock.now + 10)
            found = self.silence.find(said, started)
        return found


@pytest.mark.parametrize(
    ("said", "silent"),
    [
        (health(), []),
        (health(scheduler="unhealthy"), ["scheduler"]),
        (health(dag_processor="unhealthy"), ["dag-processor"]),
        (health(triggerer="unhealthy"), ["triggerer"]),
        (health(metadatabase="unhealthy", scheduler="unhealthy"), []),
        (None, ["api-server"]),
    ],
)
def test_silent_process_is_found_when_nothing_was_heard_of_it_for_long(
    said: dict[str, Any] | None, silent: list[str]
) -> None:
    looks = Looks()
    assert looks.until(10, health()) == []
    assert looks.until(10 + MAX_SILENCE, said) == []
    assert looks.until(11 + MAX_SILENCE, said) == silent


def test_process_that_starts_has_more_time_than_one_that_was_heard() -> None:
    looks, sick = Looks(), health(scheduler="unhealthy")
    assert looks.until(MAX_START, sick) == []
    assert looks.until(MAX_START + 1, sick) == ["scheduler"]
    assert looks.until(MAX_START + 2, sick, {**STARTED, "scheduler": 550.0}) == []
    assert looks.until(MAX_START + 3, sick, {}) == []


def test_nobody_is_silent_after_the_machine_itself_stood_still() -> None:
    looks, sick = Looks(), health(scheduler="unhealthy")
    assert looks.until(10, health()) == []
    looks.clock.now = 10 + 2 * MAX_SILENCE
    assert looks.silence.find(sick, STARTED) == []
    assert looks.until(10 + 3 * MAX_SILENCE + 1, sick) == ["scheduler"]


def test_silent_process_is_ended_even_if_it_is_stopped_and_the_others_are_not() -> None:
    services = [
        Service(name, [], _sleeper(), time.monotonic()) for name in ("scheduler", "triggerer")
    ]
    stopped, other = (service.process for service in services)
    assert stopped
    assert other
    try:
        os.kill(stopped.pid, signal.SIGSTOP)
        _end_silent(services, ["scheduler"])
        assert [stopped.poll() is None, other.poll() is None] == [False, True]
        assert list(_started(services)) == ["scheduler", "triggerer"]
    finally:
        for process in (stopped, other):
            process.kill()
            process.wait(timeout=30)


def _sleeper() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "import signal; signal.pause()"]
    return subprocess.Popen(command, start_new_session=True)
