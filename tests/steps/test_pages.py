"""How the pages of a list end, and what bodies are called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from include.errors import ErrorClass, Problem
from include.sources.spec import (
    Item,
)
from include.steps.walk import Walk
from tests.http.scripted import Scripted, reply
from tests.steps.scripted_walk import DAY, ONE, PAGED, Scrape, page, source_of, walk

__all__ = ["walk"]


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (b"[]", "leads through a list or a value"),
        (b'{"meta": 5}', "leads through a list or a value"),
        (b'{"meta": {"next": [1]}}', "is not a cursor but list"),
        (b'{"meta": {"next": true}}', "is not a cursor but bool"),
        (b'{"meta": {"next": 1.5}}', "is not a cursor but float"),
    ],
)
def test_cursor_of_another_shape_is_drift(
    walk: Scrape, scripted: Scripted, last: bytes, said: str
) -> None:
    scripted.steps = [reply(body=last)]
    assert walk.problem(replace(ONE, request=PAGED)) == Problem(
        error_class=ErrorClass.SCHEMA_DRIFT,
        message=f"meta.next {said}",
        source="a_dag",
        endpoint="box_scores",
        day=DAY,
        url=f"{scripted.url}/list?day=2025-01-15",
        status=200,
    )


@pytest.mark.parametrize(
    "last", [b"{}", b'{"meta": null}', b'{"meta": {}}', b'{"meta": {"next": ""}}']
)
def test_missing_null_or_empty_cursor_ends_the_pages(
    walk: Scrape, scripted: Scripted, last: bytes
) -> None:
    scripted.steps = [reply(body=page(next_cursor=0)), reply(body=last)]
    assert [got.item for got in walk(replace(ONE, request=PAGED))] == ["all", "all-2"]


def test_repeated_cursor_is_drift_and_no_endless_loop(walk: Scrape, scripted: Scripted) -> None:
    scripted.steps = [reply(body=page(next_cursor=n)) for n in (1, 2, 1)]
    problem = walk.problem(replace(ONE, request=PAGED))
    assert (problem.error_class, problem.message) == (
        ErrorClass.SCHEMA_DRIFT,
        "meta.next gives '1' again: correct its Cursor",
    )
    assert len(scripted.seen) == 3


def test_pages_end_at_a_hundred(walk: Scrape, scripted: Scripted) -> None:
    scripted.steps = [reply(body=page(next_cursor=n)) for n in range(1, 200)]
    assert (
        walk.problem(replace(ONE, request=PAGED)).message
        == "meta.next goes on after 100 pages: correct its Cursor"
    )
    assert len(scripted.seen) == 100


def test_items_that_would_overwrite_each_other_are_refused(
    walk: Scrape, scripted: Scripted
) -> None:
    scripted.steps = [reply()]
    endpoint = replace(ONE, items=lambda _: [Item(name="a/b"), Item(name="a b")])
    problem = walk.problem(endpoint)
    assert (problem.error_class, problem.message) == (
        "internal",
        "two requests are both called a_b: give the spec's items different names",
    )


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("..a.b", "a.b"),
        ("a/b c", "a_b_c"),
        ("...", "_"),
        ("", "_"),
        ("a" * 121, "a" * 120),
        ("A9@-_.z", "A9@-_.z"),
    ],
)
def test_name_of_an_item_is_made_safe_for_a_file(walk: Scrape, name: str, file: str) -> None:
    asks = Walk(source=source_of(ONE), endpoint=ONE, day=DAY, wire=walk.wire)
    assert asks.claim(name) == file
    assert asks.names == {file}
