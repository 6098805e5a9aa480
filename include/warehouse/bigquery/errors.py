"""What BigQuery and its client raise, each as a Problem of one line that names the repair."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import TimeoutError as NotInTime
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from google.api_core import exceptions as api
from google.auth.exceptions import GoogleAuthError, TransportError
from requests.exceptions import RequestException

from include.errors import ErrorClass, Problem

AGAIN_SOON = timedelta(minutes=5)
QUOTA_AGAIN = timedelta(hours=1)
"""BigQuery gives a daily quota back bit by bit over the day."""
MAX_CHARACTERS = 300

RAISED = (api.GoogleAPIError, GoogleAuthError, RequestException, NotInTime)
"""All that the client raises for what is not a mistake in calling it."""


class Place(NamedTuple):
    """Where the warehouse is, for the words of its errors."""

    project: str
    location: str


class _Cause(NamedTuple):
    """What an error means: its class, what is said with BigQuery's own words, when to try again."""

    error_class: ErrorClass
    what: str
    again: timedelta | None = None


_NO_RIGHT = _Cause(
    ErrorClass.NOT_ENTITLED,
    "refuses: give the account of connection google_cloud_default the roles BigQuery Job User on"
    " project {project}, and BigQuery Data Editor on its datasets",
)
_UNSEEN = _Cause(
    ErrorClass.STORAGE,
    "has no such table, or does not let us see it: make what is missing with `airflow nba repair"
    " --tables`, or give the account of connection google_cloud_default the role BigQuery Data"
    " Editor on the datasets of project {project}",
)
_NO_KEY = _Cause(
    ErrorClass.BAD_KEY,
    "does not know the account of connection google_cloud_default: renew its key",
)
_QUOTA = _Cause(
    ErrorClass.QUOTA_EXHAUSTED, "has no quota left of project {project}; it waits", QUOTA_AGAIN
)
_BUSY = _Cause(ErrorClass.RATE_LIMITED, "is asked too much at a time; it waits", AGAIN_SOON)
_DEAR = _Cause(
    ErrorClass.STORAGE,
    "would read more than the bound: ask for less, or set maximum_gib in connection warehouse",
)
_NO_PROJECT = _Cause(
    ErrorClass.STORAGE, "does not know project {project}: correct connection warehouse"
)
_NO_DATASET = _Cause(
    ErrorClass.STORAGE,
    "has not all datasets in location {location}: make them with `airflow nba repair --tables`, or"
    " name the location of those that are there in connection warehouse",
)
_AWAY = _Cause(ErrorClass.STORAGE, "does not answer; it waits", AGAIN_SOON)
_SLOW = _Cause(
    ErrorClass.STORAGE,
    "has not ended a job in time; it goes on there, and its end is waited for again",
    AGAIN_SOON,
)
_STOPPED = _Cause(
    ErrorClass.STORAGE, "has stopped a job before its end; it is begun again", AGAIN_SOON
)
_OTHER = _Cause(ErrorClass.STORAGE, "cannot do what it was asked for")

_BY_REASON = {
    "accessDenied": _NO_RIGHT,
    "quotaExceeded": _QUOTA,
    "rateLimitExceeded": _BUSY,
    "jobRateLimitExceeded": _BUSY,
    "bytesBilledLimitExceeded": _DEAR,
    "stopped": _STOPPED,
    "tableUnavailable": _AWAY,
}
_BY_WORDS = {
    "too many dml statements": _BUSY,
    "could not serialize access": _BUSY,
    "not found: project": _NO_PROJECT,
    "not found: dataset": _NO_DATASET,
    "not found: job": _AWAY,  # for a while after the 409 that says that it is there
    "job timed out": _STOPPED,
}
_BY_TYPE: tuple[tuple[tuple[type[Exception], ...], _Cause], ...] = (
    ((NotInTime,), _SLOW),
    ((api.ServerError, api.RetryError, TransportError, RequestException), _AWAY),
    ((api.Unauthorized, GoogleAuthError), _NO_KEY),
    ((api.Forbidden,), _NO_RIGHT),
    ((api.TooManyRequests,), _BUSY),
)


@contextmanager
def explained(
    place: Place, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Iterator[None]:
    """Makes a Problem of what the client raises. What passes by itself has a ``retry_at``."""
    try:
        yield
    except RAISED as error:
        raise explain(error, place, now()) from None


def explain(error: Exception, place: Place, now: datetime) -> Problem:
    """The Problem of an error, with BigQuery's own first line behind ours."""
    cause, said = _find_cause(error), first_line(error)
    what = cause.what.format_map(place._asdict())
    return Problem(
        error_class=cause.error_class,
        message=f"BigQuery {what} ({said})" if said else f"BigQuery {what}",
        retry_at=now + cause.again if cause.again else None,
    )


def reason(error: Exception) -> str:
    """BigQuery's own name of an error, empty where it has none."""
    errors = getattr(error, "errors", None) or [{}]
    return str(errors[0].get("reason", "")) if isinstance(errors[0], dict) else ""


def first_line(error: Exception) -> str:
    """What BigQuery says, one line of it, without the URL that it was asked at."""
    text = str(getattr(error, "message", "") or error).strip()
    line = text.partition("\n")[0].split("prettyPrint=false: ")[-1].partition("; reason: ")[0]
    return line[:MAX_CHARACTERS].strip()


def _find_cause(error: Exception) -> _Cause:
    words = str(error).lower()
    by_words = next((cause for known, cause in _BY_WORDS.items() if known in words), None)
    if "perhaps it does not exist" in words:  # what is missing is refused like what is forbidden
        return _UNSEEN
    by_type = next((cause for types, cause in _BY_TYPE if isinstance(error, types)), _OTHER)
    return _BY_REASON.get(reason(error)) or by_words or by_type
