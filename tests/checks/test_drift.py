"""What changed upstream: every difference once, in words that name game, row and field, and
bounded."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.checks.drift import MAX_NAMED, Change, Drift, corrections, describe, differences
from include.sources.spec import Column, Row, Table

DAY = date(2025, 1, 15)
TABLE = Table(
    name="lines",
    columns=(
        Column("game_date", "DATE"),
        Column("game_id", "STRING"),
        Column("away_tricode", "STRING"),
        Column("home_tricode", "STRING"),
        Column("player_name", "STRING"),
        Column("team", "STRING"),
        Column("player_id", "INTEGER"),
        Column("ast", "INTEGER"),
        Column("share", "DOUBLE"),
        Column("tip_off", "TIMESTAMP"),
    ),
    key=("game_id", "team", "player_id"),
)
CURRY = "GSW@UTA, Stephen Curry, GSW, player_id 115"


def row(player_id: int | None = 115, /, **values: Any) -> dict[str, Any]:
    of_game = {
        "game_date": DAY,
        "game_id": "1",
        "away_tricode": "GSW",
        "home_tricode": "UTA",
        "tip_off": None,
    }
    of_player = {
        "player_name": "Stephen Curry",
        "team": "GSW",
        "player_id": player_id,
        "ast": 6,
        "share": 0.5,
    }
    return {**of_game, **of_player, "source_file": "all-1.json.gz", **values}


def corrected(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows as if they had been read from a newer body."""
    return [{**row, "source_file": "all-2.json.gz"} for row in rows]


def told(old: Sequence[Row], new: Sequence[Row], table: Table = TABLE) -> tuple[str, ...]:
    drift = corrections(table, old, new)
    assert drift.total == len(drift.changes)
    return drift.changes


# --- all differences and no other

values = st.fixed_dictionaries(
    {
        "ast": st.sampled_from([None, 0, 1, 2]),
        "share": st.sampled_from([None, -0.0, 0.0, 0.5, 1.0, math.inf, math.nan]),
        "player_name": st.sampled_from([None, "", "a", "b", "\x00", "é"]),
        "source_file": st.sampled_from(["1", "2"]),
    }
)
# A partition has any of a dozen keys: each with values, or without a row.
keys = list(itertools.product("ab", "xy", (None, 0, 1)))
partitions = st.lists(st.none() | values, min_size=len(keys), max_size=len(keys)).map(
    lambda drawn: [
        {**row(), **dict(zip(TABLE.key, key, strict=True)), **each}
        for key, each in zip(keys, drawn, strict=True)
        if each is not None
    ]
)


def applied(old: Sequence[Row], changes: Sequence[Change]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The old rows, by key and without their files, after the changes; refuses a change that does
    not fit."""
    rows = by_key(old)
    for change in changes:
        if change.field:
            assert repr(rows[change.key][change.field]) == repr(change.old)
            rows[change.key][change.field] = change.new
        elif change.old is None:
            assert change.key not in rows
            rows |= by_key([change.new])
        else:
            assert repr(rows.pop(change.key)) == repr(by_key([change.old])[change.key])
    return rows


def by_key(rows: Sequence[Row]) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {
        tuple(each[name] for name in TABLE.key): {
            name: value for name, value in each.items() if name != "source_file"
        }
        for each in rows
    }


@given(partitions, partitions)
def test_the_differences_applied_to_the_old_rows_give_the_new_ones(
    old: list[dict[str, Any]], new: list[dict[str, Any]]
) -> None:
    found = applied(old, differences(TABLE, old, new))
    assert _comparable(found) == _comparable(by_key(new))


@given(partitions, partitions)
def test_differences_are_told_once_in_key_order_and_the_way_back_is_as_long(
    old: list[dict[str, Any]], new: list[dict[str, Any]]
) -> None:
    there, back = differences(TABLE, old, new), differences(TABLE, new, old)
    assert [(c.key, c.field) for c in there] == [(c.key, c.field) for c in back]
    assert len({(c.key, c.field) for c in there}) == len(there)
    reverse = differences(TABLE, old[::-1], new[::-1])
    assert repr(reverse) == repr(there)  # not a number differs from itself


@given(partitions)
def test_rows_do_not_differ_from_themselves_whatever_file_they_are_from(
    rows: list[dict[str, Any]],
) -> None:
    assert differences(TABLE, rows, [{**each, "source_file": "another"} for each in rows]) == []


def _comparable(rows: dict[tuple[Any, ...], dict[str, Any]]) -> dict[tuple[Any, ...], Any]:
    """-0.0 is 0.0 here, and not a number is itself."""
    return {
        key: {
            name: repr(value + 0) if isinstance(value, float) else value
            for name, value in each.items()
        }
        for key, each in rows.items()
    }


# --- in words


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ({}, {"ast": 7}, f"{CURRY}: ast 6 -> 7"),
        ({}, {"ast": None}, f"{CURRY}: ast 6 -> null"),
        ({"share": 0.25}, {"share": 1}, f"{CURRY}: share 0.25 -> 1"),
        (
            {},
            {"tip_off": datetime(2025, 1, 16, 0, 30, tzinfo=UTC)},
            f"{CURRY}: tip_off null -> 2025-01-16T00:30:00Z",
        ),
        (
            {},
            {"player_name": "Steph \x00 Curry\n"},
            (
                'GSW@UTA, Steph ? Curry?, GSW, player_id 115: player_name "Stephen Curry" -> "Steph'
                ' ? Curry?"'
            ),
        ),
        (
            {},
            {"player_name": "x" * 81},
            (
                f'GSW@UTA, {"x" * 80}..., GSW, player_id 115: player_name "Stephen Curry" ->'
                f' "{"x" * 80}..."'
            ),
        ),
        (
            {"player_name": None},
            {"player_name": None, "ast": 7},
            "GSW@UTA, GSW, player_id 115: ast 6 -> 7",
        ),
        (
            {"home_tricode": None},
            {"home_tricode": None, "ast": 7},
            CURRY.replace("GSW@UTA", "game 1") + ": ast 6 -> 7",
        ),
    ],
)
def test_change_names_game_row_and_field(
    old: dict[str, Any], new: dict[str, Any], line: str
) -> None:
    assert told([row(**old)], corrected(row(**new))) == (line,)


def test_rows_that_are_new_or_gone_are_one_change_each() -> None:
    assert told([row(1), row(2)], corrected(row(2), row(3))) == (
        CURRY.replace("115", "1") + ": row removed",
        CURRY.replace("115", "3") + ": row added",
    )


def test_player_that_is_part_of_the_key_is_named_once() -> None:
    table = replace(TABLE, key=("game_id", "player_name", "player_id"))
    assert told([row()], corrected(row(ast=7)), table) == (
        "GSW@UTA, Stephen Curry, player_id 115: ast 6 -> 7",
    )


def test_table_of_one_row_a_game_needs_no_row_name() -> None:
    table = replace(TABLE, key=("game_id",))
    change = Change(key=("1",), field="ast", old=6, new=7, row={**row(), "player_name": None})
    assert describe(table, change) == "GSW@UTA: ast 6 -> 7"


# --- only what comes from upstream


def test_first_rows_of_a_date_without_any_are_all_added() -> None:
    assert told([], corrected(row())) == (f"{CURRY}: row added",)


def test_newer_reading_of_the_same_body_is_not_a_correction() -> None:
    assert corrections(TABLE, [row()], [row(ast=7)]) == Drift(changes=(), total=0)


def test_only_the_rows_of_the_body_that_changed_are_compared() -> None:
    old = [row(1, source_file="a-1"), row(2, source_file="b-1"), row(3, source_file="b-1")]
    new = [
        row(1, source_file="a-1", ast=0),
        row(2, source_file="b-2", ast=9),
        row(3, source_file="b-2"),
    ]
    assert told(old, new) == (CURRY.replace("115", "2") + ": ast 6 -> 9",)


def test_body_that_another_date_fetched_anew_unchanged_is_the_same_body() -> None:
    old, new = (
        row(source_file="dag/2025-01-15/season-1.json.gz"),
        row(source_file="dag/2025-01-16/season-1.json.gz"),
    )
    assert told([old], [{**new, "ast": 7}]) == ()


def test_key_that_has_another_type_in_a_newer_table_is_other_rows() -> None:
    assert told([row(115)], corrected({**row(115), "player_id": "115"})) == (
        f"{CURRY}: row removed",
        CURRY.replace("player_id 115", "115") + ": row added",
    )


def test_column_that_the_old_file_did_not_have_yet_is_not_a_correction() -> None:
    old = row()
    del old["share"]
    assert told([old], corrected(row(ast=7))) == (f"{CURRY}: ast 6 -> 7",)


def test_more_changes_than_are_named_are_counted() -> None:
    old = [row(n) for n in range(MAX_NAMED + 50)]
    drift = corrections(TABLE, old, corrected(*(row(n, ast=7) for n in range(MAX_NAMED + 50))))
    assert (len(drift.changes), drift.total) == (200, 250)
    assert drift.changes[-1] == CURRY.replace("115", "199") + ": ast 6 -> 7"
