"""Signing in at Google's token endpoint: what lets us in goes to that address alone."""

from __future__ import annotations

import pytest

from include.errors import ErrorClass, Problem
from include.http.service_account import token_source
from tests.mail.stand_in import listening
from tests.steps.credentials import PRIVATE_KEY, SCOPES


@pytest.mark.parametrize("status", [302, 307, 308])
def test_a_redirect_takes_the_signed_assertion_nowhere(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with listening() as google, listening() as elsewhere:
        google.next_answers.append((status, {"Location": f"{elsewhere.host}/token"}, b""))
        key_file = {
            "type": "service_account",
            "private_key": PRIVATE_KEY,
            "client_email": "a@b.example",
            "token_uri": f"{google.host}/token",
        }
        with pytest.raises(Problem) as failed:
            token_source("bigdataball", key_file, SCOPES)()
        assert elsewhere.requests == []
    assert failed.value == Problem(
        error_class=ErrorClass.BAD_KEY,
        message="connection bigdataball Google refused the service account: renew its key file",
        source="bigdataball",
    )
