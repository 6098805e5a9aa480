"""Connections over several starts with other ports, in Airflow's own table: what an operator has
changed is his."""

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

ALL = [
    "balldontlie",
    "the_odds_api",
    "nba_stats",
    "nba_cdn",
    "bigdataball",
    "raw_store",
    "warehouse",
    "ops_db",
    "mail",
]
BEFORE_THE_HASH = "Provisioned by make up; edit it and it stays as you left it"
REAL_KEY = "0123456789abcdef0123456789abcdef"

Start = Callable[..., list[str]]


@pytest.fixture
def session() -> Iterator[Session]:
    """A database with nothing but Airflow's connections."""
    from airflow.models.connection import Connection
    from airflow.models.team import Team
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session

    engine = create_engine("sqlite://")
    Connection.metadata.create_all(engine, tables=[Team.__table__, Connection.__table__])
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
    port.

    ``start(port, "mail")`` does so with one connection only: each costs a slow hash.
    """
    from nba_airflow.provision import connections

    def start(port: int, *only: str) -> list[str]:
        path = write_connections(
            home, f"http://127.0.0.1:{port}", f"postgresql://postgres@/ops?host={home.postgres}"
        )
        every = json.loads(path.read_text())
        path.write_text(json.dumps({name: every[name] for name in only or every}))
        written = connections(path, session)
        session.commit()
        session.expire_all()  # so that everything is read back as another process reads it
        return written

    return start


def named(value: Any) -> str:
    """A connection, or the fields that are changed, in a test's name."""
    return value if isinstance(value, str) else " and ".join(value)


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


def provisioned_before_the_hash(session: Session, *conn_ids: str) -> None:
    """Makes the connections what an older version wrote."""
    for conn_id in conn_ids:
        found(session, conn_id).description = BEFORE_THE_HASH
    session.commit()


def test_connections_that_nobody_changed_follow_the_ports_of_every_start(
    session: Session, start: Start
) -> None:
    for port in (8180, 8191, 8191):
        assert start(port) == ALL
        assert found(session, "the_odds_api").host == f"http://127.0.0.1:{port}/the_odds_api"
        key_file = found(session, "bigdataball").extra_dejson["keyfile_dict"]
        assert key_file["token_uri"] == f"http://127.0.0.1:{port}/bigdataball/token"


def test_real_key_put_in_as_the_readme_says_survives_every_start(
    session: Session, start: Start
) -> None:
    start(8180)
    edit(session, "the_odds_api", host="", password=REAL_KEY)
    for port in (8180, 8191):
        assert start(port) == [name for name in ALL if name != "the_odds_api"]
        kept = found(session, "the_odds_api")
        assert (kept.host, kept.password) == ("", REAL_KEY)


@pytest.mark.parametrize(
    ("conn_id", "changes"),
    [
        ("balldontlie", {"password": REAL_KEY}),
        ("balldontlie", {"host": "api.balldontlie.io"}),
        ("balldontlie", {"host": ""}),
        ("balldontlie", {"login": "me"}),
        ("balldontlie", {"port": 443}),
        ("balldontlie", {"schema": "https"}),
        ("balldontlie", {"conn_type": "generic"}),
        ("balldontlie", {"extra": '{"windows": [[600, 60]]}'}),
        ("balldontlie", {"description": "our paid account"}),
        ("balldontlie", {"description": None}),
        ("the_odds_api", {"extra": '{"credits": {"monthly": 20000, "live_reserve": 2000}}'}),
        (
            "bigdataball",
            {"extra": '{"keyfile_dict": {"client_email": "us@ours.iam.gserviceaccount.com"}}'},
        ),
        ("raw_store", {"extra": '{"url": "file:///srv/nba/raw"}'}),
        ("ops_db", {"extra": '{"url": "postgresql://ops@db.internal/ops"}'}),
        ("mail", {"host": "", "password": REAL_KEY}),
    ],
    ids=named,
)
def test_one_changed_field_makes_a_connection_the_operators(
    session: Session, start: Start, conn_id: str, changes: dict[str, Any]
) -> None:
    start(8180, conn_id)
    edit(session, conn_id, **changes)
    before = found(session, conn_id).get_uri()
    assert start(8191, conn_id) == []
    assert found(session, conn_id).get_uri() == before


def test_form_that_is_saved_unchanged_is_no_edit(session: Session, start: Start) -> None:
    start(8180)
    for conn_id in ALL:
        edit(session, conn_id)
        said = found(session, conn_id)
        indented = json.dumps(json.loads(said.extra), indent=2) if said.extra else ""
        edit(session, conn_id, login="", schema="", extra=indented)
    assert start(8191) == ALL


def test_deleted_connection_is_provisioned_again(session: Session, start: Start) -> None:
    start(8180, "mail")
    edit(session, "mail", password=REAL_KEY)
    session.delete(found(session, "mail"))
    assert start(8180, "mail") == ["mail"]


def test_connection_that_was_there_before_the_first_start_is_the_operators(
    session: Session, start: Start
) -> None:
    from airflow.models.connection import Connection

    session.add(Connection(conn_id="balldontlie", conn_type="http", password=REAL_KEY))
    assert start(8180, "balldontlie", "mail") == ["mail"]
    assert found(session, "balldontlie").password == REAL_KEY


# What an older version provisioned, without a hash.


def test_connections_of_an_older_version_still_follow_the_ports(
    session: Session, start: Start
) -> None:
    start(8180)
    provisioned_before_the_hash(session, *ALL)
    assert start(8191) == ALL
    assert found(session, "nba_cdn").host == "http://127.0.0.1:8191/nba_cdn"


@pytest.mark.parametrize(
    ("conn_id", "changes"),
    [
        ("balldontlie", {"host": "", "password": REAL_KEY}),
        ("balldontlie", {"password": REAL_KEY}),
        ("the_odds_api", {"extra": '{"credits": {"monthly": 20000, "live_reserve": 2000}}'}),
        ("warehouse", {"extra": '{"url": "duckdb:///srv/nba/warehouse"}'}),
    ],
    ids=named,
)
def test_edit_of_an_older_versions_connection_is_kept_too(
    session: Session, start: Start, conn_id: str, changes: dict[str, Any]
) -> None:
    start(8180, conn_id)
    provisioned_before_the_hash(session, conn_id)
    edit(session, conn_id, **changes)
    before = found(session, conn_id).get_uri()
    for port in (8191, 8192):
        assert start(port, conn_id) == []
        assert found(session, conn_id).get_uri() == before


# What the hash gives away.


def test_hash_of_the_same_connection_is_another_every_time(session: Session, start: Start) -> None:
    described = set()
    for _ in range(3):
        start(8180, "balldontlie")
        described.add(found(session, "balldontlie").description)
    assert len(described) == 3


def test_hash_does_not_hold_for_another_connection(session: Session, start: Start) -> None:
    start(8180, "nba_cdn", "nba_stats")
    edit(session, "nba_stats", description=found(session, "nba_cdn").description)
    assert start(8180, "nba_cdn", "nba_stats") == ["nba_cdn"]


def test_description_holds_no_password(session: Session, start: Start) -> None:
    start(8180)
    for name in ALL:
        connection = found(session, name)
        secrets = [
            connection.password,
            connection.extra_dejson.get("keyfile_dict", {}).get("private_key"),
        ]
        assert [
            secret for secret in secrets if secret and secret in str(connection.description)
        ] == []
