"""What a date's steps are given: where bodies and rows live, and how upstreams are reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from include.http.client import Client
from include.http.upstream import Upstream
from include.storage.raw import Store
from include.warehouse.open import Warehouse


@dataclass(frozen=True, kw_only=True)
class Stores:
    """Where bodies and rows live."""

    raw: Store
    warehouse: Warehouse


@dataclass(frozen=True, kw_only=True)
class Wire:
    """How upstreams are reached: one client, and where each connection leads."""

    client: Client
    upstreams: Mapping[str, Upstream]
