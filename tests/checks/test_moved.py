"""A game that was moved: its rows are those of the date on which it was played, and the date that
it was listed under is complete without it; with the schedule and without."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.checks.gaps import find_gaps
from include.partition import Partition
from include.storage import raw
from include.storage.local import LocalStore
from include.storage.moved import moved_to, tell_moved
from include.warehouse.local import LocalWarehouse
from tests.checks.told import Telling, Told, scheduled

FIXTURE = Path(__file__).parents[1] / "fixtures/bdl_box_scores/box_scores.2025-01-15.json"
AT = ("bdl_box_scores", "box_scores")
LISTED, PLAYED = date(2025, 1, 15), date(2025, 2, 12)
TIP_OFFS = {LISTED: "2025-01-16T00:30:00.000Z", PLAYED: "2025-02-13T00:30:00.000Z"}


def game(away: str, home: str, listed: date, played: date) -> dict[str, Any]:
    """A sound game that the source keeps under one date, played on another."""
    found = deepcopy(json.loads(FIXTURE.read_bytes())["data"][0])
    found |= {"date": str(listed), "datetime": TIP_OFFS[played], "id": hash((away, home)) % 10**6}
    found["visitor_team"]["abbreviation"] = away
    found["home_team"]["abbreviation"] = home
    return found


def body(*games: dict[str, Any]) -> bytes:
    return json.dumps({"data": games, "meta": {"per_page": 100}}).encode()


FIRST = body(game("MIA", "BOS", LISTED, LISTED), game("DET", "CHI", LISTED, PLAYED))
NOTHING = body()
LATER = body(game("GSW", "UTA", PLAYED, PLAYED))


def put(store: LocalStore, day: date) -> raw.RawObject:
    """A body of the date, stored, as it is called in others."""
    at = Partition(dag_id=AT[0], endpoint=AT[1], day=day)
    found = raw.put_body(
        store, at, item="all", role="data", body=FIRST, url="", status=200, suffix="json"
    )
    return replace(found, item=f"from-{day}")


def run(telling: Telling, day: date, answer: bytes, *more: bytes, known: bool) -> Told:
    """One try; without the schedule the source's list of games is asked for first."""
    return telling.run(AT, day, *([answer] if known else [answer, answer]), *more)


def games(told: Told) -> set[tuple[str, date]]:
    return {(f"{r['away_tricode']}@{r['home_tricode']}", r["game_date"]) for r in told.rows}


@pytest.fixture(params=[True, False], ids=["schedule", "no schedule"])
def known(request: pytest.FixtureRequest, telling: Telling) -> bool:
    """Whether the schedule knows both dates."""
    if request.param:
        telling.schedule(LISTED, scheduled(LISTED, "MIA@BOS", "0022400001"))
        moved = scheduled(PLAYED, "DET@CHI", "0022400002")
        telling.schedule(PLAYED, moved, scheduled(PLAYED, "GSW@UTA", "0022400003"))
    return bool(request.param)


def test_date_that_a_moved_game_was_listed_under_is_complete_without_it(
    telling: Telling, known: bool
) -> None:
    told = run(telling, LISTED, FIRST, known=known)
    assert (told.outcome, told.message) == ("complete", "1 of 1 games")
    assert games(told) == {("MIA@BOS", LISTED)}


def test_date_on_which_it_was_played_takes_it_from_the_body_that_is_there(
    telling: Telling, known: bool
) -> None:
    run(telling, LISTED, FIRST, known=known)
    told = run(telling, PLAYED, LATER, known=known)
    assert (told.outcome, told.message) == ("complete", "2 of 2 games")
    assert games(told) == {("GSW@UTA", PLAYED), ("DET@CHI", PLAYED)}


def test_game_that_is_also_listed_on_its_own_date_comes_once(telling: Telling, known: bool) -> None:
    run(telling, LISTED, FIRST, known=known)
    both = body(game("GSW", "UTA", PLAYED, PLAYED), game("DET", "CHI", PLAYED, PLAYED))
    told = run(telling, PLAYED, both, known=known)
    assert (told.outcome, told.message) == ("complete", "2 of 2 games")
    assert games(told) == {("GSW@UTA", PLAYED), ("DET@CHI", PLAYED)}
    of_the_date = {f"{AT[0]}/2025/02/{PLAYED}/{AT[1]}"}
    assert {row["source_file"].rpartition("/")[0] for row in told.rows} == of_the_date
    keys = [(row["game_id"], row["team_tricode"], row["player_id"]) for row in told.rows]
    assert len(keys) == len(set(keys))
    warehouse, store = LocalWarehouse(telling.folder / "warehouse"), telling.store
    assert list(find_gaps(telling.sources[AT[0]], [(AT[1], PLAYED)], store, warehouse)) == [None]


def test_game_that_its_own_date_lists_as_unplayed_comes_from_the_body_that_has_it(
    telling: Telling, known: bool
) -> None:
    run(telling, LISTED, FIRST, known=known)
    unplayed = game("DET", "CHI", PLAYED, PLAYED) | {"period": 0, "status": TIP_OFFS[PLAYED]}
    for side in ("home_team", "visitor_team"):
        unplayed[side]["players"] = []
    told = run(telling, PLAYED, body(game("GSW", "UTA", PLAYED, PLAYED), unplayed), known=known)
    assert (told.outcome, told.message) == ("complete", "2 of 2 games")
    assert games(told) == {("GSW@UTA", PLAYED), ("DET@CHI", PLAYED)}


def test_same_body_that_is_fetched_anew_leaves_the_other_date_as_it_is(
    telling: Telling, known: bool
) -> None:
    run(telling, LISTED, FIRST, known=known)
    run(telling, PLAYED, LATER, known=known)
    store = LocalStore(telling.folder / "raw")
    at = Partition(dag_id=AT[0], endpoint=AT[1], day=LISTED)
    (told,) = moved_to(store, replace(at, day=PLAYED))
    anew = replace(told, fetched_at="2026-11-01T00:00:00Z")
    tell_moved(store, replace(at, day=PLAYED), anew)
    warehouse = LocalWarehouse(telling.folder / "warehouse")
    assert list(find_gaps(telling.sources[AT[0]], [(AT[1], PLAYED)], store, warehouse)) == [None]


def test_dates_that_tell_of_one_date_at_once_are_both_heard(tmp_path: Path) -> None:
    """The second tells when the first has read what there is, and has not written yet."""

    @dataclass
    class Slow(LocalStore):
        root: Path
        meanwhile: list[Callable[[], None]]

        def swap(self, path: str, data: bytes, *, seen: bytes | None) -> bool:
            while self.meanwhile:
                self.meanwhile.pop()()
            return super().swap(path, data, seen=seen)

    at, quick = Partition(dag_id=AT[0], endpoint=AT[1], day=PLAYED), LocalStore(tmp_path)
    first, second = (put(quick, LISTED), put(quick, LISTED + timedelta(days=1)))
    slow = Slow(tmp_path, [lambda: tell_moved(quick, at, second)])
    tell_moved(slow, at, first)
    told = moved_to(quick, at)
    assert {each.item for each in told} == {"from-2025-01-15", "from-2025-01-16"}


def test_date_that_was_counted_before_the_body_came_is_a_gap_and_heals_without_a_request(
    telling: Telling, known: bool
) -> None:
    nowhere = [NOTHING] if known else []  # what the source answers when asked where it keeps it
    before = run(telling, PLAYED, LATER, *nowhere, known=known)
    assert games(before) == {("GSW@UTA", PLAYED)}
    run(telling, LISTED, FIRST, known=known)
    store = LocalStore(telling.folder / "raw")
    warehouse = LocalWarehouse(telling.folder / "warehouse")
    source = telling.sources[AT[0]]
    (gap,) = find_gaps(source, [(AT[1], PLAYED)], store, warehouse)
    assert gap
    told = telling.run(AT, PLAYED)  # whatever is asked for has no answer
    assert (told.outcome, told.message) == ("complete", "2 of 2 games")
    assert games(told) == {("GSW@UTA", PLAYED), ("DET@CHI", PLAYED)}
    assert list(find_gaps(source, [(AT[1], PLAYED)], store, warehouse)) == [None]
