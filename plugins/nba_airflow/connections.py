"""Airflow connections, read and turned into the plain values that ``include`` works with."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from include.errors import ErrorClass, Problem
from include.sources.bought import read_credits, read_windows
from include.sources.spec import BadChoice, ServiceAccount
from nba_airflow.masking import mask, secrets_of, shown_credentials
from nba_airflow.metadata.database import ask_database

if TYPE_CHECKING:
    from include.http.upstream import Upstream
    from include.sources.spec import Host, Source
    from include.steps.job import Stores
    from include.storage.store import Store
    from include.warehouse.open import Warehouse

RAW_STORE = "raw_store"
WAREHOUSE = "warehouse"
OPS_DB = "ops_db"
MAIL = "mail"


def connection(conn_id: str, *, missing: Problem | None = None) -> Any:
    """The Airflow connection, in a task as in a server process or command; its secrets are masked
    in all logs from now on. Raises Problem(INTERNAL) if it is undefined (``missing``, where that is
    given) or shows a secret."""
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        if _in_task():
            return _of_task(conn_id)
        from airflow.models.connection import Connection as ServerConnection

        return _masked(ServerConnection.get_connection_from_secrets(conn_id))
    except AirflowNotFoundException:
        if not _in_task():
            ask_database()
        raise missing or Problem(
            error_class=ErrorClass.INTERNAL,
            message=(
                f"Airflow connection {conn_id} is not defined: add it in the UI under Admin >"
                " Connections (on one machine `make down`, then `make up` make it again);"
                " .env.example lists what each one holds"
            ),
        ) from None


def _in_task() -> bool:
    task_runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    return hasattr(task_runner, "SUPERVISOR_COMMS")


@cache
def _of_task(conn_id: str) -> Any:
    """Once a task: each look-up is a call of Airflow's API by way of the supervisor (3.3.2)."""
    from airflow.sdk import Connection

    return _masked(Connection.get(conn_id))


def _masked(found: Any) -> Any:
    """Raises Problem(INTERNAL) for a connection with credentials where Airflow shows them."""
    mask(secrets_of(found))
    for field in shown_credentials(found):
        raise Problem(
            error_class=ErrorClass.INTERNAL,
            message=(
                f"connection {found.conn_id} has credentials in its {field}, which Airflow shows:"
                " put them into login and password"
            ),
        )
    return found


def location(conn_id: str) -> str:
    """The URL of a store's connection: its extra's ``url``, the one field that keeps any scheme and
    path as it is."""
    found = connection(conn_id).extra_dejson.get("url", "")
    if not found:
        raise Problem(
            error_class=ErrorClass.INTERNAL,
            message=(
                f'Airflow connection {conn_id} has no "url" in its extra: set it, for example'
                ' {"url": "file:///srv/nba/raw"}'
            ),
        )
    return str(found)


def ops_url() -> str:
    """The operations tables' Postgres, for ``include.ops.db.connect``. Raises Problem(INTERNAL)."""
    return ops_address(connection(OPS_DB))


def ops_address(found: Any) -> str:
    """The conninfo of a connection of Airflow's type ``postgres``, whose extra may name more of
    libpq's parameters (``{"sslmode": "require"}``). Raises Problem(INTERNAL)."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import make_conninfo

    fault = ""
    if found.conn_type != "postgres" or not found.host or not found.schema:
        fault = "does not name a database"
    try:
        fields = {
            "host": found.host,
            "port": found.port,
            "user": found.login,
            "password": found.password,
            "dbname": found.schema,
        }
        address = make_conninfo(**{k: v for k, v in fields.items() if v}, **found.extra_dejson)
    except (ProgrammingError, TypeError):
        fault = fault or "has an extra that is not made of libpq's parameters"
    if fault:
        raise Problem(
            error_class=ErrorClass.INTERNAL,
            message=(
                f"connection {OPS_DB} {fault}: give it the type postgres, with host, login,"
                " password and schema (the database), and libpq's parameters as extra, for example"
                ' {"sslmode": "require"}'
            ),
        )
    return address


def stores() -> Stores:
    """The raw store and the warehouse that the connections name."""
    from include.steps.job import Stores

    return Stores(raw=raw_store(), warehouse=warehouse())


def warehouse() -> Warehouse:
    """The warehouse that its connection names; for who reads rows alone."""
    from include.warehouse.open import open_warehouse
    from nba_airflow.google import bigquery_client

    return open_warehouse(location(WAREHOUSE), bigquery=bigquery_client)


def raw_store() -> Store:
    """The raw store that its connection names; for who needs no rows."""
    return raw_store_at(location(RAW_STORE))


def raw_store_at(url: str) -> Store:
    """The raw store at a URL; one in the cloud with the credentials of Airflow's Google
    connection."""
    from include.storage.open import open_store
    from nba_airflow.google import storage_client

    return open_store(url, storage_client)


def store_schemes() -> set[str]:
    """``file``, ``duckdb``, ``bigquery``...: of the stores whose connections can be read; whoever
    uses one that cannot says what is wrong with it."""
    found = set()
    for name in (RAW_STORE, WAREHOUSE):
        with suppress(Problem):
            found.add(location(name).partition(":")[0])
    return found


def store_schemes_in_environment() -> set[str]:
    """As ``store_schemes``, of connections that are variables of the environment: no database is
    asked, so that a process that will fork has no connection."""
    from airflow.secrets.environment_variables import EnvironmentVariablesBackend

    found = map(EnvironmentVariablesBackend().get_connection, (RAW_STORE, WAREHOUSE))
    return {each.extra_dejson.get("url", "").partition(":")[0] for each in found if each}


def reached(host: Host) -> tuple[Host, Upstream]:
    """The host with its plan's limits, and where its connection leads: one look-up."""
    found = connection(host.connection)
    return tier(host, found), upstream(host, found)


def tier(host: Host, found: Any = None) -> Host:
    """The host with the limits of the plan that was bought, where the connection's extra names
    them.

    ``{"windows": [[600, 60]], "credits": {"monthly": 20000, "live_reserve": 2000, "spread":
    false}}``: requests and seconds of every window; without them the spec's numbers hold. Raises
    Problem(INTERNAL) for other forms.
    """
    extra = (found or connection(host.connection)).extra_dejson
    try:
        if windows := extra.get("windows"):
            host = replace(host, windows=read_windows(windows))
        if credits := extra.get("credits"):
            host = replace(host, credits=read_credits(credits))
    except ValueError as error:
        raise Problem(
            error_class=ErrorClass.INTERNAL,
            message=(
                f"connection {host.connection} has limits in its extra that are no limits"
                f' ({error}): write {{"windows": [[60, 60]], "credits": {{"monthly": 500,'
                ' "live_reserve": 100}}'
            ),
        ) from None
    return host


def chosen(source: Source, found: Any = None) -> Source:
    """The source with the endpoints that its first connection's extra chooses, where there is a
    choice. Raises Problem(INTERNAL) for a choice that is none."""
    if source.choose is None:
        return source
    try:
        extra = (found or connection(source.connection)).extra_dejson
        return replace(source, endpoints=source.choose(extra))
    except BadChoice as bad:
        raise Problem(
            error_class=ErrorClass.INTERNAL, message=f"connection {source.connection} has {bad}"
        ) from None


def as_bought(source: Source) -> Source:
    """The source with the limits and the endpoints that its connections name."""
    return replace(chosen(source), hosts=tuple(map(tier, source.hosts)))


def upstream(host: Host, found: Any = None) -> Upstream:
    """Where a host's connection leads, with its key, headers and proxies.

    The connection's host field may be a whole base URL (the sandbox's); empty, it means the spec's
    real upstream.
    """
    from include.http.upstream import Upstream

    found = found or connection(host.connection)
    _check_encrypted(host, base_url(host, found))
    token = None
    if isinstance(host.auth, ServiceAccount):
        from include.http.service_account import token_source

        token = _masking(
            token_source(host.connection, found.extra_dejson.get("keyfile_dict"), host.auth.scopes)
        )
    return Upstream(
        name=host.connection,
        base_url=base_url(host, found),
        key=found.password or None,
        auth=host.auth,
        headers=dict(host.headers),
        proxies=proxies(host, found),
        token=token,
    )


def _check_encrypted(host: Host, url: str) -> None:
    """Raises Problem(INTERNAL) where the real upstream would be asked, key and all, in clear text;
    a sandbox in a network of its own may be."""
    theirs, ours = urlparse(host.base_url), urlparse(url)
    if host.auth and ours.hostname == theirs.hostname and ours.scheme != theirs.scheme == "https":
        raise Problem(
            error_class=ErrorClass.INTERNAL,
            message=(
                f"connection {host.connection} has the host {url}, to which its key would go"
                " unencrypted: write it with https://, or leave host and schema empty"
            ),
        )


def base_url(host: Host, found: Any) -> str:
    """Where the connection leads; the spec's real upstream where it names no host."""
    base = (found.host or "").rstrip("/")
    if base and "://" not in base:
        base = f"{found.schema or 'https'}://{base}{f':{found.port}' if found.port else ''}"
    return base or host.base_url


def proxies(host: Host, found: Any) -> tuple[str, ...]:
    """The proxies that the connection's extra names, in their one form. Raises Problem(INTERNAL)
    for what is not a proxy."""
    from include.http.proxies import BadProxies, read_proxies

    scheme = base_url(host, found).partition("://")[0]
    try:
        return read_proxies(found.extra_dejson.get("proxies"), scheme)
    except BadProxies as bad:
        raise Problem(
            error_class=ErrorClass.INTERNAL,
            message=(
                f"connection {host.connection} has proxies in its extra that cannot be used"
                f' ({bad}): write {{"proxies": ["http://user:password@host:port"]}}, a strange'
                " letter in user or password percent-encoded"
            ),
        ) from None


def _masking(token: Callable[[], str]) -> Callable[[], str]:
    """The same source of tokens; each that it gives is masked, once."""
    known = ""

    def masked() -> str:
        nonlocal known
        if (found := token()) != known:
            mask([found])
            known = found
        return found

    return masked
