"""The mail of live dates that were not done in time."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from itertools import groupby

from include.mail.message import DOMAIN, make_notice, to_bytes
from include.ops.late_dates import LateDate
from include.ops.outbox import Mail
from include.wording import dates


def make_late_mail(late: Sequence[LateDate]) -> Mail:
    """One mail for all of them (one at least, in order), with an id of its own for each such
    set."""
    by_dag = [(dag_id, list(mine)) for dag_id, mine in groupby(late, lambda each: each.dag_id)]
    named = "; ".join(f"{dag_id} {dates([e.day for e in mine])}" for dag_id, mine in by_dag)
    lines = ["These live dates are not done, though their time is over:", ""]
    for each in late:
        lines.append(f"  {each.dag_id} {each.day}: its run is {each.state}")
    lines += [
        "",
        "What holds them: airflow nba status",
        "A date that waits goes on by itself; you are not told of it again.",
    ]
    mark = sha256(named.encode()).hexdigest()[:16]
    message_id = f"<late-{mark}@{DOMAIN}>"
    subject = f"[LATE] {named}"
    message = make_notice(subject, "\n".join(lines) + "\n", message_id)
    return Mail(
        mail_id=f"late:{mark}", message_id=message_id, subject=subject, content=to_bytes(message)
    )
