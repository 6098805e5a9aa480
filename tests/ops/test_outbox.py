"""The outbox: a mail is handed to one sender at a time, again if that sender dies, and never after
it was sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from include.ops import outbox
from include.ops.db import connect
from include.ops.outbox import CLAIM, Mail
from tests.ops.receipts import receipt_of

MAIL = Mail(
    mail_id="batch:42",
    message_id="<42@nba>",
    subject="NBA backfill: 7 of 8 dates",
    content=b"Subject: \xc3\xa9\r\n\0",
)
OTHER = replace(MAIL, mail_id="batch:43", message_id="<43@nba>")


@pytest.fixture
def db(ops_db: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(ops_db) as connection:
        connection.execute("TRUNCATE ops.outbox")
        connection.commit()
        yield connection


def put(db: psycopg.Connection[Any], *mails: Mail) -> None:
    for mail in mails:
        outbox.put(db, mail, [])
        db.commit()


def pass_time(db: psycopg.Connection[Any], by: timedelta) -> None:
    db.execute("UPDATE ops.outbox SET next_try_at = next_try_at - %s", (by,))
    db.commit()


@contextmanager
def resting(db: psycopg.Connection[Any], mail_id: str, seconds: float) -> Iterator[None]:
    """What the block does lets the mail rest for exactly ``seconds``, by the server's clock."""
    began = db.execute("SELECT clock_timestamp()").fetchone()
    yield
    row = db.execute(
        "SELECT next_try_at, clock_timestamp() FROM ops.outbox WHERE mail_id = %s", (mail_id,)
    ).fetchone()
    assert began is not None
    assert row is not None
    assert began[0] <= row[0] - timedelta(seconds=seconds) <= row[1]


def test_a_mail_stands_or_falls_with_the_callers_transaction(
    ops_db: str, db: psycopg.Connection[Any]
) -> None:
    outbox.put(db, MAIL, [])
    with connect(ops_db) as other:
        assert outbox.claim(other) is None
    db.rollback()
    assert receipt_of(db, MAIL.mail_id) is None
    outbox.put(db, MAIL, [])
    db.commit()
    with connect(ops_db) as other:
        assert outbox.claim(other) == replace(MAIL, attempts=1)


def test_putting_a_mail_again_keeps_the_first(db: psycopg.Connection[Any]) -> None:
    put(db, MAIL, replace(MAIL, subject="another", content=b"another"))
    assert outbox.claim(db) == replace(MAIL, attempts=1)
    assert outbox.claim(db) is None


def test_mails_are_claimed_in_the_order_in_which_they_were_put(db: psycopg.Connection[Any]) -> None:
    put(db, OTHER, MAIL)
    assert [outbox.claim(db), outbox.claim(db), outbox.claim(db)] == [
        replace(OTHER, attempts=1),
        replace(MAIL, attempts=1),
        None,
    ]


def test_eight_claimers_at_once_never_get_one_mail_twice(
    ops_db: str, db: psycopg.Connection[Any]
) -> None:
    put(db, *(replace(MAIL, mail_id=f"m{n:02}", message_id=f"<{n}@nba>") for n in range(40)))
    together, claimed = threading.Barrier(8), list[str]()

    def claimer() -> None:
        with connect(ops_db) as connection:
            together.wait()
            while mail := outbox.claim(connection):
                claimed.append(mail.mail_id)

    threads = [threading.Thread(target=claimer) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == [f"m{n:02}" for n in range(40)]


def test_a_dead_senders_mail_is_due_again_after_the_claim(db: psycopg.Connection[Any]) -> None:
    put(db, MAIL)
    with resting(db, MAIL.mail_id, CLAIM.total_seconds()):
        assert outbox.claim(db) == replace(MAIL, attempts=1)
    pass_time(db, CLAIM - timedelta(seconds=10))
    assert outbox.claim(db) is None
    pass_time(db, timedelta(seconds=10))
    assert outbox.claim(db) == replace(MAIL, attempts=2)


def test_a_sent_mail_is_never_due_again_and_keeps_its_receipt(db: psycopg.Connection[Any]) -> None:
    put(db, MAIL)
    outbox.claim(db)
    outbox.sent(db, MAIL.mail_id, "accepted by sendgrid, id 7")
    pass_time(db, timedelta(days=1))
    assert outbox.claim(db) is None
    assert receipt_of(db, MAIL.mail_id) == ("sent", "accepted by sendgrid, id 7", "")


def test_the_pauses_between_tries_grow_up_to_half_an_hour(db: psycopg.Connection[Any]) -> None:
    put(db, MAIL)
    for seconds in (15, 60, 300, 1800, 1800, 1800):
        mail = outbox.claim(db)
        assert mail is not None
        with resting(db, MAIL.mail_id, seconds):
            outbox.not_sent(db, mail, "no route to host", again=True)
        pass_time(db, timedelta(seconds=seconds))
    assert receipt_of(db, MAIL.mail_id) == ("pending", "", "no route to host")


def test_a_mail_that_is_refused_for_good_is_kept_as_failed(db: psycopg.Connection[Any]) -> None:
    put(db, MAIL)
    mail = outbox.claim(db)
    assert mail is not None
    outbox.not_sent(db, mail, "401: the key is not valid", again=False)
    pass_time(db, timedelta(days=1))
    assert outbox.claim(db) is None
    assert receipt_of(db, MAIL.mail_id) == ("failed", "", "401: the key is not valid")


def test_an_error_of_an_earlier_try_is_forgotten_when_the_mail_is_sent(
    db: psycopg.Connection[Any],
) -> None:
    put(db, MAIL)
    mail = outbox.claim(db)
    assert mail is not None
    outbox.not_sent(db, mail, "no route to host", again=True)
    outbox.sent(db, MAIL.mail_id, "data/outbox/42.eml")
    assert receipt_of(db, MAIL.mail_id) == ("sent", "data/outbox/42.eml", "")


@pytest.mark.parametrize("again", [True, False])
def test_a_slow_sender_that_gives_up_does_not_undo_what_its_successor_sent(
    db: psycopg.Connection[Any], again: bool
) -> None:
    put(db, MAIL)
    slow = outbox.claim(db)
    assert slow is not None
    pass_time(db, CLAIM)
    assert outbox.claim(db) == replace(MAIL, attempts=2)
    outbox.sent(db, MAIL.mail_id, "accepted")
    outbox.not_sent(db, slow, "timed out", again=again)
    pass_time(db, timedelta(days=1))
    assert outbox.claim(db) is None
    assert receipt_of(db, MAIL.mail_id) == ("sent", "accepted", "")


def test_a_slow_sender_that_gives_up_does_not_shorten_its_successors_claim(
    db: psycopg.Connection[Any],
) -> None:
    put(db, MAIL)
    slow = outbox.claim(db)
    assert slow is not None
    pass_time(db, CLAIM)
    with resting(db, MAIL.mail_id, CLAIM.total_seconds()):
        assert outbox.claim(db) == replace(MAIL, attempts=2)
        outbox.not_sent(db, slow, "timed out", again=True)


def test_two_mails_of_one_message_id_are_refused(db: psycopg.Connection[Any]) -> None:
    put(db, MAIL)
    with pytest.raises(psycopg.errors.UniqueViolation):
        outbox.put(db, replace(OTHER, message_id=MAIL.message_id), [])


def test_mails_that_were_given_up_are_due_again_on_demand_and_no_others(
    db: psycopg.Connection[Any],
) -> None:
    put(db, MAIL, OTHER)
    given_up, waiting = outbox.claim(db), outbox.claim(db)
    assert given_up is not None
    assert waiting is not None
    outbox.not_sent(db, given_up, "bad key", again=False)
    outbox.not_sent(db, waiting, "timed out", again=True)
    assert outbox.try_again(db) == 1
    assert outbox.claim(db) == replace(MAIL, attempts=2)
    assert outbox.claim(db) is None
    assert outbox.try_again(db) == 0
