"""A processor's date on a real warehouse: inputs that are done, and one try."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from include.analytics.process import process
from include.analytics.spec import Processor
from include.ops.outcomes import OutcomeRow
from include.outcome import Outcome
from include.partition import Partition
from include.sources.spec import Row, Table
from include.steps.entry import Entry
from include.warehouse.local import LocalWarehouse
from include.warehouse.status import DateStatus

AS_OF = datetime(2024, 1, 16, 12, tzinfo=UTC)


def fill_rows(
    warehouse: LocalWarehouse,
    table: Table,
    day: date,
    rows: Sequence[Row],
    *,
    outcome: str = "complete",
) -> None:
    """The table's date has these rows, and stands so."""
    warehouse.replace(table, day, rows)
    status = DateStatus(
        table=str(table),
        day=day,
        outcome=Outcome(outcome),
        expected_from="schedule",
        games_expected=1,
        games_found=1,
        missing=(),
        accepted=(),
        as_of=AS_OF,
        source_file="m",
    )
    warehouse.replace_status(status)


def run(warehouse: LocalWarehouse, processor: Processor, day: date) -> OutcomeRow:
    """What a try of the date leaves in the ledger."""
    told: list[OutcomeRow] = []
    partition = Partition(dag_id=processor.dag_id, endpoint=processor.name, day=day)
    entry = Entry(partition, told.append, run_id="r")
    with entry.recorded():
        process(processor, day, warehouse, entry)
    return told[-1]
