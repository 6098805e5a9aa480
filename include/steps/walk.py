"""The requests of an endpoint's date: the source's own list of games, the listing, each item."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import count

from include.errors import ErrorClass, Problem
from include.http.client import Answer
from include.sources.spec import Cursor, Endpoint, Game, Get, Item, Moved, Source
from include.steps.job import Wire
from include.steps.raw_date import LISTING, Fetched, Role
from include.storage.moved import name_origin

# A day is a page or two; a cursor that goes on for ever must not.
MAX_PAGES = 100

SEARCH = "search-"
"""What the bodies of a search for a moved game are called, before its name."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._@-]+")


@dataclass(kw_only=True)
class Walk:
    """Asks for what is due of one endpoint's date, one body in memory at a time. Raises Problem.

    ``names`` are those that bodies of the date have taken.
    """

    source: Source
    endpoint: Endpoint
    day: date
    wire: Wire
    names: set[str] = field(default_factory=set)

    def claim(self, name: str) -> str:
        """The name made safe for a file. Two equal ones would overwrite each other's day:
        Problem(INTERNAL)."""
        safe = _UNSAFE.sub("_", name).lstrip(".")[:120] or "_"
        if safe in self.names:
            raise self._problem(
                ErrorClass.INTERNAL,
                f"two requests are both called {safe}: give the spec's items different names",
            )
        self.names.add(safe)
        return safe

    def truth(self) -> Iterator[Fetched]:
        """The source's own list of the date's games; nothing where it is in the listing."""
        if self.endpoint.truth and self.endpoint.truth.request:
            yield from self._pages(self.claim("games"), "truth", self.endpoint.truth.request, {})

    def listing(self) -> Iterator[Fetched]:
        """The list from which the items come; nothing where the endpoint has none."""
        if self.endpoint.listing:
            yield from self._pages(self.claim(LISTING), "listing", self.endpoint.listing, {})

    def item(self, name: str, item: Item) -> Iterator[Fetched]:
        """One item's body, or its pages, under a name that was claimed."""
        yield from self._pages(name, "data", self.endpoint.request, item.values)

    def search(self, moved: Moved, game: Game) -> Iterator[Fetched]:
        """The list that tells under which dates the game is kept; nothing where it cannot be asked
        for."""
        if values := moved.values(game):
            yield from self._pages(self.claim(name_search(game)), "search", moved.search, values)

    def kept_under(self, day: date) -> Iterator[Fetched]:
        """The body of another date than the walk's."""
        values = {"day": str(day)}
        yield from self._pages(name_origin(day), "data", self.endpoint.request, values)

    def _pages(
        self, name: str, role: Role, get: Get, values: Mapping[str, str]
    ) -> Iterator[Fetched]:
        """The Get's pages: ``name``, ``name-2``, ... until the cursor is missing, null or empty."""
        connection = get.connection or self.source.connection
        if connection not in self.wire.upstreams:
            raise self._problem(
                ErrorClass.INTERNAL, f"the source names no host for connection {connection}"
            )
        upstream, values = self.wire.upstreams[connection], {"day": str(self.day), **values}
        asked, seen = get, set[str]()
        for number in count(1):
            item = name if number == 1 else self.claim(f"{name}-{number}")
            answer = self.wire.client.get(
                upstream, asked, values, endpoint=self.endpoint.name, day=self.day
            )
            yield _fetched(item, role, answer)
            if get.pages is None or (cursor := self._next(get.pages, answer)) is None:
                return
            if cursor in seen or number == MAX_PAGES:
                raise self._endless(get.pages, cursor, number, answer)
            seen.add(cursor)
            # Braces doubled: a cursor is sent as it came, never filled in.
            escaped = cursor.replace("{", "{{").replace("}", "}}")
            asked = replace(get, params={**get.params, get.pages.param: escaped})

    def _next(self, pages: Cursor, answer: Answer) -> str | None:
        """The cursor of the page after, None on the last one."""
        found = json.loads(answer.body)
        for step in pages.path.split("."):
            if found is None:
                return None
            if not isinstance(found, dict):
                raise self._drift(f"{pages.path} leads through a list or a value", answer)
            found = found.get(step)
        if found is None or found == "":
            return None
        if isinstance(found, bool) or not isinstance(found, str | int):
            kind = type(found).__name__
            raise self._drift(f"{pages.path} is not a cursor but {kind}", answer)
        return str(found)

    def _endless(self, pages: Cursor, cursor: str, number: int, answer: Answer) -> Problem:
        what = f"goes on after {number} pages" if number == MAX_PAGES else f"gives {cursor!r} again"
        return self._drift(f"{pages.path} {what}: correct its Cursor", answer)

    def _drift(self, message: str, answer: Answer) -> Problem:
        problem = self._problem(ErrorClass.SCHEMA_DRIFT, message)
        problem.url, problem.status = answer.url, answer.status
        return problem

    def _problem(self, error_class: ErrorClass, message: str) -> Problem:
        return Problem(error_class=error_class, message=message)


def name_search(game: Game) -> str:
    """What the first body of a search for the game is called."""
    return f"{SEARCH}{game}"


def _fetched(item: str, role: Role, answer: Answer) -> Fetched:
    return Fetched(
        item=item,
        role=role,
        body=answer.body,
        url=answer.url,
        status=answer.status,
        requests=answer.requests_made,
        credits=answer.credits,
    )
