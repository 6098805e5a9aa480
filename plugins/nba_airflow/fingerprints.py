"""The fingerprint of a DAG as it is installed and configured here."""

from __future__ import annotations

from dataclasses import asdict

from include.guards.fingerprint import fingerprint, list_code
from nba_airflow import connections
from nba_airflow.specs import find_spec, sources


def read_fingerprint(dag_id: str) -> str:
    """Of the DAG of a source; empty for any other. Reads connections, keeps none of their secrets.
    Raises Problem for one that cannot be read."""
    source = sources().get(dag_id)
    if source is None:
        return ""
    bought = connections.as_bought(source)
    options = {
        "endpoints": [[each.name, [*each.parts]] for each in bought.endpoints],
        "hosts": [
            {
                "connection": host.connection,
                "base_url": connections.base_url(host, connections.connection(host.connection)),
                "windows": [asdict(window) for window in host.windows],
                "credits": asdict(host.credits) if host.credits else None,
            }
            for host in bought.hosts
        ],
        "stores": [
            connections.location(name) for name in (connections.RAW_STORE, connections.WAREHOUSE)
        ],
    }
    return fingerprint(list_code(find_spec(dag_id)), options)
