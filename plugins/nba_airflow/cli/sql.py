"""`airflow nba sql`: one query on the warehouse, shown in the form that the reader wants."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from math import isfinite

from nba_airflow import connections
from nba_airflow.cli.answer import Answer, Grid, Line, command


@command("airflow nba sql")
def sql(args: Namespace) -> Answer:
    """The query's rows; without a query, the tables and their columns. Times are in UTC unless the
    query says otherwise; a value that is not there is empty."""
    warehouse = connections.warehouse()
    found = warehouse.ask(args.sql) if args.sql else warehouse.tables()
    names = distinct(found.column_names)
    rows = [
        {name: plain_value(value) for name, value in row.items()}
        for row in found.rename_columns(names).to_pylist()
    ]
    shown = [{name: written(value) for name, value in row.items()} for row in rows]
    return Answer(
        text=[Grid(rows=shown)] if shown else [Line(text="no rows")],
        rows=shown,
        facts={"columns": names, "rows": rows},
    )


def distinct(names: list[str]) -> list[str]:
    """The names of a query's columns, of which two may be alike: ``a``, ``a_2``."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return found


def plain_value(value: object) -> object:
    """What JSON can hold of a value: dates and times as ISO text, whole decimals as numbers."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if isfinite(value) else str(value)
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case date() | time():
            return value.isoformat()
        case bytes():
            return value.hex()
        case list():
            return [plain_value(each) for each in value]
        case Mapping():
            return {str(name): plain_value(each) for name, each in value.items()}
    return str(value)


def written(value: object) -> str:
    """The value as text on one line."""
    return "" if value is None else " ".join(str(value).splitlines())
