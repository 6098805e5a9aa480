"""Airflow connections, read and turned into the plain values that ``include`` works with."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from include.errors import ErrorClass, Problem
from include.sources.spec import ServiceAccount

if TYPE_CHECKING:
    from include.http.client import Upstream
    from include.pipeline import Stores
    from include.sources.spec import Host

RAW_STORE = "raw_store"
WAREHOUSE = "warehouse"
OPS_DB = "ops_db"
MAIL = "mail"


def connection(conn_id: str) -> Any:
    """The Airflow connection, in a task as in a server process or command. Raises Problem(INTERNAL) if undefined."""
    from airflow.exceptions import AirflowNotFoundException

    try:
        if hasattr(sys.modules.get("airflow.sdk.execution_time.task_runner"), "SUPERVISOR_COMMS"):
            from airflow.sdk import Connection

            return Connection.get(conn_id)
        from airflow.models.connection import Connection as ServerConnection

        return ServerConnection.get_connection_from_secrets(conn_id)
    except AirflowNotFoundException:
        raise Problem(
            error_class=ErrorClass.INTERNAL,
            message=f"Airflow connection {conn_id} is not defined: add it in the UI under Admin > Connections, or run"
            f" `airflow connections add {conn_id}`; .env.example lists what each one holds",
        ) from None


def location(conn_id: str) -> str:
    """The URL of a store's connection: its extra's ``url``, the one field that keeps any scheme and path as it is."""
    found = connection(conn_id).extra_dejson.get("url", "")
    if not found:
        raise Problem(
            error_class=ErrorClass.INTERNAL,
            message=f'Airflow connection {conn_id} has no "url" in its extra: set it, for example'
            ' {"url": "file:///srv/nba/raw"}',
        )
    return str(found)


def ops_url() -> str:
    """The libpq URL of the operations tables' Postgres."""
    return location(OPS_DB)


def stores() -> Stores:
    """The raw store and the warehouse that the connections name."""
    from include.pipeline import Stores
    from include.storage.raw import open_store
    from include.warehouse.open import open_warehouse

    return Stores(raw=open_store(location(RAW_STORE)), warehouse=open_warehouse(location(WAREHOUSE)))


def upstream(host: Host) -> Upstream:
    """Where a host's connection leads, with its key, headers and proxies.

    The connection's host field may be a whole base URL (the sandbox's); empty, it means the spec's real upstream.
    """
    from include.http.client import Upstream

    found = connection(host.connection)
    base = (found.host or "").rstrip("/")
    if base and "://" not in base:
        base = f"{found.schema or 'https'}://{base}{f':{found.port}' if found.port else ''}"
    extra = found.extra_dejson
    token = None
    if isinstance(host.auth, ServiceAccount):
        from include.http.service_account import token_source

        token = token_source(host.connection, extra.get("keyfile_dict"), host.auth.scopes)
    return Upstream(
        name=host.connection,
        base_url=base or host.base_url,
        key=found.password or None,
        auth=host.auth,
        headers=dict(host.headers),
        proxies=tuple(extra.get("proxies", ())),
        token=token,
    )
