"""Airflow's masker, told of every secret that we read: none is written to a log from then on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from include.http.proxies import split_text
from include.redact import proxy_secrets, wire_forms


def mask(secrets: Iterable[str]) -> None:
    """Makes ``***`` of the secrets, as they are and as they look in a URL, a header or JSON.

    Airflow 3.3.2 has two maskers: its servers' and commands', and the tasks', which also tells the
    supervisor that writes a task's log, in one message for all.
    """
    from airflow._shared.secrets_masker import mask_secret as mask_in_servers
    from airflow.sdk.log import mask_secret as mask_in_tasks

    if forms := sorted({form for secret in secrets for form in wire_forms(secret)}):
        mask_in_servers(list(forms))
        mask_in_tasks(list(forms))


def secrets_of(found: Any) -> list[str]:
    """What nobody may see of an Airflow connection: its password, the credentials in its addresses
    and proxies, the private key of its key file."""
    extra = found.extra_dejson
    proxies = [proxy for text in _texts(extra.get("proxies")) for proxy in split_text(text)]
    addresses = [*proxies, *shown_credentials(found).values()]
    parts = [part for address in addresses for part in proxy_secrets(address)]
    return [
        secret for secret in (found.password, *parts, _private_key(extra)) if secret is not None
    ]


def shown_credentials(found: Any) -> dict[str, str]:
    """The addresses with a user or password in them, by field, that Airflow shows to everyone who
    may see connections: it hides passwords, and of an extra what is named like a secret."""
    fields = {"host": found.host, "extra's url": found.extra_dejson.get("url")}
    return {
        field: text
        for field, text in fields.items()
        if isinstance(text, str) and "@" in _authority(text)
    }


def _authority(url: str) -> str:
    return url.split("://", 1)[-1].partition("/")[0]


def _private_key(extra: Mapping[str, Any]) -> str | None:
    key_file = extra.get("keyfile_dict")
    if isinstance(key_file, str):
        with suppress(ValueError):
            key_file = json.loads(key_file)
    key = key_file.get("private_key") if isinstance(key_file, Mapping) else key_file
    return key if isinstance(key, str) else None


def _texts(value: object) -> Iterator[str]:
    """Every text in a value of JSON, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
