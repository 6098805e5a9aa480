"""Removal of keys, tokens and proxy credentials from any text before it is written, shown or
raised."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
import traceback
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, unquote

MASK = "***"

# Shorter ones are placeholders; removing every "a" or "key" from a text would leave nothing to
# read.
_SHORTEST = 4

_WORDS = (
    r"api[-_]?key|access[-_]?token|refresh[-_]?token|id[-_]?token|client[-_]?secret|private[-_]?key"
    r"|(?:pg)?password|passwd|pwd|secret|x-(?:amz|goog)-(?:signature|credential|security-token)"
)
_USERINFO = re.compile(r"(?<=://)[^/?#\s\"'<>]*@")
# A value in quotes, as libpq writes it, may have blanks in it. The look-ahead tells its quote from
# one that ends the text in which the value is empty.
_QUOTED = r"(?=.[^,\s)\]}])(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
_QUERY = re.compile(
    rf"(?i)(?<![\w-])({_WORDS}|key|token|auth|signature|sig)=(?:{_QUOTED}|[^&\s\"'<>#)\]]*)"
)
_FIELD = re.compile(rf"(?i)([\"'](?:{_WORDS})[\"']\s*:\s*)(\"[^\"]*\"?|'[^']*'?)")
_HEADER = re.compile(
    r"(?i)((?:proxy-)?authorization|x-api-key|(?:set-)?cookie)([\"']?\s*[:=,]\s*)(\"[^\"]*\"?|'[^']*'?|[^\r\n,}\"']+)"
)
# The look-ahead keeps "Basic authentication required" readable.
_SCHEME = re.compile(r"(?i:\b(bearer|basic))\s+(?=\S*[\d=._-])[\w.~+/=-]{8,}")


class Redactor:
    """Replaces known secrets, and whatever looks like one, by ``***``.

    ``secrets`` are removed literally and in the forms they take on the wire: percent-encoded,
    base64 (also as half of a Basic credential) and escaped in JSON. Patterns catch the rest:
    userinfo in URLs, ``apiKey=``-like query values, Authorization headers, Bearer and Basic
    credentials.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in wire_forms(secret)}
        # Longest first: of "key" and "key-2" the longer one must go whole.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def text(self, text: str) -> str:
        """The text without secrets."""
        if self._known:
            text = self._known.sub(MASK, text)
        text = _USERINFO.sub(f"{MASK}@", text)
        text = _QUERY.sub(rf"\1={MASK}", text)
        text = _FIELD.sub(rf'\1"{MASK}"', text)
        text = _HEADER.sub(rf"\1\2{MASK}", text)
        return _SCHEME.sub(rf"\1 {MASK}", text)

    def url(self, url: str) -> str:
        """The URL without userinfo, secret query values and fragment (which is never sent)."""
        return self.text(url.partition("#")[0])

    def __repr__(self) -> str:
        return "Redactor(...)"


class RedactingFilter(logging.Filter):
    """Redacts a record's message, arguments and traceback before any handler sees them."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if record.exc_info and record.exc_info[0]:
            # Into the message, since handlers format exc_info themselves from the exceptions' own
            # texts.
            message += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
        record.msg, record.args = self._redactor.text(message), None
        record.exc_info = record.exc_text = None
        return True


def proxy_secrets(proxy: str) -> list[str]:
    """The parts of ``scheme://user:password@host:port`` that may not be shown, also where the
    scheme is left out; empty without credentials."""
    userinfo, at, _ = (proxy.partition("://")[2] or proxy).rpartition("@")
    if not at:
        return []
    user, _, password = userinfo.partition(":")
    parts = [userinfo, password, unquote(userinfo), unquote(password)]
    # A short user is a word ("nba") that would vanish from every message.
    return [part for part in (*parts, *(u for u in (user, unquote(user)) if len(u) >= 6)) if part]


def wire_forms(secret: str) -> set[str]:
    """The secret as it is, and percent-encoded, in base64 and escaped in JSON and HTML; none that
    would remove ordinary words."""
    if len(secret) < _SHORTEST:
        return set()
    raw = secret.encode()
    in_json = (json.dumps(secret, ensure_ascii=ascii)[1:-1] for ascii in (True, False))
    forms = {secret, *in_json, html.escape(secret)}
    for encoded in (quote(secret), quote(secret, safe=""), quote_plus(secret)):
        forms |= {encoded, re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), encoded)}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        encoded = encode(raw).decode()
        forms |= {encoded, encoded.rstrip("=")}
    return {form for form in forms if len(form) >= _SHORTEST}
