"""What a try of a date writes into the ledger: one row, whatever came of it."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from traceback import extract_tb
from types import MappingProxyType
from typing import Any, NamedTuple

from include.checks.drift import Drift
from include.errors import ErrorClass, Problem
from include.failpoints import reach_failpoint
from include.ops.outcomes import OutcomeRow, Phase
from include.outcome import Later, Outcome
from include.partition import Partition
from include.results import MADE_BUT
from include.steps.audit import Audited
from include.storage.raw import Manifest
from include.used import Used
from include.warehouse.rows import Loaded

log = logging.getLogger(__name__)

# What only code that is wrong raises; everything else (a database that is away) is worth a retry.
BUGS = (
    *(ArithmeticError, AssertionError, AttributeError, ImportError, LookupError),
    *(NameError, RecursionError, TypeError, ValueError),
)


NOTHING_HEARD = "nothing was heard after the load had begun: the worker was killed or lost"


PAID_AND_LOST = "nothing was heard after a paid request: the worker was killed or lost"


_OF_COUNTS = (ErrorClass.INCOMPLETE, ErrorClass.EMPTY_UNEXPECTED)


class Spent(NamedTuple):
    """What a try has taken: requests and credits of upstreams, jobs and bytes of a warehouse, and
    operations of a bucket, that bill them."""

    requests: int = 0
    credits: int = 0
    jobs: int = 0
    billed: int = 0
    writes: int = 0
    reads: int = 0


_PHASES: Mapping[Phase, str] = {"fetch": "fetch", "load": "load", "audit": "check"}
_STATUS = Path("/proc/self/status")


class Entry:
    """Collects what one try did. ``write`` puts a row into the ledger; repeating it replaces the
    try's row.

    ``spent``: what the same try had taken before it was put off (see Spent); ``began``: when it
    began, then; ``seconds``: those at work until then; ``deferrals``: how often it was put off.
    ``now`` is the clock of the ledger.
    Until the try says how it ended, its row (if it has one) says LOST:
    that is what is true of a worker that was killed.
    """

    def __init__(
        self,
        partition: Partition,
        write: Callable[[OutcomeRow], None],
        *,
        run_id: str,
        attempt: int = 1,
        log_url: str = "",
        spent: Sequence[int] = (),
        seconds: Mapping[str, float] = MappingProxyType({}),
        deferrals: int = 0,
        began: datetime | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.partition, self.deferrals = partition, deferrals
        self._write_row = write
        self._before = Spent(*spent)
        self._monotonic = monotonic
        self._seconds = Counter(dict(seconds))
        self._under_way: tuple[str, float] | None = None
        self.used: Callable[[], Used] = Used
        """What the stores have counted since the try began."""
        # A whole row from the start: what is noted replaces a fact in it, so it can be written at
        # any moment.
        self._now = now
        self.began = began or now()
        self._row = OutcomeRow(
            dag_id=partition.dag_id,
            endpoint=partition.endpoint,
            day=partition.day,
            run_id=run_id,
            attempt=attempt,
            phase="fetch",
            outcome=Outcome.LOST,
            log_url=log_url,
            requests=self._before.requests,
            credits=self._before.credits,
            started_at=self.began,
            ended_at=self.began,
        )
        self._counted: Outcome | None = None
        self._loaded = False
        self.written = False
        """Whether the ledger has its outcome: a try without one has to be made again."""

    @property
    def spent(self) -> Spent:
        """What the try has taken so far."""
        return Spent(self._row.requests, self._row.credits, *self._used().counts)

    @property
    def seconds(self) -> dict[str, float]:
        """Those at work so far, by what they went into."""
        return {name: round(taken, 3) for name, taken in self._worked().items()}

    def _worked(self) -> Counter[str]:
        name, began = self._under_way or ("", self._monotonic())
        now = {name: self._monotonic() - began} if name else {}
        return Counter(self._seconds) + Counter(now)

    def _used(self) -> Used:
        _, _, jobs, billed, writes, reads = self._before
        return self.used() + Used(operations=jobs, billed=billed, writes=writes, reads=reads)

    @contextmanager
    def phase(self, name: Phase) -> Iterator[None]:
        """A phase of the try: a group in the task's log, and how far the row says that it came."""
        self._note(phase=name)
        log.info("::group::%s %s", name, self.partition)
        self._under_way = (_PHASES[name], self._monotonic())
        try:
            yield
        finally:
            self._seconds, self._under_way = self._worked(), None
        log.info("::endgroup::")

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Writes how the block ended where it did not end well, and raises it on.

        A bug becomes a Problem(INTERNAL); what is not a bug is raised as it is, for a retry. So is
        what ends the task from outside.
        """
        try:
            yield
        except Later as later:
            self._write(later.outcome, later.reason)
            raise
        except Problem as problem:
            self._fail(problem)
            raise
        except Exception as error:
            found = _as_problem(error, self.partition)
            self._fail(found)
            if isinstance(error, BUGS):
                raise found from error
            raise
        except BaseException as error:
            self._fail(_ended_by(error, self.partition))
            raise

    def add_spent(self, requests: int, credits: int) -> None:
        """What the try has asked and paid, also where nothing came of it."""
        self._note(requests=self._row.requests + requests, credits=self._row.credits + credits)

    def note_fetch(self, *, wait: float, write: float) -> None:
        """Of the fetch's seconds those for which it waited for a place in a limit, and those that
        went into writing to raw."""
        self._seconds.update({"wait": wait, "write": write, "fetch": -wait - write})

    def note_paid(self, requests: int, credits: int) -> None:
        """What the try has asked and paid by now, written at once: a worker that is killed cannot
        say any more what it has spent. Help for people, so that nothing is given up for it."""
        row = replace(
            self._row,
            requests=self._row.requests + requests,
            credits=self._row.credits + credits,
            message=PAID_AND_LOST,
            ended_at=self._now(),
        )
        try:
            self._write_row(row)
        except Problem as problem:
            log.warning("what was paid is not noted: %s", problem.message)

    def note_manifest(self, manifest: Manifest) -> None:
        """How the date was counted in raw."""
        self._counted = manifest.outcome
        self._note(
            games_expected=manifest.games_expected,
            games_found=manifest.games_found,
            missing=manifest.missing,
            bytes=sum(found.bytes for found in manifest.objects),
        )

    def note_corrections(self, drift: Drift) -> None:
        """What the upstream has corrected; written before the rows are replaced."""
        self._note(changes=drift.changes, changes_total=drift.total)
        more = drift.total - len(drift.changes)
        lines = [*drift.changes, f"and {more} more"] if more else drift.changes
        log.info("corrected upstream, changes: %d\n%s", drift.total, "\n".join(lines))
        told = f"{drift.total} changes upstream, not loaded"
        self._write(Outcome.LOST, f"{NOTHING_HEARD}; {told}")

    def note_loaded(self, loaded: Loaded) -> None:
        """A load: what it corrected is corrected, whatever comes of the try."""
        self._loaded = True
        self._note(rows=loaded.rows, content=loaded.content)
        state = "replaced" if loaded.changed else "already the same"
        log.info("%d rows, %s", loaded.rows, state)

    def close(self, audited: Audited) -> None:
        """The date's rows were counted and are right."""
        self.note_manifest(audited.manifest)
        self._note(rows=audited.rows)
        self._write(audited.manifest.outcome, audited.manifest.message)

    def close_built(self, outcome: Outcome, *, rows: int, games: int, said: str) -> None:
        """The date's rows were made of other tables' and counted; ``said``: what they lack."""
        self._note(rows=rows, games_expected=games, games_found=games)
        self._write(outcome, f"{MADE_BUT}{said}" if said else "")

    def _fail(self, problem: Problem) -> None:
        """An incomplete date keeps its k of n; corrections whose load failed are not told."""
        outcome = Outcome.FAILED
        of_bodies = problem.error_class is ErrorClass.SCHEMA_DRIFT and self._is_counted_short
        if of_bodies or problem.error_class in _OF_COUNTS:
            unverified = self._counted is Outcome.UNVERIFIED
            outcome = Outcome.UNVERIFIED if unverified else Outcome.PARTIAL
        self._note(error_class=str(problem.error_class), fingerprint=problem.fingerprint)
        if not self._loaded:
            self._note(changes=(), changes_total=0)
        self._write(outcome, problem.message)

    @property
    def _is_counted_short(self) -> bool:
        """Whether the scrape came to its end, and games are missing."""
        return self._counted is not None and not self._counted.done

    def _note(self, **facts: Any) -> None:
        self._row = replace(self._row, **facts)

    def _write(self, outcome: Outcome, message: str) -> None:
        # What it took is counted up to this moment: nothing is asked of a store after it.
        used = self._used()
        self._note(outcome=outcome, message=message, ended_at=self._now())
        self._note(warehouse_jobs=used.operations, bytes_billed=used.billed)
        self._note(bucket_writes=used.writes, bucket_reads=used.reads)
        self._note(seconds=self.seconds, peak_mb=read_peak())
        reach_failpoint("before outcome")
        self.written = False
        try:
            self._write_row(self._row)
        except (Problem, ValueError, OverflowError) as error:
            if isinstance(error, Problem) and error.passing:
                raise
            log.exception("the outcome cannot be recorded as it is; it goes without its counts")
            self._write_row(_without_counts(self._row))
        self.written = True
        reach_failpoint("after outcome")


_NO_COUNTS: dict[str, Any] = dict.fromkeys(
    (
        *("requests", "credits", "rows", "bytes", "changes_total", "warehouse_jobs"),
        *("bytes_billed", "bucket_writes", "bucket_reads"),
    ),
    0,
)


def _without_counts(row: OutcomeRow) -> OutcomeRow:
    """What a row can hold in any case: a number that is out of range must not take the rest."""
    return replace(
        row,
        **_NO_COUNTS,
        games_expected=None,
        games_found=None,
        missing=(),
        changes=(),
    )


def read_peak() -> int:
    """Megabytes of this process at most; 0 where the system does not say (it is Linux's)."""
    if not _STATUS.exists():
        return 0
    lines = _STATUS.read_text().splitlines()
    found = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(next(found, "0")) * 1024 // 1_000_000


def _ended_by(error: BaseException, partition: Partition) -> Problem:
    name = type(error).__name__
    return Problem(
        error_class=ErrorClass.INTERNAL,
        message=f"the task was ended from outside while it was at work ({name}): rerun the date",
        source=partition.dag_id,
        endpoint=partition.endpoint,
        day=partition.day,
    )


def _as_problem(error: Exception, partition: Partition) -> Problem:
    """Names the place, not the text, which may hold anything; the task's log has the traceback."""
    place = extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} in {place.name} ({Path(place.filename).name}:{place.lineno})"
    repair = "Airflow tries it again; the log has its traceback"
    if isinstance(error, BUGS):
        repair = "a bug: the log has its traceback; repair it and rerun the date"
    return Problem(
        error_class=ErrorClass.INTERNAL,
        message=f"{where}, {repair}",
        source=partition.dag_id,
        endpoint=partition.endpoint,
        day=partition.day,
    )
