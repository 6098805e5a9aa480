"""The stages of an order: backfills that are made one after the other, each only if the one before
was clean. They are one batch, which is not over while stages are to come."""

from __future__ import annotations

from typing import Any

import psycopg


def read_waiting(connection: psycopg.Connection[Any]) -> set[str]:
    """The batches that have stages to come."""
    rows = connection.execute("SELECT batch_id FROM ops.stages WHERE state = 'to come'")
    return {batch_id for (batch_id,) in rows}
