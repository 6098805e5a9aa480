"""A processor's date on a real warehouse: whole, counted, and only of inputs that are done."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from include.analytics.spec import Built, Input, Processor, Tables
from include.errors import Problem
from include.ops.outcomes import OutcomeRow
from include.sources.spec import Column, Table
from include.warehouse.local import LocalWarehouse
from tests.analytics import one_date
from tests.analytics.one_date import AS_OF, fill_rows

DAY = date(2024, 1, 15)


def table(dataset: str, name: str) -> Table:
    columns = (Column("game_date", "DATE"), Column("n", "INTEGER"))
    return Table(dataset=dataset, name=name, columns=columns, key=("n",))


ONE, TWO = table("raw", "one"), table("raw", "two")
SUMS = table("analytics", "sums")


def add_up(day: date, rows: Tables) -> Built:
    """The sum of all numbers."""
    total = sum(row["n"] for given in rows.values() for row in given)
    made = [{"game_date": day, "n": total, "source_file": "one"}]
    return Built(rows={str(SUMS): made}, games=1, said="a number is odd")


PROCESSOR = Processor(
    dag_id="sums",
    name="sums",
    inputs=(
        Input(dag_id="one", endpoint="numbers", table=ONE),
        Input(dag_id="two", endpoint="numbers", table=TWO, required=False),
    ),
    tables=(SUMS,),
    build=add_up,
)


@pytest.fixture
def warehouse(tmp_path: Path) -> LocalWarehouse:
    return LocalWarehouse(tmp_path)


def fill(warehouse: LocalWarehouse, table: Table, *numbers: int, outcome: str = "complete") -> None:
    """The table's date has these rows, and stands so."""
    rows = [{"game_date": DAY, "n": n, "source_file": "x"} for n in numbers]
    fill_rows(warehouse, table, DAY, rows, outcome=outcome)


def run(warehouse: LocalWarehouse, processor: Processor = PROCESSOR) -> OutcomeRow:
    """What a try of the date leaves in the ledger."""
    return one_date.run(warehouse, processor, DAY)


def sums(warehouse: LocalWarehouse) -> list[Any]:
    return [row["n"] for row in warehouse.rows(SUMS, DAY) or []]


def test_the_date_is_made_of_its_inputs_and_counted(warehouse: LocalWarehouse) -> None:
    fill(warehouse, ONE, 1, 2)
    fill(warehouse, TWO, 10)
    row = run(warehouse)
    assert sums(warehouse) == [13]
    assert (row.outcome, row.rows, row.games_expected, row.games_found, row.message) == (
        *("complete", 1, 1, 1, "made, but a number is odd"),
    )
    assert row.requests == 0
    (status,) = warehouse.status(SUMS, DAY) or []
    assert (status["outcome"], status["expected_from"], status["as_of"]) == (
        *("complete", "inputs", AS_OF),
    )


def test_what_is_not_required_may_be_missing(warehouse: LocalWarehouse) -> None:
    fill(warehouse, ONE, 1, 2)
    run(warehouse)
    assert sums(warehouse) == [3]


@pytest.mark.parametrize(("outcome", "said"), [("partial", "partial"), (None, "not there")])
def test_nothing_is_replaced_while_an_input_is_not_done(
    warehouse: LocalWarehouse, outcome: str | None, said: str
) -> None:
    fill(warehouse, ONE, 1)
    run(warehouse)
    if outcome:
        fill(warehouse, ONE, 5, outcome=outcome)
    wanted = replace(
        PROCESSOR, inputs=(replace(PROCESSOR.inputs[0], table=ONE if outcome else TWO),)
    )
    with pytest.raises(Problem) as caught:
        run(warehouse, wanted)
    name = wanted.inputs[0].table.name
    assert caught.value.message == (
        f"raw.{name} is {said} for 2024-01-15: once it is done this follows by itself;"
        " airflow dags backfill one -s 2024-01-15 -e 2024-01-15 --rerun-failed-tasks -y"
    )
    assert sums(warehouse) == [1]


def test_an_accepted_input_is_done(warehouse: LocalWarehouse) -> None:
    fill(warehouse, ONE, 4, outcome="accepted")
    assert (run(warehouse).outcome, sums(warehouse)) == ("complete", [4])


def test_a_date_of_which_all_inputs_say_that_it_has_no_games_has_none(
    warehouse: LocalWarehouse,
) -> None:
    fill(warehouse, ONE, outcome="no_games")
    assert run(warehouse).outcome == "no_games"


def test_made_again_of_the_same_rows_nothing_changes(warehouse: LocalWarehouse) -> None:
    fill(warehouse, ONE, 1)
    first = run(warehouse)
    before = {path: path.read_bytes() for path in warehouse.root.rglob("*.parquet")}
    assert run(warehouse).content == first.content
    assert {path: path.read_bytes() for path in warehouse.root.rglob("*.parquet")} == before
    fill(warehouse, ONE, 2)
    assert run(warehouse).content != first.content
