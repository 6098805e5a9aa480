"""The views on every warehouse: the same text, and the same answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from include.analytics.prop_results import PLAYER_PROP_RESULTS, UNMATCHED_PLAYERS
from include.outcome import Outcome
from include.sources.spec import Row
from include.warehouse.open import Warehouse
from include.warehouse.status import DateStatus
from include.warehouse.views import FOLDER

DAY = date(2025, 1, 15)
NEXT = DAY + timedelta(days=1)
AS_OF = datetime(2025, 1, 16, 12, tzinfo=UTC)


@pytest.fixture
def warehouse(open_again: Callable[[], Warehouse]) -> Warehouse:
    """Two dates of results: one player's points at two bookmakers, of which one spells
    him in two ways, and what is in no rate."""
    made = open_again()
    made.create([PLAYER_PROP_RESULTS, UNMATCHED_PLAYERS])
    double = {"market": "player_double_double", "line": None}
    other = {"bookmaker": "draftkings", "price_over": 3.0, "price_under": 1.5}
    alternate = {"market": "player_points_alternate", "line": 20.5}
    void = {"player_name": "Klay Thompson", "player_key": "klay thompson"}
    of_day = [
        bet(),
        bet(player_name="Steph Curry"),
        bet(**other),
        bet(**double, actual=0.0, result="no"),
        bet(**alternate, result="over"),
        bet(**void, actual=None, result="void", why="did not play"),
    ]
    of_next = [
        bet(actual=20.0, result="under"),
        bet(**other, line=20.0, actual=20.0, result="push"),
    ]
    put(made, DAY, of_day)
    put(made, NEXT, ({**row, "game_date": NEXT, "game_id": "e2"} for row in of_next))
    tell(made, "analytics.player_prop_results", DAY, Outcome.COMPLETE, found=8)
    tell(made, "raw.bdl_box_scores", DAY, Outcome.COMPLETE, found=8)
    tell(made, "raw.bdl_box_scores", NEXT, Outcome.PARTIAL, found=6)
    return open_again()


def bet(**given: Any) -> dict[str, Any]:
    """Over 24.5 points at 1.9, with 25 of them."""
    row = {
        **dict.fromkeys(column.name for column in PLAYER_PROP_RESULTS.columns),
        **{"game_date": DAY, "game_id": "e1", "bookmaker": "fanduel", "market": "player_points"},
        **{"player_name": "Stephen Curry", "player_key": "stephen curry", "line": 24.5},
        **{"price_over": 2.0, "price_under": 2.0, "actual": 25.0, "result": "over"},
        "source_file": "odds/e1.json.gz",
    }
    return {**row, **given}


def put(warehouse: Warehouse, day: date, rows: Iterable[Row]) -> None:
    warehouse.replace(PLAYER_PROP_RESULTS, day, rows)


def tell(warehouse: Warehouse, table: str, day: date, outcome: Outcome, *, found: int) -> None:
    status = DateStatus(
        table=table,
        day=day,
        outcome=outcome,
        expected_from="schedule",
        games_expected=8,
        games_found=found,
        missing=("LAL@GSW (absent)",) * (8 - found),
        accepted=(),
        as_of=AS_OF,
        source_file="m",
    )
    warehouse.replace_status(status)


def ask(warehouse: Warehouse, view: str, order: str) -> list[tuple[Any, ...]]:
    found = warehouse.ask(f"SELECT * FROM analytics.{view} ORDER BY {order}").to_pylist()
    return [tuple(row.values()) for row in found]


def test_hit_rate_counts_a_game_once_and_neither_push_nor_void(warehouse: Warehouse) -> None:
    found = ask(warehouse, "hit_rates", "market, line")
    assert found == [
        ("stephen curry", "player_double_double", None, 1, 0, 0, 0.0, DAY, DAY),
        ("stephen curry", "player_points", 20.0, 1, 0, 1, None, NEXT, NEXT),
        ("stephen curry", "player_points", 24.5, 2, 1, 0, 0.5, DAY, NEXT),
        ("stephen curry", "player_points_alternate", 20.5, 1, 1, 0, 1.0, DAY, DAY),
    ]


def test_closing_lines_are_held_against_what_happened(warehouse: Warehouse) -> None:
    found = ask(warehouse, "closing_line_accuracy", "bookmaker, market")
    draftkings, fanduel = (0.25, 0.25, 1.0, 1 / 3), (2.5, -2.0, 0.5, 0.5)
    assert found == [
        ("draftkings", "player_points", 2, *map(pytest.approx, draftkings)),
        ("fanduel", "player_points", 2, *map(pytest.approx, fanduel)),
    ]


def test_coverage_names_what_is_missing_and_what_was_never_made(warehouse: Warehouse) -> None:
    named = "LAL@GSW (absent); LAL@GSW (absent)"
    assert ask(warehouse, "coverage", "game_date, table_name") == [
        (DAY, "analytics.player_prop_results", "complete", 8, 8, 1.0, None, AS_OF),
        (DAY, "raw.bdl_box_scores", "complete", 8, 8, 1.0, None, AS_OF),
        (NEXT, "analytics.player_prop_results", "not_run", None, 0, None, None, None),
        (NEXT, "raw.bdl_box_scores", "partial", 8, 6, 0.75, named, AS_OF),
    ]


def test_a_view_whose_tables_are_not_there_is_not_there(
    open_again: Callable[[], Warehouse],
) -> None:
    empty = open_again()
    empty.create([])
    found = [row["table"] for row in empty.tables().to_pylist()]
    assert [name for name in found if name.startswith("analytics.")] == []


def test_every_view_is_tried_here() -> None:
    tried = {"hit_rates", "closing_line_accuracy", "coverage"}
    assert {path.stem for path in FOLDER.glob("*.sql")} == tried
