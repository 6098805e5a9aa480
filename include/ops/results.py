"""What the ledger's rows of some runs tell: results, what has recovered, what was corrected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from include.ops.outcomes import OutcomeRow
from include.outcome import Outcome
from include.results import Correction, DateResult


def read_row(row: OutcomeRow) -> DateResult:
    """What a row says."""
    return DateResult(
        day=row.day,
        outcome=row.outcome,
        endpoint=row.endpoint,
        error_class=row.error_class,
        fingerprint=row.fingerprint,
        message=row.message,
        log_url=row.log_url,
        games_found=row.games_found,
        games_expected=row.games_expected,
        missing=row.missing,
        rows=row.rows,
        first_at=row.started_at,
        last_at=row.ended_at,
    )


def split(
    rows: Sequence[OutcomeRow], since: Mapping[str, datetime]
) -> tuple[list[OutcomeRow], list[OutcomeRow]]:
    """The rows of earlier batches and those of this one: written ``since`` the batch before it that
    had their run (run_id -> when) was closed. Both by the database's clock."""
    before = [row for row in rows if row.recorded_at < since.get(row.run_id, row.recorded_at)]
    mine = [row for row in rows if row.recorded_at >= since.get(row.run_id, row.recorded_at)]
    return before, mine


def find_recovered(
    results: Iterable[DateResult], earlier: Mapping[tuple[date, str], OutcomeRow]
) -> list[date]:
    """Dates that were not done by their ``earlier`` rows and are now, all their endpoints."""
    bad_before = {day for (day, _), row in earlier.items() if not row.outcome.done}
    done: dict[date, bool] = {}
    for result in results:
        done[result.day] = done.get(result.day, True) and result.outcome.done
    return sorted(day for day in bad_before if done.get(day))


def gather_corrections(rows: Sequence[OutcomeRow]) -> list[Correction]:
    """What these tries (oldest first) found to be corrected upstream and have loaded, per date and
    endpoint.

    A load tells it before it replaces the rows. One that was killed in between and tried again
    tells it twice, which counts once; one after which the date was never done has corrected
    nothing.
    """
    told: dict[tuple[date, str], list[OutcomeRow]] = {}
    open_ended: dict[tuple[date, str], OutcomeRow] = {}
    for row in rows:
        key = (row.day, row.endpoint)
        if row.changes_total and row.outcome is Outcome.LOST:
            open_ended[key] = row
        elif row.changes_total:
            open_ended.pop(key, None)
            told.setdefault(key, []).append(row)
        elif row.outcome.done and key in open_ended:
            told.setdefault(key, []).append(open_ended.pop(key))
    return [
        Correction(
            day=day,
            endpoint=endpoint,
            changes=tuple(change for row in of_date for change in row.changes),
            total=sum(row.changes_total for row in of_date),
        )
        for (day, endpoint), of_date in told.items()
    ]
