"""A process that lives and does nothing is found, and ended; one that merely waits for the database
is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from devstack.silence import MAX_SILENCE, Silence
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


@pytest.fixture
def clock() -> Clock:
    return Clock()


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
    clock: Clock, said: dict[str, Any] | None, silent: list[str]
) -> None:
    silence = Silence(clock)
    assert silence.find(health(), STARTED) == []
    clock.now = MAX_SILENCE
    assert silence.find(said, STARTED) == []
    clock.now = MAX_SILENCE + 1
    assert silence.find(said, STARTED) == silent


def test_silence_is_counted_from_the_last_word_and_from_the_last_start(clock: Clock) -> None:
    silence = Silence(clock)
    sick = health(scheduler="unhealthy")
    clock.now = 100
    assert silence.find(health(), STARTED) == []
    clock.now = 100 + MAX_SILENCE
    assert silence.find(sick, STARTED) == []
    clock.now += 1
    assert silence.find(sick, {**STARTED, "scheduler": 150.0}) == []
    assert silence.find(sick, {}) == []
    assert silence.find(sick, STARTED) == ["scheduler"]


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
