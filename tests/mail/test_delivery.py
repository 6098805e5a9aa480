"""Delivery to a folder, and which target a connection means."""

from __future__ import annotations

import os
from email.message import EmailMessage
from pathlib import Path

import pytest

from include.errors import ErrorClass, Problem
from include.mail.delivery import Folder, Receipt, deliver, file_name, read_target
from include.mail.message import from_bytes, to_bytes
from include.mail.sendgrid import SendGrid
from tests.mail.stand_in import KEY


def test_a_folder_gets_the_whole_message_as_one_file(message: EmailMessage, tmp_path: Path) -> None:
    receipt = deliver(message, Folder(path=tmp_path / "out" / "box"))
    path = tmp_path / "out" / "box" / "batch-42@nba-backfill.local.eml"
    assert receipt == Receipt(message_id="<batch-42@nba-backfill.local>", where=str(path))
    assert path.read_bytes() == to_bytes(message)


def test_delivering_again_leaves_the_one_file_as_it_was(
    message: EmailMessage, tmp_path: Path
) -> None:
    first = deliver(message, Folder(path=tmp_path))
    before = os.stat(first.where)
    again = deliver(from_bytes(to_bytes(message)), Folder(path=tmp_path))
    assert again == Receipt(
        message_id="<batch-42@nba-backfill.local>", where=first.where, again=True
    )
    assert [p.name for p in tmp_path.iterdir()] == ["batch-42@nba-backfill.local.eml"]
    assert os.stat(first.where).st_ino == before.st_ino


def test_a_folder_that_cannot_be_written_is_a_storage_problem(
    message: EmailMessage, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Problem) as caught:
        deliver(message, Folder(path=tmp_path / "file"))
    problem = caught.value
    assert (problem.error_class, problem.retry_at) == (ErrorClass.STORAGE, None)
    assert (
        problem.message
        == f"cannot write the mail {tmp_path}/file/batch-42@nba-backfill.local.eml (File exists):"
        " check the folder that connection `mail` names"
    )


def test_file_names_are_safe_and_differ_where_message_ids_do() -> None:
    names = [
        file_name(i)
        for i in ("<a@b>", "<../../etc/x@b>", "<a/b@c>", "<a_b@c>", "<" + "a" * 300 + "@b>")
    ]
    assert len(set(names)) == 5
    assert all("/" not in name and not name.startswith(".") and len(name) < 170 for name in names)
    assert (names[0], names[3]) == ("a@b.eml", "a_b@c.eml")


@pytest.mark.parametrize(
    ("host", "key", "target"),
    [
        ("file:///var/outbox", "", Folder(path=Path("/var/outbox"))),
        ("file://data/out%20box", KEY, Folder(path=Path("data/out box"))),
        ("", KEY, SendGrid(key=KEY, host="https://api.sendgrid.com")),
        ("api.eu.sendgrid.com", KEY, SendGrid(key=KEY, host="https://api.eu.sendgrid.com")),
        ("http://127.0.0.1:8090/", KEY, SendGrid(key=KEY, host="http://127.0.0.1:8090")),
        ("http://localhost:8090", KEY, SendGrid(key=KEY, host="http://localhost:8090")),
        ("http://[::1]:8090", KEY, SendGrid(key=KEY, host="http://[::1]:8090")),
    ],
)
def test_the_connection_names_a_folder_or_sendgrid(
    host: str, key: str, target: Folder | SendGrid
) -> None:
    assert read_target(host, key) == target


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("", "has no password"),
        (f"{KEY}\n", "has a password with blanks, line breaks or other foreign characters"),
        ("SG.schlüssel", "has a password with blanks, line breaks or other foreign characters"),
    ],
)
def test_a_key_that_cannot_be_a_header_is_refused_unseen(key: str, fault: str) -> None:
    with pytest.raises(Problem) as caught:
        read_target("", key)
    assert caught.value.error_class is ErrorClass.BAD_KEY
    assert (
        caught.value.message
        == f"connection `mail` {fault}: set it to a SendGrid key with the Mail Send permission,"
        " or set its host to file:///folder for a local outbox"
    )


@pytest.mark.parametrize(
    "host",
    [
        "http://api.sendgrid.com",
        "HTTP://relay.example:8090/",
        "http://10.0.0.1",
        "http://127.0.0.1.example.com",
        "ftp://127.0.0.1",
    ],
)
def test_a_key_is_not_sent_unencrypted_beyond_this_machine(host: str) -> None:
    with pytest.raises(Problem) as caught:
        read_target(host, KEY)
    assert caught.value == Problem(
        error_class=ErrorClass.INTERNAL,
        message=f"connection `mail` has the host {host}, to which its key would go unencrypted:"
        " write it with https://, or leave it empty for SendGrid's own",
        source="sendgrid",
    )
