"""From and To of a mail: read from connection `mail` when it is sent, in every form that Airflow's
own ``email=`` takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import parseaddr

from include.errors import ErrorClass, Problem

_BETWEEN = re.compile(r'\s*[,;]\s*(?=(?:[^"]*"[^"]*")*[^"]*$)')
"""What stands between two addresses of one text, outside of quotes."""
_MISNAMED = frozenset(("cc", "bcc", "to", "from", "reply_to", "replyto"))
"""Fields that people may take for ours; ``reply_to`` is ours in no other spelling."""
_PLAIN = r'[^\s@<>,;"]+@[^\s@<>,;"]+'
_PERSON = re.compile(rf'{_PLAIN}|(?:"[^"\r\n]*"|[^"<>@,;\r\n]*)\s*<{_PLAIN}>')


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """From, To (one at least, none twice) and Reply-To (empty for none)."""

    sender: Address
    recipients: Sequence[Address]
    reply_to: Sequence[Address] = ()


def read_envelope(extra: Mapping[str, object]) -> Envelope:
    """The fields ``sender``, ``recipients`` and ``reply_to`` of the extra of connection `mail`.

    Each is a text of one or more addresses (``Name <address>`` or a bare one, with commas or
    semicolons between them) or a list of such texts. An address that is there twice counts once,
    in whatever case. Raises Problem(BAD_KEY), naming the field, when one cannot be read, or
    is written under another name.
    """
    for field in extra:
        if field.lower().replace("-", "_") in _MISNAMED and field != "reply_to":
            raise _misnamed(field)
    senders = _read(extra, "sender")
    if len(senders) > 1:
        raise _unreadable("sender", f"has {len(senders)} addresses: a mail has one sender")
    reply_to = _read(extra, "reply_to") if extra.get("reply_to") else []
    return Envelope(sender=senders[0], recipients=_read(extra, "recipients"), reply_to=reply_to)


def address(message: EmailMessage, envelope: Envelope) -> EmailMessage:
    """The message from and to these people; whoever it was to before is replaced."""
    found = deepcopy(message)
    headers = {
        "From": [envelope.sender],
        "To": envelope.recipients,
        "Reply-To": envelope.reply_to,
    }
    for name, people in headers.items():
        del found[name]
        if people:
            found[name] = list(people)
    return found


def _read(extra: Mapping[str, object], field: str) -> list[Address]:
    given = extra.get(field)
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, Iterable) or isinstance(texts, Mapping):
        raise _unreadable(field, "is missing" if given is None else f"is {given!r}")
    found: dict[str, Address] = {}
    for text in texts:
        if not isinstance(text, str):
            raise _unreadable(field, f"holds {text!r}, which is not a text")
        for part in filter(None, _BETWEEN.split(text.strip())):
            person = _parse(field, part)
            found.setdefault(person.addr_spec.lower(), person)
    if not found:
        raise _unreadable(field, "is empty")
    return list(found.values())


def _parse(field: str, text: str) -> Address:
    if not _PERSON.fullmatch(text):
        raise _unreadable(field, f"holds {text!r}, which is not an address")
    name, plain = parseaddr(text)
    try:
        return Address(display_name=name, addr_spec=plain)
    except (ValueError, LookupError, MessageError) as error:  # all three are met in the parser
        raise _unreadable(field, f"holds {text!r}, which is not an address ({error})") from None


def _misnamed(field: str) -> Problem:
    return _fault(
        f'"{field}" in its extra is not a field of it: write people into "sender", "recipients" or'
        ' "reply_to"'
    )


def _unreadable(field: str, fault: str) -> Problem:
    return _fault(
        f'"{field}" in its extra {fault}; write it like {{"{field}": "NBA <nba@example.com>"}}'
    )


def _fault(said: str) -> Problem:
    message = f"connection `mail`: {said}"
    return Problem(error_class=ErrorClass.BAD_KEY, message=message, source="mail")
