"""The limiter's rules, one by one, on a real Postgres whose recorded times are moved instead of
waited for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import psycopg
import pytest

from include.errors import ErrorClass, Problem
from include.limits.limiter import Limiter
from include.ops.db import connect
from include.ops.session import Session
from include.outcome import Later, Outcome
from include.sources.spec import Window

SECOND = timedelta(seconds=1)
REQUEST_TIMEOUT = 45.0


@pytest.fixture
def db(ops_db: str) -> Iterator[psycopg.Connection[Any]]:
    """A clean limiter; the connection sees and moves its tables."""
    with connect(ops_db) as connection:
        connection.autocommit = True
        connection.execute("TRUNCATE ops.limiters, ops.limiter_windows, ops.limiter_requests")
        yield connection


Make = Callable[..., Limiter]


@pytest.fixture
def make(ops_db: str, db: psycopg.Connection[Any]) -> Iterator[Make]:
    """``make(Window, ..., sleep=)``: another process's limiter for the name ``up``, which never
    really sleeps."""
    made: list[Session] = []

    def limiter(*windows: Window, sleep: Callable[[float], None] = lambda seconds: None) -> Limiter:
        made.append(Session(ops_db))
        return Limiter(made[-1], {"up": windows}, request_timeout=REQUEST_TIMEOUT, sleep=sleep)

    yield limiter
    for one in made:
        one.close()


def per_minute(limit: int) -> Window:
    return Window(limit=limit, seconds=60.0)


def age(db: psycopg.Connection[Any], seconds: float) -> None:
    """Let ``seconds`` pass for the limiter: everything it remembers becomes so much older."""
    by = timedelta(seconds=seconds)
    db.execute(
        "UPDATE ops.limiters SET next_at = next_at - %s, paused_until = paused_until - %s", (by, by)
    )
    db.execute("UPDATE ops.limiters SET known_since = known_since - %s", (by,))
    db.execute("UPDATE ops.limiter_windows SET declared_at = declared_at - %s", (by,))
    db.execute(
        "UPDATE ops.limiter_requests SET admitted_at = admitted_at - %s, done_at = done_at - %s",
        (by, by),
    )


def requests(db: psycopg.Connection[Any]) -> list[tuple[datetime, datetime]]:
    """(admitted_at, done_at) of every request that is remembered, oldest first."""
    return db.execute(
        "SELECT admitted_at, done_at FROM ops.limiter_requests ORDER BY admitted_at"
    ).fetchall()


def moment_of_next(limiter: Limiter) -> datetime:
    """When the next request could be admitted; only where that is not now."""
    with pytest.raises(Later) as refused:
        limiter.admit("up", max_wait=0)
    return refused.value.until


def test_admissions_are_evenly_spaced(make: Make) -> None:
    limiter = make(per_minute(6))
    moments = [limiter.admit("up", max_wait=60.0).moment for _ in range(3)]
    assert [moment - moments[0] for moment in moments] == [0 * SECOND, 10 * SECOND, 20 * SECOND]


def test_a_place_is_free_again_one_window_after_its_response_headers_arrived(
    make: Make, db: psycopg.Connection[Any]
) -> None:
    limiter = make(per_minute(2))
    first = limiter.admit("up", max_wait=0)
    age(db, 31)
    limiter.admit("up", max_wait=0).release()
    age(db, 49)
    first.release()
    (_, second_done), (_, first_done) = sorted(requests(db), key=lambda times: times[1])
    assert moment_of_next(limiter) == second_done + 60.065 * SECOND
    age(db, 12)
    limiter.admit("up", max_wait=0).release()
    assert moment_of_next(limiter) == first_done + (60.065 - 12) * SECOND


def test_a_request_that_was_never_released_counts_as_done_after_the_hold(
    make: Make, db: psycopg.Connection[Any]
) -> None:
    limiter = make(per_minute(1))
    limiter.admit("up", max_wait=0)
    age(db, REQUEST_TIMEOUT + 1)
    ((admitted, done),) = requests(db)
    assert (done - admitted, moment_of_next(limiter)) == (
        REQUEST_TIMEOUT * SECOND,
        done + 60.065 * SECOND,
    )


def test_while_all_places_are_under_way_nothing_is_booked(
    make: Make, db: psycopg.Connection[Any]
) -> None:
    slept: list[float] = []
    limiter = make(per_minute(2), sleep=slept.append)
    limiter.admit("up", max_wait=0)
    limiter.admit("up", max_wait=30.0)
    before = requests(db)
    assert moment_of_next(limiter) == before[0][0] + 60.065 * SECOND
    assert requests(db) == before


def test_a_request_under_way_is_waited_for_until_it_is_released(
    make: Make, db: psycopg.Connection[Any]
) -> None:
    holder = make(per_minute(1))
    held = holder.admit("up", max_wait=0)
    age(db, 61)

    def release_at_the_third_look(seconds: float) -> None:
        if next(looks) == 3:
            held.release()
            age(db, 61)

    looks = count(1)
    waiting = make(per_minute(1), sleep=release_at_the_third_look)
    # 1 s per window in reality: the time-out of the first request is not over, its release alone
    # makes room.
    db.execute("UPDATE ops.limiter_requests SET done_at = done_at + interval '60 s'")
    admission = waiting.admit("up", max_wait=60.0)
    assert (next(looks), admission.name) == (5, "up")


def test_a_refusal_to_wait_books_nothing(make: Make, db: psycopg.Connection[Any]) -> None:
    limiter = make(per_minute(6))
    limiter.admit("up", max_wait=0)
    before = requests(db)
    with pytest.raises(Later) as refused:
        limiter.admit("up", max_wait=9.0)
    assert requests(db) == before
    until = before[0][0] + 10 * SECOND
    assert refused.value.args == (
        until,
        f"the limiter of up is full until {until:%Y-%m-%d %H:%M:%S} UTC",
        Outcome.QUOTA_WAIT,
    )


def test_a_request_given_back_leaves_its_place_to_others(
    make: Make, db: psycopg.Connection[Any]
) -> None:
    limiter = make(per_minute(1))
    limiter.admit("up", max_wait=0).give_back()
    age(db, 60)
    assert requests(db) == []
    limiter.admit("up", max_wait=0)


def test_every_window_of_a_limiter_counts(make: Make, db: psycopg.Connection[Any]) -> None:
    limiter = make(Window(limit=1, seconds=1.0), Window(limit=3, seconds=60.0))
    first = limiter.admit("up", max_wait=0)
    age(db, 5)
    first.release()
    age(db, 15)
    for seconds in (20, 5):
        limiter.admit("up", max_wait=0).release()
        age(db, seconds)
    assert moment_of_next(limiter) == requests(db)[0][1] + 60.065 * SECOND


def test_limiters_of_different_names_do_not_meet(ops_db: str, db: psycopg.Connection[Any]) -> None:
    with Session(ops_db) as session:
        limiter = Limiter(session, {"a": (per_minute(1),), "b": (per_minute(1),)})
        limiter.admit("a", max_wait=0)
        limiter.admit("b", max_wait=0)
        with pytest.raises(KeyError, match="no windows are declared for the limiter 'c': known"):
            limiter.admit("c", max_wait=0)


def test_a_smaller_limit_counts_at_once(make: Make, db: psycopg.Connection[Any]) -> None:
    old, new = make(per_minute(60)), make(per_minute(2))
    for _ in range(3):
        old.admit("up", max_wait=0).release()
        age(db, 1.1)
    third_last = requests(db)[1][1]
    assert moment_of_next(new) == third_last + 60.065 * SECOND
    assert moment_of_next(old) == third_last + 60.065 * SECOND


def test_a_larger_limit_counts_when_nobody_has_declared_the_smaller_for_a_window(
    make: Make, db: psycopg.Connection[Any]
) -> None:
    old, new = make(per_minute(2)), make(per_minute(60))
    old.admit("up", max_wait=0).release()
    age(db, 30)
    old.admit("up", max_wait=0).release()
    age(db, 1.1)
    first_done = requests(db)[0][1]
    db.execute("UPDATE ops.limiters SET next_at = '-infinity'")
    assert moment_of_next(new) == first_done + 60.065 * SECOND
    db.execute("UPDATE ops.limiter_windows SET declared_at = declared_at - interval '60 s'")
    new.admit("up", max_wait=0)
    assert db.execute("SELECT max_requests FROM ops.limiter_windows").fetchall() == [(60,)]


def test_a_window_that_only_others_declare_binds_too(
    make: Make, db: psycopg.Connection[Any]
) -> None:
    old, new = make(per_minute(1)), make(Window(limit=10, seconds=1.0))
    old.admit("up", max_wait=0).release()
    age(db, 30)
    assert moment_of_next(new) == requests(db)[0][1] + 60.065 * SECOND
    age(db, 31)
    new.admit("up", max_wait=0)
    assert db.execute("SELECT seconds FROM ops.limiter_windows").fetchall() == [(1.0,)]


def test_a_longer_window_waits_until_it_is_known_what_happened_in_it(
    make: Make, db: psycopg.Connection[Any]
) -> None:
    old, new = make(Window(limit=10, seconds=1.0)), make(per_minute(60))
    old.admit("up", max_wait=0).release()
    age(db, 5)
    old.admit("up", max_wait=0).release()
    ((known_since,),) = db.execute("SELECT known_since FROM ops.limiters").fetchall()
    assert len(requests(db)) == 1
    assert moment_of_next(new) == known_since + 60.065 * SECOND


def pause(limiter: Limiter, db: psycopg.Connection[Any], seconds: float = 0.0) -> int:
    """The length in whole seconds of the pause that a 429 now causes; then lets it pass."""
    limiter.slow_down("up", seconds)
    ((left,),) = db.execute("SELECT paused_until - clock_timestamp() FROM ops.limiters").fetchall()
    length = round(left.total_seconds())
    age(db, length + 1)
    return length


def test_repeated_refusals_double_the_pause_up_to_a_minute(
    make: Make, db: psycopg.Connection[Any]
) -> None:
    limiter = make(per_minute(60))
    assert [pause(limiter, db) for _ in range(8)] == [2, 4, 8, 16, 32, 60, 60, 60]


def test_a_success_after_the_pause_takes_one_doubling_back(
    make: Make, db: psycopg.Connection[Any]
) -> None:
    limiter = make(per_minute(60))
    assert [pause(limiter, db) for _ in range(3)] == [2, 4, 8]
    limiter.admit("up", max_wait=0).release()
    age(db, 2)
    limiter.admit("up", max_wait=0).release()
    assert pause(limiter, db) == 4


def test_a_success_of_a_request_from_before_the_pause_says_nothing(
    make: Make, db: psycopg.Connection[Any]
) -> None:
    limiter = make(per_minute(60))
    under_way = limiter.admit("up", max_wait=0)
    age(db, 2)
    assert [pause(limiter, db) for _ in range(2)] == [2, 4]
    under_way.release()
    assert pause(limiter, db) == 8


def test_refusals_of_requests_that_were_under_way_together_are_one_strike(
    make: Make, db: psycopg.Connection[Any]
) -> None:
    limiter = make(per_minute(60))
    admissions = []
    for _ in range(3):
        admissions.append(limiter.admit("up", max_wait=0))
        age(db, 1.1)
    untils = {admission.refused() for admission in admissions}
    assert (len(untils), moment_of_next(limiter) in untils) == (1, True)
    age(db, 3)
    assert pause(limiter, db) == 4


def test_what_the_upstream_asks_for_counts_when_it_is_longer(
    make: Make, db: psycopg.Connection[Any]
) -> None:
    limiter = make(per_minute(60))
    assert [pause(limiter, db, 30.0), pause(limiter, db, 1.0)] == [30, 4]


def test_a_pause_takes_back_the_moments_that_others_wait_for(
    make: Make, db: psycopg.Connection[Any]
) -> None:
    refused, first_sleep = make(per_minute(6)), count()

    def refused_meanwhile(seconds: float) -> None:
        if next(first_sleep) == 0:
            refused.slow_down("up", 120.0)

    make(per_minute(6)).admit("up", max_wait=0).release()
    waiting = make(per_minute(6), sleep=refused_meanwhile)
    with pytest.raises(Later) as must_wait:
        waiting.admit("up", max_wait=60.0)
    ((paused_until,),) = db.execute("SELECT paused_until FROM ops.limiters").fetchall()
    assert (must_wait.value.until, len(requests(db))) == (paused_until, 1)


def test_a_process_that_was_stopped_past_its_moment_asks_again(
    make: Make, db: psycopg.Connection[Any]
) -> None:
    first_sleep = count()

    def stopped(seconds: float) -> None:
        if next(first_sleep) == 0:
            age(db, 13)

    other = make(per_minute(6)).admit("up", max_wait=0)
    admission = make(per_minute(6), sleep=stopped).admit("up", max_wait=60.0)
    assert next(first_sleep) == 2
    assert [admitted for admitted, _ in requests(db)] == [
        other.moment - 13 * SECOND,
        admission.moment,
    ]


def test_a_lost_connection_is_replaced(make: Make, db: psycopg.Connection[Any]) -> None:
    limiter = make(per_minute(60))
    admission = limiter.admit("up", max_wait=0)
    killed = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND"
        " datname ="
    )
    db.execute(f"{killed} current_database()")
    admission.release()
    db.execute(f"{killed} current_database()")
    age(db, 2)
    limiter.admit("up", max_wait=0)
    assert db.execute(
        "SELECT released FROM ops.limiter_requests ORDER BY request_id"
    ).fetchall() == [(True,), (False,)]


def test_without_a_database_nobody_is_admitted() -> None:
    seconds = count()

    def unreachable(url: str, application_name: str) -> psycopg.Connection[Any]:
        raise Problem(error_class=ErrorClass.STORAGE, message="ops_db is away")

    session = Session(
        "", connect=unreachable, sleep=lambda _: None, monotonic=lambda: float(next(seconds))
    )
    limiter = Limiter(session, {"up": (per_minute(60),)})
    with pytest.raises(Problem) as failed:
        limiter.admit("up", max_wait=60.0)
    assert failed.value == Problem(error_class=ErrorClass.STORAGE, message="ops_db is away")


def test_a_forked_process_uses_a_connection_of_its_own(
    make: Make, db: psycopg.Connection[Any]
) -> None:
    limiter = make(per_minute(60))
    limiter.admit("up", max_wait=0).release()
    child = os.fork()
    if child == 0:
        try:
            limiter.admit("up", max_wait=5.0)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    limiter.admit("up", max_wait=5.0).release()
    assert len(requests(db)) == 3


def test_a_database_that_was_not_migrated_says_how_to(postgres_dir: Any) -> None:
    from devstack import postgres

    url = postgres.ensure_database(postgres_dir, "empty")
    with Session(url) as session, pytest.raises(Problem) as failed:
        Limiter(session, {"up": (per_minute(60),)}).admit("up", max_wait=0)
    assert failed.value.error_class is ErrorClass.STORAGE
    assert failed.value.message.endswith(
        ": bring its tables up to date: airflow nba repair --tables"
    )
