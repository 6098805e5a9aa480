"""One try of one date: done, put off, or with a Problem; and what it tells the ledger of each."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devstack.sandbox.server import Sandbox
from include.errors import ErrorClass, Problem
from include.ops.outcomes import OutcomeRow
from include.outcome import Later, Outcome
from include.steps.attempt import MAX_DEFERRALS, attempt
from include.steps.entry import Entry
from include.steps.job import Job, Wire
from include.storage.local import LocalStore
from tests.steps.line import Line
from tests.steps.one_date import SOURCE, OpenGate, partition, wired


@dataclass
class Tries:
    """Tries of the line's date, one after another; ``opened`` counts how often upstreams were
    reached for."""

    line: Line
    rows: list[OutcomeRow] = field(default_factory=list)
    opened: int = 0

    def entry(self, **more: Any) -> Entry:
        at = partition(self.line.endpoint, self.line.day)
        return Entry(at, self.rows.append, run_id="r", **more)

    @contextmanager
    def reach(self) -> Iterator[Wire]:
        self.opened += 1
        yield self.line.wire

    def job(self, refetch: datetime | None = None) -> Job:
        return Job(
            source=SOURCE,
            endpoint=self.line.endpoint,
            partition=partition(self.line.endpoint, self.line.day),
            stores=self.line.stores,
            reach=self.reach,
            refetch=refetch,
        )

    def run(
        self,
        entry: Entry | None = None,
        now: datetime | None = None,
        refetch: datetime | None = None,
    ) -> OutcomeRow:
        """One try; the row that it leaves."""
        clock: Callable[[], datetime] = (lambda: now) if now else lambda: datetime.now(UTC)
        entry = entry or self.entry()
        with entry.recorded():
            attempt(self.job(refetch), entry, now=clock)
        return self.rows[-1]

    def put_off(self, entry: Entry | None = None, now: datetime | None = None) -> Later:
        with pytest.raises(Later) as caught:
            self.run(entry, now)
        return caught.value

    def fails(
        self,
        entry: Entry | None = None,
        now: datetime | None = None,
        refetch: datetime | None = None,
    ) -> Problem:
        with pytest.raises(Problem) as caught:
            self.run(entry, now, refetch)
        return caught.value


@pytest.fixture
def tries(line: Line) -> Tries:
    return Tries(line)


@pytest.fixture
def read_only(line: Line) -> Iterator[Path]:
    """The raw store's folder, on a file system that takes nothing."""
    assert isinstance(line.stores.raw, LocalStore)
    folder = line.stores.raw.root
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_date_is_fetched_loaded_and_audited_in_one_try(tries: Tries) -> None:
    row = tries.run()
    assert (row.phase, row.outcome, row.requests) == ("audit", Outcome.COMPLETE, 2)
    assert row.rows == len(tries.line.rows()) > 100
    assert row.games_found == row.games_expected == len(tries.line.listed())
    assert row.bytes > 1000
    assert tries.rows == [row]


def test_date_that_is_whole_reaches_for_no_upstream(tries: Tries) -> None:
    tries.run()
    tries.line.part.unlink()
    again = tries.run()
    assert (again.outcome, again.requests, tries.opened) == (Outcome.COMPLETE, 0, 1)
    assert tries.line.part.exists()


def test_nothing_is_asked_of_an_upstream_for_a_store_that_cannot_take_it(
    tries: Tries, read_only: Path
) -> None:
    problem = tries.fails()
    assert (problem.error_class, problem.message) == (
        ErrorClass.STORAGE,
        f"cannot write below {read_only}: no permission: give Airflow's user read and write access"
        " to the folder",
    )
    assert tries.opened == 0


def test_order_of_fresh_bodies_reaches_for_the_upstream_again(tries: Tries) -> None:
    tries.run()
    job = replace(tries.job(), refetch=datetime.now(UTC))
    entry = tries.entry()
    attempt(job, entry)
    assert (tries.opened, tries.rows[-1].requests) == (2, 2)


@pytest.mark.parametrize("early", [timedelta(microseconds=1), timedelta(hours=30)])
def test_date_that_cannot_be_final_waits_for_the_moment_that_its_source_says(
    tries: Tries, early: timedelta
) -> None:
    final = tries.line.endpoint.available_at(tries.line.day)
    later = tries.put_off(now=final - early)
    why = "its games cannot be final before then"
    assert later.args == (final, why, Outcome.NOT_YET)
    assert (tries.opened, tries.rows[-1].outcome) == (0, Outcome.NOT_YET)


def test_date_of_the_future_fails_at_once(tries: Tries) -> None:
    """The US/Eastern date begins thirty hours before its games can be final, at six."""
    final = tries.line.endpoint.available_at(tries.line.day)
    problem = tries.fails(now=final - timedelta(hours=30, microseconds=1))
    assert problem.message == (
        "the run's game date lies in the future (today is 2025-01-14 in US/Eastern): order it when"
        " it is over"
    )
    assert (tries.opened, tries.rows[-1].outcome) == (0, Outcome.FAILED)


def test_date_is_tried_at_the_moment_from_which_it_can_be_final(tries: Tries) -> None:
    final = tries.line.endpoint.available_at(tries.line.day)
    assert tries.run(now=final).outcome is Outcome.COMPLETE


def test_incomplete_date_is_early_until_it_is_late(tries: Tries) -> None:
    tries.line.fault("missing_game", endpoint="box_scores", times=None)
    late = tries.line.endpoint.late_at(tries.line.day)
    early = late - timedelta(microseconds=1)

    later = tries.put_off(now=early)

    row = tries.rows[-1]
    assert (later.until, later.outcome) == (early + timedelta(minutes=30), Outcome.NOT_YET)
    assert (row.outcome, row.message, row.phase) == (Outcome.NOT_YET, later.reason, "fetch")
    assert row.games_found == (row.games_expected or 0) - 1
    assert not tries.line.part.exists()
    problem = tries.fails(now=late)
    assert problem.error_class is ErrorClass.INCOMPLETE
    assert (tries.rows[-1].outcome, tries.rows[-1].missing) == (Outcome.PARTIAL, row.missing)


def test_what_was_asked_counts_also_where_nothing_came_of_it(tries: Tries) -> None:
    tries.line.fault("bad_key", endpoint="box_scores")
    tries.fails(tries.entry(spent=(5, 7)))
    assert (tries.rows[-1].requests, tries.rows[-1].credits) == (5 + 2, 7)


def test_upstream_may_put_a_date_off_so_often_and_then_the_date_has_failed(
    tries: Tries, sandbox: Sandbox
) -> None:
    """Through a gate of its own: the others would wait for the hour as well."""
    with wired(sandbox.url, OpenGate()) as wire:
        tries.line = replace(tries.line, wire=wire)
        _put_off_by_the_upstream(tries)


def _put_off_by_the_upstream(tries: Tries) -> None:
    tries.line.fault("429", endpoint="box_scores", retry_after=3600, times=None)
    entry = tries.entry(deferrals=MAX_DEFERRALS - 1)
    before = datetime.now(UTC)
    later = tries.put_off(entry)
    assert later.until >= before
    assert later.outcome is Outcome.QUOTA_WAIT
    assert later.reason.endswith(f"; deferral {MAX_DEFERRALS} of {MAX_DEFERRALS}")
    assert (entry.deferrals, entry.spent) == (MAX_DEFERRALS, (2, 0, 0, 0, 0, 0))


def test_date_that_was_put_off_as_often_as_it_may_fails_with_the_upstreams_words(
    tries: Tries, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = Problem(
        error_class=ErrorClass.BLOCKED, message="in cooldown", retry_at=datetime.now(UTC)
    )

    def refuse(*args: Any, **options: Any) -> Any:
        raise said

    monkeypatch.setattr("include.steps.attempt.scrape", refuse)
    assert tries.fails(tries.entry(deferrals=MAX_DEFERRALS)) is said
    assert tries.put_off(tries.entry(deferrals=0)).reason == "in cooldown; deferral 1 of 6"


def test_limiter_may_put_a_date_off_as_often_as_it_likes(
    tries: Tries, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Later(datetime.now(UTC), "the window is full", Outcome.QUOTA_WAIT)

    def refuse(*args: Any, **options: Any) -> Any:
        raise full

    monkeypatch.setattr("include.steps.attempt.scrape", refuse)
    entry = tries.entry(deferrals=MAX_DEFERRALS)
    assert tries.put_off(entry) is full
    assert entry.deferrals == MAX_DEFERRALS


def test_corrections_are_told_by_the_load_and_stay_in_the_row(tries: Tries) -> None:
    tries.run()
    tries.line.fault("corrected", endpoint="box_scores")
    entry = tries.entry()
    attempt(replace(tries.job(), refetch=datetime.now(UTC)), entry)
    told = [(row.phase, row.outcome, row.changes_total) for row in tries.rows[1:]]
    assert told == [("load", Outcome.LOST, 1), ("audit", Outcome.COMPLETE, 1)]


def test_corrections_that_were_loaded_stay_told_when_the_audit_fails_after_them(
    tries: Tries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next try finds the corrected rows in the warehouse, and nothing to tell of."""
    tries.run()
    tries.line.fault("corrected", endpoint="box_scores")
    gone = Problem(error_class=ErrorClass.STORAGE, message="the disk is gone")

    def refuse(*args: Any, **options: Any) -> Any:
        raise gone

    order = datetime.now(UTC)
    with monkeypatch.context() as patch:
        patch.setattr("include.steps.attempt.audit", refuse)
        assert tries.fails(refetch=order) is gone
    tries.run()
    told = [(row.phase, row.outcome, row.changes_total) for row in tries.rows[1:]]
    assert told == [
        ("load", Outcome.LOST, 1),
        ("audit", Outcome.FAILED, 1),
        ("audit", Outcome.COMPLETE, 0),
    ]


def test_schedule_that_learns_of_a_game_after_the_fetch_has_the_date_asked_for_in_the_same_try(
    tries: Tries,
) -> None:
    tries.run()
    games, before = tries.line.listed(), tries.opened
    tries.line.schedule([*games, "AAA@BBB"])

    problem = tries.fails()

    count = f"{len(games)} of {len(games) + 1} games"
    assert (problem.error_class, problem.message) == (
        ErrorClass.INCOMPLETE,
        f"{count}: missing AAA@BBB",
    )
    assert tries.opened == before + 1
    assert [
        (row.phase, row.outcome, row.games_expected, row.games_found, row.missing)
        for row in tries.rows[1:]
    ] == [("fetch", Outcome.PARTIAL, len(games) + 1, len(games), ("AAA@BBB",))]


def test_date_that_was_whole_without_a_game_is_whole_with_it_after_one_try(tries: Tries) -> None:
    tries.line.fault("missing_game", endpoint="box_scores", times=2)
    games = tries.line.listed()
    tries.line.schedule(games)
    tries.fails()
    (late,) = tries.rows[-1].missing
    tries.line.schedule([game for game in games if game != late])
    assert tries.run().outcome is Outcome.COMPLETE

    tries.line.schedule(games)

    row = tries.run()
    assert (row.outcome, row.games_found) == (Outcome.COMPLETE, len(games))


def test_game_that_the_schedule_has_lost_after_the_fetch_makes_the_date_unverified(
    tries: Tries,
) -> None:
    tries.run()
    first, *others = tries.line.listed()
    tries.line.schedule(others)
    assert tries.fails().error_class is ErrorClass.INCOMPLETE
    row = tries.rows[-1]
    assert (row.phase, row.outcome, row.games_expected) == (
        "fetch",
        Outcome.UNVERIFIED,
        len(others),
    )
    assert row.message.endswith(f"not in the schedule: {first}")


def test_try_reaches_each_failpoint_in_the_order_of_a_date(
    tries: Tries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The crash tests kill at these; in another process, so that they cannot see them go."""
    reached: list[str] = []
    for module in ("entry", "load", "raw_date", "scrape"):
        monkeypatch.setattr(f"include.steps.{module}.reach_failpoint", reached.append)
    tries.run()
    assert reached == [
        "before fetch",
        *(["after fetch", "after raw write"] * 2),
        "before manifest",
        "after manifest",
        "before load",
        "after load",
        "before outcome",
        "after outcome",
    ]


def test_try_counts_what_it_has_asked_and_paid_itself(
    tries: Tries, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: Any = SimpleNamespace(requests=5, credits=7)

    def refuse(*args: Any, **options: Any) -> Any:
        client.requests, client.credits = 8, 11
        raise Problem(error_class=ErrorClass.BAD_KEY, message="refused")

    monkeypatch.setattr("include.steps.attempt.scrape", refuse)
    tries.line = replace(tries.line, wire=Wire(client=client, upstreams={}))
    entry = tries.entry(spent=(1, 2, 3, 4))
    tries.fails(entry)
    assert entry.spent == (1 + 3, 2 + 4, 3, 4, 0, 0)


def test_what_was_paid_is_in_the_ledger_before_a_worker_can_be_killed(tries: Tries) -> None:
    paid = replace(tries.line.endpoint.request, cost=lambda params: 10)
    tries.line = replace(tries.line, endpoint=replace(tries.line.endpoint, request=paid))
    entry = tries.entry(spent=(3, 30))
    tries.run(entry)
    assert [(str(row.outcome), row.requests, row.credits) for row in tries.rows] == [
        ("lost", 5, 40),
        ("complete", 5, 40),
    ]
    assert tries.rows[0].message.startswith("nothing was heard after a paid request")


def test_ledger_that_is_away_costs_no_paid_body(tries: Tries) -> None:
    def away(row: OutcomeRow) -> None:
        if row.outcome is Outcome.LOST:
            raise Problem(error_class=ErrorClass.STORAGE, message="ops_db is away", passing=True)
        tries.rows.append(row)

    paid = replace(tries.line.endpoint.request, cost=lambda params: 10)
    tries.line = replace(tries.line, endpoint=replace(tries.line.endpoint, request=paid))
    at = partition(tries.line.endpoint, tries.line.day)
    assert tries.run(Entry(at, away, run_id="r")).outcome is Outcome.COMPLETE
