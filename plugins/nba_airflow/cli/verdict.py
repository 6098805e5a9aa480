"""How a window ended: each date by the ledger's count, not by the colour of its run, and where the
mail lies."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from include.errors import normalised
from include.mail.batch_report import corrections, how_it_stands
from include.mail.report import Correction
from include.mail.wording import counted
from include.ops import batches, outcomes
from include.ops.db import connect
from include.outcome import Outcome
from include.partition import day_ranges
from nba_airflow import connections
from nba_airflow.cli.window import Window
from nba_airflow.metadata.runs import Run

NAMED_CHANGES = 20  # corrections that the text names; --json and the mail have more
MAIL_PATIENCE = 90.0  # seconds; the summary's run takes about five after the last date


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """``days`` is date -> (outcome, message) for every date of the window; ``mail`` says where the
    summary is.

    ``corrections`` is what the runs found that the upstream has changed since the dates were loaded
    before.
    """

    dag_id: str
    days: Mapping[date, tuple[Outcome, str]]
    mail: str
    corrections: Sequence[Correction] = ()

    @property
    def all_done(self) -> bool:
        """Whether every date is complete, has no games, or was accepted."""
        return all(outcome.done for outcome, _ in self.days.values())

    def text(self) -> str:
        """Totals, then the dates that are not done grouped by what is wrong with them, then the way
        to heal them."""
        totals = Counter(outcome for outcome, _ in self.days.values())
        lines = [", ".join(f"{n} {outcome}" for outcome, n in sorted(totals.items()))]
        groups: dict[tuple[Outcome, str], list[date]] = {}
        for day, (outcome, message) in self.days.items():
            if not outcome.done:
                groups.setdefault((outcome, normalised(message)), []).append(day)
        for (outcome, _), days in sorted(groups.items(), key=lambda item: (-len(item[1]), item[1])):
            ranges = ", ".join(str(a) if a == b else f"{a}..{b}" for a, b in day_ranges(days))
            lines.append(f"  {outcome}: {ranges}: {self.days[days[0]][1]}")
        if not self.all_done:
            bad = [day for day, (outcome, _) in self.days.items() if not outcome.done]
            lines.append(
                f"Run them again: airflow dags backfill {self.dag_id} -s {min(bad)} -e {max(bad)}"
                " --rerun-failed-tasks"
            )
        lines.extend(self._corrected())
        if self.mail:
            lines.append(f"Summary mail: {self.mail}")
        return "\n".join(lines)

    def facts(self) -> dict[str, Any]:
        """The verdict for --json."""
        return {
            "dates": {str(day): {"outcome": o, "message": m} for day, (o, m) in self.days.items()},
            "corrections": [asdict(one) | {"day": str(one.day)} for one in self.corrections],
            "mail": self.mail,
        }

    def _corrected(self) -> list[str]:
        total = sum(one.total for one in self.corrections)
        if not total:
            return []
        lines = [
            f"  {one.day} {one.endpoint}: {change}"
            for one in self.corrections
            for change in one.changes
        ]
        shown = lines[:NAMED_CHANGES]
        more = (
            [f"  and {total - len(shown)} more: see the logs of the load tasks"]
            if total > len(shown)
            else []
        )
        dates = len({one.day for one in self.corrections})
        return [
            f"Corrected upstream: {counted(total, 'change')} on {counted(dates, 'date')}",
            *shown,
            *more,
        ]


def verdict(
    dag_id: str,
    window: Window,
    runs: Mapping[date, Run],
    *,
    since: datetime | None,
    mail_wanted: bool,
) -> Verdict:
    """Reads the ledger for the window's runs; waits for the mail of the batches they belong to, if
    one is due.

    Of corrections those count that were found ``since`` then (aware); None: since the runs' newest
    batch was opened.
    """
    with connect(connections.ops_url()) as connection:
        run_ids = [run.run_id for run in runs.values()]
        rows = outcomes.of_runs(connection, dag_id, run_ids)
        since = since or batches.newest_opened(connection, dag_id, run_ids)
        by_day: dict[date, list[outcomes.OutcomeRow]] = {}
        for (day, _), row in outcomes.latest(rows).items():
            by_day.setdefault(day, []).append(row)
        backfills = sorted(
            {run.backfill_id for run in runs.values() if run.backfill_id is not None}
        )
        days = {day: standing(runs.get(day), by_day.get(day, [])) for day in window.days}
        return Verdict(
            dag_id=dag_id,
            days=days,
            mail=_mail(connection, dag_id, backfills) if mail_wanted else "",
            corrections=corrections([row for row in rows if since and row.ended_at >= since]),
        )


def standing(run: Run | None, rows: list[outcomes.OutcomeRow]) -> tuple[Outcome, str]:
    """A date's outcome and message: its worst endpoint, and never better than its run's state."""
    if run is None:
        return Outcome.NOT_RUN, "the date has no run"
    found = [how_it_stands(row) for row in rows]
    if bad := [each for each in found if not each[0].done]:
        return min(bad, key=lambda each: each[0].severity)
    if run.state != "success" or not rows:
        return (
            Outcome.LOST,
            f"the run is {run.state} without an outcome: it was cancelled, or its worker was lost",
        )
    return min((outcome for outcome, _ in found), key=lambda outcome: outcome.severity), ""


def _mail(connection: Any, dag_id: str, backfills: list[int]) -> str:
    """Where the newest batch's mail is. Polls, because Airflow tells nobody when a run has
    ended."""
    give_up = time.monotonic() + MAIL_PATIENCE
    while backfills:
        found = connection.execute(
            "SELECT b.batch_id, o.state, o.receipt, o.last_error FROM ops.batches b LEFT JOIN"
            " ops.outbox o ON o.mail_id = b.batch_id WHERE b.dag_id = %s AND b.backfill_id ="
            " ANY(%s) ORDER BY b.opened_at DESC LIMIT 1",
            (dag_id, backfills),
        ).fetchone()
        connection.commit()
        if found and found[1] == "sent":
            return str(found[2])
        if found and found[3]:
            return f"not sent yet: {found[3]}"
        if time.monotonic() > give_up:
            break
        time.sleep(0.5)
    return "none yet; the DAG backfill_summary looks again every five minutes"
