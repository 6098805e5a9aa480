"""A benchmark's numbers as JSON and as a table."""

from __future__ import annotations

import json

from devstack.bench.lines import Line, compared, table


def test_a_line_is_one_json_object_with_four_digits() -> None:
    line = compared("cpu_per_date", 1 / 3, "CPU-s", "an empty task", 0.5)
    assert json.loads(line.as_json()) == {
        "name": "cpu_per_date",
        "value": 0.3333,
        "unit": "CPU-s",
        "against": "an empty task: 0.5 CPU-s",
        "ratio": 0.6667,
    }


def test_what_is_compared_with_nothing_has_no_ratio() -> None:
    assert compared("x", 1, "s", "none", 0).ratio is None
    assert json.loads(Line(name="x", value=2, unit="s").as_json()) == {
        "name": "x",
        "value": 2.0,
        "unit": "s",
        "against": "",
        "ratio": None,
    }


def test_table_has_a_row_for_each_line_in_aligned_columns() -> None:
    lines = [compared("memory", 1400, "MB", "30 dates", 1300), Line(name="x", value=2, unit="s")]
    assert table(lines).splitlines() == [
        "name    value unit  ratio  against",
        "memory   1400 MB     1.08  30 dates: 1300 MB",
        "x           2 s",
    ]
