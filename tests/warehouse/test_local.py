"""The local warehouse: typed, sorted, unique, the same bytes for the same rows, and swapped
whole."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import permutations
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.errors import ErrorClass, Problem
from include.sources.spec import Column, Row, Table
from include.warehouse.local import Loaded, LocalWarehouse
from include.warehouse.open import open_warehouse

DAY = date(2025, 1, 15)
TABLE = Table(
    name="lines",
    columns=(
        Column("game_date", "DATE"),
        Column("player", "STRING"),
        Column("number", "INTEGER"),
        Column("share", "DOUBLE"),
        Column("home", "BOOLEAN"),
        Column("tip_off", "TIMESTAMP"),
    ),
    key=("player", "number"),
)
TIP_OFF = datetime(2025, 1, 16, 0, 30, tzinfo=UTC)


def row(player: str = "a", number: int | None = 1, **values: Any) -> dict[str, Any]:
    given = {
        "game_date": DAY,
        "player": player,
        "number": number,
        "source_file": "bdl/all-1.json.gz",
    }
    return {"share": 0.5, "home": True, "tip_off": TIP_OFF, **given, **values}


@pytest.fixture
def warehouse(tmp_path: Path) -> LocalWarehouse:
    return LocalWarehouse(tmp_path / "warehouse")


def refused(warehouse: LocalWarehouse, rows: Sequence[Row], table: Table = TABLE) -> str:
    with pytest.raises(Problem) as caught:
        warehouse.replace(table, DAY, rows)
    assert caught.value.error_class is ErrorClass.SCHEMA_DRIFT
    return caught.value.message


def test_columns_have_the_types_and_the_order_of_the_table_also_without_a_value(
    warehouse: LocalWarehouse,
) -> None:
    empty = dict.fromkeys(("share", "home", "tip_off"))
    warehouse.replace(TABLE, DAY, [row(number=None, **empty)])
    assert pq.read_schema(warehouse.part(TABLE, DAY)) == pa.schema(
        [
            ("game_date", pa.date32()),
            ("player", pa.string()),
            ("number", pa.int64()),
            ("share", pa.float64()),
            ("home", pa.bool_()),
            ("tip_off", pa.timestamp("us", tz="UTC")),
            ("source_file", pa.string()),
        ]
    )
    assert warehouse.rows(TABLE, DAY) == [row(number=None, **empty)]


def test_rows_come_back_sorted_by_key_with_missing_numbers_first(warehouse: LocalWarehouse) -> None:
    given = [row("b", 1), row("a", 10), row("a", 9, share=1, tip_off=None), row("a", None)]
    loaded = warehouse.replace(TABLE, DAY, iter(given))
    assert warehouse.rows(TABLE, DAY) == [given[3], {**given[2], "share": 1.0}, given[1], given[0]]
    assert loaded == Loaded(rows=4, bytes=warehouse.part(TABLE, DAY).stat().st_size, changed=True)


def test_rows_in_any_order_give_the_same_bytes_and_a_rewrite_touches_nothing(
    tmp_path: Path,
) -> None:
    rows = [row("a", 1), row("a", 2), row("b", 1, share=None)]
    written = set()
    for number, order in enumerate(permutations(rows)):
        warehouse = LocalWarehouse(tmp_path / str(number))
        warehouse.replace(TABLE, DAY, order)
        written.add(warehouse.part(TABLE, DAY).read_bytes())
        before = warehouse.part(TABLE, DAY).stat()
        assert warehouse.replace(TABLE, DAY, order).changed is False
        assert warehouse.part(TABLE, DAY).stat() == before
    assert len(written) == 1


def test_replace_swaps_the_whole_partition_and_no_other(warehouse: LocalWarehouse) -> None:
    other = DAY + timedelta(days=1)
    warehouse.replace(TABLE, DAY, [row("a"), row("b")])
    warehouse.replace(TABLE, other, [row("x", game_date=other)])
    assert warehouse.replace(TABLE, DAY, [row("c")]).changed is True
    assert warehouse.rows(TABLE, DAY) == [row("c")]
    assert warehouse.rows(TABLE, other) == [row("x", game_date=other)]
    assert warehouse.days(TABLE) == [DAY, other]
    files = sorted(
        str(path.relative_to(warehouse.root))
        for path in warehouse.root.rglob("*")
        if path.is_file()
    )
    assert files == [f"raw/lines/game_date={day}/part.parquet" for day in (DAY, other)]


def test_date_without_games_is_a_partition_without_rows_and_unlike_one_that_was_never_loaded(
    warehouse: LocalWarehouse,
) -> None:
    assert warehouse.replace(TABLE, DAY, []).rows == 0
    assert warehouse.rows(TABLE, DAY) == []
    assert warehouse.rows(TABLE, DAY + timedelta(days=1)) is None
    assert warehouse.days(TABLE) == [DAY]
    assert warehouse.connect().execute("SELECT count(*) FROM raw.lines").fetchone() == (0,)


def test_two_rows_with_one_key_are_refused_with_both_files_and_leave_the_partition_alone(
    warehouse: LocalWarehouse,
) -> None:
    warehouse.replace(TABLE, DAY, [row("a")])
    before = warehouse.part(TABLE, DAY).read_bytes()
    message = refused(
        warehouse, [row("b", 3), row("c"), row("b", 3, source_file="bdl/all-2.json.gz")]
    )
    assert (
        message == "raw.lines: two rows with the key player=b, number=3, from bdl/all-1.json.gz and"
        " bdl/all-2.json.gz; nothing was loaded"
    )
    assert warehouse.part(TABLE, DAY).read_bytes() == before


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
    warehouse: LocalWarehouse, column: str, value: Any, wanted: str
) -> None:
    message = refused(warehouse, [row("a"), {**row("b"), column: value}])
    assert (
        message
        == f"raw.lines.{column} should be {wanted}, but one is {value!r}; nothing was loaded"
    )
    assert not warehouse.part(TABLE, DAY).exists()


@pytest.mark.parametrize(
    ("column", "value", "start"),
    [
        ("number", 2**63, "raw.lines.number should be int64: "),
        ("player", "\ud800", "raw.lines.player should be string: "),
    ],
)
def test_value_that_does_not_fit_is_refused_with_table_and_column(
    warehouse: LocalWarehouse, column: str, value: Any, start: str
) -> None:
    message = refused(warehouse, [{**row(), column: value}])
    assert (message.startswith(start), message.endswith("; nothing was loaded")) == (True, True)


def test_moment_of_another_zone_is_stored_as_the_same_moment_in_utc(
    warehouse: LocalWarehouse,
) -> None:
    eastern = TIP_OFF.astimezone(timezone(timedelta(hours=-5)))
    warehouse.replace(TABLE, DAY, [row(tip_off=eastern)])
    (found,) = warehouse.rows(TABLE, DAY, ["tip_off"]) or []
    assert (found["tip_off"], found["tip_off"].utcoffset()) == (TIP_OFF, timedelta(0))


def test_row_of_another_date_is_refused(warehouse: LocalWarehouse) -> None:
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


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_torn_partition_is_named_with_its_repair(warehouse: LocalWarehouse, kept: float) -> None:
    warehouse.replace(TABLE, DAY, [row("a")])
    path = warehouse.part(TABLE, DAY)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(Problem) as caught:
        warehouse.rows(TABLE, DAY)
    assert caught.value.error_class is ErrorClass.STORAGE
    assert caught.value.message.startswith(f"{path} is not readable Parquet (")
    assert caught.value.message.endswith("): clear the date's task to write it again")
    assert warehouse.replace(TABLE, DAY, [row("a")]).changed is True
    assert path.read_bytes() == whole


def test_views_show_every_date_of_every_table_and_an_older_date_without_a_newer_column(
    warehouse: LocalWarehouse,
) -> None:
    later = DAY + timedelta(days=1)
    wider = replace(TABLE, columns=(*TABLE.columns, Column("rank", "INTEGER")))
    results = replace(TABLE, dataset="analytics", name="results")
    warehouse.replace(TABLE, DAY, [row("a"), row("b")])
    warehouse.replace(wider, later, [row("a", game_date=later, rank=7)])
    warehouse.replace(results, DAY, [row("z")])
    (warehouse.root / "raw" / "never_loaded").mkdir()
    with warehouse.connect() as connection:
        assert connection.execute(
            "SELECT game_date, player, rank FROM raw.lines ORDER BY ALL"
        ).fetchall() == [
            (DAY, "a", None),
            (DAY, "b", None),
            (later, "a", 7),
        ]
        assert connection.execute("SELECT player FROM analytics.results").fetchall() == [("z",)]
        views = (
            "SELECT schema_name || '.' || view_name FROM duckdb_views() WHERE NOT internal ORDER"
            " BY ALL"
        )
        assert connection.execute(views).fetchall() == [("analytics.results",), ("raw.lines",)]


def test_warehouse_without_a_folder_has_no_views_and_no_dates(warehouse: LocalWarehouse) -> None:
    assert warehouse.days(TABLE) == []
    with warehouse.connect() as connection, pytest.raises(duckdb.CatalogException):
        connection.execute("SELECT * FROM raw.lines")


WRITER = """
import sys
from pathlib import Path
from tests.warehouse.test_local import TABLE, DAY, LocalWarehouse, row
warehouse = LocalWarehouse(Path(sys.argv[1]))
versions = [[row("old", n) for n in range(3)], [row("new", n) for n in range(2000)]]
for turn in range(1, 2001):
    warehouse.replace(TABLE, DAY, versions[turn % 2])
    print(turn, flush=True)
"""


def test_reader_during_a_replace_sees_the_old_or_the_new_rows_never_a_mixture(
    warehouse: LocalWarehouse,
) -> None:
    """DuckDB may refuse a file that changed between planning and reading, but never answers with
    half of each."""
    warehouse.replace(TABLE, DAY, [row("old", n) for n in range(3)])
    counts = (
        "SELECT player, count(*), count(DISTINCT number), sum(number) FROM raw.lines GROUP BY ALL"
    )
    old, new = ("old", 3, 3, 3), ("new", 2000, 2000, 2000 * 1999 // 2)
    seen = []
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(warehouse.root)],
        cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout
        assert writer.stdout.readline() == "1\n"
        try:
            for _ in range(400):
                with warehouse.connect() as connection, suppress(duckdb.Error):
                    seen.extend(connection.execute(counts).fetchall())
                rows = warehouse.rows(TABLE, DAY) or []
                seen.append(
                    (rows[0]["player"], len(rows), len(rows), sum(each["number"] for each in rows))
                )
                if seen.count(old) > 8 and seen.count(new) > 8:
                    break
        finally:
            writer.kill()
    assert set(seen) == {old, new}


@pytest.mark.parametrize(
    ("url", "scheme"), [("", "no scheme"), ("/srv/warehouse", "no scheme"), ("s3://b/p", "s3")]
)
def test_warehouse_that_nobody_knows_is_refused_with_the_connection_to_correct(
    url: str, scheme: str
) -> None:
    with pytest.raises(Problem) as caught:
        open_warehouse(url)
    assert (
        caught.value.message
        == f"connection warehouse names no warehouse that this version knows ({scheme}): set it to"
        " duckdb:///absolute/folder"
    )


def test_duckdb_url_opens_a_folder() -> None:
    warehouse = open_warehouse("duckdb:///srv/nba/warehouse")
    assert isinstance(warehouse, LocalWarehouse)
    assert warehouse.root == Path("/srv/nba/warehouse")
