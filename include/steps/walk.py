"""An endpoint's day, walked request by request as its spec says: truth, then listing, then one body
after another."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import count
from typing import Literal

from include.errors import ErrorClass, Problem
from include.http.client import Answer, Client, Upstream
from include.sources.spec import Cursor, Endpoint, Game, Get, Listing, Source

Role = Literal["truth", "listing", "data"]

LISTING = "listing"
"""The item that the listing's body is called, and that no other may be."""

# A day is a page or two; a cursor that goes on for ever must not.
_MOST_PAGES = 100

_UNSAFE = re.compile(r"[^A-Za-z0-9._@-]+")


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """One body of a day. ``item`` is a file-name-safe id, unique in the day; URL redacted; credits
    of this body."""

    item: str
    role: Role
    body: bytes = field(repr=False)
    url: str
    status: int
    requests: int
    credits: int


def fetch(
    endpoint: Endpoint,
    source: Source,
    day: date,
    expected: Iterable[Game] | None,
    client: Client,
    upstreams: Mapping[str, Upstream],
    have: Callable[[str], bool] = lambda item: False,
    listing: bytes | None = None,
) -> Iterator[Fetched]:
    """The bodies of the endpoint's day, one in memory at a time (the listing's pages stay until the
    items are known).

    ``expected`` are the schedule's games; where it is None, the endpoint's truth is asked first.
    ``upstreams`` are by connection. An item is not asked for when ``have`` has it; one that has
    pages always is, since the next cursor is in the body. Nor is the listing, where its body is
    given. Raises Problem, which names endpoint and day.
    """
    walk = _Walk(endpoint=endpoint, source=source, day=day, client=client, upstreams=upstreams)
    games = None if expected is None else list(expected)
    if games is None and endpoint.truth and endpoint.truth.request:
        games = []
        for got in walk.pages("games", "truth", endpoint.truth.request, {}):
            with walk.named():
                games.extend(endpoint.truth.games(got.body, day))
            yield got
    bodies: list[bytes] = []
    if endpoint.listing and listing is not None:
        walk.claim(LISTING)
        bodies.append(listing)
    elif endpoint.listing:
        for got in walk.pages(LISTING, "listing", endpoint.listing, {}):
            bodies.append(got.body)
            yield got
    if bodies and games is None and endpoint.truth:
        with walk.named():
            games = [game for body in bodies for game in endpoint.truth.games(body, day)]
    with walk.named():
        items = endpoint.items(Listing(day=day, expected=games, bodies=tuple(bodies)))
    for item in items:
        name = walk.claim(item.name)
        if endpoint.request.pages is None and have(name):
            continue
        yield from walk.pages(name, "data", endpoint.request, item.values, claimed=True)


@dataclass(kw_only=True)
class _Walk:
    """A day's requests and the item names that they have taken."""

    endpoint: Endpoint
    source: Source
    day: date
    client: Client
    upstreams: Mapping[str, Upstream]
    names: set[str] = field(default_factory=set)

    def claim(self, name: str) -> str:
        """The name made safe for a file. Two equal ones would overwrite each other's day:
        Problem(INTERNAL)."""
        safe = _UNSAFE.sub("_", name).lstrip(".")[:120] or "_"
        if safe in self.names:
            raise self.problem(
                ErrorClass.INTERNAL,
                f"two requests are both called {safe}: give the spec's items different names",
            )
        self.names.add(safe)
        return safe

    def pages(
        self, name: str, role: Role, get: Get, values: Mapping[str, str], *, claimed: bool = False
    ) -> Iterator[Fetched]:
        """The Get's pages: ``name``, ``name-2``, ... until the cursor is missing, null or empty."""
        connection = get.connection or self.source.connection
        if connection not in self.upstreams:
            raise self.problem(
                ErrorClass.INTERNAL, f"the source names no host for connection {connection}"
            )
        upstream, values = self.upstreams[connection], {"day": str(self.day), **values}
        asked, seen = get, set[str]()
        for number in count(1):
            item = (
                name
                if claimed and number == 1
                else self.claim(name if number == 1 else f"{name}-{number}")
            )
            with self.named():
                answer = self.client.get(
                    upstream, asked, values, endpoint=self.endpoint.name, day=self.day
                )
            yield Fetched(
                item=item,
                role=role,
                body=answer.body,
                url=answer.url,
                status=answer.status,
                requests=answer.requests_made,
                credits=answer.credits,
            )
            if get.pages is None or (cursor := self._next(get.pages, answer)) is None:
                return
            if cursor in seen or number == _MOST_PAGES:
                what = (
                    f"gives {cursor!r} again" if cursor in seen else f"goes on after {number} pages"
                )
                raise self.problem(
                    ErrorClass.SCHEMA_DRIFT, f"{get.pages.path} {what}: correct its Cursor", answer
                )
            seen.add(cursor)
            # Braces doubled: a cursor is sent as it came, never filled in.
            escaped = cursor.replace("{", "{{").replace("}", "}}")
            asked = replace(get, params={**get.params, get.pages.param: escaped})

    @contextmanager
    def named(self) -> Iterator[None]:
        """Puts source, endpoint and day into the Problems that know less."""
        try:
            yield
        except Problem as problem:
            problem.source = self.source.dag_id
            problem.endpoint = problem.endpoint or self.endpoint.name
            problem.day = problem.day or self.day
            raise

    def problem(
        self, error_class: ErrorClass, message: str, answer: Answer | None = None
    ) -> Problem:
        return Problem(
            error_class=error_class,
            message=message,
            source=self.source.dag_id,
            endpoint=self.endpoint.name,
            day=self.day,
            url=answer.url if answer else "",
            status=answer.status if answer else 0,
        )

    def _next(self, pages: Cursor, answer: Answer) -> str | None:
        found = json.loads(answer.body)
        for step in pages.path.split("."):
            if found is None:
                return None
            if not isinstance(found, dict):
                raise self.problem(
                    ErrorClass.SCHEMA_DRIFT, f"{pages.path} leads through a list or a value", answer
                )
            found = found.get(step)
        if found is None or found == "":
            return None
        if isinstance(found, bool) or not isinstance(found, str | int):
            raise self.problem(
                ErrorClass.SCHEMA_DRIFT,
                f"{pages.path} is no cursor but {type(found).__name__}",
                answer,
            )
        return str(found)
