"""The rows and lines of `airflow nba status`: what was read, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any

from include.ops.status import CancelledDates, OpenBatch, OutcomeCount, UnsentMail
from include.outcome import Outcome
from include.wording import clean, clipped, counted, moment, number
from nba_airflow.cli.answer import Line, Row
from nba_airflow.under_way import Held, UnderWay, word_ended

MAX_ADDRESSES = 3
"""Addresses of one connection that have a row each while nothing holds them up."""
MAX_ACCEPTED = 3
MAX_WHY = 300
"""Characters of why something is held or not written: a usual cause with its repair is whole."""
REST = "see -o json"
OF_A_PERSON = ("breaker", "preflight")
"""The holds that somebody has to look at; quiet hours end by themselves."""


def list_due(batches: Sequence[OpenBatch]) -> Iterator[Row]:
    """Batches that have ended and wait for their mail."""
    for batch in batches:
        yield make_row("batch", batch.dag_id, [word_ended(batch), "its mail is due"])


def list_under_way(found: Sequence[UnderWay]) -> Iterator[Row]:
    """Two rows for each: how far it is, and what it has taken of what was planned."""
    for each in found:
        yield make_row("batch", each.batch.dag_id, [word_ended(each.batch), *each.word_pace()])
        if taken := each.word_taken():
            yield make_row("taken", each.batch.dag_id, taken)


def list_held(held: Sequence[Held]) -> Iterator[Row]:
    """Backfills that start no dates."""
    for each in held:
        since = f" since {moment(each.since)}" if each.since else ""
        style = "red" if each.kind in OF_A_PERSON else "yellow"
        why = f"backfill {each.backfill_id}, {each.kind}{since}: {clipped(each.why, MAX_WHY, REST)}"
        yield make_row("hold", each.dag_id, [why], style)


def list_warned(warned: Sequence[tuple[str, str]]) -> Iterator[Row]:
    """What is to be looked at in a batch (its id, why) before its breaker opens."""
    for batch_id, why in warned:
        yield make_row("warning", batch_id, [why], "yellow")


def list_unrecorded(unrecorded: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """Batches whose record could not be written."""
    for each in unrecorded:
        why = clipped(each["record_error"], MAX_WHY, REST)
        yield make_row("record", each["batch_id"], [f"not written: {why}"], "red")


def list_mails(mails: Sequence[UnsentMail]) -> Iterator[Row]:
    """Mails that nobody has accepted."""
    for mail in mails:
        tries = counted(mail.attempts, "try", "tries")
        if mail.state == "failed":
            state, style = f"given up after {tries}", "red"
        else:
            state, style = f"next try at {moment(mail.next_try_at)}, after {tries}", "yellow"
        yield make_row("mail", mail.subject, [state, mail.last_error], style)


def list_limits(connection: Mapping[str, Any]) -> Iterator[Row]:
    """What a connection's limiters hold, and its credits; or what is wrong with it. Of many
    addresses those that are at rest are one row."""
    if connection["problem"]:
        yield make_row("limit", connection["connection"], [connection["problem"]], "red")
    limiters = sorted(connection["limiters"], key=_is_at_rest)
    shown = max(MAX_ADDRESSES, len(limiters) - sum(map(_is_at_rest, limiters)))
    yield from sorted(map(_word_limiter, limiters[:shown]), key=_name)
    if more := limiters[shown:]:
        used = sum(window["used"] for state in more for window in state["windows"])
        words = [f"{counted(len(more), 'more address', 'more addresses')}, {number(used)} requests"]
        yield make_row("limit", connection["connection"], words)
    yield from _list_credits(connection)


def _name(row: Row) -> str:
    return str(row["name"])


def _is_held_up(state: Mapping[str, Any]) -> bool:
    return bool(state["paused_until"] or state["cooldown_until"])


def _is_at_rest(state: Mapping[str, Any]) -> bool:
    return not (_is_held_up(state) or state["refusals"])


def _word_limiter(state: Mapping[str, Any]) -> Row:
    """How much of its limit is used, and what it has to wait for."""
    parts = [f"{w['used']} of {w['limit']} requests / {w['seconds']:g} s" for w in state["windows"]]
    if state["paused_until"]:
        parts.append(f"paused until {moment(state['paused_until'], seconds=True)}")
    if state["refusals"]:
        parts.append(f"{counted(state['refusals'], 'refusal')} to make up for")
    if state["cooldown_until"]:
        until = moment(state["cooldown_until"], seconds=True)
        parts.append(f"cooldown after failures until {until}")
    return make_row("limit", state["name"], parts, "yellow" if _is_held_up(state) else "")


def _list_credits(connection: Mapping[str, Any]) -> Iterator[Row]:
    """The month's credits, where its upstream sells them."""
    if credits := connection["credits"]:
        parts = [
            f"{credits['used']} of {credits['total']} used",
            f"{credits['reserved']} reserved",
            f"{credits['left']} left",
            f"backfills may use {credits['left_for_backfills']} now",
            f"{credits['live_reserve']} are kept for live runs",
        ]
        name = f"{connection['connection']} {credits['month']:%Y-%m}"
        yield make_row("credits", name, parts, "" if credits["left"] else "yellow")


def list_dates(
    counts: Sequence[OutcomeCount], newest: Mapping[tuple[str, str], date]
) -> Iterator[Row]:
    """Of each endpoint the newest date that is done, and the dates by their newest outcome, good
    ones first."""
    done = {outcome for outcome in Outcome if outcome.done}
    for key, members in groupby(counts, lambda each: (each.dag_id, each.endpoint)):
        found = sorted(members, key=lambda each: (each.outcome not in done, -each.dates))
        parts = [f"{each.dates} {each.outcome}" for each in found]
        dag_id, endpoint = key
        upto = f" to {newest[key]}" if key in newest else ""
        yield make_row("dates", dag_id, [f"{endpoint}{upto}: {parts[0]}", *parts[1:]])


def list_cancelled(cancelled: Sequence[CancelledDates]) -> Iterator[Row]:
    """A row for each DAG: somebody wanted it so, so that it needs nobody."""
    for each in cancelled:
        window = f"{each.first_day}..{each.last_day}"
        yield make_row("dates", each.dag_id, [f"{each.dates} cancelled before the start, {window}"])


def make_row(what: str, name: str, parts: Sequence[str], style: str = "") -> Row:
    """One row; the parts in one line."""
    state = "; ".join(clean(part) for part in parts if part)
    return {"what": what, "name": clean(name), "state": Line(text=state, style=style)}


def find_needs(
    *,
    held: Sequence[Held],
    mails: Sequence[UnsentMail],
    unrecorded: Sequence[Mapping[str, Any]],
    limits: Sequence[Mapping[str, Any]],
    counts: Sequence[OutcomeCount],
    obstacles: Sequence[str],
    idle: bool,
) -> list[str]:
    """What does not mend itself; empty: all is well. ``idle``: nothing is under way, so that a try
    of which nothing was heard is lost."""
    bad = _count_bad(counts, idle=idle)
    found = [
        (sum(each.kind in OF_A_PERSON for each in held), "backfill is held", "backfills are held"),
        (sum(mail.state == "failed" for mail in mails), "mail given up", "mails given up"),
        (len(unrecorded), "record not written", "records not written"),
        (
            sum(bool(each["problem"]) for each in limits),
            "connection at fault",
            "connections at fault",
        ),
        (bad, "endpoint's date not done", "endpoints' dates not done"),
        (len(obstacles), "obstacle named above", "obstacles named above"),
    ]
    return [counted(count, one, many) for count, one, many in found if count]


def _count_bad(counts: Sequence[OutcomeCount], *, idle: bool) -> int:
    """The endpoints' dates about which somebody has to do something."""
    silent = () if idle else (Outcome.LOST, Outcome.NOT_RUN)
    return sum(each.dates for each in counts if not _mends_itself(each.outcome, silent))


def _mends_itself(outcome: str, silent: Sequence[Outcome]) -> bool:
    """Whether nobody has to do anything about a date of this outcome."""
    known = Outcome(outcome)
    return known.done or known.waits or known in silent


def hint_at_limits(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """How connections are asked again that are paused or in cooldown."""
    for each in found:
        if any(map(_is_held_up, each["limiters"])):
            name = each["connection"]
            yield f"To ask {name} again at once: airflow nba resume {name}"


def hint_at_dates(
    held: Sequence[Held], counts: Sequence[OutcomeCount], *, idle: bool
) -> Iterator[str]:
    """What lets each backfill go on that waits for a person, and what to type about dates that are
    not done."""
    for each in held:
        goes_on = f"To let backfill {each.backfill_id} go on, its cause repaired"
        if each.kind == "preflight":
            yield f"{goes_on}: airflow nba release {each.backfill_id}"
        if each.kind == "breaker":
            yield f"{goes_on}: airflow nba resume {each.dag_id}"
    if _count_bad(counts, idle=idle):
        yield "Why dates are not done, and what runs them again: airflow nba errors 168"


def word_sum(batches: int, mails: Sequence[UnsentMail]) -> str:
    """How much is under way."""
    unsent = counted(len(mails), "mail")
    return f"{counted(batches, 'batch', 'batches')} under way, {unsent} not sent"


def hint_at_rest(mails: Sequence[UnsentMail], counts: Sequence[OutcomeCount]) -> Iterator[str]:
    """What to type about mails that are given up, and about a ledger that is empty."""
    if any(mail.state == "failed" for mail in mails):
        yield "When the cause of a given-up mail is repaired: airflow nba repair --mails"
    if not counts:
        yield "No date has an outcome yet. Were the ledger's rows lost? airflow nba repair --ledger"


def word_accepted(accepted: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The first of the dates that stand as accepted; -o json has all."""
    for each in accepted[:MAX_ACCEPTED]:
        yield "accepted: {dag_id} {endpoint} {day}: {message}".format(**each)
    if (more := len(accepted) - MAX_ACCEPTED) > 0:
        yield f"accepted: {counted(more, 'more date')}, see -o json"
