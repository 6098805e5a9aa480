"""The stages of what `airflow dags backfill` was asked for: which there are, and following them."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from include.errors import Refused
from include.guards.canary import (
    MAX_WITHOUT_CANARY,
    MIN_GOOD_DATES,
    choose_canary,
    plan_stages,
)
from include.ops import backfills, stages
from include.ops.batches import dag_of
from include.ops.measured import count_good_dates, measure
from include.ops.stages import Stage
from include.partition import DateRange
from include.reruns import word_backfill
from include.wording import dates
from nba_airflow.cli.answer import connect_ops
from nba_airflow.cli.follow import choose_tracked, follow
from nba_airflow.cli.selection import Selection
from nba_airflow.metadata import runs as metadata
from nba_airflow.planning import read_has_games

if TYPE_CHECKING:
    import psycopg


def choose_stages(args: Namespace, selection: Selection, fingerprint: str) -> list[Stage]:
    """What is started, one after the other. Raises Refused while stages of the DAG are to come."""
    cleared = [run.run_id for run in selection.cleared]
    days = sorted(selection.new, reverse=args.run_backwards)
    dag_id = selection.dag_id
    whole = [Stage(stage="whole", days=days, cleared=cleared)]
    if not days:
        return whole
    with connect_ops() as ledger:
        for batch_id in _list_waiting(ledger, dag_id):
            ordered = sorted(day for each in _read(ledger, batch_id) for day in each.days)
            attach = word_backfill(dag_id, DateRange(ordered[0], ordered[-1]), "--attach")
            raise Refused(f"{dag_id} has stages to come: wait for them; to follow: {attach}")
        many = len(days) > MAX_WITHOUT_CANARY and fingerprint and not args.skip_canary
        bad = many and count_good_dates(ledger, dag_id, fingerprint) < MIN_GOOD_DATES
    if not (args.ramp or bad):
        return whole
    canary = choose_canary(days, read_has_games(days))
    return plan_stages(days, canary, ramp=args.ramp, cleared=cleared)


def word_stages(planned: Sequence[Stage]) -> Iterator[str]:
    """The stages as an operator reads them; nothing where there is but one."""
    if planned[1:]:
        parts = ", then ".join(f"{each.stage} {dates(each.days)}" for each in planned)
        yield f"  in stages, each only if the one before was clean: {parts}"
    if planned[0].stage == "canary":
        yield "  (this code and configuration has had no good run yet; --skip-canary leaves it out)"


@dataclass(frozen=True, kw_only=True)
class Followed:
    """The window's runs as they ended; ``left_out`` are the dates of stages that did not come, and
    ``why``."""

    runs: Mapping[date, metadata.Run]
    left_out: Sequence[date]
    why: str

    def lines(self) -> list[str]:
        """What an operator has to know of stages that did not come."""
        if not self.left_out:
            return []
        return [f"Stopped, {dates(self.left_out)} not started: {self.why}"]


def follow_stages(dag_id: str, window: DateRange, new: Sequence[date], batch_id: str) -> Followed:
    """Waits until every run of the window has ended, a stage after the other, until none is to
    come."""
    begun: set[int | None] = set()
    # A stage is the plan's part: what is left is told of it by the plan's seconds a date.
    with connect_ops() as ledger:
        batch_id = batch_id or find_waiting(ledger, dag_id, window)
        plan = backfills.read_plans(ledger, [batch_id]).get(batch_id, {})
        while True:
            known = _read(ledger, batch_id)
            found = _read_runs(dag_id, window)
            ended = follow(
                lambda: _read_runs(dag_id, window),
                choose_tracked(found, begun),
                held=lambda runs: word_held(ledger, runs.values()),
                planned=plan.get("seconds_per_date"),
            )
            if not _await_next(ledger, batch_id, len(stages.begun(known))):
                break
            run_ids = [run.run_id for run in ended.values()]
            _say(measure(ledger, dag_id, run_ids).lines())
        left = [each for each in _read(ledger, batch_id) if each.state == "left out"]
    left_out = sorted(day for each in left for day in each.days)
    if lacking := {*new} - {*ended} - {*left_out}:
        _say([f"Airflow has no run of {dates(lacking)}; the other dates have ended"])
    return Followed(runs=ended, left_out=left_out, why="".join(each.why for each in left[:1]))


def word_held(ledger: psycopg.Connection[Any], runs: Iterable[metadata.Run]) -> str:
    """What holds the backfills of these runs, and until when where that is known; empty: nothing
    does, or all have ended."""
    waiting = {run.backfill_id for run in runs if run.backfill_id and not run.finished}
    holds = backfills.read_holds(ledger, waiting)
    ledger.commit()
    return "; ".join(f"held, {hold.kind}: {hold.why}" for hold in holds)


def _await_next(ledger: psycopg.Connection[Any], batch_id: str, begun: int) -> bool:
    """Whether another stage begins, once the scheduler has decided."""
    while True:
        known = _read(ledger, batch_id)
        if len(stages.begun(known)) > begun:
            return True
        if not any(each.state == "to come" for each in known):
            return False
        time.sleep(1.0)


def _read(ledger: psycopg.Connection[Any], batch_id: str) -> list[Stage]:
    found = stages.read(ledger, batch_id)
    ledger.commit()
    return found


def _list_waiting(ledger: psycopg.Connection[Any], dag_id: str) -> list[str]:
    """The DAG's batches that have stages to come."""
    return [each for each in sorted(stages.read_waiting(ledger)) if dag_of(each) == dag_id]


def find_waiting(ledger: psycopg.Connection[Any], dag_id: str, window: DateRange) -> str:
    """That of the DAG which has stages to come and a date of the window; empty where it has
    none."""
    for batch_id in _list_waiting(ledger, dag_id):
        if {*window.days} & {day for each in _read(ledger, batch_id) for day in each.days}:
            return batch_id
    return ""


def _read_runs(dag_id: str, window: DateRange) -> Mapping[date, metadata.Run]:
    from airflow.utils.session import create_session

    with create_session() as session:
        return metadata.read_runs(dag_id, window, session)


def _say(lines: Iterator[str] | Sequence[str]) -> None:
    for line in lines:
        print(line, file=sys.stderr)
