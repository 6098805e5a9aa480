"""Where a message goes: a folder of .eml files or SendGrid; one attempt each, the outbox decides on
the next."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote, urlparse

from include.errors import ErrorClass, Problem
from include.mail.message import to_bytes
from include.mail.sendgrid import SENDGRID, SendGrid, send


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A local outbox; created when missing."""

    path: Path


Target = Folder | SendGrid


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """Proof of delivery. ``where`` is the file, or SendGrid's own id of the mail (its
    X-Message-Id).

    ``again``: the folder had this Message-ID already and was left as it was.
    """

    message_id: str
    where: str
    again: bool = False


def read_target(host: str, key: str = "") -> Target:
    """What connection ``mail`` means: host ``file:///folder`` is a folder; else SendGrid, at
    ``host`` if it names one.

    Raises Problem(BAD_KEY) when the key is missing or cannot be a header, and Problem(INTERNAL)
    when it would leave this machine unencrypted.
    """
    parsed = urlparse(host)
    if parsed.scheme == "file":
        return Folder(path=Path(unquote(parsed.netloc + parsed.path)))
    if not key:
        raise _bad_key("has no password")
    # A line break in a key would come back inside http.client's error message, key and all.
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise _bad_key("has a password with blanks, line breaks or other foreign characters")
    url = host or SENDGRID
    if "://" not in url:
        url = f"https://{url}"
    if not _keeps_the_key(url):
        raise Problem(
            error_class=ErrorClass.INTERNAL,
            message=(
                f"connection `mail` has the host {host}, to which its key would go unencrypted:"
                " write it with https://, or leave it empty for SendGrid's own"
            ),
            source="sendgrid",
        )
    return SendGrid(key=key, host=url.rstrip("/"))


def _keeps_the_key(url: str) -> bool:
    """Whether nobody on the way to the URL can read what is sent: it is encrypted, or stays on this
    machine."""
    parsed = urlparse(url)
    loopback = parsed.hostname == "localhost"
    with suppress(ValueError):
        loopback = ip_address(parsed.hostname or "").is_loopback
    return parsed.scheme == "https" or (parsed.scheme == "http" and loopback)


def _bad_key(fault: str) -> Problem:
    return Problem(
        error_class=ErrorClass.BAD_KEY,
        message=(
            f"connection `mail` {fault}: set it to a SendGrid key with the Mail Send permission, or"
            " set its host to file:///folder for a local outbox"
        ),
        source="sendgrid",
    )


def deliver(message: EmailMessage, target: Target, *, now: datetime | None = None) -> Receipt:
    """One attempt. Raises Problem; ``retry_at`` says when another attempt makes sense, None that it
    makes none.

    ``now`` (aware) is what ``retry_at`` counts from. A time-out may hide a mail that SendGrid did
    accept: the second one carries the same Message-ID and batch id.
    """
    if isinstance(target, Folder):
        return _into_folder(message, target)
    sent_as = send(message, target, now or datetime.now(UTC))
    return Receipt(message_id=str(message["Message-ID"]), where=f"sendgrid:{sent_as}")


def file_name(message_id: str) -> str:
    """The .eml file of a Message-ID; different ids have different files."""
    bare = message_id.strip("<> ")
    safe = re.sub(r"[^A-Za-z0-9@._-]+", "_", bare).lstrip(".")
    if safe != bare or len(safe) > 150:
        safe = f"{safe[:150]}-{sha256(bare.encode()).hexdigest()[:8]}"
    return f"{safe}.eml"


def _into_folder(message: EmailMessage, target: Folder) -> Receipt:
    """Written beside its place and moved there, so that a reader never sees half of it."""
    message_id = str(message["Message-ID"])
    path = target.path / file_name(message_id)
    try:
        target.path.mkdir(parents=True, exist_ok=True)
        if path.exists():
            return Receipt(message_id=message_id, where=str(path), again=True)
        with tempfile.NamedTemporaryFile(
            dir=target.path, prefix=".", suffix=".tmp", delete=False
        ) as partial:
            partial.write(to_bytes(message))
            partial.flush()
            os.fsync(partial.fileno())
        os.chmod(partial.name, 0o644)
        os.replace(partial.name, path)
    except OSError as error:
        raise Problem(
            error_class=ErrorClass.STORAGE,
            message=(
                f"cannot write the mail {path} ({error.strerror}): check the folder that connection"
                " `mail` names"
            ),
            source="mail",
        ) from error
    return Receipt(message_id=message_id, where=str(path))
