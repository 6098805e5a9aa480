"""Who a summary is from and to: as connection `mail` says when it is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from include.errors import Problem
from include.mail.envelope import read_envelope
from include.ops.outbox import try_again
from include.partition import DateRange
from tests.mail.stand_in import KEY, StandIn, listening
from tests.ops.receipts import receipt_of
from tests.plugins.running import Airflow

DAY = date(2024, 12, 2)
REFUSED = (
    b'{"errors": [{"message": "The from address does not match a verified Sender Identity."}]}'
)


@pytest.fixture
def sendgrid(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setenv("no_proxy", "*")
    with listening() as stand_in:
        yield stand_in


def mail_is(monkeypatch: pytest.MonkeyPatch, sendgrid: StandIn, **people: Any) -> None:
    """Connection `mail` as an operator writes it."""
    fields = {"host": sendgrid.host, "password": KEY, "extra": people}
    value = json.dumps({"conn_type": "generic", **fields})
    monkeypatch.setenv("AIRFLOW_CONN_MAIL", value)


def one_mail(airflow: Airflow) -> str:
    """Runs a backfill whose mail is due; its id."""
    backfill = airflow.backfill(DateRange(DAY, DAY))
    airflow.run("complete", DAY)
    return f"{airflow.dag_id}:{backfill}:0"


def test_mail_that_was_refused_goes_out_from_the_corrected_sender(
    airflow: Airflow, sendgrid: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    mail_is(monkeypatch, sendgrid, sender="old@example.com", recipients=["one@example.com"])
    sendgrid.next_answers.append((403, {}, REFUSED))
    mail_id = one_mail(airflow)
    with pytest.raises(AirflowFailException, match="does not match a verified Sender Identity"):
        airflow.summarise()
    ((message_id,),) = airflow.ledger.execute("SELECT message_id FROM ops.outbox").fetchall()

    mail_is(monkeypatch, sendgrid, sender="new@example.com", recipients=["two@example.com"])
    assert try_again(airflow.ledger) == 1
    airflow.sweep()

    (sent,) = sendgrid.accepted
    assert (sent["from"], sent["personalizations"]) == (
        {"email": "new@example.com"},
        [{"to": [{"email": "two@example.com"}]}],
    )
    assert sent["headers"]["Message-ID"] == message_id
    assert (receipt_of(airflow.ledger, mail_id) or [""])[0] == "sent"


@pytest.mark.parametrize(
    "recipients",
    [
        "one@example.com, two@example.com",
        "one@example.com;two@example.com",
        ["one@example.com, two@example.com"],
        ["one@example.com", "two@example.com", "One@Example.com"],
    ],
)
def test_recipients_as_airflows_users_write_them_all_get_the_mail_once(
    airflow: Airflow, sendgrid: StandIn, monkeypatch: pytest.MonkeyPatch, recipients: Any
) -> None:
    mail_is(monkeypatch, sendgrid, sender="nba@example.com", recipients=recipients)
    one_mail(airflow)
    airflow.summarise()
    assert [each["personalizations"] for each in sendgrid.accepted] == [
        [{"to": [{"email": "one@example.com"}, {"email": "two@example.com"}]}]
    ]


@pytest.mark.parametrize("person", ["a@c..com", "a@c.com.", "[Data] <a@c.com>", "a@(c.com"])
def test_address_that_reads_nearly_right_is_named(person: str) -> None:
    with pytest.raises(Problem, match=re.escape(f'"recipients" in its extra holds {person!r}')):
        read_envelope({"sender": "nba@example.com", "recipients": [person]})


def test_recipients_that_cannot_be_read_are_named_and_the_mail_is_kept(
    airflow: Airflow, sendgrid: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    mail_is(
        monkeypatch, sendgrid, sender="nba@example.com", recipients=["operators", "a@b.example"]
    )
    mail_id = one_mail(airflow)
    named = "connection `mail`: \"recipients\" in its extra holds 'operators'"
    with pytest.raises(AirflowFailException, match=named):
        airflow.summarise()
    state, _, error = receipt_of(airflow.ledger, mail_id) or ("", "", "")
    assert (state, named in error, sendgrid.requests) == ("failed", True, [])
