"""Proxies as people write them (requests, nba_api, one string, a list), read into one form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import SplitResult, quote, unquote, urlsplit

SCHEMES = ("http", "https")


class BadProxies(ValueError):
    """Proxies that cannot be read; says which entry is wrong, and shows none of them."""


def split_text(text: str) -> list[str]:
    """The proxies of one text: one, or several with commas or blanks between them."""
    return [part for part in re.split(r"[\s,]+", text) if part]


def read_proxies(value: object, scheme: str) -> tuple[str, ...]:
    """Proxies as ``http://user:password@host:port``, each once, in their order.

    ``value``: a text, a mapping as requests takes it (``{"http": ..., "https": ...}``, of which the
    upstream's ``scheme`` chooses), or a list of either; nothing at all means none. Where a proxy
    has no scheme it is spoken to in plain HTTP, as requests does. Raises BadProxies.
    """
    found = [_read(text, f"entry {number}") for number, text in enumerate(_texts(value, scheme), 1)]
    return tuple(dict.fromkeys(found))


def _texts(value: object, scheme: str) -> Iterator[str]:
    """The proxies one by one, whatever they are written in."""
    match value:
        case None:
            return
        case str():
            yield from split_text(value)
        case list() | tuple():
            for each in value:
                yield from _texts(each, scheme)
        case Mapping():
            yield from _texts(_chosen(value, scheme), scheme)
        case _:
            raise BadProxies(f"{value!r} is not a proxy")


def _chosen(by_scheme: Mapping[str, object], scheme: str) -> object:
    """The proxy that requests would take for an upstream of this scheme."""
    if not by_scheme:
        return None
    if strange := sorted(by_scheme.keys() - {*SCHEMES, "all"}):
        raise BadProxies(f"{strange[0]!r} is not one of http, https and all")
    chosen = by_scheme.get(scheme) or by_scheme.get("all")
    if not chosen:
        raise BadProxies(f"there is none for {scheme}, which this upstream is asked by")
    return chosen


def _read(text: str, which: str) -> str:
    """The proxy in its one form. Raises BadProxies."""
    has_scheme = "://" in text
    try:
        parts = urlsplit(text if has_scheme else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise BadProxies(f"{which} has no host and port") from None
    if parts.scheme not in SCHEMES:
        raise BadProxies(f"{which} is not an HTTP proxy")
    if not host or not (port or has_scheme) or parts.path.strip("/") or parts.query:
        raise BadProxies(f"{which} has no host and port")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{_credentials(parts)}{shown}{f':{port}' if port else ''}"


def _credentials(parts: SplitResult) -> str:
    """``user:password@`` with all but letters and digits percent-encoded, or nothing."""
    words = [word for word in (parts.username, parts.password) if word is not None]
    if not any(words):
        return ""
    return ":".join(quote(unquote(word), safe="") for word in words) + "@"
