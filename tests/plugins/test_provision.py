"""Connections over several starts with other ports, and pools as large as their limit can use, in
Airflow's own tables: what an operator has changed is his."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from devstack.connections import write_connections
from devstack.environment import Home

if TYPE_CHECKING:
    from airflow.models.connection import Connection
    from sqlalchemy.orm import Session

    from include.sources.spec import Source

pytestmark = pytest.mark.usefixtures("documented_alone")

UPSTREAMS = ["balldontlie", "the_odds_api", "nba_stats", "nba_cdn", "bigdataball"]
ALL = [*UPSTREAMS, "raw_store", "warehouse", "ops_db", "mail"]
REAL_KEY = "0123456789abcdef0123456789abcdef"

Start = Callable[..., tuple[list[str], list[str]]]


@pytest.fixture
def session() -> Iterator[Session]:
    """A database with nothing but Airflow's connections and pools."""
    from airflow.models.connection import Connection
    from airflow.models.pool import Pool
    from airflow.models.team import Team
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session

    engine = create_engine("sqlite://")
    tables = [Team.__table__, Connection.__table__, Pool.__table__]
    Connection.metadata.create_all(engine, tables=tables)
    with Session(engine) as session:
        yield session
    engine.dispose()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """One for the module, since a service account's key takes a while to make."""
    return Home(root=tmp_path_factory.mktemp("installation"))


@pytest.fixture
def start(session: Session, home: Home) -> Start:
    """``start(port)`` provisions as a start of the local installation does whose sandbox got that
    port."""
    from nba_airflow.provision import connections

    def start(port: int) -> tuple[list[str], list[str]]:
        path = write_connections(
            home, f"http://127.0.0.1:{port}", f"postgresql://postgres@/ops?host={home.postgres}"
        )
        found = connections(path, session)
        session.commit()
        session.expire_all()  # so that everything is read back as another process reads it
        return found

    return start


def named(value: Any) -> str:
    """A connection, or the fields that are changed, in a test's name."""
    return value if isinstance(value, str) else " and ".join(value) or "nothing"


def found(session: Session, conn_id: str) -> Connection:
    from airflow.models.connection import Connection
    from sqlalchemy import select

    return session.scalars(select(Connection).where(Connection.conn_id == conn_id)).one()


def edit(session: Session, conn_id: str, **changes: Any) -> None:
    """Saves the UI's form, which sends back whatever it shows, with some fields changed."""
    from airflow.api_fastapi.core_api.datamodels.connections import (
        ConnectionBody,
        ConnectionResponse,
    )
    from airflow.api_fastapi.core_api.services.public.connections import update_orm_from_pydantic

    connection = found(session, conn_id)
    shown = ConnectionResponse.model_validate(connection).model_dump(by_alias=True)
    update_orm_from_pydantic(connection, ConnectionBody.model_validate({**shown, **changes}))
    session.commit()
    session.expire_all()


def test_connections_follow_the_ports_of_every_start(session: Session, start: Start) -> None:
    assert start(8180) == (ALL, [])
    assert start(8180) == ([], [])
    assert start(8191) == ([], UPSTREAMS)
    assert found(session, "the_odds_api").host == "http://127.0.0.1:8191/the_odds_api"
    key_file = found(session, "bigdataball").extra_dejson["keyfile_dict"]
    assert key_file["token_uri"] == "http://127.0.0.1:8191/bigdataball/token"


def test_real_key_put_in_as_the_readme_says_survives_every_start(
    session: Session, start: Start
) -> None:
    start(8180)
    edit(session, "the_odds_api", host="", password=REAL_KEY)
    assert start(8191) == ([], [name for name in UPSTREAMS if name != "the_odds_api"])
    kept = found(session, "the_odds_api")
    assert (kept.host, kept.password) == ("", REAL_KEY)


@pytest.mark.parametrize(
    ("conn_id", "changes"),
    [
        ("balldontlie", {"host": "api.balldontlie.io"}),
        ("balldontlie", {"host": "http://127.0.0.1:9000/another"}),
        ("the_odds_api", {"host": ""}),
        ("bigdataball", {"host": "", "extra": '{"keyfile_dict": {"client_email": "us@ours"}}'}),
        ("raw_store", {"extra": '{"url": "file:///srv/nba/raw"}'}),
        ("ops_db", {"host": "db.internal", "login": "ops", "password": "theirs"}),
        ("mail", {"host": "", "password": REAL_KEY}),
    ],
    ids=named,
)
def test_a_connection_that_leads_elsewhere_stays_as_it_is(
    session: Session, start: Start, conn_id: str, changes: dict[str, Any]
) -> None:
    start(8180)
    edit(session, conn_id, **changes)
    before = found(session, conn_id).get_uri()
    start(8191)
    assert found(session, conn_id).get_uri() == before


@pytest.mark.parametrize(
    ("conn_id", "changes"),
    [
        ("balldontlie", {"password": REAL_KEY}),
        ("balldontlie", {"login": "me"}),
        ("balldontlie", {"description": "our own"}),
        ("balldontlie", {"extra": '{"windows": [[600, 60]]}'}),
        ("the_odds_api", {"extra": '{"credits": {"monthly": 20000, "live_reserve": 2000}}'}),
    ],
    ids=named,
)
def test_a_changed_connection_to_this_machine_keeps_the_change_and_follows_the_port(
    session: Session, start: Start, conn_id: str, changes: dict[str, Any]
) -> None:
    start(8180)
    edit(session, conn_id, **changes)
    before = found(session, conn_id)
    was = (before.login, before.password, before.description, before.extra)
    start(8191)
    after = found(session, conn_id)
    assert (after.login, after.password, after.description, after.extra) == was
    assert after.host == f"http://127.0.0.1:8191/{conn_id}"


def test_form_that_is_saved_with_an_indented_extra_follows_the_port(
    session: Session, start: Start
) -> None:
    start(8180)
    said = found(session, "bigdataball").extra
    edit(session, "bigdataball", extra=json.dumps(json.loads(said or ""), indent=2))
    assert start(8191) == ([], UPSTREAMS)
    key_file = found(session, "bigdataball").extra_dejson["keyfile_dict"]
    assert key_file["token_uri"] == "http://127.0.0.1:8191/bigdataball/token"


def test_deleted_connection_is_made_again(session: Session, start: Start) -> None:
    start(8180)
    edit(session, "mail", password=REAL_KEY)
    session.delete(found(session, "mail"))
    assert start(8180) == (["mail"], [])
    assert found(session, "mail").password is None


@pytest.mark.parametrize(
    ("new", "there", "followed"),
    [
        ("http://127.0.0.1:2/a", "http://127.0.0.1:1/a", "http://127.0.0.1:2/a"),
        ("http://127.0.0.1:2", "http://127.0.0.1:1", "http://127.0.0.1:2"),
        ("http://[::1]:2/a", "http://[::1]:1/a", "http://[::1]:2/a"),
        ("http://localhost:2/a?b=c", "http://localhost:1/a?b=c", "http://localhost:2/a?b=c"),
        (
            "postgresql://p:w@127.0.0.1:2/ops",
            "postgresql://p:w@127.0.0.1:1/ops",
            "postgresql://p:w@127.0.0.1:2/ops",
        ),
        (
            '{"a": "http://127.0.0.1:2/a", "b": "http://127.0.0.1:3/b"}',
            '{"b": "http://127.0.0.1:1/b", "c": "http://127.0.0.1:1/c", "port": 1}',
            '{"b": "http://127.0.0.1:3/b", "c": "http://127.0.0.1:1/c", "port": 1}',
        ),
        ("http://127.0.0.1:2/a", "http://127.0.0.1:1/b", "http://127.0.0.1:1/b"),
        ("http://127.0.0.1:2/a", "http://127.0.0.1:1/ab", "http://127.0.0.1:1/ab"),
        ("http://127.0.0.1:2/a", "https://127.0.0.1:1/a", "https://127.0.0.1:1/a"),
        ("http://127.0.0.1:2/a", "http://me@127.0.0.1:1/a", "http://me@127.0.0.1:1/a"),
        ("http://10.0.0.1:2/a", "http://10.0.0.1:1/a", "http://10.0.0.1:1/a"),
        ("", "http://127.0.0.1:1/a", "http://127.0.0.1:1/a"),
        ("http://127.0.0.1:2/a", "", ""),
    ],
)
def test_only_the_port_of_the_same_address_on_this_machine_is_taken_over(
    new: str, there: str, followed: str
) -> None:
    from nba_airflow.provision import with_ports_of

    assert with_ports_of(new, there) == followed


# Pools.


def slots(session: Session) -> dict[str, int]:
    from airflow.models.pool import Pool
    from sqlalchemy import select

    return {pool.pool: pool.slots for pool in session.scalars(select(Pool))}


@pytest.fixture
def provision(
    session: Session, airflow_environment: None, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[str]]:
    """``provision(workers=...)`` makes the pools that are missing."""
    from nba_airflow.provision import pools

    def provision(*, workers: int = 64) -> list[str]:
        monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", str(workers))
        created = pools(session)
        session.commit()
        return created

    return provision


def test_pools_are_as_large_as_the_limits_of_the_specs_can_use(
    session: Session, provision: Callable[..., list[str]]
) -> None:
    assert provision() == sorted([*UPSTREAMS, "warehouse"])
    assert slots(session) == {
        "balldontlie": 4,
        "bigdataball": 9,
        "nba_cdn": 2,
        "nba_stats": 7,
        "the_odds_api": 1,  # 13 credits a day buy a part of one date
        "warehouse": 2,
    }


def test_pools_leave_room_where_there_are_few_workers(
    session: Session, provision: Callable[..., list[str]]
) -> None:
    provision(workers=16)
    assert slots(session) == {
        "balldontlie": 3,
        "bigdataball": 4,
        "nba_cdn": 2,
        "nba_stats": 4,
        "the_odds_api": 1,
        "warehouse": 2,
    }


@pytest.mark.parametrize(("executor", "workers"), [("LocalExecutor", 32), ("CeleryExecutor", 16)])
def test_with_airflows_defaults_no_source_has_more_than_half_and_two_workers_are_free(
    session: Session,
    provision: Callable[..., list[str]],
    documented: dict[str, Source],
    monkeypatch: pytest.MonkeyPatch,
    executor: str,
    workers: int,
) -> None:
    """Airflow's defaults: 32 tasks at a time, of which a worker of Celery takes 16."""
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    provision(workers=32)
    found = slots(session)
    for source in documented.values():
        pools = {host.connection for host in source.hosts}
        assert sum(found[name] for name in pools) <= workers // 2
    assert sum(found.values()) - found["warehouse"] <= workers - 2
    assert sum(found.values()) <= workers


def test_a_larger_plan_in_the_connection_makes_a_larger_pool(
    session: Session,
    start: Start,
    provision: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start(8180)
    shared = '{"windows": [[600, 60]], "proxies": ["http://a.test:1", "http://b.test:1"]}'
    edit(session, "balldontlie", extra=shared)  # its limit is the key's
    proxies = [f"http://user-{n}:pw@gate.test:7000" for n in range(2)]
    extra = json.dumps({"conn_type": "http", "extra": {"proxies": proxies}})
    monkeypatch.setenv("AIRFLOW_CONN_NBA_STATS", extra)
    edit(session, "nba_cdn", extra='{"windows": "many"}')
    provision(workers=200)
    found = slots(session)
    assert (found["balldontlie"], found["nba_stats"], found["nba_cdn"]) == (35, 14, 2)


def test_no_pool_has_more_tasks_than_bigquery_takes_changes_of_a_table(
    session: Session, start: Start, provision: Callable[..., list[str]]
) -> None:
    start(8180)
    edit(session, "balldontlie", extra='{"windows": [[600, 60]]}')
    edit(session, "warehouse", extra='{"url": "bigquery://project?location=US"}')
    provision(workers=200)
    assert (slots(session)["balldontlie"], slots(session)["nba_stats"]) == (16, 7)


def test_a_pool_that_is_there_keeps_the_slots_that_an_operator_gave_it(
    session: Session, provision: Callable[..., list[str]]
) -> None:
    from airflow.models.pool import Pool

    session.add(Pool(pool="balldontlie", slots=31, description="ours", include_deferred=True))
    assert provision() == sorted({*UPSTREAMS, "warehouse"} - {"balldontlie"})
    assert slots(session)["balldontlie"] == 31
    assert provision() == []


@pytest.mark.parametrize(
    ("by_hand", "after"),
    [
        ({}, {"bigdataball": 4, "nba_cdn": 2, "nba_stats": 4, "the_odds_api": 1}),
        ({"bigdataball": 6}, {"bigdataball": 6, "nba_cdn": 2, "nba_stats": 4, "the_odds_api": 1}),
        ({"nba_stats": 1}, {"bigdataball": 4, "nba_cdn": 2, "nba_stats": 1, "the_odds_api": 1}),
    ],
    ids=named,
)
def test_pools_make_room_for_a_new_source_but_those_that_an_operator_has_set(
    session: Session,
    provision: Callable[..., list[str]],
    documented: dict[str, Source],
    monkeypatch: pytest.MonkeyPatch,
    by_hand: dict[str, int],
    after: dict[str, int],
) -> None:
    from airflow.models.pool import Pool
    from sqlalchemy import update

    from nba_airflow import provision as provisioning

    # Before Ball Don't Lie's came, as an installation is before a source is added.
    old = {name: each for name, each in documented.items() if name != "bdl_box_scores"}
    hosts = {host.connection: host for each in old.values() for host in each.hosts}
    with monkeypatch.context() as patch:
        patch.setattr(provisioning, "sources", lambda: old)
        patch.setattr(provisioning, "hosts", lambda: hosts)
        provision(workers=16)
    before = {"bigdataball": 5, "nba_cdn": 2, "nba_stats": 6, "the_odds_api": 1, "warehouse": 2}
    assert slots(session) == before
    for name, given in by_hand.items():
        session.execute(update(Pool).where(Pool.pool == name).values(slots=given))
    assert provision(workers=16) == ["balldontlie"]
    assert slots(session) == {**after, "balldontlie": 3, "warehouse": 2}


@pytest.mark.usefixtures("airflow_environment")
def test_the_operations_database_may_be_named_by_a_variable_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from nba_airflow.provision import find_ops_database

    fields = {"conn_type": "postgres", "host": "here", "schema": "ops"}
    monkeypatch.setenv("AIRFLOW_CONN_OPS_DB", json.dumps(fields))
    assert find_ops_database(None) == "host=here dbname=ops"
    assert find_ops_database({**fields, "host": "there"}) == "host=there dbname=ops"
