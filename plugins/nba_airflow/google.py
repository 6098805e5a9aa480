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
KEYS = ("keyfile_dict", "key_path", "credential_config_file")
"""Fields of which one holds or names the key."""
_OTHERWISE = "put the key into keyfile_dict, or keep the whole connection in a secrets backend"
UNREAD = {
    "key_secret_name": _OTHERWISE,
    "idp_issuer_url": "name that identity in credential_config_file",
    "client_id": "name that identity in credential_config_file",
}
"""Fields by which Airflow's own hooks find credentials and this does not -> what to do instead."""
_OLD_PREFIX = "extra__google_cloud_platform__"
"""How older connections name these fields; Airflow reads both."""
_MISSING = (
    f"is not defined: `airflow connections add {GOOGLE} --conn-type google_cloud_platform"
    """ --conn-extra '{"key_path": "/path/to/key.json"}'`, or another of docs/bigquery.md's forms"""
)
SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


def credentials() -> Credentials:
    """The credentials of connection ``google_cloud_default``, by the fields of Airflow's Google
    type.

    ``is_anonymous`` (an emulator), or one of ``keyfile_dict`` (the key itself), ``key_path`` (a
    file) and ``credential_config_file`` (of another cloud's identity, itself or its path), else
    what the machine has (application default credentials); for ``scope``, else for all of Google
    Cloud. ``impersonation_chain`` goes on from there, the last account being the one that acts;
    ``quota_project_id`` is billed. Asks Google for nothing yet. Raises Problem(BAD_KEY) naming the
    connection, also for a field that is not read; never shows a key.
    """
    from google.auth.credentials import AnonymousCredentials

    # At DEBUG it logs the headers of each request, and with them the token (2.62).
    logging.getLogger("google.auth.transport.requests").addFilter(_is_harmless)
    given = connection(GOOGLE, missing=_bad(_MISSING)).extra_dejson
    extra = {name.removeprefix(_OLD_PREFIX): value for name, value in given.items()}
    _check_fields(extra)
    if extra.get("is_anonymous"):
        return AnonymousCredentials()
    scopes = _names(extra.get("scope")) or list(SCOPES)
    if key := extra.get("keyfile_dict"):
        found = _from_key(key, scopes)
    elif path := extra.get("key_path"):
        found = _from_key(_read("key_path", path), scopes)
    elif config := extra.get("credential_config_file"):
        found = _from_config(config, scopes)
    else:
        found = _from_machine(scopes)
    found = _impersonating(found, _names(extra.get("impersonation_chain")), scopes)
    return _billing(found, extra.get("quota_project_id"))


def bigquery_client(project: str, location: str) -> Client:
    """A client of BigQuery that connects with its first request."""
    from google.cloud.bigquery import Client

    return Client(project=project, location=location, credentials=credentials())


def storage_client() -> StorageClient:
    """A client of Google Cloud Storage that connects with its first request. It names no project:
    a bucket is found by its name alone."""
    from google.cloud.storage import Client

    return Client(project=None, credentials=credentials())


def _check_fields(extra: Mapping[str, Any]) -> None:
    for field in UNREAD:
        if extra.get(field):
            raise _bad(f"has {field}, which is not read here: {UNREAD[field]}")
    if len(given := [field for field in KEYS if extra.get(field)]) > 1:
        raise _bad(f"has {' and '.join(given)}: leave one of them")


def _is_harmless(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


def _from_key(given: Mapping[str, Any] | str | bytes, scopes: list[str]) -> Credentials:
    from google.oauth2.service_account import Credentials

    # Raised behind the handler, not in it: a chained JSONDecodeError holds the whole key file.
    with suppress(ValueError, TypeError, KeyError):
        info = json.loads(given) if isinstance(given, str | bytes) else dict(given)
        found: Credentials = Credentials.from_service_account_info(info, scopes=scopes)
        return found
    raise _bad("holds a key file that is not a service account's JSON: paste it again")


def _from_config(given: Mapping[str, Any] | str, scopes: list[str]) -> Credentials:
    """Of an identity of another cloud, whose token is in a file or at a URL."""
    from google.auth.exceptions import GoogleAuthError
    from google.auth.identity_pool import Credentials

    if isinstance(given, str) and not given.lstrip().startswith("{"):
        given = _read("credential_config_file", given).decode(errors="replace")
    with suppress(ValueError, TypeError, KeyError, GoogleAuthError):
        info = json.loads(given) if isinstance(given, str) else dict(given)
        found: Credentials = Credentials.from_info(info, scopes=scopes)
        return found
    raise _bad(
        "has a credential_config_file that is not a workload identity's, with its token in a file"
        " or at a URL: make it anew with `gcloud iam workload-identity-pools create-cred-config`"
    )


def _read(field: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise _bad(f"has {field} {path}, which cannot be read ({why}): correct it") from None


def _from_machine(scopes: list[str]) -> Credentials:
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    with suppress(DefaultCredentialsError):
        found: Credentials = google.auth.default(scopes=scopes)[0]
        return found
    raise _bad(
        "has no key, and this machine has no credentials either: put the service account's key into"
        " the extra as keyfile_dict, or run where Google's application default credentials are"
    )


def _impersonating(found: Credentials, chain: list[str], scopes: list[str]) -> Credentials:
    from google.auth.impersonated_credentials import Credentials

    if not chain:
        return found
    return Credentials(
        source_credentials=found,
        target_principal=chain[-1],
        delegates=chain[:-1],
        target_scopes=scopes,
    )


def _billing(found: Credentials, project: str | None) -> Credentials:
    from google.auth.credentials import CredentialsWithQuotaProject

    if not project:
        return found
    if not isinstance(found, CredentialsWithQuotaProject):
        raise _bad("has quota_project_id, which its kind of credentials does not take: remove it")
    billed: Credentials = found.with_quota_project(project)
    return billed


def _names(chain: Any) -> list[str]:
    """The accounts of an ``impersonation_chain``, or scopes: a list, or names between commas."""
    given = chain.split(",") if isinstance(chain, str) else chain or []
    return [str(name).strip() for name in given if str(name).strip()]


def _bad(what: str) -> Problem:
    return Problem(error_class=ErrorClass.BAD_KEY, message=f"connection {GOOGLE} {what}")
