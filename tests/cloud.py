"""Clients of the cloud's stand-ins, as the connections make them of the real one."""

from __future__ import annotations

from google.auth.credentials import AnonymousCredentials, Credentials
from google.cloud.storage import Client


def make_client(url: str, credentials: Credentials | None = None) -> Client:
    """A client of Google Cloud Storage's API at this URL; an anonymous one unless credentials are
    given."""
    return Client(
        project="test-project",
        credentials=credentials or AnonymousCredentials(),
        client_options={"api_endpoint": url},
    )
