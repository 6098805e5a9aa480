"""Batches under every order of starts, ends, clears, cancels and crashes: no run lost, no batch
closed twice.

The ledger and the code that writes it are real; Airflow's books are a dict, and its hooks are
called from here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from include.mail import policy
from include.ops import batches
from include.ops.batches import BatchRun
from include.ops.db import connect

FIRST = date(2025, 1, 1)
ENDED = ("success", "failed")
STREAMS = (("bdl", 1), ("bdl", 2), ("odds", 3))
RUNS = 3
WRITES = ("current", "register", "mark", "end_silent", "close")


class Killed(Exception):
    """The scheduler dies here; what the ledger has committed stays, Airflow's books are rolled
    back."""


class Mortal:
    """The ledger's functions, after the n-th write of which the scheduler dies (0: it does not)."""

    def __init__(self) -> None:
        self.left = 0

    def __getattr__(self, name: str) -> Any:
        function = getattr(batches, name)
        if name not in WRITES:
            return function

        def write(*args: Any, **options: Any) -> Any:
            found = function(*args, **options)
            self.left -= 1
            if self.left == 0:
                raise Killed
            return found

        return write


@dataclass(kw_only=True)
class Stream:
    """A backfill and Airflow's books of its runs."""

    dag_id: str
    backfill_id: int
    books: dict[str, str]
    silent: set[str] = field(default_factory=set)
    """Runs that a cancel has failed, of which nothing was told since."""
    clears: int = 0

    def in_state(self, *states: str) -> list[str]:
        return sorted(run for run, state in self.books.items() if state in states)

    def open_runs(self) -> list[str]:
        return self.in_state("queued", "running")


def day_of(run: str) -> date:
    return FIRST + timedelta(days=int(run[-1]))


class Scheduler(RuleBasedStateMachine):
    """Tells the ledger what happens to the runs, each time in full, or killed after one of its
    writes."""

    db: psycopg.Connection[Any]
    mortal: Mortal
    now: Scheduler
    """The machine that the patched functions ask."""

    def __init__(self) -> None:
        super().__init__()
        type(self).now = self
        self.db.execute("TRUNCATE ops.batches CASCADE")
        self.db.commit()
        self.streams = [
            Stream(
                dag_id=dag,
                backfill_id=number,
                books={f"{dag}-{number}-{n}": "queued" for n in range(RUNS)},
            )
            for dag, number in STREAMS
        ]
        self.summaries: Counter[str] = Counter()

    def stream(self, backfill_id: int) -> Stream:
        return next(stream for stream in self.streams if stream.backfill_id == backfill_id)

    # --- what happens

    @initialize(data=st.data())
    def some_backfills_have_ended(self, data: st.DataObject) -> None:
        """Reruns are where it gets difficult: a good part of all orders begins there."""
        for stream in data.draw(st.lists(st.sampled_from(self.streams), unique_by=id)):
            self._let_end(stream)

    @rule(data=st.data(), dies_after=st.sampled_from((0, 0, 0, 1, 2, 3)))
    def a_run_starts(self, data: st.DataObject, dies_after: int) -> None:
        if found := self._one(data, "queued"):
            self._happens(*found, "running", dies_after)

    @rule(
        data=st.data(),
        state=st.sampled_from(ENDED),
        dies_after=st.sampled_from((0, 0, 0, 0, 1, 2, 3, 4, 5)),
    )
    def a_run_ends(self, data: st.DataObject, state: str, dies_after: int) -> None:
        if found := self._one(data, "running"):
            self._happens(*found, state, dies_after)

    @rule(data=st.data())
    def runs_are_cleared(self, data: st.DataObject) -> None:
        stream = data.draw(st.sampled_from(self.streams))
        if ended := stream.in_state(*ENDED):
            for run in data.draw(st.sets(st.sampled_from(ended), min_size=1)):
                stream.books[run] = "queued"
            stream.clears += 1

    @rule(data=st.data())
    def a_backfill_is_cancelled(self, data: st.DataObject) -> None:
        """Airflow fails its queued runs and tells nobody."""
        stream = data.draw(st.sampled_from(self.streams))
        self._cancel(stream)

    @rule()
    def the_summary_runs(self) -> None:
        """First the scheduler looks for backfills that were never heard of, then its task for
        forgotten batches."""
        from nba_airflow.metadata.unreported import close_unreported
        from nba_airflow.summary import SummaryOperator

        close_unreported(SimpleNamespace(no_autoflush=nullcontext()))
        ti = SimpleNamespace(get_dr_count=self._open_count)
        SummaryOperator(task_id="report")._close_forgotten(self.db, {"ti": ti})

    # --- the scheduler's part

    def _happens(self, stream: Stream, run: str, state: str, dies_after: int) -> None:
        from nba_airflow.metadata import batch_of_run as register

        key = {
            "dag_id": stream.dag_id,
            "run_id": run,
            "partition_key": str(day_of(run)),
            "state": state,
        }
        self.mortal.left = dies_after
        try:
            run_of = SimpleNamespace(**key, backfill_id=stream.backfill_id)
            register.note_run(run_of, None)
        except Killed:
            return
        finally:
            self.mortal.left = 0
        stream.books[run] = state
        stream.silent.discard(run)
        if state in ENDED and not stream.open_runs():
            self._nothing_is_left_open(stream, run, state)

    def _cancel(self, stream: Stream) -> None:
        for run in stream.in_state("queued"):
            stream.books[run] = "failed"
            stream.silent.add(run)

    def _let_end(self, stream: Stream) -> None:
        for run in stream.open_runs():
            if stream.books[run] == "queued":
                self._happens(stream, run, "running", 0)
            self._happens(stream, run, "success", 0)

    def _one(self, data: st.DataObject, state: str) -> tuple[Stream, str] | None:
        able = [(stream, run) for stream in self.streams for run in stream.in_state(state)]
        return data.draw(st.sampled_from(able)) if able else None

    def _open_count(self, *, dag_id: str, run_ids: Sequence[str], states: Sequence[str]) -> int:
        assert run_ids  # Airflow counts all runs of the DAG where none is named
        return sum(run in run_ids for stream in self.streams for run in stream.in_state(*states))

    # --- what must hold

    def _nothing_is_left_open(self, stream: Stream, run: str, state: str) -> None:
        """The last run has ended: its end is in a closed batch, whose runs have all ended."""
        newest = self._batches(stream)[-1]
        runs = {each.run_id: each for each in batches.runs(self.db, newest.batch_id)}
        assert newest.closed_at is not None
        assert runs[run].state == state
        assert {each.state for each in runs.values()} <= set(ENDED)
        assert all(each.ended_at is not None for each in runs.values())

    @invariant()
    def generations_are_consecutive_and_only_the_newest_is_open(self) -> None:
        for stream in self.streams:
            found = self._batches(stream)
            assert [each.generation for each in found] == list(range(len(found)))
            assert [each.kind for each in found] == ["backfill", *["rerun"] * (len(found) - 1)][
                : len(found)
            ]
            assert all(each.closed_at is not None for each in found[:-1])
            assert len(found) <= 1 + stream.clears  # what is told twice is no rerun

    @invariant()
    def a_summary_is_started_once_and_only_for_closed_batches(self) -> None:
        assert set(self.summaries.values()) <= {1}
        assert set(self.summaries) <= {each.batch_id for each in batches.due(self.db)}

    @invariant()
    def no_run_that_was_told_of_is_lost(self) -> None:
        for stream in self.streams:
            assert set(stream.in_state("running", "success")) <= set(self._newest(stream))

    def _batches(self, stream: Stream) -> list[batches.Batch]:
        everything = [*batches.due(self.db), *batches.unfinished(self.db)]
        mine = [
            b
            for b in everything
            if (b.dag_id, b.backfill_id) == (stream.dag_id, stream.backfill_id)
        ]
        return sorted(mine, key=lambda each: each.generation)

    def _newest(self, stream: Stream) -> dict[str, BatchRun]:
        """Each run as the newest batch that has it says."""
        return {
            r.run_id: r for b in self._batches(stream) for r in batches.runs(self.db, b.batch_id)
        }

    def teardown(self) -> None:
        """Whatever happened: once nothing is under way, every run is in a batch, and all of them
        are closed."""
        for stream in self.streams:
            for run in stream.in_state("running"):
                self._happens(stream, run, "success", 0)
            self._cancel(stream)
        self.the_summary_runs()  # throws away a batch without runs
        self.the_summary_runs()  # finds its backfill
        assert batches.unfinished(self.db) == []
        for stream in self.streams:
            newest = self._newest(stream)
            assert set(newest) == set(stream.books)
            told = set(stream.books) - stream.silent
            assert {run: newest[run].state for run in told} == {
                run: stream.books[run] for run in told
            }


@contextmanager
def _patched(db: psycopg.Connection[Any], machine: type[Scheduler]) -> Iterator[None]:
    """Airflow's side of the code under test, as the machine's books have it."""
    from nba_airflow.metadata import batch_of_run as register
    from nba_airflow.metadata import unreported

    def session(*args: Any, **options: Any) -> Any:
        return nullcontext(db)

    def open_runs(dag_run: Any, stream: int, session: Any) -> dict[str, date]:
        return {
            run: day_of(run) for run in {*machine.now.stream(stream).open_runs(), dag_run.run_id}
        }

    def cancelled_runs(dag_run: Any, session: Any) -> dict[str, date]:
        cancelled = machine.now.stream(dag_run.backfill_id)
        return {run: day_of(run) for run in cancelled.silent & {*cancelled.in_state("failed")}}

    def start_summary(batch_id: str, session: Any) -> None:
        machine.now.summaries[batch_id] += 1

    def ended_runs(session: Any, backfill: int) -> tuple[str, list[tuple[str, date, str, bool]]]:
        stream = machine.now.stream(backfill)
        return stream.dag_id, [
            (run, day_of(run), state, False) for run, state in stream.books.items()
        ]

    changes: list[tuple[Any, str, Callable[..., Any] | Mortal | policy.Policy]] = [
        (register, "batches", machine.mortal),
        (register.LEDGER, "opened", session),
        (register, "has_game_dates", lambda session, dag_id: True),
        (register, "_read_open_runs", open_runs),
        (register, "_read_cancelled_runs", cancelled_runs),
        (register, "start_summary", start_summary),
        (
            unreported,
            "_find_over",
            lambda session, since: [
                s.backfill_id for s in machine.now.streams if not s.open_runs()
            ],
        ),
        (unreported, "_read_ended_runs", ended_runs),
        (policy, "POLICY", replace(policy.POLICY, group_wait=timedelta())),
    ]
    with pytest.MonkeyPatch.context() as patch:
        for module, name, stand_in in changes:
            patch.setattr(module, name, stand_in)
        yield


def test_every_order_of_events_ends_in_batches_that_are_closed_once_and_lose_no_run(
    ops_db: str,
) -> None:
    with connect(ops_db) as db:
        machine = type("OnThisLedger", (Scheduler,), {"db": db, "mortal": Mortal()})
        # Not shrunk: with a database at the other end that takes minutes.
        bounds = settings(
            max_examples=60,
            stateful_step_count=50,
            phases=[Phase.reuse, Phase.generate],
        )
        with _patched(db, machine):
            run_state_machine_as_test(machine, settings=bounds)


def test_backfill_that_was_cancelled_and_cleared_in_part_is_reported_with_all_its_runs(
    ops_db: str,
) -> None:
    with connect(ops_db) as db:
        machine = type("OnThisLedger", (Scheduler,), {"db": db, "mortal": Mortal()})
        with _patched(db, machine):
            books = machine()
            stream = books.streams[0]
            books._cancel(stream)
            cleared = min(stream.books)
            stream.books[cleared] = "queued"
            books._happens(stream, cleared, "running", 0)
            books._happens(stream, cleared, "success", 0)
            found = {run_id: run.state for run_id, run in books._newest(stream).items()}
    assert found == {run: "success" if run == cleared else "failed" for run in stream.books}
