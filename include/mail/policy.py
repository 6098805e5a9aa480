"""When a mail goes out: how long a silent backfill is waited for, and how soon the same failure is
mailed again. The names are Alertmanager's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, kw_only=True)
class Policy:
    """``group_by`` is fixed: the batch, and within it the fingerprint.

    ``group_wait``: an open batch of which nothing was heard for so long is looked at, since a
    killed scheduler may have missed its end. ``repeat_interval``: failures of live runs with one
    fingerprint send one mail in so long; a batch is reported once and never repeated.
    """

    group_wait: timedelta = timedelta(seconds=30)
    repeat_interval: timedelta = timedelta(hours=4)


POLICY = Policy()


def is_repeat(last_sent: datetime | None, now: datetime, policy: Policy = POLICY) -> bool:
    """Whether an alert like one that was sent at ``last_sent`` is to be withheld at ``now`` (both
    aware)."""
    return last_sent is not None and now - last_sent < policy.repeat_interval
