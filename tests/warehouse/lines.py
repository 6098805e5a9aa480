"""A table with a column of every type, its rows, and how their refusal is read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest

from include.errors import ErrorClass, Problem
from include.sources.spec import Column, Row, Table
from include.warehouse.open import Warehouse

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


def refused(warehouse: Warehouse, rows: Sequence[Row], table: Table = TABLE) -> str:
    with pytest.raises(Problem) as caught:
        warehouse.replace(table, DAY, rows)
    assert caught.value.error_class is ErrorClass.SCHEMA_DRIFT
    return caught.value.message
