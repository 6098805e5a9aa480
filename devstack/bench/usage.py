"""What processes have used: CPU seconds with those of their children that have ended, and memory
that is counted once however many share it."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import psutil

_TICK = os.sysconf("SC_CLK_TCK")
_MB = 1_000_000


def tree(roots: Sequence[int]) -> list[int]:
    """The pids of the processes and of all below them that live now."""
    found = []
    for pid in roots:
        try:
            root = psutil.Process(pid)
            found += [root.pid, *(child.pid for child in root.children(recursive=True))]
        except psutil.NoSuchProcess:
            continue  # gone meanwhile
    return found


def cpu_seconds(pids: Sequence[int]) -> float:
    """What they have used so far, and what those children had used that they have waited for.

    The difference of two calls on one tree counts each process once: what a process that ended in
    between had used moves into its parent's account.
    """
    return sum(map(_cpu_seconds, pids))


def _cpu_seconds(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return parsed_cpu(text)


def parsed_cpu(stat: str) -> float:
    """utime, stime, cutime and cstime of a line of /proc/PID/stat, in seconds. The name, in
    brackets, may hold anything."""
    fields = stat.rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICK


def children_cpu() -> float:
    """What the children of this process that have ended had used, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def megabytes(pid: int) -> float:
    """The process's proportional share (PSS): pages that n processes share count a n-th. 0 when it
    has gone; raises PermissionError for another user's, as a task's is to all but root."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return parsed_pss(text)


def parsed_pss(smaps: str) -> float:
    """``Pss:`` of /proc/PID/smaps_rollup in MB; 0 for a process that is just ending."""
    for line in smaps.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / _MB
    return 0.0


class Sample(NamedTuple):
    """MB of all processes together, and of the largest task's process (0: none ran)."""

    system: float
    task: float


@dataclass
class Peak:
    """The most that was seen, in MB."""

    samples: list[Sample] = field(default_factory=list)

    @property
    def system(self) -> float:
        """Of all processes together."""
        return max((sample.system for sample in self.samples), default=0.0)

    @property
    def task(self) -> float:
        """Of one task's process."""
        return max((sample.task for sample in self.samples), default=0.0)

    def halves(self) -> tuple[Peak, Peak]:
        """What was seen in the first half of the time, and in the second."""
        middle = len(self.samples) // 2
        return Peak(self.samples[:middle]), Peak(self.samples[middle:])

    def look(self, pids: Sequence[int]) -> None:
        """Takes one sample."""
        shares = {pid: megabytes(pid) for pid in pids}
        tasks = [share for pid, share in shares.items() if _is_task(pid)]
        self.samples.append(Sample(sum(shares.values()), max(tasks, default=0.0)))


def _is_task(pid: int) -> bool:
    """Airflow names a task's process after the task's id (3.3.2)."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"airflow worker -- 0")
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def sampled(pids: Callable[[], Sequence[int]], every: float = 0.5) -> Iterator[Peak]:
    """Looks at the processes all through the block; a sample of 40 processes takes 50 ms."""
    peak, done = Peak(), threading.Event()

    def look() -> None:
        while not done.wait(every):
            peak.look(pids())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
