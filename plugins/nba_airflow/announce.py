"""Telling the team how a backfill goes, by whatever Airflow notifiers the setting names: in the
summary's task, beside the mails, which wait for none of it."""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from include.errors import Refused
from include.ops import announcements, backfills, batches, stages
from include.ops.announcements import PARTS, count_part
from include.ops.batches import BatchRun
from include.ops.status import count_runs
from include.partition import DateRange
from include.redact import RedactingFilter, Redactor
from include.wording import clean, clipped, counted

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger(__name__)

VARIABLE = "NBA_ANNOUNCE"
FORM = (
    '{"notifiers": [{"class": "airflow.providers.smtp.notifications.smtp.SmtpNotifier", "kwargs":'
    ' {"to": "team@example.com", "subject": "{{ announcement }}", "html_content":'
    ' "{{ announcement }}"}}], "every_backfill": false}'
)
MAX_SECONDS = 30.0
"""For one notifier: it is code of somebody else's, and the next mails wait for it."""
MAX_AT_ONCE = 20
SECRET_NAME = re.compile(r"(?i)token|passw|secret|key|hook|auth|credential")
SHORTEST_PART = 8
"""Of an address: what is shorter is a word."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """``notifiers``: the import path of each class and what it is made with; ``every_backfill``:
    also those without `--announce`."""

    notifiers: Sequence[tuple[str, Mapping[str, Any]]] = ()
    every_backfill: bool = False


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """One part of a backfill, in words."""

    batch_id: str
    part: int
    text: str


def read_setting() -> Setting:
    """What ``NBA_ANNOUNCE`` says. Raises Refused for another form."""
    try:
        found = json.loads(os.environ.get(VARIABLE) or "{}")
        return Setting(
            notifiers=[(each["class"], dict(each.get("kwargs", {}))) for each in found["notifiers"]]
            if found
            else (),
            every_backfill=bool(found.get("every_backfill", False)),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Refused(f"{VARIABLE} cannot be read ({error!r}): write it like {FORM}") from None


def check_announce(wanted: bool) -> None:
    """Raises Refused where somebody is to be told and the setting names nobody."""
    if wanted and not read_setting().notifiers:
        raise Refused(f"--announce: nobody is named, set {VARIABLE} for all processes like {FORM}")


def announce_due(connection: psycopg.Connection[Any]) -> None:
    """Tells what nobody was told yet: that backfills have begun, the newest of their tenths, and
    their ends. A notifier that fails is tried again with the next summary, MAX_TRIES times."""
    setting = read_setting()
    ended = announcements.read_ended(connection, MAX_AT_ONCE)
    if setting.notifiers:
        open_runs = batches.read_open(connection)
        wanted = _choose(connection, setting, [*open_runs, *(each.batch_id for each in ended)])
        for batch_id in wanted:
            found = _word(connection, batch_id, open_runs.get(batch_id, ()))
            for path, kwargs in setting.notifiers:
                _tell(connection, found, path, kwargs)
    announcements.close(connection, [each.batch_id for each in ended])


def _choose(
    connection: psycopg.Connection[Any], setting: Setting, batch_ids: Sequence[str]
) -> Iterator[str]:
    """The backfills that are announced."""
    for batch_id in batch_ids:
        orders = backfills.read_of_batch(connection, batch_id)
        ordered = any(order.options.get("announce") for order in orders)
        if batches.kind_of(batch_id) == "backfill" and (setting.every_backfill or ordered):
            yield batch_id


def _word(
    connection: psycopg.Connection[Any], batch_id: str, runs: Sequence[BatchRun]
) -> Announcement:
    """What there is to tell of it; without runs: that it has ended."""
    if not runs:
        subject = announcements.read_subject(connection, batch_id)
        return Announcement(batch_id=batch_id, part=PARTS, text=f"Backfill ended: {subject}")
    to_come = stages.read_to_come(connection, [batch_id])
    batch = count_runs(batch_id, runs, to_come=to_come[batch_id])
    part = count_part(batch.ended, batch.runs)
    ended = f"{batch.ended} of {counted(batch.runs, 'date')} ended, {batch.failed} failed"
    name = f"{batch.dag_id} {DateRange(batch.first_day, batch.last_day)}"
    if part:
        text = f"Backfill {name}: {ended} ({10 * part} %)"
    else:
        order = next(iter(backfills.read_of_batch(connection, batch_id)), None)
        why = f", by {order.started_by}: {order.reason or 'no reason given'}" if order else ""
        text = f"Backfill {name} has begun: {counted(batch.runs, 'date')}{why}"
    return Announcement(batch_id=batch_id, part=part, text=clean(text))


def _tell(
    connection: psycopg.Connection[Any], found: Announcement, path: str, kwargs: Mapping[str, Any]
) -> None:
    """Tells it by one notifier, unless that was done."""
    told = (found.batch_id, path, found.part)
    if not announcements.claim(connection, *told):
        return
    error = _bounded(partial(_notify, path, kwargs, found), secrets=[*_find_secrets(kwargs)])
    log.info("%s: %s: %s", path, found.text, error or "told")
    announcements.note(connection, *told, error=error)


def _notify(path: str, kwargs: Mapping[str, Any], found: Announcement) -> None:
    """Makes the notifier and calls it as Airflow does, with the announcement in its context."""
    module, _, name = path.rpartition(".")
    notifier = getattr(import_module(module), name)(**kwargs)
    notifier(
        {
            "announcement": found.text,
            "dag_id": batches.dag_of(found.batch_id),
            "batch_id": found.batch_id,
            "percent": 10 * found.part,
        }
    )


def _find_secrets(value: object, name: str = "") -> Iterator[str]:
    """What nobody may see of a notifier's arguments: texts that are named like a secret, and
    addresses, also without their hosts, as an error may quote them: that of a webhook is its
    key."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _find_secrets(inner, str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _find_secrets(inner, name)
    elif isinstance(value, str) and ("://" in value or SECRET_NAME.search(name)):
        path = value.partition("://")[2].partition("/")[2]
        parts = [path, *re.split(r"[/?&=]", path)]
        yield from (value, *(part for part in parts if len(part) >= SHORTEST_PART))


def _bounded(
    tell: Callable[[], None], seconds: float = MAX_SECONDS, secrets: Sequence[str] = ()
) -> str:
    """What went wrong, in one line without secrets; nothing: it went well."""
    said = [f"no end within {seconds:.0f} s"]

    def run() -> None:
        try:
            tell()
            said[:] = [""]
        except Exception as error:  # whatever somebody else's class raises
            hiding = RedactingFilter(Redactor(secrets))
            log.addFilter(hiding)
            log.exception("a notifier has failed")
            log.removeFilter(hiding)
            said[:] = [_word_error(error, secrets)]

    thread = threading.Thread(target=run, name="nba announce", daemon=True)
    thread.start()
    thread.join(seconds)
    return said[0]


def _word_error(error: Exception, secrets: Sequence[str]) -> str:
    """Without these secrets, those that Airflow knows, and what looks like one."""
    from airflow.sdk._shared.secrets_masker import redact

    # Before it is clipped: half a secret would be told from no other text.
    text = Redactor(secrets).text(str(redact(str(error))))
    return f"{type(error).__name__}: {clipped(text, 200)}"
