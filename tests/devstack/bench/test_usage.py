"""What processes have used, as the benchmarks count it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from devstack.bench import usage
from devstack.bench.usage import Peak, cpu_seconds, parsed_cpu, parsed_pss, tree

BUSY = "import time\nwhile time.process_time() < 0.3: pass\n"
TICKS = os.sysconf("SC_CLK_TCK")


def test_cpu_is_that_of_the_process_and_of_the_children_it_has_waited_for() -> None:
    before = "1 (a (strange) name) S 1 1 1 0 -1 4194304 9 9 9 9"
    assert parsed_cpu(f"{before} 100 20 3 4 20 0 1 0") == 127 / TICKS


def test_a_child_that_ended_in_between_counts_once() -> None:
    before = cpu_seconds([os.getpid()])
    subprocess.run([sys.executable, "-c", BUSY], check=True)
    assert cpu_seconds([os.getpid()]) - before > 0.25  # counted in ticks


def test_a_process_that_is_gone_has_used_nothing() -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    assert (cpu_seconds([done.pid]), tree([done.pid]), usage.megabytes(done.pid)) == (0.0, [], 0.0)


def test_memory_is_the_proportional_share() -> None:
    rollup = "55f-7ff ---p 0 00:00 0 [rollup]\nRss:    9000 kB\nPss:    1000 kB\nPss_Dirty: 5 kB\n"
    assert parsed_pss(rollup) == 1.024
    assert parsed_pss("") == 0.0


def test_peak_is_the_fullest_sample_of_all_and_of_one_task(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = {1: 100.0, 2: 30.0, 3: 35.0}
    monkeypatch.setattr(usage, "megabytes", lambda pid: shares[pid])
    monkeypatch.setattr(usage, "_is_task", lambda pid: pid != 1)
    peak = Peak()
    peak.look([1, 2, 3])
    peak.look([1, 2])
    assert (peak.system, peak.task, len(peak.samples)) == (165.0, 35.0, 2)
    first, second = peak.halves()
    assert (first.system, first.task) == (165.0, 35.0)
    assert (second.system, second.task) == (130.0, 30.0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
def test_own_share_is_read() -> None:
    assert usage.megabytes(os.getpid()) > 5
