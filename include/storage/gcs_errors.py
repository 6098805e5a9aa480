"""What Google's refusals mean, each in one line with its repair."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from google.auth.exceptions import GoogleAuthError, TransportError

_MAX_WORDS = 300
"""Characters of Google's own words that a line has room for."""


def describe_error(error: Any, bucket: str) -> tuple[str, bool]:
    """What keeps a request from its end and what mends it, and whether time does; ``error`` is of
    google-cloud-storage, google-auth, requests, or an Overdue."""
    error = getattr(error, "cause", None) or error  # of repeats that have all failed
    status, reason, words = _read_answer(error)
    if refusal := _word_refusal(error, bucket, status, reason, words):
        return refusal, False
    told = _told(words or type(error).__name__)
    return f"Google does not answer as it should: rerun the date later{told}", True


def _word_refusal(error: Any, bucket: str, status: int, reason: str, words: str) -> str:
    """Why Google will refuse it the next time, too, and what mends it; nothing if it may not."""
    if status == 404:
        return f"there is no bucket {bucket}: create it, or correct the store's URL"
    unanswered = isinstance(error, TransportError) or getattr(error, "retryable", False)
    if status == 401 or (isinstance(error, GoogleAuthError) and not unanswered):
        return (
            "Google refuses the credentials: renew the key of connection google_cloud_default"
            f"{_told(words)}"
        )
    if status == 403 and reason in ("forbidden", ""):
        return f"no permission: give the account the role Storage Object User{_told(words)}"
    if status in (400, 403):
        return (
            f"Google refuses it: correct the project or bucket that is named{_told(words, reason)}"
        )
    return ""


def _told(words: str, reason: str = "") -> str:
    told = " ".join(f"{reason} {words}".split())[:_MAX_WORDS]
    return f" ({told})" if told else ""


def _read_answer(error: Any) -> tuple[int, str, str]:
    """Status, reason and words of Google's answer; where none came 0, and the error's own words."""
    response = getattr(error, "response", None)
    if response is None:
        return 0, "", next((words for words in error.args[:1] if isinstance(words, str)), "")
    with suppress(ValueError, TypeError, KeyError, AttributeError):
        told = response.json()["error"]
        reasons = [str(each.get("reason", "")) for each in told.get("errors", ())]
        return response.status_code, (reasons or [""])[0], str(told.get("message", ""))
    return response.status_code, "", response.text
