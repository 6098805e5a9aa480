"""Scrape: fetches what the raw layer lacks of a date and writes its manifest, which is the counted
truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import filterfalse

from include.checks.completeness import due
from include.errors import ErrorClass, Problem
from include.failpoints import reach_failpoint
from include.parsing.each_game import brief
from include.partition import Partition
from include.sources.spec import GameState, Listing, Source
from include.steps.absent import Absent
from include.steps.job import Wire
from include.steps.moved import add_moved, read_games, seek_moved
from include.steps.price import price_date
from include.steps.raw_date import RawDate
from include.steps.tally import Tally, scheduled
from include.steps.walk import Walk
from include.storage import raw
from include.storage.moved import is_of_other_date
from include.warehouse.open import Warehouse


@dataclass(frozen=True, kw_only=True)
class Scraped:
    """A scrape's result; ``requests`` is 0 when the raw layer had the date already."""

    manifest: raw.Manifest
    requests: int
    credits: int


def scrape(
    source: Source,
    date: RawDate,
    warehouse: Warehouse,
    wire: Wire,
    ask_schedule: Callable[[], None] = lambda: None,
) -> Scraped:
    """Asks for what is due of the date, one body at a time, and counts it.

    ``ask_schedule`` is called where the schedule lacks the date: it puts it there, if it can.

    A date that is whole in raw costs no request. A body whose game is final is not asked for again
    after a crash. Raises Problem, which names DAG, endpoint and date; bodies that had arrived by
    then stay and are reused. Lets through what puts the date off.
    """
    if date.manifest and date.whole:
        return Scraped(manifest=date.manifest, requests=0, credits=0)
    with named(date.partition):
        if date.manifest and date.moved_since and not date.ordered:
            manifest = _recount(date, date.manifest, warehouse)
            if manifest.done:
                return Scraped(manifest=manifest, requests=0, credits=0)
            date.objects.clear()
        manifest = _scrape(source, date, warehouse, wire, ask_schedule)
    return Scraped(manifest=manifest, requests=date.requests, credits=date.credits)


def _scrape(
    source: Source,
    date: RawDate,
    warehouse: Warehouse,
    wire: Wire,
    ask_schedule: Callable[[], None],
) -> raw.Manifest:
    endpoint, day = date.endpoint, date.partition.day
    tally = Tally(endpoint, scheduled(endpoint, day, warehouse))
    walk = Walk(source=source, endpoint=endpoint, day=day, wire=wire)
    reach_failpoint("before fetch")
    # The schedule first: no date is counted by its source's own word while it can be had.
    if tally.lacks_schedule and not endpoint.is_schedule:
        ask_schedule()
        if (learnt := scheduled(endpoint, day, warehouse)) is not None:
            tally.learn(learnt)
    _check_price(source, date, tally, wire)

    # What is to be expected: the source's own list, where the schedule does not have the date.
    if endpoint.truth and tally.lacks_schedule:
        for page in walk.truth():
            date.put(page)
            tally.add_listed(endpoint.truth.games(page.body, day))

    # What there is: the listing, from which the items come.
    listed = list(_listing(date, walk, tally))
    if endpoint.truth and not endpoint.truth.request:
        for body in listed:
            tally.add_listed(endpoint.truth.games(body, day))
        _check_price(source, date, tally, wire)

    absent = Absent(endpoint=endpoint)
    try:
        _ask(date, walk, tally, absent, listed)
    except Problem:
        if absent.ended and not date.manifest:
            _close(date, tally, absent)  # names what was refused, which a person may accept
        raise
    add_moved(date, tally)
    _seek(date, tally, walk)
    return _close(date, tally, absent)


def _seek(date: RawDate, tally: Tally, walk: Walk) -> None:
    """Seeks moved games. Where that fails they are missing, and the others do not wait for them;
    raises the Problem of what can be asked again at a known time, of our own side, and of a date
    that would be whole without what has failed."""
    try:
        seek_moved(date, tally, walk)
    except Problem as problem:
        ours = problem.error_class in (ErrorClass.STORAGE, ErrorClass.INTERNAL)
        if ours or problem.passing or problem.retry_at or tally.count().outcome.done:
            raise
        said = brief(problem)
        for game in tally.unreported:
            tally.add_present([replace(game, state=GameState.UNPLAYED, rows=0, problem=said)])


def _check_price(source: Source, date: RawDate, tally: Tally, wire: Wire) -> None:
    """Raises Problem(QUOTA_EXHAUSTED) where the date, as far as its games are known, is dearer than
    what is allotted to one."""
    allotment = wire.allotments.get(source.connection)
    if allotment and tally.expected is not None:
        day, games = date.partition.day, len(due(tally.expected))
        prices = price_date(source, day, games, date.store, ordered_at=date.ordered_at)
        allotment.check(day, games, prices)


def _ask(date: RawDate, walk: Walk, tally: Tally, absent: Absent, listed: Sequence[bytes]) -> None:
    """The items themselves; one that cannot be had, or read, does not end the date."""
    listing = Listing(day=date.partition.day, expected=tally.expected, bodies=listed)
    # Each from raw where it counts there, else from the upstream.
    for item in date.endpoint.items(listing):
        name = walk.claim(item.name)
        # What is stored already and still counts is not asked for.
        stored = None if date.endpoint.request.pages else date.body(name)
        if stored:
            date.keep(stored.object)
            tally.add_present(stored.games, name)
            absent.read = True
            continue
        if absent.has_game_of(name):
            continue
        try:
            for page in walk.item(name, item):
                date.put(page)
                tally.add_present(read_games(date, tally, name, page.body), name)
                date.tell_moved(page.body)
                absent.read = absent.heard = True
        except Problem as problem:
            date.set_aside(name)
            absent.note(name, problem)
    absent.close()
    for stored in date.unwanted(walk.names):
        date.keep(stored.object)
        tally.add_present(stored.games, stored.object.item)


def _close(date: RawDate, tally: Tally, absent: Absent) -> raw.Manifest:
    for item, game in absent.games(tally.known):
        tally.add_present([game], item)
    return date.close(tally.count(), expected_from=tally.expected_from)


def _recount(date: RawDate, known: raw.Manifest, warehouse: Warehouse) -> raw.Manifest:
    """The date's own bodies once more, with those that have come for it since: no request."""
    endpoint, day = date.endpoint, date.partition.day
    tally = Tally(endpoint, scheduled(endpoint, day, warehouse))
    for found in filterfalse(is_of_other_date, known.objects):
        date.keep(found)
        body = raw.get_body(date.store, found)
        if found.role == "data":
            tally.add_present(read_games(date, tally, found.item, body))
        elif endpoint.truth and found.role != "search":
            tally.add_listed(endpoint.truth.games(body, day))
    add_moved(date, tally)
    return date.close(tally.count(), expected_from=tally.expected_from)


def _listing(date: RawDate, walk: Walk, tally: Tally) -> Iterator[bytes]:
    """The listing's bodies: the stored one where it counts, else those that are asked for."""
    if stored := date.listing(tally.expected):
        found, body = stored
        walk.claim(found.item)
        date.keep(found)
        yield body
        return
    for page in walk.listing():
        date.put(page)
        yield page.body


@contextmanager
def named(partition: Partition) -> Iterator[None]:
    """Puts DAG, endpoint and date into the Problems that know less."""
    try:
        yield
    except Problem as problem:
        problem.source = partition.dag_id
        problem.endpoint = problem.endpoint or partition.endpoint
        problem.day = problem.day or partition.day
        raise
