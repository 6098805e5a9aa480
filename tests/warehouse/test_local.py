"""The local warehouse: typed, sorted, unique, the same bytes for the same rows, and swapped
whole."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.errors import ErrorClass, Problem
from include.sources.spec import Column
from include.warehouse.local import LocalWarehouse
from include.warehouse.open import open_warehouse
from tests.warehouse.lines import DAY, TABLE, row


@pytest.fixture
def warehouse(tmp_path: Path) -> LocalWarehouse:
    return LocalWarehouse(tmp_path / "warehouse")


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
from include.warehouse.local import LocalWarehouse
from tests.warehouse.lines import DAY, TABLE, row
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
        " duckdb:///absolute/folder or bigquery://project?location=US"
    )


def test_duckdb_url_opens_a_folder() -> None:
    warehouse = open_warehouse("duckdb:///srv/nba/warehouse")
    assert isinstance(warehouse, LocalWarehouse)
    assert warehouse.root == Path("/srv/nba/warehouse")
