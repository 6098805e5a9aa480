"""`airflow nba sql`: the warehouse read in every form, its times with their zone, nothing
changed."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from include.sources.spec import Column, Table
from include.steps.job import Stores
from tests.plugins.cli.asking import Call

DAY = date(2025, 1, 15)
GAMES = Table(
    dataset="raw",
    name="games",
    key=("game_date", "home"),
    columns=tuple(
        Column(name, type_, name)
        for name, type_ in (
            ("game_date", "DATE"),
            ("home", "STRING"),
            ("tip_off", "TIMESTAMP"),
            ("points", "INTEGER"),
            ("pace", "DOUBLE"),
            ("said", "STRING"),
        )
    ),
)
ROWS = [
    {
        "game_date": DAY,
        "home": "BKN",
        "tip_off": datetime(2025, 1, 16, 0, 30, tzinfo=UTC),
        "points": 110,
        "pace": 98.5,
        "said": 'a, "b"\nc',
        "source_file": "one",
    },
    {
        "game_date": DAY,
        "home": "CHI",
        "tip_off": None,
        "points": None,
        "pace": float("nan"),
        "said": "",
        "source_file": "two",
    },
]
KNOWN = "`airflow nba sql` lists the tables and their columns"
OTHER = (
    'Permission Error: Cannot access file "/etc/hostname" - file system operations are disabled by'
    " configuration"
)
QUERY = "select * exclude source_file from raw.games order by home"


@pytest.fixture
def games(stores: Stores) -> Stores:
    stores.warehouse.replace(GAMES, DAY, ROWS)
    return stores


def sql(call: Call, query: str | None, **more: Any) -> Any:
    from nba_airflow.cli.sql import sql

    return call(sql, sql=query, **more)


def test_every_row_is_read_by_duckdbs_own_client_in_utc(games: Stores) -> None:
    def read() -> Any:
        try:
            return games.warehouse.connect().sql("select tip_off from raw.games").fetchall()
        except duckdb.Error as error:
            return str(error)

    assert read() == [(datetime(2025, 1, 16, 0, 30, tzinfo=UTC),), (None,)]


@pytest.mark.usefixtures("games")
def test_rows_are_read_in_json_with_zoned_times(call: Call) -> None:
    assert sql(call, QUERY, json=True).facts == {
        "columns": ["game_date", "home", "tip_off", "points", "pace", "said"],
        "rows": [
            {
                "game_date": "2025-01-15",
                "home": "BKN",
                "tip_off": "2025-01-16T00:30:00+00:00",
                "points": 110,
                "pace": 98.5,
                "said": 'a, "b"\nc',
            },
            {
                "game_date": "2025-01-15",
                "home": "CHI",
                "tip_off": None,
                "points": None,
                "pace": "nan",
                "said": "",
            },
        ],
        "exit_code": 0,
    }


@pytest.mark.usefixtures("games")
def test_rows_are_read_as_csv_that_a_reader_takes_back(call: Call) -> None:
    said = sql(call, QUERY, output="csv")
    assert list(csv.reader(io.StringIO(said.out))) == [
        ["game_date", "home", "tip_off", "points", "pace", "said"],
        ["2025-01-15", "BKN", "2025-01-16T00:30:00+00:00", "110", "98.5", 'a, "b" c'],
        ["2025-01-15", "CHI", "", "", "nan", ""],
    ]


@pytest.mark.usefixtures("games")
def test_rows_are_read_by_people_and_by_scripts(call: Call) -> None:
    query = "select home, tip_off at time zone 'America/New_York' as eastern from raw.games limit 1"
    assert sql(call, query, output="plain").rows == [["BKN", "2025-01-15T19:30:00"]]
    assert "2025-01-15T19:30:00" in sql(call, query).out
    assert json.loads(
        sql(call, "select sum(points) as s, count(*) as s from raw.games", json=True).out
    )["rows"] == [{"s": 110, "s_2": 2}]
    assert sql(call, "select 1 where false").out == "no rows\n"


@pytest.mark.usefixtures("games")
def test_without_a_query_it_names_the_tables_and_their_columns(call: Call) -> None:
    assert sql(call, None, json=True).facts["rows"] == [
        {
            "table": "raw.games",
            "columns": "game_date, home, tip_off, points, pace, said, source_file",
        }
    ]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("copy (select 1) to '{to}'", "that is not one query: write one SELECT"),
        ("explain analyze copy (select 1) to '{to}'", "that is not one query: write one SELECT"),
        ("select 1; copy (select 1) to '{to}'", "that is not one query: write one SELECT"),
        ("attach '{to}'", "that is not one query: write one SELECT"),
        (
            "select 1 from read_text('/etc/hostname')",
            OTHER,
        ),
        ("select 1 from kinds", f"Catalog Error: Table with name kinds does not exist! {KNOWN}"),
        ("drop view raw.games", "that is not one query: write one SELECT"),
        (" ", "that is not one query: write one SELECT"),
        (
            "select * from raw.gamez",
            f"Catalog Error: Table with name gamez does not exist! {KNOWN}",
        ),
        (
            "select point from raw.games",
            f'Binder Error: Referenced column "point" not found in FROM clause! {KNOWN}',
        ),
        ("selec 1", 'Parser Error: syntax error at or near "selec"'),
    ],
)
def test_what_is_not_a_query_is_refused_on_one_line_and_changes_nothing(
    games: Stores, call: Call, tmp_path: Path, query: str, why: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    said = sql(call, query.format(to=tmp_path / "new"))
    assert (said.code, said.out, said.err) == (2, "", f"airflow nba sql: {why}\n")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("torn", [b"", b"x" * 50], ids=["empty", "torn"])
def test_table_with_a_torn_file_is_told_of_and_the_others_are_read(
    games: Stores, call: Call, torn: bytes
) -> None:
    other = replace(GAMES, name="other")
    games.warehouse.replace(other, DAY, ROWS)
    games.warehouse.replace(GAMES, DAY + timedelta(days=1), [])
    games.warehouse.part(GAMES, DAY + timedelta(days=1)).write_bytes(torn)
    assert sql(call, "select count(*) n from raw.other").code == 0
    assert "raw.other" in sql(call, None).out
    said = sql(call, "select count(*) n from raw.games")
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert "raw.games cannot be read (" in said.err
    assert "game_date=2025-01-16/part.parquet" in said.err
    assert said.err.endswith("): clear the task of that file's date to write it again\n")


@pytest.mark.usefixtures("games")
def test_rows_on_disk_are_read_without_the_credentials_of_a_raw_store_in_the_cloud(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = {"conn_type": "generic", "extra": {"url": "gs://raw-x/nba"}}
    monkeypatch.setenv("AIRFLOW_CONN_RAW_STORE", json.dumps(cloud))
    broken = {"conn_type": "generic", "extra": {"key_path": "/nowhere.json"}}
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", json.dumps(broken))
    said = sql(call, "select count(*) as n from raw.games", json=True)
    assert (said.code, said.err) == (0, "")
    assert said.facts["rows"] == [{"n": 2}]
