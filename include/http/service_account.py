"""Access tokens of a Google service account, got with google-auth and kept until shortly before
they expire."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from include.errors import ErrorClass, Problem
from include.http.deadline import CuttableAdapter, Overdue, within

_PASSING = frozenset({408, 429})


def token_source(
    connection: str,
    key_file: Mapping[str, Any] | str | None,
    scopes: Sequence[str],
    *,
    timeout: float = 30.0,
) -> Callable[[], str]:
    """A function that gives the current token of the account whose key file (parsed, or its JSON
    text) this is.

    It raises Problem: BAD_KEY naming the connection where the key file is missing, broken or
    refused; UPSTREAM_DOWN where Google's token endpoint cannot be reached, fails, or is silent for
    ``timeout`` seconds. The key itself never appears in a message.
    """
    credentials: Any = None

    def token() -> str:
        # google-auth is imported, and the key file read, with the first request: a source that asks
        # nothing pays for neither. Errors are raised without their cause, which could show the key.
        nonlocal credentials
        from google.auth.exceptions import RefreshError, TransportError

        if credentials is None:
            credentials = _credentials(connection, key_file, scopes)
        if not credentials.valid:
            try:
                credentials.refresh(_once(timeout))
            except RefreshError as error:
                if error.retryable:
                    raise _down(connection) from None
                raise _bad(
                    connection, "Google refused the service account: renew its key file"
                ) from None
            except TransportError:
                raise _down(connection) from None
        return str(credentials.token)

    return token


def _once(timeout: float) -> Callable[..., Any]:
    """google-auth's transport without its own retries, which would come on top of the client's
    (seen in 2.62).

    Raises TransportError for an answer that may pass and for a 200 that is not JSON (a sign-in page
    on the way).
    """
    import requests
    from google.auth.exceptions import TransportError
    from google.auth.transport.requests import Request

    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, CuttableAdapter())
    send, logger = Request(session), logging.getLogger(Request.__module__)

    # A redirect would take the signed assertion to another host.
    settings = {"timeout": timeout, "allow_redirects": False}

    def once(**kwargs: Any) -> Any:
        # It logs the signed assertion at DEBUG, which lets in whoever reads it within the hour
        # (seen in 2.62).
        logger.addFilter(_unsaid)
        try:
            response = within(timeout, lambda: send(**{**kwargs, **settings}))
        except Overdue:
            raise TransportError("no answer in time") from None
        finally:
            logger.removeFilter(_unsaid)
        passing = response.status >= 500 or response.status in _PASSING
        if passing or (response.status == 200 and not response.data.lstrip().startswith(b"{")):
            raise TransportError(f"status {response.status}")
        return response

    return once


def _unsaid(record: logging.LogRecord) -> bool:
    return False


def _credentials(
    connection: str, key_file: Mapping[str, Any] | str | None, scopes: Sequence[str]
) -> Any:
    from google.oauth2.service_account import Credentials

    if not key_file:
        raise _bad(
            connection,
            "has no service account: put its key file's JSON into the extra as keyfile_dict",
        )
    # Raised behind the handler, not in it: a chained JSONDecodeError holds the whole key file.
    with suppress(ValueError, TypeError, KeyError):
        info = json.loads(key_file) if isinstance(key_file, str) else dict(key_file)
        return Credentials.from_service_account_info(info, scopes=list(scopes))
    raise _bad(connection, "holds a key file that is not a service account's JSON: paste it again")


def _bad(connection: str, what: str) -> Problem:
    return Problem(
        error_class=ErrorClass.BAD_KEY, message=f"connection {connection} {what}", source=connection
    )


def _down(connection: str) -> Problem:
    return Problem(
        error_class=ErrorClass.UPSTREAM_DOWN,
        message=(
            f"connection {connection}: Google gives the service account no token now: rerun the"
            " date later"
        ),
        source=connection,
    )
