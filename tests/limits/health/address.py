"""The address of these tests, and what is known of its health."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from include.http.addresses import COOLDOWN
from include.limits.health import SharedHealth

NAME = "nba_cdn@0123abcd"
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)

Db = psycopg.Connection[Any]
Make = Callable[..., SharedHealth]


def age(db: Db, by: timedelta = COOLDOWN) -> None:
    """Lets so much time pass for what is known."""
    db.execute("UPDATE ops.address_health SET cooldown_until = cooldown_until - %s", (by,))


def known(db: Db) -> list[tuple[str, int, bool]]:
    """(name, failures, in cooldown) of the addresses that are not well."""
    return db.execute(
        "SELECT name, failures, coalesce(cooldown_until > clock_timestamp(), false) FROM"
        " ops.address_health ORDER BY name"
    ).fetchall()


def cool_down(*processes: SharedHealth) -> None:
    """Three failures in a row, met by the processes in turn."""
    for n in range(3):
        processes[n % len(processes)].failed(NAME)


def claims(*processes: SharedHealth) -> list[bool]:
    return [process.claim(NAME) for process in processes]
