"""What a batch amounts to, in a phrase: subject, badge, headline and the sentences under it."""

from __future__ import annotations

from dataclasses import dataclass

from include import wording as say
from include.mail.labels import LABELS, Tone
from include.mail.report import Report, count_dates
from include.outcome import Outcome


@dataclass(frozen=True)
class DateCounts:
    """The dates of a report by outcome."""

    counts: dict[Outcome, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        return sum(n for outcome, n in self.counts.items() if outcome.done)

    @property
    def accepted(self) -> int:
        return self.counts.get(Outcome.ACCEPTED, 0)

    @property
    def complete(self) -> int:
        """Dates that are done by their own count; what was accepted is never called complete."""
        return self.done - self.accepted

    @property
    def without_games(self) -> int:
        return self.counts.get(Outcome.NO_GAMES, 0)

    @property
    def failed(self) -> dict[Outcome, int]:
        """Dates that were tried and are not good, by outcome."""
        return {outcome: n for outcome, n in self.counts.items() if outcome.wrong}

    @property
    def not_run(self) -> int:
        return self.total - self.done - sum(self.failed.values())

    @property
    def cancelled(self) -> int:
        return self.counts.get(Outcome.CANCELLED, 0)

    @property
    def bad_parts(self) -> list[str]:
        """``3 failed``, ``1 incomplete``, ``6 cancelled``, ``132 not run``; the other dates that
        did not run count together."""
        counts = {LABELS[outcome].lower(): n for outcome, n in self.failed.items()}
        counts |= {"cancelled": self.cancelled, "not run": self.not_run - self.cancelled}
        return [f"{say.number(n)} {name}" for name, n in counts.items() if n]


def count(report: Report) -> DateCounts:
    """Counts the report's dates."""
    return DateCounts(count_dates(report))


def word_subject(report: Report) -> str:
    """``[3 failed] bdl_box_scores 2024-10-22..2025-04-13: 171 of 174 dates complete``; one line."""
    dates = count(report)
    return (
        f"[{_status(report, dates)}] {say.clean(report.dag_id)}"
        f" {report.window}: {_said(report, dates)}"
    )


def _status(report: Report, dates: DateCounts) -> str:
    if report.state != "finished":
        return report.state.capitalize()
    if not dates.total:
        return "Nothing ran"
    return ", ".join(dates.bad_parts) or "OK"


def _said(report: Report, dates: DateCounts) -> str:
    if not dates.total:
        return "no dates ran"
    if dates.complete == dates.total:
        parts = [f"{say.counted(dates.total, 'date')} complete"]
    else:
        parts = [f"{say.number(dates.complete)} of {say.counted(dates.total, 'date')} complete"]
    if dates.accepted:
        parts.append(f"{say.number(dates.accepted)} accepted")
    if report.state != "finished":
        parts += dates.bad_parts
    elif dates.done == dates.total and report.recovered:
        parts.append(f"{say.number(len(set(report.recovered)))} recovered")
    return ", ".join(parts)


def choose_tone(report: Report) -> Tone:
    """The mail's colour; whatever it says is said in words as well."""
    dates = count(report)
    if report.state == "halted" or Outcome.FAILED in dates.failed:
        return "bad"
    if report.state == "cancelled":
        return "still"
    return "warn" if dates.bad_parts or not dates.total else "ok"


def word_badge(report: Report) -> str:
    """The state in a word or two."""
    dates = count(report)
    if report.state != "finished":
        return report.state.capitalize()
    if not dates.total:
        return "Nothing ran"
    if dates.bad_parts:
        return "Rerun needed"
    return "Accepted" if dates.accepted else "Complete"


def word_headline(report: Report) -> str:
    """The one line that says how it went."""
    dates = count(report)
    total = say.counted(dates.total, "date")
    if report.state != "finished":
        verb = "Halted by the circuit breaker" if report.state == "halted" else "Cancelled"
        return f"{verb} after {say.number(dates.total - dates.not_run)} of {total}"
    if not dates.total:
        return "No dates ran"
    if len(dates.bad_parts) > 1:
        return f"{say.listed(dates.bad_parts)} of {total}"
    if dates.bad_parts:
        return _these(dates.total - dates.done, dates.total, dates.bad_parts[0].split(" ", 1)[1])
    if dates.without_games:
        return _word_done(dates)
    if not dates.accepted:
        return _these(dates.total, dates.total, "complete")
    if not dates.complete:
        return _these(dates.total, dates.total, "accepted")
    accepted = say.counted(dates.accepted, "is", "are")
    return f"{_these(dates.complete, dates.total, 'complete')}, {accepted} accepted"


def _word_done(dates: DateCounts) -> str:
    """``All 160 dates are done: 151 complete, 9 without games``."""
    if len(dates.counts) == 1:
        return _these(dates.total, dates.total, "without games")
    parts = [f"{say.number(n)} {LABELS[outcome].lower()}" for outcome, n in dates.counts.items()]
    return f"{_these(dates.total, dates.total, 'done')}: {', '.join(parts)}"


def _these(count: int, total: int, state: str) -> str:
    """``All 3 dates are complete``, ``1 of 2 dates failed``, ``The date is unverified``."""
    verbs = {"failed": "failed", "not run": "did not run"}
    verb = verbs.get(state, f"{'is' if count == 1 else 'are'} {state}")
    dates = say.counted(total, "date")
    if count < total:
        return f"{say.number(count)} of {dates} {verb}"
    return f"The date {verb}" if total == 1 else f"All {dates} {verb}"


def word_lede(report: Report, *, errors: int) -> str:
    """What is good, what did not run, and whether the failures are one error or many."""
    dates = count(report)
    if not dates.total:
        return "The batch ended before any date had an outcome."
    if dates.done == dates.total:
        says = "Every expected game is in the warehouse"
        if dates.accepted:
            says += f", except for what was accepted on {say.counted(dates.accepted, 'date')}"
        return f"{says}."
    complete = dates.complete - dates.without_games
    says = say.counted(complete, "date is", "dates are") if complete else "No date is"
    says += " complete"
    if dates.without_games:
        says += f", {say.counted(dates.without_games, 'is', 'are')} without games"
    if dates.accepted:
        says += f", {say.counted(dates.accepted, 'is', 'are')} accepted"
    if dates.cancelled:
        says += f", {say.counted(dates.cancelled, 'is', 'are')} cancelled"
    if others := dates.not_run - dates.cancelled:
        says += f", {say.number(others)} did not run"
    return f"{says}.{_same_error(dates.failed, errors)}"


def _same_error(failed: dict[Outcome, int], errors: int) -> str:
    dates = sum(failed.values())
    if dates < 2:
        return ""
    which = (
        f"{say.number(dates)} {say.listed([LABELS[outcome].lower() for outcome in failed])} dates"
    )
    if errors == 1:
        return f" All {which} show the same error."
    return f" The {which} show {say.number(errors)} different errors."
