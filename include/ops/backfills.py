"""What was ordered with each of Airflow's backfills, and what holds one paused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

Kind = Literal["whole", "canary", "ramp", "repair"]
HoldKind = Literal["quiet hours", "breaker", "preflight"]
CHECKING = "it was not begun by our command, and is being checked"
"""Why a preflight holds what nobody has checked yet."""


@dataclass(frozen=True, kw_only=True)
class Backfill:
    """A backfill as it was ordered. ``batch_id`` is that of the first backfill of its order;
    ``options`` are the command's that change what is done, ``plan`` what was expected of the order,
    None where nobody has planned it yet; ``fingerprint`` is of code and configuration."""

    backfill_id: int
    dag_id: str
    batch_id: str
    stage: Kind = "whole"
    started_by: str
    reason: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] | None = None
    fingerprint: str = ""


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Why a backfill is kept paused, since when; or was, ``until`` then.
    ``over_at``: when its cause was over, where the backfill has not been seen to go on since."""

    backfill_id: int
    kind: HoldKind
    why: str
    since: datetime
    until: datetime | None = None
    over_at: datetime | None = None


_COLUMNS = "backfill_id, dag_id, batch_id, stage, started_by, reason, options, plan, fingerprint"


def note(connection: psycopg.Connection[Any], backfill: Backfill) -> None:
    """Notes it unless it is known. Does not commit."""
    connection.execute(
        f"INSERT INTO ops.backfills ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (backfill_id) DO NOTHING",
        (
            *(backfill.backfill_id, backfill.dag_id, backfill.batch_id, backfill.stage),
            *(backfill.started_by, backfill.reason, Jsonb(dict(backfill.options))),
            None if backfill.plan is None else Jsonb(dict(backfill.plan)),
            backfill.fingerprint,
        ),
    )


def write(connection: psycopg.Connection[Any], backfill: Backfill) -> None:
    """Notes it as it was ordered, whatever somebody who met it has noted. Does not commit."""
    connection.execute("DELETE FROM ops.backfills WHERE backfill_id = %s", (backfill.backfill_id,))
    note(connection, backfill)


def read_orders(connection: psycopg.Connection[Any], batch_ids: Collection[str]) -> list[Backfill]:
    """The backfills of these batches, the first first."""
    with connection.cursor(row_factory=class_row(Backfill)) as cursor:
        cursor.execute(
            f"SELECT {_COLUMNS} FROM ops.backfills WHERE batch_id = ANY(%s) ORDER BY backfill_id",
            ([*batch_ids],),
        )
        return cursor.fetchall()


def read(connection: psycopg.Connection[Any], ids: Collection[int]) -> dict[int, Backfill]:
    """Those of Airflow's backfills that are known."""
    with connection.cursor(row_factory=class_row(Backfill)) as cursor:
        cursor.execute(
            f"SELECT {_COLUMNS} FROM ops.backfills WHERE backfill_id = ANY(%s)", ([*ids],)
        )
        return {found.backfill_id: found for found in cursor}


def read_of_batch(connection: psycopg.Connection[Any], batch_id: str) -> list[Backfill]:
    """Those that report in the batch, the first one first."""
    with connection.cursor(row_factory=class_row(Backfill)) as cursor:
        cursor.execute(
            f"SELECT {_COLUMNS} FROM ops.backfills WHERE batch_id = %s ORDER BY backfill_id",
            (batch_id,),
        )
        return cursor.fetchall()


def read_plans(
    connection: psycopg.Connection[Any], batch_ids: Collection[str]
) -> dict[str, Mapping[str, Any]]:
    """Batch -> the facts of the plan of its order, where there is one: as its newest stage has
    it."""
    rows = connection.execute(
        "SELECT DISTINCT ON (batch_id) batch_id, plan FROM ops.backfills WHERE batch_id = ANY(%s)"
        " AND plan IS NOT NULL ORDER BY batch_id, backfill_id DESC",
        ([*batch_ids],),
    )
    return dict(rows.fetchall())


def hold(connection: psycopg.Connection[Any], backfill_id: int, kind: HoldKind, why: str) -> bool:
    """Notes why it is kept paused; False where it was for this by then. Does not commit."""
    cursor = connection.execute(
        "INSERT INTO ops.holds (backfill_id, kind, why) VALUES (%s, %s, %s)"
        " ON CONFLICT (backfill_id, kind) DO NOTHING",
        (backfill_id, kind, why),
    )
    return cursor.rowcount == 1


def say_why(
    connection: psycopg.Connection[Any], backfill_id: int, kind: HoldKind, why: str
) -> bool:
    """Notes another reason of a hold; False where it is not there any more. Does not commit."""
    cursor = connection.execute(
        "UPDATE ops.holds SET why = %s WHERE backfill_id = %s AND kind = %s",
        (why, backfill_id, kind),
    )
    return cursor.rowcount == 1


def take_stuck(
    connection: psycopg.Connection[Any], kind: HoldKind, why: str, since: datetime
) -> list[int]:
    """The backfills that are held for this reason since before then; from now on anew. Does not
    commit."""
    rows = connection.execute(
        "UPDATE ops.holds SET since = clock_timestamp() WHERE kind = %s AND why = %s AND since < %s"
        " RETURNING backfill_id",
        (kind, why, since),
    )
    return [backfill_id for (backfill_id,) in rows]


def add_options(
    connection: psycopg.Connection[Any], backfill_id: int, options: Mapping[str, Any]
) -> None:
    """Notes what was chosen later. Does not commit."""
    connection.execute(
        "UPDATE ops.backfills SET options = options || %s WHERE backfill_id = %s",
        (Jsonb(dict(options)), backfill_id),
    )


_ORDERS = 0x6E626F7264


def lock_orders(connection: psycopg.Connection[Any], dag_id: str) -> None:
    """Until the transaction's end a backfill of the DAG is being made and noted by us."""
    connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_ORDERS % 2**31, dag_id))


def is_ordered_now(connection: psycopg.Connection[Any], dag_id: str) -> bool:
    """Whether one is: what is not noted yet is about to be."""
    free = connection.execute(
        "SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))", (_ORDERS % 2**31, dag_id)
    ).fetchone()
    return free != (True,)


def lift(connection: psycopg.Connection[Any], backfill_id: int, kind: HoldKind) -> bool:
    """Takes a hold back; True where nothing else holds the backfill now, so that it may go on.
    Does not commit."""
    lifted = connection.execute(
        "DELETE FROM ops.holds WHERE backfill_id = %s AND kind = %s", (backfill_id, kind)
    )
    return lifted.rowcount == 1 and not read_holds(connection, [backfill_id])


def read_tripped(connection: psycopg.Connection[Any]) -> list[tuple[str, Hold]]:
    """(DAG, hold) of the backfills that the breaker holds, the oldest first."""
    rows = connection.execute(
        "SELECT b.dag_id, h.backfill_id, h.kind, h.why, h.since FROM ops.holds h JOIN ops.backfills"
        " b USING (backfill_id) WHERE h.kind = 'breaker' ORDER BY h.since"
    )
    return [
        (dag_id, Hold(backfill_id=number, kind=kind, why=why, since=since))
        for dag_id, number, kind, why, since in rows
    ]


def read_holds(connection: psycopg.Connection[Any], ids: Collection[int]) -> list[Hold]:
    """What holds these backfills, the oldest first."""
    with connection.cursor(row_factory=class_row(Hold)) as cursor:
        cursor.execute(
            "SELECT backfill_id, kind, why, since, over_at FROM ops.holds"
            " WHERE backfill_id = ANY(%s) ORDER BY since",
            ([*ids],),
        )
        return cursor.fetchall()


def read_all_holds(connection: psycopg.Connection[Any], ids: Collection[int]) -> list[Hold]:
    """What holds these backfills and what has ever held them, the oldest first; but for the checks
    that each went on from."""
    with connection.cursor(row_factory=class_row(Hold)) as cursor:
        cursor.execute(
            "SELECT * FROM (SELECT backfill_id, kind, why, since, until FROM ops.past_holds WHERE"
            " why <> %s UNION ALL SELECT backfill_id, kind, why, since, NULL FROM ops.holds)"
            " AS every WHERE backfill_id = ANY(%s) ORDER BY since",
            (CHECKING, [*ids]),
        )
        return cursor.fetchall()


def keep_holds(
    connection: psycopg.Connection[Any],
    backfill_id: int,
    causes: Mapping[HoldKind, str],
    *,
    ours: bool,
    lift: bool,
) -> list[HoldKind]:
    """Notes each cause that says why, if the pause is ``ours``; the other kinds are no cause any
    more, and are forgotten if they may be lifted. Returns what holds it now. Does not commit."""
    whys = [*causes.values()]
    connection.execute(
        "INSERT INTO ops.holds (backfill_id, kind, why) SELECT %s, * FROM unnest(%s::text[],"
        " %s::text[]) AS cause (kind, why) WHERE why <> '' AND %s ON CONFLICT (backfill_id,"
        " kind) DO UPDATE SET why = excluded.why, over_at = NULL",
        (backfill_id, [*causes], whys, ours),
    )
    connection.execute(
        "DELETE FROM ops.holds h USING unnest(%s::text[], %s::text[]) AS cause (kind, why) WHERE"
        " h.backfill_id = %s AND h.kind = cause.kind AND cause.why = '' AND %s",
        ([*causes], whys, backfill_id, lift),
    )
    connection.execute(
        "UPDATE ops.holds h SET over_at = coalesce(over_at, clock_timestamp())"
        " FROM unnest(%s::text[], %s::text[]) AS cause (kind, why)"
        " WHERE h.backfill_id = %s AND h.kind = cause.kind AND cause.why = ''",
        ([*causes], whys, backfill_id),
    )
    return [hold.kind for hold in read_holds(connection, [backfill_id])]
