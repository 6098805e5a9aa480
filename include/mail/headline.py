"""What a batch amounts to, in a phrase: subject, badge, headline and the sentences under it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from include.mail import wording as say
from include.mail.report import GREEN, NOT_RUN, Report, totals

Tone = Literal["ok", "bad", "warn", "still"]

LABELS = {
    "complete": "Complete",
    "no_games": "Complete, no games",
    "partial": "Incomplete",
    "unverified": "Unverified",
    "failed": "Failed",
    "halted": "Halted",
    "lost": "Lost",
    "cancelled": "Cancelled",
    "quota_wait": "Waiting for limits or credits",
    "not_yet": "Waiting for data",
}


def label(outcome: str) -> str:
    """The outcome as operators read it; one that this version does not know keeps its own name."""
    return LABELS.get(outcome) or say.clean(outcome)


@dataclass(frozen=True)
class Tally:
    """The dates of a report by outcome."""

    counts: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def good(self) -> int:
        return sum(self.counts.get(outcome, 0) for outcome in GREEN)

    @property
    def not_run(self) -> int:
        return sum(self.counts.get(outcome, 0) for outcome in NOT_RUN)

    @property
    def failed(self) -> dict[str, int]:
        """Dates that were tried and are not good, by outcome."""
        return {
            outcome: n
            for outcome, n in self.counts.items()
            if outcome not in GREEN and outcome not in NOT_RUN
        }

    @property
    def bad_parts(self) -> list[str]:
        """``3 failed``, ``1 incomplete``, ``132 not run``; dates that did not run count
        together."""
        parts = [f"{say.number(n)} {label(outcome).lower()}" for outcome, n in self.failed.items()]
        return [*parts, f"{say.number(self.not_run)} not run"] if self.not_run else parts


def tally(report: Report) -> Tally:
    """Counts the report's dates."""
    return Tally(totals(report))


def subject(report: Report) -> str:
    """``[3 failed] bdl_box_scores 2024-10-22..2025-04-13: 171 of 174 dates complete``; one line."""
    dates = tally(report)
    said = f"{say.number(dates.good)} of {say.counted(dates.total, 'date')} complete"
    if not dates.total:
        said = "no dates ran"
    elif dates.good == dates.total:
        said = f"{say.counted(dates.total, 'date')} complete"
        if report.recovered:
            said += f", {say.number(len(set(report.recovered)))} recovered"
    elif report.state != "finished":
        said = ", ".join([said, *dates.bad_parts])
    if report.state != "finished":
        status = report.state.capitalize()
    else:
        status = ", ".join(dates.bad_parts) or ("OK" if dates.total else "Nothing ran")
    return (
        f"[{status}] {say.clean(report.dag_id)} {say.window(report.first_day, report.last_day)}:"
        f" {said}"
    )


def tone(report: Report) -> Tone:
    """The mail's colour; whatever it says is said in words as well."""
    dates = tally(report)
    if report.state == "halted" or set(dates.failed) - {"partial", "unverified"}:
        return "bad"
    if report.state == "cancelled":
        return "still"
    return "warn" if dates.bad_parts or not dates.total else "ok"


def badge(report: Report) -> str:
    """The state in a word or two."""
    dates = tally(report)
    if report.state != "finished":
        return report.state.capitalize()
    if not dates.total:
        return "Nothing ran"
    return "Rerun needed" if dates.bad_parts else "Complete"


def headline(report: Report) -> str:
    """The one line that says how it went."""
    dates = tally(report)
    total = say.counted(dates.total, "date")
    if report.state != "finished":
        verb = "Halted by the circuit breaker" if report.state == "halted" else "Cancelled"
        return f"{verb} after {say.number(dates.total - dates.not_run)} of {total}"
    if not dates.total:
        return "No dates ran"
    if not dates.bad_parts:
        return "The date is complete" if dates.total == 1 else f"All {total} are complete"
    if len(dates.bad_parts) > 1:
        return f"{say.listed(dates.bad_parts)} of {total}"
    bad = dates.total - dates.good
    state = dates.bad_parts[0].split(" ", 1)[1]
    verb = {"failed": "failed", "not run": "did not run"}.get(
        state, f"{'is' if bad == 1 else 'are'} {state}"
    )
    if bad == dates.total:
        return f"The date {verb}" if bad == 1 else f"All {total} {verb}"
    return f"{say.number(bad)} of {total} {verb}"


def lede(report: Report, *, errors: int) -> str:
    """What is good, what did not run, and whether the failures are one error or many."""
    dates = tally(report)
    idle = dates.counts.get("no_games", 0)
    if not dates.total:
        return "The batch ended before any date had an outcome."
    if dates.good == dates.total:
        had_none = f"; {say.counted(idle, 'date')} had no games" if idle else ""
        return f"Every expected game is in the warehouse{had_none}."
    without = f" ({say.number(idle)} without games)" if idle else ""
    good = say.counted(dates.good, "date is", "dates are") if dates.good else "No date is"
    waiting = f", {say.number(dates.not_run)} did not run" if dates.not_run else ""
    return f"{good} complete{without}{waiting}.{_same_error(dates.failed, errors)}"


def _same_error(failed: dict[str, int], errors: int) -> str:
    dates = sum(failed.values())
    if dates < 2:
        return ""
    which = (
        f"{say.number(dates)} {say.listed([label(outcome).lower() for outcome in failed])} dates"
    )
    if errors == 1:
        return f" All {which} show the same error."
    return f" The {which} show {say.number(errors)} different errors."
