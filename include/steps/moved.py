"""Games that were moved to a date: from the bodies of other dates that have them, else from those
that the source keeps them in."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import date
from functools import partial
from itertools import chain
from operator import attrgetter

from include.checks.bodies import Asked
from include.sources.spec import Game, Moved
from include.steps.raw_date import RawDate
from include.steps.tally import Tally
from include.steps.walk import SEARCH, Walk, name_search
from include.storage import raw
from include.storage.moved import dated, tell_moved

MAX_SOUGHT = 4
"""Games a try: each costs one or two requests, and one more for the date that keeps it. Of a date
that lacks more a rerun seeks the next ones."""


def read_games(there: RawDate, tally: Tally, item: str, body: bytes) -> list[Game]:
    """The games in an item's body, held against the schedule."""
    day = there.partition.day
    asked = Asked(endpoint=there.endpoint, item=item, day=day, scheduled=tally.schedule)
    return asked.games(body)


def add_moved(there: RawDate, tally: Tally) -> None:
    """The games that bodies of other dates have: they are there, and to be expected also where only
    the source's own list counts."""
    for found in there.moved:
        there.keep(found)
        body = raw.get_body(there.store, found)
        _add(tally, found.item, read_games(there, tally, found.item, body))


def seek_moved(there: RawDate, tally: Tally, walk: Walk) -> None:
    """Asks the dates whose bodies were fetched before their games of this one were final, or before
    fresh ones were ordered; then under which others the source keeps the games that the schedule
    has and no body mentions, and those dates for them. Raises Problem."""
    moved = there.endpoint.moved
    if moved is None:
        return
    outdated = {
        dated(found)
        for found in there.moved
        if there.is_too_old(found) or tally.is_outdated(found.item)
    }
    _take(there, tally, walk, moved, outdated)
    if tally.lacks_schedule:
        return
    sought = _in_turn(there, tally.unreported)[:MAX_SOUGHT]
    origins = set[date]()
    for page in chain.from_iterable(map(partial(walk.search, moved), sought)):
        there.put(page)
        origins.update(moved.kept_under(page.body, sought))
    _take(there, tally, walk, moved, origins - outdated)


def _in_turn(there: RawDate, games: Iterable[Game]) -> list[Game]:
    """The games, those first that come after the one which the last try sought last."""
    known = there.manifest.objects if there.manifest else ()
    searches = filter(lambda found: found.item.startswith(SEARCH), known)
    *_, last = "", *map(attrgetter("item"), searches)
    return sorted(games, key=lambda game: (name_search(game) <= last, game))


def _take(
    there: RawDate, tally: Tally, walk: Walk, moved: Moved, origins: Collection[date]
) -> None:
    """Asks the dates for their games of this one, in place of what they have told before."""
    for page in chain.from_iterable(map(walk.kept_under, sorted(origins))):
        if there.partition.day not in moved.days(page.body):
            there.put(replace(page, role="search"))
            continue
        games = read_games(there, tally, page.item, page.body)
        there.renew(page)
        tell_moved(there.store, there.partition, there.objects[-1])
        tally.forget(page.item)
        _add(tally, page.item, games)


def _add(tally: Tally, item: str, games: list[Game]) -> None:
    tally.add_listed(games)
    tally.add_present(games, item)
