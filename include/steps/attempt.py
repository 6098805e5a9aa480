"""One try of one date: fetch, load and audit in turn; it ends done, put off (Later) or with a
Problem."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from include.checks.rows import incomplete
from include.errors import ErrorClass, Problem
from include.outcome import Later, Outcome
from include.partition import eastern_day
from include.steps.audit import audit
from include.steps.entry import Entry
from include.steps.job import Job
from include.steps.load import load, load_sound
from include.steps.raw_date import RawDate
from include.steps.scrape import scrape
from include.storage.raw import Manifest

ASK_AGAIN = timedelta(minutes=30)
"""How long a date that is not complete yet waits before it is asked for again."""
MAX_DEFERRALS = 6
"""How often a date lets others put it off (Retry-After, proxies in their cooldown, a quota)."""


def attempt(
    job: Job, entry: Entry, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> None:
    """Fetches what raw lacks of the date, loads its rows and audits them.

    What it does is told to ``entry``. Raises Later while the date cannot be final, or cannot be
    asked for, and Problem when it has failed; a later try goes on with what is there. The sound
    games of a partial date are loaded all the same.
    """
    _check_past(job.partition.day, eastern_day(now()))
    if (final := job.endpoint.available_at(job.partition.day)) > now():
        raise Later(final, "its games cannot be final before then", Outcome.NOT_YET)
    stores, before = job.stores, job.stores.used
    entry.used = lambda: stores.used.since(before)
    try:
        _make_complete(job, entry, now)
    except Problem as problem:
        if problem.retry_at is None:
            raise
        raise _defer(problem, problem.retry_at, entry) from None


def _make_complete(job: Job, entry: Entry, now: Callable[[], datetime]) -> None:
    """A date that raw has whole by a schedule that has learnt of games since is asked for in the
    same try."""
    if not _try_once(job, entry, now):
        _try_once(job, entry, now)


def _try_once(job: Job, entry: Entry, now: Callable[[], datetime]) -> bool:
    """Whether the date is done; False where raw had it whole, and its manifest now says what it
    lacks. Raises Problem and Later."""
    with entry.phase("fetch"):
        manifest, asked = _fetch(job, entry)
        entry.note_manifest(manifest)
        if not manifest.done:
            raise _not_whole(job, entry, manifest, now())
    with entry.phase("load"):
        corrected = entry.note_corrections
        entry.note_loaded(load(job.endpoint, job.partition, job.stores, corrected=corrected))
    with entry.phase("audit"):
        audited = audit(job.endpoint, job.partition, job.stores)
        if audited.manifest.done:
            entry.close(audited)
            return True
        entry.note_manifest(audited.manifest)
        if asked:
            raise incomplete(audited.manifest)
    return False


def _check_past(day: date, today: date) -> None:
    """A date of the future is a mistake in what was ordered: nothing waits for it, since runs that
    wait hold up those of the live dates (Airflow counts them among the active)."""
    if day > today:
        raise Problem(
            error_class=ErrorClass.INTERNAL,
            message=(
                f"the run's game date lies in the future (today is {today} in US/Eastern): order it"
                " when it is over"
            ),
        )


def _fetch(job: Job, entry: Entry) -> tuple[Manifest, bool]:
    """The date's manifest, after what was missing has been asked for, and whether anything was; of
    a store that cannot take it nothing is asked for."""
    date = RawDate(job.endpoint, job.partition, job.stores.raw, ordered_at=job.refetch)
    if date.manifest and date.whole:
        return date.manifest, False
    job.stores.raw.check_writable()
    job.stores.warehouse.prepare(job.endpoint.table)
    with job.reach() as wire:
        client, before = wire.client, (wire.client.requests, wire.client.credits)
        client.on_paid = lambda: entry.note_paid(
            client.requests - before[0], client.credits - before[1]
        )
        try:
            warehouse = job.stores.warehouse
            return scrape(job.source, date, warehouse, wire, job.ask_schedule).manifest, True
        finally:
            entry.add_spent(client.requests - before[0], client.credits - before[1])
            entry.note_fetch(wait=client.waited, write=date.seconds_written)


def _defer(problem: Problem, until: datetime, entry: Entry) -> Later | Problem:
    """The upstream (or every proxy to it) or a store can be asked again ``until`` then: so often,
    not for ever."""
    if entry.deferrals >= MAX_DEFERRALS:
        return problem
    entry.deferrals += 1
    why = f"{problem.message}; deferral {entry.deferrals} of {MAX_DEFERRALS}"
    return Later(until, why, Outcome.QUOTA_WAIT)


def _not_whole(job: Job, entry: Entry, manifest: Manifest, now: datetime) -> Later | Problem:
    """An incomplete date is early until its source says that it is late; then its sound games are
    loaded, and it has failed."""
    if now < job.endpoint.late_at(job.partition.day):
        return Later(now + ASK_AGAIN, manifest.message, Outcome.NOT_YET)
    corrected = entry.note_corrections
    loaded = load_sound(job.endpoint, job.partition, manifest, job.stores, corrected=corrected)
    if loaded:
        entry.note_loaded(loaded)
    return incomplete(manifest)
