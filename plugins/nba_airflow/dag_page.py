"""What a DAG shows of itself in Airflow's UI, and to whom: its description, its page, its roles."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from include.sources.spec import HeaderKey, QueryKey, ServiceAccount
from nba_airflow.page import PAGES, PREFIX, find_root

if TYPE_CHECKING:
    from include.sources.spec import Host, Source

ACCESS = "NBA_ACCESS_CONTROL"
"""The setting: what roles of Airflow's FAB auth manager may do with which DAG, beside what they may
with all."""
EVERY_DAG = "*"
"""In it: the DAGs that are not named."""


def shown(dag_id: str, doc: str | None, more: Iterable[str] = ()) -> dict[str, Any]:
    """The arguments of a DAG for what is shown of it. ``doc`` is the docstring of its file, the
    heading of which describes it; ``more`` are the lines below it."""
    lines = (doc or "").splitlines()
    return {
        "description": lines[0].lstrip("# ") if lines else None,
        "doc_md": doc and "\n".join([doc, *more]),
        "access_control": read_access(dag_id),
    }


def list_connections(source: Source) -> Iterator[str]:
    """A table of what the connections of a source hold, and the links."""
    yield "| Connection | Its key | Limits, where its extra names no others | Extra |"
    yield "| --- | --- | --- | --- |"
    yield from map(_word_host, source.hosts)
    yield ""
    yield from list_links(source.dag_id)


def list_links(dag_id: str) -> Iterator[str]:
    """To what the page has of a DAG of game dates, and to the record of its newest backfill."""
    at = f"{find_root()}{PREFIX}"
    pages = {page.name: page.path for page in PAGES} | {"Last record": "/record"}
    yield " · ".join(f"[{name}]({at}{path}?dag_id={dag_id})" for name, path in pages.items())


def _word_host(host: Host) -> str:
    limits = [f"{each.limit} requests / {each.seconds:g} s" for each in host.windows]
    fields = ["windows", "proxies"]
    if host.credits:
        kept = f"{host.credits.live_reserve} kept for live runs"
        limits.append(f"{host.credits.monthly} credits a month, {kept}")
        fields.append("credits")
    extra = ", ".join(f"`{name}`" for name in fields)
    return f"| `{host.connection}` | {_word_key(host)} | {'; '.join(limits)} | {extra} |"


def _word_key(host: Host) -> str:
    """Where it is in the connection, and where it goes."""
    auth = host.auth
    if isinstance(auth, HeaderKey):
        return f"password, sent as header `{auth.name}`"
    if isinstance(auth, QueryKey):
        return f"password, sent as `{auth.name}`"
    if isinstance(auth, ServiceAccount):
        return "`keyfile_dict` in its extra"
    return "none"


def read_access(dag_id: str) -> dict[str, dict[str, list[str]]] | None:
    """What ``NBA_ACCESS_CONTROL`` grants on the DAG: role -> resource -> actions, as Airflow's
    ``access_control`` takes it; None where it says nothing. Raises ValueError for another form."""
    try:
        stated = json.loads(os.environ.get(ACCESS) or "{}")
        granted = stated.get(dag_id, stated.get(EVERY_DAG)) or {}
        return {role: _read_grant(grant) for role, grant in granted.items()} or None
    except (ValueError, AttributeError):
        raise ValueError(
            f'{ACCESS} is not what it should be: write {{"*": {{"Basketball": ["can_read"]}},'
            f' "{dag_id}": {{"Odds": ["can_read", "can_edit"]}}}}'
        ) from None


def _read_grant(grant: Any) -> dict[str, list[str]]:
    """A list of actions is on the DAG itself; ``{"DAG Runs": ["can_create"]}`` on another
    resource."""
    of_resource = grant if isinstance(grant, Mapping) else {"DAGs": grant}
    for actions in of_resource.values():
        if not isinstance(actions, list) or not all(isinstance(each, str) for each in actions):
            raise ValueError
    return dict(of_resource)
