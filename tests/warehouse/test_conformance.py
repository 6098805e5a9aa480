"""What every warehouse promises, tried on each of them: typed, sorted, unique, replaced whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from itertools import count
from threading import Event
from typing import Any

import pytest

from include.errors import Refused
from include.outcome import Outcome
from include.sources.spec import Column, Row
from include.warehouse.open import Warehouse
from include.warehouse.rows import loaded, to_parquet
from include.warehouse.status import DateStatus
from tests.warehouse.lines import DAY, TABLE, TIP_OFF, refused, row

Opened = Callable[[], Warehouse]

NEXT = DAY + timedelta(days=1)


def answers(warehouse: Warehouse, sql: str) -> list[dict[str, Any]]:
    return warehouse.ask(sql).to_pylist()


def test_rows_come_back_sorted_by_key_with_missing_numbers_first(warehouse: Warehouse) -> None:
    given = [row("b", 1), row("a", 10), row("a", 9, share=1, tip_off=None), row("a", None)]
    found = warehouse.replace(TABLE, DAY, iter(given))
    ordered = [given[3], {**given[2], "share": 1.0}, given[1], given[0]]
    assert warehouse.rows(TABLE, DAY) == ordered
    assert found == loaded(ordered, to_parquet(TABLE, ordered), changed=True)


def test_two_rows_with_one_key_are_refused_with_both_files_and_leave_the_partition_alone(
    warehouse: Warehouse,
) -> None:
    warehouse.replace(TABLE, DAY, [row("a")])
    message = refused(
        warehouse, [row("b", 3), row("c"), row("b", 3, source_file="bdl/all-2.json.gz")]
    )
    assert (
        message == "raw.lines: two rows with the key player=b, number=3, from bdl/all-1.json.gz and"
        " bdl/all-2.json.gz; nothing was loaded"
    )
    assert warehouse.rows(TABLE, DAY) == [row("a")]


@pytest.mark.parametrize(
    ("column", "value", "wanted"),
    [
        ("number", "28", "INTEGER"),
        ("number", 1.5, "INTEGER"),
        ("number", 1.0, "INTEGER"),
        ("number", True, "INTEGER"),
        ("share", "0.5", "DOUBLE"),
        ("share", True, "DOUBLE"),
        ("player", 23, "STRING"),
        ("player", b"a", "STRING"),
        ("home", 1, "BOOLEAN"),
        ("home", "false", "BOOLEAN"),
        ("game_date", "2025-01-15", "DATE"),
        ("game_date", 20_103, "DATE"),
        ("game_date", TIP_OFF, "DATE"),
        ("tip_off", "2025-01-16T00:30:00Z", "TIMESTAMP"),
        ("tip_off", DAY, "TIMESTAMP"),
        ("tip_off", 1_736_987_400, "TIMESTAMP"),
        ("tip_off", datetime(2025, 1, 16, 0, 30), "TIMESTAMP"),  # noqa: DTZ001  whose clock?
        ("source_file", 1, "STRING"),
    ],
)
def test_value_of_another_type_is_refused_with_table_column_and_value(
    warehouse: Warehouse, column: str, value: Any, wanted: str
) -> None:
    message = refused(warehouse, [row("a"), {**row("b"), column: value}])
    assert (
        message
        == f"raw.lines.{column} should be {wanted}, but one is {value!r}; nothing was loaded"
    )
    assert warehouse.rows(TABLE, DAY) is None


@pytest.mark.parametrize(
    ("column", "value", "start"),
    [
        ("number", 2**63, "raw.lines.number should be int64: "),
        ("player", "\ud800", "raw.lines.player should be string: "),
    ],
)
def test_value_that_does_not_fit_is_refused_with_table_and_column(
    warehouse: Warehouse, column: str, value: Any, start: str
) -> None:
    message = refused(warehouse, [{**row(), column: value}])
    assert (message.startswith(start), message.endswith("; nothing was loaded")) == (True, True)


def test_moment_of_another_zone_is_stored_as_the_same_moment_in_utc(
    warehouse: Warehouse,
) -> None:
    eastern = TIP_OFF.astimezone(timezone(timedelta(hours=-5)))
    warehouse.replace(TABLE, DAY, [row(tip_off=eastern)])
    (found,) = warehouse.rows(TABLE, DAY, ["tip_off"]) or []
    assert (found["tip_off"], found["tip_off"].utcoffset()) == (TIP_OFF, timedelta(0))


def test_row_of_another_date_is_refused(warehouse: Warehouse) -> None:
    strays = [
        row("b", game_date=date(2025, 1, 17)),
        row("c", game_date=date(2025, 1, 16)),
        row("d", game_date=None),
    ]
    assert (
        refused(warehouse, [row("a"), *strays])
        == "raw.lines: rows of 2025-01-16, 2025-01-17, None among those of 2025-01-15; nothing"
        " loaded"
    )


def test_date_without_games_is_a_partition_without_rows_and_unlike_one_that_was_never_loaded(
    warehouse: Warehouse,
) -> None:
    assert warehouse.replace(TABLE, DAY, []).rows == 0
    assert warehouse.rows(TABLE, DAY) == []
    assert warehouse.rows(TABLE, DAY + timedelta(days=1)) is None
    assert warehouse.days(TABLE) == [DAY]
    assert answers(warehouse, "SELECT count(*) AS n FROM raw.lines") == [{"n": 0}]


def test_dates_of_a_window_are_read_at_once_as_each_alone(open_again: Opened) -> None:
    days = [DAY + timedelta(days=n) for n in range(5)]
    held = {
        days[0]: [row("a")],
        days[1]: [row("b", 2, game_date=days[1]), row("b", None, game_date=days[1])],
        days[3]: [],
        days[4]: [row("c", game_date=days[4])],
    }
    for day, rows in held.items():
        open_again().replace(TABLE, day, rows)
    found = open_again().rows_between(TABLE, days[1], days[3])
    assert found == {day: open_again().rows(TABLE, day) for day in (days[1], days[3])}
    assert [line["number"] for line in found[days[1]]] == [None, 2]
    assert open_again().rows_between(TABLE, days[2], days[2]) == {}


def test_replace_swaps_the_whole_partition_and_no_other(open_again: Opened) -> None:
    warehouse = open_again()
    assert warehouse.days(TABLE) == []
    warehouse.replace(TABLE, DAY, [row("a"), row("b")])
    warehouse.replace(TABLE, NEXT, [row("x", game_date=NEXT)])
    assert warehouse.replace(TABLE, DAY, [row("c")]).changed is True
    again = open_again()
    assert again.rows(TABLE, DAY) == [row("c")]
    assert again.rows(TABLE, NEXT) == [row("x", game_date=NEXT)]
    assert again.days(TABLE) == [DAY, NEXT]
    assert again.rows(TABLE, DAY, ["player", "number"]) == [{"player": "c", "number": 1}]


def test_every_type_comes_back_as_it_went_in(open_again: Opened) -> None:
    rows = [
        row("", -(2**63), share=float("inf"), home=False, tip_off=TIP_OFF.replace(microsecond=1)),
        row("\u00e9\u4e16\n\"'", 2**63 - 1, share=-0.1, home=None, tip_off=None),
        row("a", None, share=None),
    ]
    open_again().replace(TABLE, DAY, rows)
    assert open_again().rows(TABLE, DAY) == [rows[0], rows[2], rows[1]]


@pytest.mark.parametrize("given", [[], [row("a"), row("b", share=2)]], ids=["empty", "rows"])
def test_rerun_changes_nothing(open_again: Opened, given: list[Row]) -> None:
    open_again().replace(TABLE, DAY, given)
    again = open_again()
    assert again.replace(TABLE, DAY, list(reversed(given))).changed is False
    assert len(again.rows(TABLE, DAY) or []) == len(given)


def test_date_loses_its_rows_and_gets_them_back(open_again: Opened) -> None:
    changed = [open_again().replace(TABLE, DAY, rows).changed for rows in ([row()], [], [row()])]
    assert changed == [True, True, True]
    assert open_again().rows(TABLE, DAY) == [row()]
    assert open_again().days(TABLE) == [DAY]


def test_rows_that_come_back_after_a_correction_are_loaded_again(open_again: Opened) -> None:
    for rows in ([row("a")], [row("b")], [row("a")], [row("b")]):
        assert open_again().replace(TABLE, DAY, rows).changed is True
    assert open_again().rows(TABLE, DAY) == [row("b")]


def test_column_that_the_table_has_got_since_is_empty_in_older_dates(open_again: Opened) -> None:
    wider = replace(TABLE, columns=(*TABLE.columns, Column("rank", "INTEGER")))
    open_again().replace(TABLE, DAY, [row("a")])
    open_again().replace(wider, NEXT, [row("b", game_date=NEXT, rank=7)])
    query = "SELECT game_date, player, rank FROM raw.lines ORDER BY 1"
    assert answers(open_again(), query) == [
        {"game_date": DAY, "player": "a", "rank": None},
        {"game_date": NEXT, "player": "b", "rank": 7},
    ]


def told(outcome: Outcome, found: int) -> DateStatus:
    return DateStatus(
        table=str(TABLE),
        day=DAY,
        outcome=outcome,
        expected_from="schedule",
        games_expected=2,
        games_found=found,
        missing=("LAL@GSW (absent)",) * (2 - found),
        accepted=(),
        as_of=TIP_OFF,
        source_file="lines/2025/01/2025-01-15/lines/_manifest.json",
    )


def test_status_of_a_date_is_one_row_which_says_the_last_word(open_again: Opened) -> None:
    assert open_again().status(TABLE, DAY) is None
    partial, complete = told(Outcome.PARTIAL, 1), told(Outcome.COMPLETE, 2)
    written = [open_again().replace_status(each) for each in (partial, partial, complete)]
    assert written == [True, False, True]
    assert open_again().status(TABLE, DAY) == [complete.row()]
    assert open_again().status(TABLE, NEXT) is None
    assert open_again().status(replace(TABLE, name="others"), DAY) is None
    assert answers(open_again(), "SELECT * FROM raw.date_status") == [complete.row()]


def test_sixteen_dates_at_once_are_all_there(open_again: Opened) -> None:
    days = [DAY + timedelta(days=n) for n in range(16)]
    open_again().prepare(TABLE)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda day: open_again().replace(TABLE, day, [row(game_date=day)]), days))
    assert open_again().days(TABLE) == days


def test_reader_during_a_replace_sees_the_old_or_the_new_rows(open_again: Opened) -> None:
    """Never a mixture, nor none."""
    old, new = [row("old", n) for n in range(3)], [row("new", n) for n in range(500)]
    open_again().replace(TABLE, DAY, old)
    seen, enough = Counter[tuple[str, int] | None](), Event()

    def write() -> None:
        for turn in count():
            if enough.is_set():
                return
            open_again().replace(TABLE, DAY, (new, old)[turn % 2])

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not writing.done() and not (len(seen) > 1 and min(seen.values()) > 3):
            rows = open_again().rows(TABLE, DAY) or []
            seen[(rows[0]["player"], len(rows)) if rows else None] += 1
        enough.set()
        writing.result()
    assert set(seen) == {("old", 3), ("new", 500)}


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM raw.lines WHERE true",
        "SELECT 1; SELECT 2",
        "SELECT * FROM raw.nothing",
        "SELEC 1",
        "DROP TABLE raw.lines",
    ],
)
def test_what_is_not_one_query_is_refused_in_one_line(warehouse: Warehouse, sql: str) -> None:
    warehouse.replace(TABLE, DAY, [row()])
    with pytest.raises(Refused) as refused:
        warehouse.ask(sql)
    assert len(str(refused.value).splitlines()) == 1
    assert answers(warehouse, "SELECT count(*) AS n FROM raw.lines") == [{"n": 1}]


def test_tables_are_listed_with_their_columns(warehouse: Warehouse) -> None:
    warehouse.replace(TABLE, DAY, [row()])
    listed = {each["table"]: each["columns"] for each in warehouse.tables().to_pylist()}
    assert listed["raw.lines"] == ("game_date, player, number, share, home, tip_off, source_file")
