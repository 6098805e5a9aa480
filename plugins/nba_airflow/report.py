"""What a step of a date writes into the ledger: one row per try, whatever came of it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from include.checks.completeness import Outcome
from include.errors import ErrorClass, Problem
from include.failpoints import reach
from include.partition import Partition
from nba_airflow import connections

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.checks.drift import Drift
    from include.steps.pipeline import Scraped
    from include.storage.raw import Manifest
    from include.warehouse.local import Loaded

log = logging.getLogger(__name__)

FETCHED = "fetched"
LOADED = "loaded"


class Report:
    """Collects what a try did and records it. ``complete`` and ``no_games`` come from an audit
    only."""

    def __init__(self, partition: Partition, context: Context) -> None:
        ti = context["ti"]
        self._partition = partition
        self._fields: dict[str, Any] = {
            "dag_id": partition.dag_id,
            "endpoint": partition.endpoint,
            "day": partition.day,
            "run_id": context["dag_run"].run_id,
            "task": ti.task_id.rsplit(".", 1)[-1],
            "attempt": ti.try_number,
            "log_url": ti.log_url or "",
            "started_at": datetime.now(UTC),
        }

    def scraped(self, scraped: Scraped) -> None:
        """A scrape that got an answer to everything it asked; its manifest says whether that is the
        whole date."""
        self._count(scraped.manifest)
        if scraped.manifest.done:
            self._record(FETCHED, scraped.manifest.message)

    def spent(self, requests: int, credits: int) -> None:
        """What this try has asked and paid so far, also before it waited and where nothing came of
        it."""
        self._fields |= {"requests": requests, "credits": credits}

    def waits(self, outcome: Outcome, why: str) -> None:
        """A date that goes on later: it is early (``not_yet``), or ``quota_wait``, which ``why``
        explains."""
        self._record(outcome, why)

    def corrected(self, drift: Drift) -> None:
        """A load that is about to replace rows which the upstream has corrected."""
        self._fields |= {"changes": drift.changes, "changes_total": drift.total}
        lines = [
            *drift.changes,
            *([f"and {more} more"] if (more := drift.total - len(drift.changes)) else []),
        ]
        log.info("corrected upstream, changes: %d\n%s", drift.total, "\n".join(lines))
        self._record(FETCHED, f"changes upstream: {drift.total}, not loaded yet")

    def loaded(self, loaded: Loaded) -> None:
        """A load."""
        self._fields |= {"rows": loaded.rows, "bytes": loaded.bytes}
        state = "replaced" if loaded.changed else "already the same"
        changes = self._fields.get("changes_total", 0)
        self._record(
            LOADED,
            f"{loaded.rows} rows, {state}" + (f", changes upstream: {changes}" if changes else ""),
        )

    def audited(self, manifest: Manifest, rows: int) -> None:
        """A date whose rows were counted and are right."""
        self._count(manifest)
        self._fields["rows"] = rows
        self._record(manifest.outcome, manifest.message)

    def failed(self, problem: Problem) -> None:
        """A step that ended with a Problem; an incomplete date keeps its k of n."""
        outcome = Outcome.FAILED
        if problem.error_class in (ErrorClass.INCOMPLETE, ErrorClass.EMPTY_UNEXPECTED):
            unverified = self._fields.get("outcome_counted") == Outcome.UNVERIFIED
            outcome = Outcome.UNVERIFIED if unverified else Outcome.PARTIAL
        self._fields |= {
            "error_class": str(problem.error_class),
            "fingerprint": problem.fingerprint,
        }
        self._fields |= {
            "changes": (),
            "changes_total": 0,
        }  # whatever they are, they are not in the warehouse
        self._record(outcome, problem.message)

    def _count(self, manifest: Manifest) -> None:
        self._fields |= {
            "games_expected": manifest.games_expected,
            "games_found": manifest.games_found,
            "missing": manifest.missing,
            "bytes": sum(o.bytes for o in manifest.objects),
            "outcome_counted": manifest.outcome,
        }

    def _record(self, outcome: str, message: str) -> None:
        from include.ops.db import connect
        from include.ops.outcomes import OutcomeRow, record

        fields = {k: v for k, v in self._fields.items() if k in OutcomeRow.__dataclass_fields__}
        row = OutcomeRow(
            **fields, outcome=str(outcome), message=message, ended_at=datetime.now(UTC)
        )
        reach("before outcome")
        with connect(connections.ops_url()) as connection:
            record(connection, row)
        reach("after outcome")
