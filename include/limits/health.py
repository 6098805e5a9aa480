"""The proxies' health as all processes together know it: a row for each address that failed since
it last succeeded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg

from include.http.addresses import COOLDOWN, MAX_FAILURES
from include.ops.session import Session

_NOW = "coalesce(%(now)s::timestamptz, clock_timestamp())"
_LOOK = f"""
    SELECT cooldown_until IS NULL OR told = %(told)s, cooldown_until > {_NOW}
    FROM ops.address_health WHERE name = %(name)s
"""
# Who waited for another's probe looks at the row anew and finds it in cooldown: one of any number
# is granted.
_PROBE = f"""
    UPDATE ops.address_health SET cooldown_until = {_NOW} + %(cooldown)s, told = %(told)s
    WHERE name = %(name)s AND cooldown_until <= {_NOW}
"""
_FAILED = f"""
    INSERT INTO ops.address_health AS known (name, failures, cooldown_until, told)
    VALUES (%(name)s, 1, CASE WHEN 1 >= %(max_failures)s THEN {_NOW} + %(cooldown)s END, %(told)s)
    ON CONFLICT (name) DO UPDATE SET
        failures = known.failures + 1,
        cooldown_until =
            CASE WHEN known.failures + 1 >= %(max_failures)s THEN {_NOW} + %(cooldown)s END,
        told = excluded.told
    WHERE known.told <> excluded.told
"""
_UNUSED = f"""
    UPDATE ops.address_health SET cooldown_until = {_NOW}
    WHERE name = %(name)s AND told = %(told)s
"""
_SUCCEEDED = "DELETE FROM ops.address_health WHERE name = %(name)s"
_COOLDOWN_UNTIL = "SELECT cooldown_until FROM ops.address_health WHERE name = %(name)s"

# The claim of an address whose result comes without one.
_UNKNOWN = UUID(int=0)


class SharedHealth:
    """Health of addresses by name in Postgres, for all processes: the rules of
    ``http.addresses.Health``.

    A request through an address that is well costs one statement, its claim, which only reads: its
    success has nothing to clear and asks nothing. So a row of failures that others began meanwhile
    is ended by the next success.

    ``session`` is the task's, shared with whoever else asks the database. ``now``: for tests;
    otherwise the database's clock counts, one for all hosts. Raises Problem(STORAGE) when
    the database stays away.
    """

    def __init__(
        self,
        session: Session,
        *,
        max_failures: int = MAX_FAILURES,
        cooldown: timedelta = COOLDOWN,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._session = session
        self._max_failures, self._cooldown, self._now = max_failures, cooldown, now
        # By name the claim whose result is not in yet; None where the address was well.
        self._claims: dict[str, UUID | None] = {}

    def claim(self, name: str) -> bool:
        """True when the address may be used now; after a cooldown only the first claim anywhere
        is granted.

        That one, the probe, begins another cooldown until its result is in: a probe that is never
        heard of expires by itself.
        """
        told = uuid4()
        values = self._values(name, told)

        def work(connection: psycopg.Connection[Any]) -> tuple[bool, UUID | None]:
            while True:
                seen = connection.execute(_LOOK, values).fetchone()
                if seen is None:
                    return True, None
                free, cools = seen
                if free or cools:
                    return free, told
                if connection.execute(_PROBE, values).rowcount:
                    return True, told

        granted, claim = self._session.run(work)
        if granted:
            self._claims[name] = claim
        return granted

    def succeeded(self, name: str) -> None:
        """The address reached the upstream."""
        if self._claims.pop(name, _UNKNOWN) is not None:
            self._write(_SUCCEEDED, name, _UNKNOWN)

    def failed(self, name: str) -> None:
        """The address was blocked, hung or could not connect."""
        self._claims.pop(name, None)
        self._write(_FAILED, name, uuid4())

    def unused(self, name: str) -> None:
        """No request was sent: a probe is for the next who claims, unless others have told more of
        it since."""
        if claim := self._claims.pop(name, None):
            self._write(_UNUSED, name, claim)

    def cooldown_until(self, name: str) -> datetime | None:
        """When an address in cooldown may be probed (UTC); None while it is in none."""
        values = self._values(name, _UNKNOWN)
        row = self._session.run(
            lambda connection: connection.execute(_COOLDOWN_UNTIL, values).fetchone()
        )
        return row[0].astimezone(UTC) if row and row[0] else None

    def _write(self, statement: str, name: str, told: UUID) -> None:
        """One statement, one transaction; safe to repeat, since it tells the same again."""
        values = self._values(name, told)
        self._session.run(lambda connection: connection.execute(statement, values))

    def _values(self, name: str, told: UUID) -> dict[str, Any]:
        now = self._now() if self._now else None
        return {
            "name": name,
            "told": told,
            "now": now,
            "cooldown": self._cooldown,
            "max_failures": self._max_failures,
        }
