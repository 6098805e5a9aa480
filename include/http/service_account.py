"""Access tokens of a Google service account, got with google-auth and kept until shortly before they expire."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from include.errors import ErrorClass, Problem


def token_source(connection: str, key_file: Mapping[str, Any] | str | None, scopes: Sequence[str]) -> Callable[[], str]:
    """A function that gives the current token of the account whose key file (parsed, or its JSON text) this is.

    It raises Problem: BAD_KEY naming the connection where the key file is missing, broken or refused; UPSTREAM_DOWN
    where Google's token endpoint cannot be reached. The key itself never appears in a message.
    """
    credentials: Any = None

    def token() -> str:
        nonlocal credentials
        from google.auth.exceptions import RefreshError, TransportError
        from google.auth.transport.requests import Request

        if credentials is None:
            credentials = _credentials(connection, key_file, scopes)
        if not credentials.valid:
            try:
                credentials.refresh(Request())
            except RefreshError:
                raise _bad(connection, "Google refused the service account: renew its key file") from None
            except TransportError:
                raise Problem(
                    error_class=ErrorClass.UPSTREAM_DOWN,
                    message=f"connection {connection}: the token endpoint of the service account does not answer",
                    source=connection,
                ) from None
        return str(credentials.token)

    return token


def _credentials(connection: str, key_file: Mapping[str, Any] | str | None, scopes: Sequence[str]) -> Any:
    from google.oauth2.service_account import Credentials

    if not key_file:
        raise _bad(connection, "has no service account: put its key file's JSON into the extra as keyfile_dict")
    try:
        info = json.loads(key_file) if isinstance(key_file, str) else dict(key_file)
        return Credentials.from_service_account_info(info, scopes=list(scopes))
    except (ValueError, TypeError, KeyError):
        raise _bad(connection, "holds a key file that is not a service account's JSON: paste it again") from None


def _bad(connection: str, what: str) -> Problem:
    return Problem(error_class=ErrorClass.BAD_KEY, message=f"connection {connection} {what}", source=connection)
