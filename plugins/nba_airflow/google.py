"""Google's credentials as Airflow's Google connection names them, and the clients that are made of
them; nothing of Google's is imported before a client is wanted."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.errors import ErrorClass, Problem
from nba_airflow.connections import connection

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.cloud.bigquery import Client
    from google.cloud.storage import Client as StorageClient

GOOGLE = "google_cloud_default"
"""Airflow's own name of its Google connection."""
SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


def credentials() -> Credentials:
    """The credentials of connection ``google_cloud_default``, by the fields of Airflow's Google
    type.

    In this order: ``is_anonymous`` (an emulator), ``keyfile_dict`` (the key itself), ``key_path``
    (a file), else what the machine has (application default credentials). ``impersonation_chain``
    goes on from there, the last account being the one that acts. Asks Google for nothing yet.
    Raises Problem(BAD_KEY) naming the connection; never shows a key.
    """
    from google.auth.credentials import AnonymousCredentials

    # At DEBUG it logs the headers of each request, and with them the token (2.62).
    logging.getLogger("google.auth.transport.requests").addFilter(_is_harmless)
    extra = connection(GOOGLE).extra_dejson
    if extra.get("is_anonymous"):
        return AnonymousCredentials()
    if key := extra.get("keyfile_dict"):
        found = _from_key(key)
    elif path := extra.get("key_path"):
        found = _from_key(_read(path))
    else:
        found = _from_machine()
    return _impersonating(found, _names(extra.get("impersonation_chain")))


def bigquery_client(project: str, location: str) -> Client:
    """A client of BigQuery that connects with its first request."""
    from google.cloud.bigquery import Client

    return Client(project=project, location=location, credentials=credentials())


def storage_client() -> StorageClient:
    """A client of Google Cloud Storage that connects with its first request. It names no project:
    a bucket is found by its name alone."""
    from google.cloud.storage import Client

    return Client(project=None, credentials=credentials())


def _is_harmless(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


def _from_key(given: Mapping[str, Any] | str | bytes) -> Credentials:
    from google.oauth2.service_account import Credentials

    # Raised behind the handler, not in it: a chained JSONDecodeError holds the whole key file.
    with suppress(ValueError, TypeError, KeyError):
        info = json.loads(given) if isinstance(given, str | bytes) else dict(given)
        found: Credentials = Credentials.from_service_account_info(info, scopes=list(SCOPES))
        return found
    raise _bad("holds a key file that is not a service account's JSON: paste it again")


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise _bad(f"has key_path {path}, which cannot be read ({why}): correct it") from None


def _from_machine() -> Credentials:
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    with suppress(DefaultCredentialsError):
        found: Credentials = google.auth.default(scopes=list(SCOPES))[0]
        return found
    raise _bad(
        "has no key, and this machine has no credentials either: put the service account's key into"
        " the extra as keyfile_dict, or run where Google's application default credentials are"
    )


def _impersonating(found: Credentials, chain: list[str]) -> Credentials:
    from google.auth.impersonated_credentials import Credentials

    if not chain:
        return found
    return Credentials(
        source_credentials=found,
        target_principal=chain[-1],
        delegates=chain[:-1],
        target_scopes=list(SCOPES),
    )


def _names(chain: Any) -> list[str]:
    """The accounts of an ``impersonation_chain``: a list, or names between commas."""
    given = chain.split(",") if isinstance(chain, str) else chain or []
    return [str(name).strip() for name in given if str(name).strip()]


def _bad(what: str) -> Problem:
    return Problem(error_class=ErrorClass.BAD_KEY, message=f"connection {GOOGLE} {what}")
