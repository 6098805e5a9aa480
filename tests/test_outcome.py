"""Which outcomes are done, wait or are wrong, which is worse, and what is put off."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime

import pytest

from include.outcome import Later, Outcome

DONE = {Outcome.COMPLETE, Outcome.NO_GAMES, Outcome.ACCEPTED}
WAITS = {Outcome.QUOTA_WAIT, Outcome.NOT_YET}
WRONG = {Outcome.FAILED, Outcome.PARTIAL, Outcome.UNVERIFIED}


@pytest.mark.parametrize("outcome", Outcome)
def test_outcome_is_done_or_waits_or_is_wrong_or_nobodys_error(outcome: Outcome) -> None:
    assert (outcome.done, outcome.waits, outcome.wrong) == (
        outcome in DONE,
        outcome in WAITS,
        outcome in WRONG,
    )


def test_severity_is_the_rank_in_the_list_the_worst_first() -> None:
    assert [outcome.severity for outcome in Outcome] == list(range(len(Outcome)))
    assert max(Outcome, key=lambda outcome: outcome.severity) is Outcome.NO_GAMES


def test_what_is_put_off_says_until_when_and_why_also_after_pickling() -> None:
    until = datetime(2026, 1, 1, tzinfo=UTC)
    later = Later(until=until, reason="the window is full", outcome=Outcome.QUOTA_WAIT)
    for each in (later, pickle.loads(pickle.dumps(later))):
        found = (each.until, each.reason, each.outcome, str(each), each.args)
        args = (until, "the window is full", Outcome.QUOTA_WAIT)
        assert found == (*args, "the window is full", args)
