"""Bodies that serve many dates (a season's schedule): where the newest one lies, so that it is
fetched once."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime

from include.storage.raw import RawObject
from include.storage.store import Store


def path(dag_id: str, endpoint: str, group: str) -> str:
    """Where the pointer to a group's bodies lies."""
    return f"{dag_id}/_shared/{endpoint}/{group}.json"


def newest(
    store: Store, dag_id: str, endpoint: str, group: str, *, since: datetime
) -> list[RawObject]:
    """The objects of the group's last fetch, if that was at ``since`` (aware) or later."""
    return parse(store.read(path(dag_id, endpoint, group)), since=since)


def remember(
    store: Store, dag_id: str, endpoint: str, group: str, objects: list[RawObject]
) -> None:
    """Makes these objects (they lie in the folder of the date that fetched them) the group's
    newest."""
    store.replace(path(dag_id, endpoint, group), dump(objects))


def parse(data: bytes | None, *, since: datetime) -> list[RawObject]:
    """The objects that a pointer names, if all came at ``since`` or later; else none.

    A pointer that cannot be read is as good as none: the body is fetched again and the pointer
    written anew.
    """
    try:
        objects = [RawObject(**fields) for fields in json.loads(data or b"[]")]
        fresh = all(datetime.fromisoformat(found.fetched_at) >= since for found in objects)
    except (ValueError, TypeError):
        return []
    return objects if fresh else []


def dump(objects: list[RawObject]) -> bytes:
    """A pointer to these objects."""
    return json.dumps([asdict(found) for found in objects]).encode()
