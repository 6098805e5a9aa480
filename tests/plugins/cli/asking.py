"""Asking a command as a shell does: what it is given, how it ended, and what the ledger holds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import psycopg

from include.ops.outcomes import OutcomeRow, record
from include.outcome import Outcome

DAG = "bdl_box_scores"
DAY = date(2025, 1, 15)
NEXT = date(2025, 1, 16)


@dataclass(frozen=True, kw_only=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        """Its -o plain answer: the cells of each row below the heading."""
        return [re.split(r"  +", line) for line in self.out.splitlines()[1:]]

    @property
    def facts(self) -> dict[str, Any]:
        """Its --json answer: one line, nothing beside it."""
        (line,) = self.out.splitlines()
        return json.loads(line)


Call = Callable[..., Said]


def outcome(db: psycopg.Connection[Any], day: date, said: str, **more: Any) -> None:
    now = datetime.now(UTC)
    fields = {
        "dag_id": DAG,
        "endpoint": "box_scores",
        "run_id": f"backfill__{day}",
        "phase": "audit",
        "attempt": 1,
    }
    record(
        db,
        OutcomeRow(
            **{**fields, "started_at": now, "ended_at": now, **more}, day=day, outcome=Outcome(said)
        ),
    )
