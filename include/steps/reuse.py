"""Which stored bodies of a date need not be asked for again: nothing is paid twice, and nothing
stays partial."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from include.errors import Problem
from include.partition import Partition
from include.sources.spec import Endpoint, Game, GameState
from include.steps.walk import LISTING
from include.storage import raw, shared

Reused = Mapping[str, tuple[raw.RawObject, Sequence[Game]]]
"""By item: the stored body and the games in it."""

_SETTLED = (GameState.FINAL, GameState.LISTED)


def stored_of(
    endpoint: Endpoint, partition: Partition, store: raw.Store
) -> Sequence[raw.RawObject]:
    """The stored bodies of the date, read only where one of them could be reused."""
    paid = endpoint.request.cost or (endpoint.listing and endpoint.listing.cost)
    return raw.stored_objects(store, partition) if endpoint.per_game or paid else ()


def of_date(
    endpoint: Endpoint,
    partition: Partition,
    stored: Sequence[raw.RawObject],
    store: raw.Store,
    *,
    unfinished: bool,
    named: Collection[str],
) -> Reused:
    """Of an endpoint with a body a game: those that are final and sound.

    A body of the whole date only where it was paid for and the scrape is ``unfinished``: whether it
    lacks a game only the count can say, and that scrape never came so far. ``named``: the paths
    that the date's manifest names.
    """
    if endpoint.request.pages or not (endpoint.per_game or (endpoint.request.cost and unfinished)):
        return {}
    found: dict[str, list[tuple[raw.RawObject, Sequence[Game]]]] = {}
    for item in (each for each in stored if each.item != LISTING):
        games = _games(endpoint, store, item, partition)
        if games and all(game.state in _SETTLED and not game.problem for game in games):
            found.setdefault(item.item, []).append((item, games))
    # Of two sound bodies of one item the manifest's counts. Where it names none, nothing says which
    # is the correction: it is asked for again, unless that is paid, since the answer would be one
    # of the two once more.
    chosen = {
        name: [each for each in bodies if each[0].path in named] or bodies
        for name, bodies in found.items()
    }
    return {
        name: bodies[0]
        for name, bodies in chosen.items()
        if len(bodies) == 1 or endpoint.request.cost
    }


def of_group(
    endpoint: Endpoint, partition: Partition, store: raw.Store, *, since: datetime
) -> Reused:
    """The body that another date has fetched at ``since`` or later for all that share it (a
    season)."""
    assert endpoint.shared
    found = shared.newest(
        store, partition.dag_id, partition.endpoint, endpoint.shared(partition.day), since=since
    )
    return {
        each.item: (each, list(endpoint.games(raw.get_body(store, each), partition.day)))
        for each in found
    }


def listing(
    endpoint: Endpoint,
    partition: Partition,
    stored: Sequence[raw.RawObject],
    store: raw.Store,
    expected: Iterable[Game] | None,
    *,
    unfinished: bool,
) -> tuple[raw.RawObject, bytes] | None:
    """The stored listing, if it was paid for and has every game that is expected.

    So of a date that waits for its next credits it is bought once, not with every attempt. That of
    an ``unfinished`` scrape is taken as it is: the scrape's end will tell what it lacks.
    """
    found = [each for each in stored if each.item == LISTING]
    get = endpoint.listing
    if not (get and get.cost and not get.pages and endpoint.truth and len(found) == 1):
        return None
    body = raw.get_body(store, found[0])
    try:
        listed = set(endpoint.truth.games(body, partition.day))
    except Problem:
        return None  # its form has changed
    missing = {game for game in expected or () if game.state is not GameState.POSTPONED} - listed
    return None if missing and not unfinished else (replace(found[0], role="listing"), body)


def _games(
    endpoint: Endpoint, store: raw.Store, item: raw.RawObject, partition: Partition
) -> Sequence[Game]:
    try:
        return list(endpoint.games(raw.get_body(store, item), partition.day))
    except Problem:
        return []  # the truth's body, or one that has to be asked for again anyway
