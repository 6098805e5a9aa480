"""Following a window: what is counted, what is printed and when, without an Airflow to follow."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from rich.console import Console

from include.ops import backfills
from include.ops.db import connect
from include.ops.progress import Pace
from include.partition import days_between
from nba_airflow.cli.follow import Progress, choose_tracked, follow, measure
from nba_airflow.cli.stages import word_held
from nba_airflow.metadata.runs import Run

FIRST = date(2025, 1, 1)
AT = datetime(2026, 10, 1, 10, tzinfo=UTC)


def window(length: int) -> list[date]:
    return days_between(FIRST, FIRST + timedelta(days=length - 1))


def runs(*states: str) -> dict[date, Run]:
    """One run per date from FIRST on; an empty state is a date without a run."""
    return {
        day: Run(day=day, run_id=f"backfill__{day}", state=state, backfill_id=1, queued_at=AT)
        for day, state in zip(window(len(states)), states, strict=True)
        if state
    }


def of_backfills(*found: tuple[str, int | None]) -> dict[date, Run]:
    """One run per date from FIRST on, of that backfill."""
    by_state = runs(*(state for state, _ in found))
    pairs = zip(by_state.items(), found, strict=True)
    return {day: replace(run, backfill_id=backfill) for (day, run), (_, backfill) in pairs}


def test_what_had_ended_before_the_order_is_not_counted_as_status_does_not() -> None:
    begun: set[int | None] = set()
    canary = of_backfills(("success", 1), ("success", None), ("failed", 1), ("queued", 2))
    assert choose_tracked(canary, begun) == window(4)[3:]
    cleared = of_backfills(("running", None), ("success", None), ("running", 3), ("success", 2))
    assert choose_tracked(cleared, begun) == [window(4)[0], *window(4)[2:]]
    ended = of_backfills(("success", None), ("success", 1))
    assert choose_tracked(ended, set()) == window(2)


def test_progress_counts_the_tracked_dates_and_speaks_of_the_pace_since_following_began() -> None:
    found = runs("success", "failed", "running", "queued", "queued", "success")
    now = measure(found, window(5), ended_before=1, elapsed=60.0)
    pace = Pace(per_minute=1.0, seconds_left=180.0)
    assert now == Progress(total=5, ended=2, failed=1, pace=pace)
    assert now.line() == "2 of 5 dates | 1 ended well | 1 failed | 3 min left"


def test_the_first_dates_are_no_pace_but_the_plan_is() -> None:
    found = runs("success", "failed", "running", "queued", "queued")
    told = [
        measure(found, window(5), ended_before=0, elapsed=30.0, planned=planned).line()
        for planned in (40.0, None)
    ]
    said = "2 of 5 dates | 1 ended well | 1 failed"
    assert told == [f"{said} | about 2 min left by the plan", said]


def test_there_is_no_guess_before_a_date_has_ended_and_none_after_the_last() -> None:
    none_yet = measure(runs("running", "success"), window(2), ended_before=1, elapsed=60.0)
    done = measure(runs("success", "success"), window(2), ended_before=1, elapsed=60.0)
    assert [p.line() for p in (none_yet, done)] == [
        "1 of 2 dates | 1 ended well | 0 failed",
        "2 of 2 dates | 2 ended well | 0 failed",
    ]


class Script:
    """Airflow's books at one second after the other; the last page stays."""

    def __init__(self, *pages: Mapping[date, Run]) -> None:
        self.pages = iter(pages)
        self.seconds = 0.0
        self.page: Mapping[date, Run] = {}

    def read(self) -> Mapping[date, Run]:
        self.page = next(self.pages, self.page)
        return self.page

    def clock(self) -> float:
        return self.seconds

    def pause(self, seconds: float) -> None:
        self.seconds += seconds
        assert self.seconds < 1000, "it never ends"

    def lines(self, tracked: list[date], held: Callable[[], str] = lambda: "") -> list[str]:
        """What is printed where there is no terminal."""
        console = Console(file=io.StringIO(), width=120)
        ways = {"console": console, "clock": self.clock, "pause": self.pause}
        assert follow(self.read, tracked, held=lambda runs: held(), **ways) is self.page
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue().splitlines()


def one_by_one(length: int, *, failed: int = 0) -> Iterator[Mapping[date, Run]]:
    """One more date has ended on every page; the first ``failed`` ones badly."""
    for ended in range(length + 1):
        bad, good = min(failed, ended), max(ended - failed, 0)
        yield runs(*["failed"] * bad, *["success"] * good, *["running"] * (length - ended))


def test_a_line_is_printed_every_tenth_date_and_at_the_end() -> None:
    assert Script(*one_by_one(23, failed=2)).lines(window(23)) == [
        "10 of 23 dates | 8 ended well | 2 failed | 13 s left",
        "20 of 23 dates | 18 ended well | 2 failed | 3 s left",
        "23 of 23 dates | 21 ended well | 2 failed",
    ]


def test_dates_that_had_ended_before_are_neither_reported_again_nor_part_of_the_pace() -> None:
    pages = list(one_by_one(12))
    assert Script(*pages[11:]).lines(window(12)) == ["12 of 12 dates | 12 ended well | 0 failed"]


def test_window_without_a_date_to_wait_for_ends_at_once() -> None:
    script = Script(runs("success", "success"))
    assert script.lines(window(2)) == ["2 of 2 dates | 2 ended well | 0 failed"]
    assert script.seconds == 0.0


def test_date_whose_run_is_deleted_meanwhile_is_not_waited_for() -> None:
    script = Script(runs("running", "queued"), runs("running", ""), runs("success", ""))
    said = "2 of 2 dates | 1 ended well | 0 failed | 1 not run, deleted in Airflow"
    assert script.lines(window(2)) == [said]
    assert script.seconds == 2.0


def test_many_dates_that_end_together_make_one_line() -> None:
    script = Script(
        runs(*["running"] * 40), runs(*["success"] * 35, *["running"] * 5), runs(*["success"] * 40)
    )
    assert script.lines(window(40)) == [
        "35 of 40 dates | 35 ended well | 0 failed | 0 s left",
        "40 of 40 dates | 40 ended well | 0 failed",
    ]


def test_what_holds_it_is_said_once_with_its_end_and_that_it_goes_on() -> None:
    busy = runs("running", "queued")
    script = Script(*[busy] * 4, runs("success", "success"))
    quiet = "held, quiet hours: games are under way, until 2026-10-02 06:00 UTC"
    said = iter(["", quiet, quiet, ""])
    assert script.lines(window(2), held=lambda: next(said)) == [
        quiet,
        "goes on",
        "2 of 2 dates | 2 ended well | 0 failed",
    ]


def test_only_what_has_not_ended_is_held(ops_db: str) -> None:
    with connect(ops_db) as ledger:
        ledger.execute("TRUNCATE ops.holds")
        backfills.hold(ledger, 1, "quiet hours", "until 06:00")
        backfills.hold(ledger, 2, "breaker", "another's")
        ledger.commit()
        found = [word_held(ledger, runs(state).values()) for state in ("queued", "success")]
    assert found == ["held, quiet hours: until 06:00", ""]
