"""What is made of dates that were done: it is noted with the outcome, and compared by content."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from include.analytics.spec import Input
from include.ops import built, touched
from include.ops.db import connect
from include.ops.outcomes import OutcomeRow, record
from include.outcome import Outcome
from include.sources.spec import Table

NOW = datetime(2024, 2, 1, tzinfo=UTC)
DAY, OTHER = date(2024, 1, 15), date(2024, 1, 16)
ROW = OutcomeRow(
    dag_id="props",
    endpoint="player_props",
    day=DAY,
    run_id="r1",
    attempt=1,
    phase="audit",
    outcome=Outcome.COMPLETE,
    started_at=NOW,
    ended_at=NOW,
    content="aaa",
)
INPUTS = [
    Input(dag_id="props", endpoint="player_props", table=Table(name="p", columns=(), key=())),
    Input(dag_id="scores", endpoint="box_scores", table=Table(name="s", columns=(), key=())),
    Input(
        dag_id="calendar",
        endpoint="schedule",
        table=Table(name="c", columns=(), key=()),
        required=False,
    ),
]


def test_only_a_date_that_is_done_is_touched_and_it_is_forgotten_as_it_was_seen(
    ops_db: str,
) -> None:
    with connect(ops_db) as connection:
        record(connection, replace(ROW, dag_id="t", outcome=Outcome.PARTIAL))
        assert touched.read(connection) == []
        record(connection, replace(ROW, dag_id="t", run_id="r2"))
        (seen,) = touched.read(connection)
        assert (seen.dag_id, seen.day) == ("t", DAY)
        record(connection, replace(ROW, dag_id="t", run_id="r3"))
        touched.forget(connection, [seen])
        (again,) = touched.read(connection)
        assert again.touched_at > seen.touched_at
        touched.forget(connection, [again])
        assert touched.read(connection) == []


def test_the_contents_of_a_date_are_known_when_all_its_inputs_are_done(ops_db: str) -> None:
    scores = replace(ROW, dag_id="scores", endpoint="box_scores", content="bbb")
    with connect(ops_db) as connection:
        record(connection, ROW)
        assert built.read_ready(connection, INPUTS, [DAY, OTHER]) == {}
        record(connection, scores)
        record(connection, replace(ROW, day=OTHER))
        first = built.read_ready(connection, INPUTS, [DAY, OTHER])
        assert first.keys() == {DAY}
        record(connection, replace(scores, run_id="again"))
        assert built.read_ready(connection, INPUTS, [DAY, OTHER]) == first
        record(connection, replace(ROW, dag_id="calendar", endpoint="schedule"))
        scheduled = built.read_ready(connection, INPUTS, [DAY])
        assert scheduled.keys() == {DAY}
        assert scheduled != first
        record(connection, replace(scores, run_id="corrected", content="ccc"))
        second = built.read_ready(connection, INPUTS, [DAY])
        assert second.keys() == {DAY}
        assert second != scheduled
        record(connection, replace(scores, run_id="failed", outcome=Outcome.FAILED, content=""))
        assert built.read_ready(connection, INPUTS, [DAY]) == {}


def test_what_a_date_was_built_from_is_the_last_that_was_noted(ops_db: str) -> None:
    with connect(ops_db) as connection:
        built.note_built(connection, "results", DAY, "one")
        built.note_built(connection, "results", OTHER, "other")
        built.note_built(connection, "results", DAY, "two")
        ((day, (content, at)),) = built.read_built(connection, "results", [DAY]).items()
        (now,) = connection.execute("SELECT clock_timestamp()").fetchone() or [at]
        assert (day, content, at < now) == (DAY, "two", True)
