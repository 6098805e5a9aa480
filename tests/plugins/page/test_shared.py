"""A reading that many viewers share: how often it is made, and who waits for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from psycopg import OperationalError

from devstack.connections import postgres_fields
from nba_airflow.page.shared import MAX_OLD, SECONDS, Shared


class Reading:
    """Counts how often it is made, which takes some of the clock's seconds; ``fails``: it raises
    instead. ``meanwhile`` is done while it is made."""

    def __init__(self) -> None:
        self.made, self.now, self.takes, self.fails = 0, 0.0, 0.0, False
        self.meanwhile: Callable[[], object] = lambda: None
        self.shared = Shared(self.read, lambda: self.now)

    def read(self) -> int:
        self.made += 1
        self.meanwhile()
        self.now += self.takes
        if self.fails:
            raise OperationalError(f"reading {self.made}")
        return self.made


def test_a_reading_is_shared_for_some_seconds_and_forgotten_on_order() -> None:
    reading = Reading()
    found = [reading.shared.get(), reading.shared.get()]
    reading.now = SECONDS
    found.append(reading.shared.get())
    reading.shared.forget()
    assert [*found, reading.shared.get()] == [1, 1, 2, 3]


def test_a_reading_is_as_old_as_its_end() -> None:
    reading = Reading()
    reading.takes = 2 * SECONDS
    assert [reading.shared.get(), reading.shared.get(), reading.made] == [1, 1, 1]


def test_a_failure_is_shared_like_any_reading() -> None:
    reading = Reading()
    reading.fails = True
    for _ in range(2):
        with pytest.raises(OperationalError, match="reading 1"):
            reading.shared.get()
    reading.fails, reading.now = False, SECONDS
    assert (reading.shared.get(), reading.made) == (2, 2)


@pytest.mark.parametrize(("age", "seen"), [(MAX_OLD - 1, 1), (MAX_OLD, 2)])
def test_who_comes_meanwhile_sees_the_reading_before_unless_it_is_too_old(
    age: float, seen: int
) -> None:
    reading, begun, go_on = Reading(), Event(), Event()
    reading.shared.get()
    reading.now = age
    reading.meanwhile = lambda: (begun.set(), go_on.wait(20))
    with ThreadPoolExecutor(2) as viewers:
        first = viewers.submit(reading.shared.get)
        assert begun.wait(20)
        second = viewers.submit(reading.shared.get)
        if seen == 2:
            go_on.set()
        assert second.result(10) == seen
        go_on.set()
        assert first.result(10) == 2
    assert reading.made == 2


def test_a_page_waits_for_the_ledger_no_longer_than_its_deadlines(
    ops_db: str, airflow_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nba_airflow.page.access import open_ledger

    monkeypatch.setenv("AIRFLOW_CONN_OPS_DB", json.dumps(postgres_fields(ops_db)))
    names = ("statement_timeout", "lock_timeout")
    with open_ledger() as ledger:
        found = [ledger.execute(f"SHOW {name}").fetchone() for name in names]
        assert (found, ledger.deadlines.total) == ([("5s",), ("2s",)], 8.0)
