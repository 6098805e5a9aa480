"""The proxies' health as several processes see it, on a real Postgres whose recorded times are
moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from include.http.addresses import COOLDOWN
from include.limits.health import SharedHealth
from include.limits.limiter import Limiter
from include.limits.state import limiter_states
from include.ops.db import connect
from include.ops.session import Session
from include.sources.spec import Window
from tests.http.local_health import LocalHealth
from tests.limits.health.address import NAME, NOON, Db, Make, age, claims, cool_down, known


def test_three_failures_cool_an_address_down_for_everybody_whoever_met_them(
    make: Make, db: Db
) -> None:
    one, two, three = make(), make(), make()
    one.failed(NAME)
    two.failed(NAME)
    assert claims(one, two, three) == [True, True, True]
    one.failed(NAME)
    assert claims(one, two, three) == [False, False, False]
    assert three.claim("nba_cdn@another") is True
    assert known(db) == [(NAME, 3, True)]


def test_a_cooldown_is_five_minutes_of_the_databases_clock(make: Make, db: Db) -> None:
    health = make()
    ((before,),) = db.execute("SELECT clock_timestamp()").fetchall()
    cool_down(health)
    ((after,),) = db.execute("SELECT clock_timestamp()").fetchall()
    until = make().cooldown_until(NAME)
    assert until is not None
    assert (before + COOLDOWN <= until <= after + COOLDOWN, until.tzinfo) == (True, UTC)


def test_a_success_ends_a_row_of_failures_for_everybody(make: Make, db: Db) -> None:
    one, two = make(), make()
    for outcome in ("failed", "failed", "succeeded", "failed", "failed"):
        getattr(two if outcome == "succeeded" else one, outcome)(NAME)
    assert (claims(one, two), known(db)) == ([True, True], [(NAME, 2, False)])


def test_after_the_cooldown_one_probe_is_granted_whose_success_frees_the_address(
    make: Make, db: Db
) -> None:
    one, two = make(), make()
    cool_down(one)
    age(db)
    assert claims(two, one, two, make()) == [True, False, False, False]
    two.succeeded(NAME)
    assert claims(one, two) == [True, True]
    assert (known(db), one.cooldown_until(NAME)) == ([], None)


def test_a_probe_that_fails_begins_another_cooldown(make: Make, db: Db) -> None:
    one, two = make(), make()
    cool_down(one)
    age(db)
    assert claims(two) == [True]
    age(db, timedelta(minutes=2))
    two.failed(NAME)
    age(db, timedelta(minutes=4))
    assert claims(one, two) == [False, False]
    age(db, timedelta(minutes=1))
    assert claims(one, two) == [True, False]


def test_a_probe_that_is_never_heard_of_expires(make: Make, db: Db) -> None:
    one, two = make(), make()
    cool_down(one)
    age(db)
    assert claims(one, two) == [True, False]
    age(db)
    assert claims(two, one) == [True, False]


def test_a_probe_that_was_not_used_is_for_the_next(make: Make, db: Db) -> None:
    one, two = make(), make()
    cool_down(one)
    age(db)
    assert claims(one, two) == [True, False]
    one.unused(NAME)
    assert claims(two, one) == [True, False]


def test_what_was_no_probe_gives_none_back(make: Make, db: Db) -> None:
    well, weak, late, other = make(), make(), make(), make()
    assert claims(well) == [True]
    other.failed(NAME)
    assert claims(weak) == [True]
    cool_down(other)
    age(db)
    assert claims(late) == [True]
    other.failed(NAME)
    for process in (well, weak, late):
        process.unused(NAME)
    assert claims(well, weak, late, other) == [False] * 4


def test_a_success_that_was_under_way_leaves_what_others_met_meanwhile_to_the_next(
    make: Make, db: Db
) -> None:
    one, two = make(), make()
    assert claims(one) == [True]
    two.failed(NAME)
    one.succeeded(NAME)
    assert known(db) == [(NAME, 1, False)]
    assert claims(one) == [True]
    one.succeeded(NAME)
    assert known(db) == []


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 1]),
        st.sampled_from(["nba_cdn@1", "nba_cdn@2"]),
        st.sampled_from(["succeeded", "failed", "failed", "failed", "unused", "killed"]),
        st.sampled_from([0, 0, 1, 2, 5]),
    ),
    max_size=30,
)


@settings(max_examples=60)  # each asks Postgres up to 120 times
@given(steps=STEPS)
def test_two_processes_know_what_one_would(
    ops_db: str, steps: list[tuple[int, str, str, int]]
) -> None:
    now = [NOON]
    local = LocalHealth(lambda: now[0])
    sessions = [Session(ops_db), Session(ops_db)]
    shared = [SharedHealth(each, now=lambda: now[0]) for each in sessions]
    with connect(ops_db) as connection:
        connection.execute("TRUNCATE ops.address_health")
    try:
        for turn, name, outcome, minutes in steps:
            granted = local.claim(name)
            assert shared[turn].claim(name) is granted
            if granted and outcome != "killed":
                getattr(local, outcome)(name)
                getattr(shared[turn], outcome)(name)
            assert [each.cooldown_until(name) for each in shared] == [
                local.cooldown_until(name)
            ] * 2
            now[0] += timedelta(minutes=minutes)
    finally:
        for each in sessions:
            each.close()


def test_a_limiter_is_shown_with_the_cooldown_of_its_address_until_that_is_over(
    ops_db: str, make: Make, db: Db
) -> None:
    windows, health = (Window(limit=100, seconds=60.0),), make()
    names = [NAME, "nba_cdn@well"]
    with Session(ops_db) as session:
        limiter = Limiter(session, dict.fromkeys(names, windows))
        for name in names:
            limiter.admit(name, max_wait=0).release()

    def shown() -> dict[str, datetime | None]:
        return {
            state.name: state.cooldown_until for state in limiter_states(db, "nba_cdn", windows)
        }

    health.failed(NAME)
    assert shown() == {NAME: None, "nba_cdn@well": None}
    cool_down(health)
    assert shown() == {NAME: health.cooldown_until(NAME), "nba_cdn@well": None}
    age(db)
    assert shown() == {NAME: None, "nba_cdn@well": None}
