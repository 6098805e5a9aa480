"""What is found before a backfill starts: the guide's nine checks, each finding with its repair,
and the rules behind those that are numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any, Literal

from include.errors import RETRIED, ErrorClass, Problem
from include.guards.plan import Plan
from include.partition import DateRange
from include.reruns import word_backfill
from include.wording import counted, dates, moment

Status = Literal["pass", "warn", "fail"]
RANK: Mapping[Status, int] = {"pass": 0, "warn": 1, "fail": 2}

CHECKS = (
    *("scope", "canary", "batching", "limits", "progress", "resumable"),
    *("time window", "dependencies", "notification"),
)
"""The guide's list, in its order."""

MAX_SKEW_WARNED = timedelta(seconds=30)
"""Between our clock and an upstream's: the limiter's own clock is the database's, so that a little
more costs nothing but time."""
MAX_SKEW = timedelta(minutes=5)
"""Google takes no sign-in that is further off; the days of credits would begin at another time."""
MIN_FREE = 500 * 10**6
"""Bytes that a disk must have beside what a backfill writes: logs of a season take 300 MB."""
MIN_CONNECTIONS = 5
"""Connections to a database that must be left, for the people and processes that come next."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """The start of a backfill that is asked for. ``backfill_id``: Airflow's, where it is there
    already; ``ours``: `airflow dags backfill` asks; ``unpause``: its DAG is about to be; ``again``:
    only dates that have a run run again; ``looks``: a person looks, and nothing is about to be
    started; ``plan``: what it takes, of a source's DAG, and
    ``refusal`` why that is not started."""

    dag_id: str
    window: DateRange
    backfill_id: int | None = None
    ours: bool = False
    unpause: bool = False
    again: bool = False
    looks: bool = False
    plan: Plan | None = None
    refusal: str = ""

    @property
    def credits(self) -> int:
        """What it needs at most, of its one paid connection."""
        return self.plan.credits if self.plan else 0

    @property
    def bytes(self) -> int:
        """What it writes."""
        return self.plan.bytes if self.plan else 0


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check has found; ``repair`` is empty where nothing is wrong, or where ``what`` has
    it already."""

    status: Status
    what: str
    repair: str = ""
    check: str = ""

    def __str__(self) -> str:
        repair = f": {self.repair}" if self.repair else ""
        return f"{self.status} {self.check}: {self.what}{repair}"

    def facts(self) -> dict[str, str]:
        """As JSON."""
        return {name: str(value) for name, value in asdict(self).items()}


def passed(what: str) -> Finding:
    """Nothing is wrong."""
    return Finding(status="pass", what=what)


def warned(what: str, repair: str = "") -> Finding:
    """It can go well: nothing is refused for it."""
    return Finding(status="warn", what=what, repair=repair)


def failed(what: str, repair: str = "") -> Finding:
    """It cannot go well: nothing is started before it is repaired."""
    return Finding(status="fail", what=what, repair=repair)


def arrange(found: Iterable[Finding]) -> list[Finding]:
    """In the guide's order, the worst of a check first."""
    return sorted(found, key=lambda each: (CHECKS.index(each.check), -RANK[each.status]))


def failures(found: Iterable[Finding]) -> list[Finding]:
    """Those for which nothing is started."""
    return [each for each in found if each.status == "fail"]


def read_findings(facts: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Findings out of their facts."""
    return [Finding(**each) for each in facts]


def count(found: Sequence[Finding]) -> str:
    """``12 passed, 1 warning, 0 failures``."""
    totals = [sum(each.status == status for each in found) for status in RANK]
    return f"{totals[0]} passed, {counted(totals[1], 'warning')}, {counted(totals[2], 'failure')}"


def judge_problem(problem: Problem) -> Finding:
    """What an upstream's refusal means: what ends by itself is a warning, since dates are asked for
    again; what only a person can repair is a failure. One that is blocked was asked twice."""
    passing = problem.passing or problem.error_class in RETRIED - {ErrorClass.BLOCKED}
    said = f"{problem.message}{f' [{problem.status}]' if problem.status else ''}"
    return warned(said) if passing else failed(said)


def judge_scope(plan: Plan, refusal: str) -> Finding:
    """Of what it takes: known exactly, and not more than there is."""
    if refusal:
        return failed(refusal)
    dates, games = counted(len(plan.worked), "date"), counted(plan.games, "game")
    return passed(f"{dates}, {games}, {counted(plan.requests, 'request')}")


def judge_hours(plan: Plan) -> Finding:
    """Of when it would work: it pauses itself in quiet hours, and goes on by itself."""
    if plan.next_start == plan.planned_at:
        return passed("no quiet hours would interrupt it")
    repair = f"or begin at {moment(plan.next_start)}" if plan.next_start else "it goes on by itself"
    return warned("quiet hours would interrupt it", repair)


def judge_credits(connection: str, *, left: int, needed: int, more: str) -> Finding:
    """Of credits that the upstream says are ``left`` this month; ``more``: how to have more."""
    told = f"{counted(left, 'credit')} of {connection} left this month"
    if left <= 0:
        return failed(told, f"wait for the reset on the 1st; or, {more}")
    if needed > left:
        return warned(f"{told}, and {needed:,} are needed", f"dates wait for the reset; or, {more}")
    return passed(told)


def judge_input(name: str, days: Sequence[date], undone: Sequence[date]) -> Finding:
    """Of what a processor is made of: on which of the days the DAG ``name`` is not done."""
    if not undone:
        return passed(f"its input {name} is done on every date")
    many = dates(undone) if len(undone) < len(days) else "every date"
    window = DateRange(undone[0], undone[-1])
    return warned(f"its input {name} is not done on {many}", word_backfill(name, window))


def judge_skew(upstream: str, skew: timedelta) -> Finding:
    """Of how far our clock is from an upstream's."""
    off = abs(skew)
    told = f"our clock is {off.total_seconds():.0f} s off {upstream}'s"
    repair = "set this machine's clock (chrony or ntpd)"
    if off > MAX_SKEW:
        return failed(told, repair)
    return warned(told, repair) if off > MAX_SKEW_WARNED else passed(told)


def judge_disk(folder: str, *, free: int, needed: int) -> Finding:
    """Of bytes on the disk of a folder, and those that the backfill will write there."""
    least = MIN_FREE + needed
    told = f"{free / 1e9:.1f} GB free for {folder}"
    if free < least:
        return failed(told, f"free {(least - free) / 1e9:.1f} GB there, or set another folder")
    return passed(told)


def judge_connections(database: str, *, most: int, used: int, needed: int) -> Finding:
    """Of the connections that a server takes at ``most``, those ``used`` now, and all that this
    installation is configured to open."""
    told = f"{database} takes {most} connections, {used} are used"
    repair = "raise its max_connections and restart it"
    if most - used < MIN_CONNECTIONS:
        return failed(told, repair)
    if most < needed:
        return warned(f"{told}, and this installation may open {needed}", repair)
    return passed(told)
