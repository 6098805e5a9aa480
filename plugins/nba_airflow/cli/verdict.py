"""How a window ended: each date by the ledger's count, not by the colour of its run, and where the
mail lies."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from include.fold import fold
from include.mail.labels import LABELS
from include.ops.db import connect
from include.ops.judgment import judge
from include.ops.results import gather_corrections
from include.outcome import Outcome
from include.partition import DateRange
from include.reruns import word_rerun
from include.results import Correction, DateResult, find_worst
from include.wording import counted
from nba_airflow import connections
from nba_airflow.cli.answer import Row
from nba_airflow.cli.results import list_rows, word_groups, word_noted
from nba_airflow.metadata.runs import Run, list_runs
from nba_airflow.specs import endpoint_names

if TYPE_CHECKING:
    import psycopg

MAX_NAMED_CHANGES = 20  # corrections that the text names; -o json and the mail have more
MAX_MAIL_WAIT = 90.0  # seconds; the summary's run takes about five after the last date


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """``results`` has one or more for every date of the window; ``mail`` says where the summary is.

    ``corrections`` is what the runs found that the upstream has changed since the dates were loaded
    before.
    """

    dag_id: str
    results: Sequence[DateResult]
    mail: str
    corrections: Sequence[Correction] = ()

    @property
    def all_done(self) -> bool:
        """Whether every date is complete, has no games, or was accepted."""
        return all(result.outcome.done for result in self.results)

    def lines(self) -> list[str]:
        """Totals, then the dates that are not done grouped by what is wrong with them, then the way
        to heal them."""
        totals = Counter(worst.outcome for worst in find_worst(self.results).values())
        lines = [", ".join(f"{n} {_name(outcome)}" for outcome, n in sorted(totals.items()))]
        lines += [*word_noted(self.results), *word_groups(self.results)]
        if bad := {result.day for result in self.results if not result.outcome.done}:
            lines.append(f"Run them again: {word_rerun(self.dag_id, bad)}")
        lines += self._corrected()
        if self.mail:
            lines.append(f"Summary mail: {self.mail}")
        return lines

    def rows(self) -> list[Row]:
        """A row per date and endpoint."""
        return list_rows(self.results)

    def facts(self) -> dict[str, object]:
        """The verdict for -o json: each date by its worst endpoint."""
        return {
            "dates": {
                str(day): {"outcome": worst.outcome, "message": worst.message}
                for day, worst in find_worst(self.results).items()
            },
            "groups": [asdict(group) for group in fold(self.results)],
            "corrections": [asdict(one) for one in self.corrections],
            "mail": self.mail,
        }

    def _corrected(self) -> list[str]:
        """The first corrections one by one, and how many there are."""
        total = sum(one.total for one in self.corrections)
        if not total:
            return []
        dates = counted(len({one.day for one in self.corrections}), "date")
        lines = [f"Corrected upstream: {counted(total, 'change')} on {dates}"]
        for one in self.corrections:
            lines += [f"  {one.day} {one.endpoint}: {change}" for change in one.changes]
        named = len(lines[1 : MAX_NAMED_CHANGES + 1])
        if named < total:
            lines[named + 1 :] = [f"  and {total - named} more: see the tasks' logs"]
        return lines


def reach_verdict(
    dag_id: str, window: DateRange, runs: Mapping[date, Run], *, awaited: Collection[date]
) -> Verdict:
    """Reads the ledger for the window's runs; waits for the mail of the batch that the ``awaited``
    dates' runs belong to, if there are any."""
    newest = max(
        (runs[day] for day in awaited if day in runs), key=lambda run: run.queued_at, default=None
    )
    with connect(connections.ops_url()) as connection:
        found = judge(connection, dag_id, list_runs(window, runs), endpoint_names(dag_id))
        return Verdict(
            dag_id=dag_id,
            results=found.results,
            mail=_mail(connection, dag_id, newest) if newest else "",
            corrections=gather_corrections(found.mine),
        )


def _name(outcome: Outcome) -> str:
    """What is done as in its mail; the others as the lines below the totals name them."""
    return LABELS[outcome].lower() if outcome.done else str(outcome)


def _mail(connection: psycopg.Connection[Any], dag_id: str, run: Run) -> str:
    """Where the mail of the run's batch is. Polls, because Airflow tells nobody when a run has
    ended."""
    give_up = time.monotonic() + MAX_MAIL_WAIT
    while time.monotonic() < give_up:
        found = connection.execute(
            "SELECT o.state, o.receipt, o.last_error FROM ops.batch_runs r JOIN ops.batches b USING"
            " (batch_id) JOIN ops.outbox o ON o.mail_id = b.batch_id WHERE b.dag_id = %s AND"
            " r.run_id = %s AND r.queued_at = %s AND b.closed_at IS NOT NULL",
            (dag_id, run.run_id, run.queued_at),
        ).fetchone()
        connection.commit()
        if found and found[0] == "sent":
            return str(found[1])
        if found and found[2]:
            return f"not sent yet: {found[2]}"
        time.sleep(0.5)
    return "none yet; the DAG backfill_summary looks again every five minutes"
