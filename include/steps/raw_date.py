"""A date of an endpoint in the raw store: which stored bodies still count, and which are added."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from operator import attrgetter
from typing import Literal

from include.checks.acceptance import read_judged
from include.checks.bodies import Asked
from include.checks.completeness import Count
from include.errors import Problem
from include.failpoints import reach_failpoint
from include.outcome import Outcome
from include.partition import Partition
from include.results import OWN_WORD
from include.sources.spec import Endpoint, Game, GameState
from include.storage import raw, shared
from include.storage.moved import moved_to, name_origin, tell_moved, uncounted
from include.storage.refetch import Progress, note, progress
from include.storage.store import Store

Role = Literal["truth", "listing", "data", "search", "drifted"]

LISTING = "listing"
"""The item that the listing's body is called, and that no other may be."""

_SETTLED = (GameState.FINAL, GameState.LISTED)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """One body that has arrived. ``item`` is a file-name-safe id, unique in the date; the URL is
    redacted; requests and credits are this body's."""

    item: str
    role: Role
    body: bytes = field(repr=False)
    url: str
    status: int
    requests: int
    credits: int


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A body that need not be asked for again, and the games in it."""

    object: raw.RawObject
    games: Sequence[Game]


class RawDate:
    """One endpoint's date as it lies in the raw store, while a scrape goes through it.

    ``manifest`` is the one that was found; to an order a torn one is none. ``objects`` are the
    bodies that make up the date from now on: those that were kept and those that were put.
    ``requests`` and ``credits`` are what the latter took.

    ``ordered_at``: fresh bodies were ordered then (a refetch); older ones do not count. What has
    come since is noted, so that an interrupted refetch goes on where it was.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        partition: Partition,
        store: Store,
        *,
        ordered_at: datetime | None = None,
    ) -> None:
        self.endpoint, self.partition, self.store = endpoint, partition, store
        self.manifest = read_judged(store, partition, torn_as_none=ordered_at is not None)
        self.objects: list[raw.RawObject] = []
        self.requests = self.credits = 0
        self.seconds_written = 0.0
        self.ordered_at = ordered_at
        self._order = progress(store, partition, ordered_at) if ordered_at else None
        if self._order and self._order.done and not self.whole:
            self._order = self._asking_again(self._order)  # the date is not whole any more

    @property
    def whole(self) -> bool:
        """Whether the date is done in raw, so that it needs no request."""
        if self._order and not self._order.done:
            return False
        if self.manifest is None or not self.manifest.done or self.moved_since:
            return False
        return not self.manifest.lacking(self.endpoint.parts)

    @cached_property
    def moved(self) -> list[raw.RawObject]:
        """The bodies of other dates that have games of this one."""
        return moved_to(self.store, self.partition) if self.endpoint.moved else []

    @property
    def moved_since(self) -> bool:
        """Whether some of them have come since the date was counted."""
        return self.manifest is not None and bool(uncounted(self.moved, self.manifest.objects))

    @property
    def ordered(self) -> bool:
        """Whether fresh bodies are ordered, and have not all come."""
        return self._order is not None and not self._order.done

    def is_too_old(self, found: raw.RawObject) -> bool:
        """Whether fresh bodies are ordered, and this one came before that."""
        since = self.ordered_at if self.ordered else None
        return since is not None and datetime.fromisoformat(found.fetched_at) < since

    def body(self, item: str) -> Stored | None:
        """The stored body of the item, if it counts: nothing is paid twice, nothing stays
        partial."""
        return self._reusable.get(item)

    def unwanted(self, asked: Collection[str]) -> list[Stored]:
        """The stored bodies of parts that are not among the items that were asked for, and of the
        same games: what was paid for stays, also where it is not wanted any more."""
        games = {self.endpoint.split(item)[0] for item in asked} - {""}
        known = self.manifest.objects if self.manifest and self._order else self._there
        ours = (each for each in known if self.endpoint.split(each.item)[0] in games)
        found = self._sound(ours)
        return [found[item] for item in sorted(found.keys() - {*asked})]

    def listing(self, expected: Iterable[Game] | None) -> tuple[raw.RawObject, bytes] | None:
        """The stored listing, if it was paid for and has every game that is expected.

        So of a date that waits for its next credits it is bought once, not with every attempt; of
        several the one counts that lacks the fewest games. That of an unfinished scrape is taken as
        it is: the scrape's end will tell what it lacks.
        """
        get, truth = self.endpoint.listing, self.endpoint.truth
        if not (get and get.cost and not get.pages and truth):
            return None
        due = {game for game in expected or () if game.state is not GameState.POSTPONED}
        # How many games each lacks, and whether the manifest names it: the least comes first.
        bought: list[tuple[int, bool, raw.RawObject, bytes]] = []
        for found in self._there:
            if found.item != LISTING:
                continue
            body = raw.get_body(self.store, found)
            with suppress(Problem):  # its form has changed
                listed = set(truth.games(body, self.partition.day))
                bought.append((len(due - listed), found.path not in self._named, found, body))
        if not bought:
            return None
        lacking, _, best, body = min(bought, key=lambda each: each[:2])
        if lacking and not self._unfinished:
            return None
        return replace(best, role="listing"), body

    def missing(self, games: int) -> tuple[int, int]:
        """How many lists and items have still to be asked for, if the date has so many games."""
        if self.whole:
            return 0, 0
        bought = Counter(self.endpoint.split(item)[1] for item in self._reusable)
        of_part = self.endpoint.count_items(games)
        items = sum(max(0, of_part - bought[part]) for part in self.endpoint.parts or ("",))
        return int(self.endpoint.listing is not None and self.listing(None) is None), items

    def keep(self, found: raw.RawObject) -> None:
        """Makes a stored body part of the date."""
        self.objects.append(found)

    def put(self, got: Fetched) -> None:
        """Stores a body that has arrived and makes it part of the date. Raises Problem(STORAGE)."""
        reach_failpoint("after fetch")
        self.requests, self.credits = self.requests + got.requests, self.credits + got.credits
        is_csv = got.role == "data" and self.endpoint.request.accept == "csv"
        began = time.monotonic()
        put = raw.put_body(
            self.store,
            self.partition,
            item=got.item,
            role=got.role,
            body=got.body,
            url=got.url,
            status=got.status,
            suffix="csv" if is_csv else "json",
        )
        self.seconds_written += time.monotonic() - began
        self.objects.append(put)
        reach_failpoint("after raw write")
        if self._order:
            self._order = replace(self._order, objects=(*self._order.objects, put))
            note(self.store, self.partition, self._order)

    def renew(self, got: Fetched) -> None:
        """Puts a body in the place of that which the item has."""
        before = list(self.objects)
        self.put(got)
        self.objects[:-1] = [found for found in before if found.item != got.item]

    def set_aside(self, item: str) -> None:
        """Keeps the item's body, if it has come, without counting it: it could not be read."""
        for number, found in enumerate(self.objects):
            if found.item == item:
                self.objects[number] = replace(found, role=raw.DRIFTED)

    def tell_moved(self, body: bytes) -> None:
        """Tells the other dates that the body, which was put last, has games of them."""
        days = self.endpoint.moved.days(body) if self.endpoint.moved else ()
        for day in {*days} - {self.partition.day}:
            found = replace(self.objects[-1], item=name_origin(self.partition.day))
            tell_moved(self.store, replace(self.partition, day=day), found)

    def close(self, counted: Count, *, expected_from: str) -> raw.Manifest:
        """Writes the manifest, from which on ``objects`` are the date, counted so."""
        if self.endpoint.shared and self.requests:
            group = self.endpoint.shared(self.partition.day)
            shared.remember(
                self.store, self.partition.dag_id, self.partition.endpoint, group, self.objects
            )
        manifest = self._write(self._counted(counted, expected_from))
        if self._order:
            ended = replace(self._order, done=True)
            note(self.store, self.partition, ended if manifest.done else self._asking_again(ended))
        return manifest

    # --- which stored bodies count

    @cached_property
    def _there(self) -> Sequence[raw.RawObject]:
        """The stored bodies of the date; asked for only where one of them could be reused."""
        if self._order:
            return self._order.objects
        return raw.stored_objects(self.store, self.partition)

    @property
    def _unfinished(self) -> bool:
        """Whether the last scrape of this kind never came to its end."""
        return self.manifest is None or self._order is not None

    @cached_property
    def _named(self) -> Collection[str]:
        """The paths of the manifest's bodies; none while fresh ones are on order."""
        if self.manifest is None or self._order:
            return ()
        return set(map(attrgetter("path"), self.manifest.objects))

    @cached_property
    def _reusable(self) -> Mapping[str, Stored]:
        return self._of_group() if self.endpoint.shared else self._of_date()

    def _of_group(self) -> Mapping[str, Stored]:
        """The body that another date has fetched for all that share it (a season), if it is newer
        than this date's lateness, its order, and its own incomplete end."""
        assert self.endpoint.shared
        known, day = self.manifest, self.partition.day
        ended = _LONG_AGO
        if known and not known.done:
            ended = datetime.fromisoformat(known.finished_at)
        since = max(self.endpoint.late_at(day), self.ordered_at or _LONG_AGO, ended)
        group = self.endpoint.shared(day)
        found = shared.newest(
            self.store, self.partition.dag_id, self.partition.endpoint, group, since=since
        )
        return {o.item: Stored(object=o, games=self._games(o)) for o in found}

    def _of_date(self) -> Mapping[str, Stored]:
        """Of an endpoint with a body a game: those that are final and sound.

        A body of the whole date only where it was paid for and the scrape is unfinished: whether it
        lacks a game only the count can say, and that scrape never came so far.
        """
        get = self.endpoint.request
        if get.pages or not (self.endpoint.per_game or (get.cost and self._unfinished)):
            return {}
        return self._sound(self._there)

    def _sound(self, bodies: Iterable[raw.RawObject]) -> Mapping[str, Stored]:
        """By item the body that counts, of those that are final and sound."""
        sound: dict[str, list[Stored]] = {}
        for found in bodies:
            if found.item != LISTING and (games := self._sound_games(found)):
                sound.setdefault(found.item, []).append(Stored(object=found, games=games))
        chosen = {item: self._chosen(each) for item, each in sound.items()}
        return {item: body for item, body in chosen.items() if body}

    def _chosen(self, bodies: Sequence[Stored]) -> Stored | None:
        """Of several sound bodies of one item the manifest's counts.

        Where it names none, nothing says which is the correction: it is asked for again, unless
        that is paid, since the answer would be one of them once more.
        """
        left = [body for body in bodies if body.object.path in self._named] or bodies
        return left[0] if len(left) == 1 or self.endpoint.request.cost else None

    def _sound_games(self, found: raw.RawObject) -> Sequence[Game]:
        """The games of a body that is all final and sound; none of any other."""
        try:
            games = self._games(found)
        except Problem:
            return []  # the truth's body, or one that has to be asked for again anyway
        sound = all(game.state in _SETTLED and not game.problem for game in games)
        return games if sound else []

    def _games(self, found: raw.RawObject) -> Sequence[Game]:
        body = raw.get_body(self.store, found)
        day = self.partition.day
        asked = Asked(endpoint=self.endpoint, item=found.item, day=day, scheduled=None)
        return asked.games(body)

    # --- the end of a scrape

    def _asking_again(self, order: Progress) -> Progress:
        """An order that ended incomplete asks again for all but the games that it has."""
        kept = [o for o in order.objects if self.endpoint.per_game and o.role == "data"]
        return replace(order, done=False, objects=tuple(kept))

    def _counted(self, counted: Count, expected_from: str) -> raw.Manifest:
        """The manifest of the date's bodies, counted so; an empty day by the source's own word is
        marked."""
        marks = {(Outcome.NO_GAMES, "listing"): OWN_WORD}
        mark = marks.get((counted.outcome, expected_from), "")
        return raw.Manifest(
            dag_id=self.partition.dag_id,
            endpoint=self.partition.endpoint,
            day=str(self.partition.day),
            outcome=counted.outcome,
            message=counted.message + mark,
            expected_from=expected_from,
            games_expected=counted.expected,
            games_found=counted.found,
            missing=tuple(counted.missing) + tuple(counted.unsound),
            requests=self.requests,
            credits=self.credits,
            objects=tuple(map(self._first_fetched, self.objects)),
            finished_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            unsound=tuple(counted.unsound),
            unexpected=tuple(counted.unexpected),
            parts=self.endpoint.parts,
        )

    def _first_fetched(self, found: raw.RawObject) -> raw.RawObject:
        """The body as the manifest has it already, with the moment at which it came first."""
        there = self.manifest.objects if self.manifest else ()
        return {(each.path, each.role): each for each in there}.get((found.path, found.role), found)

    def _write(self, manifest: raw.Manifest) -> raw.Manifest:
        """Writes the manifest and returns the one that counts: a date that was whole, and is so by
        the same bodies, keeps its first one, which says what the first fetch cost."""
        known = self.manifest
        if known and known.done and _describe_alike(known, manifest):
            return known
        reach_failpoint("before manifest")
        raw.write_manifest(self.store, self.partition, manifest, over=known)
        reach_failpoint("after manifest")
        return read_judged(self.store, self.partition) or manifest


def _describe_alike(one: raw.Manifest, other: raw.Manifest) -> bool:
    """Whether two manifests judge the same bodies alike."""
    same_bodies = [o.sha256 for o in one.objects] == [o.sha256 for o in other.objects]
    return same_bodies and (one.outcome, one.parts) == (other.outcome, other.parts)
