"""Which raw store a connection means, by its URL alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from google.cloud.storage import Client

from include.errors import ErrorClass, Problem
from include.storage.gcs import GcsStore
from include.storage.local import LocalStore
from include.storage.open import open_store


@pytest.mark.parametrize(
    ("url", "root"),
    [("file:///srv/nba/raw", "/srv/nba/raw"), ("file:///srv/my%20data", "/srv/my data")],
)
def test_file_url_opens_a_folder(url: str, root: str) -> None:
    store = open_store(url, pytest.fail)
    assert isinstance(store, LocalStore)
    assert store.root == Path(root)


@pytest.mark.parametrize(
    "url", ["gs://raw-x/nba/raw", "gs://raw-x/nba/raw/", "gs://raw-x", "gs://raw-x/"]
)
def test_gs_url_opens_a_bucket_with_the_client_that_is_made_for_it(
    url: str, gcs_client: Callable[..., Client]
) -> None:
    store = open_store(url, lambda: gcs_client("http://127.0.0.1:1"))
    assert (type(store), store.url) == (GcsStore, url.rstrip("/"))


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("", "no scheme"),
        ("/srv/raw", "no scheme"),
        ("ftp://host/x", "ftp"),
        ("gs://", "gs"),
        ("gs:///x", "gs"),
    ],
)
def test_store_that_nobody_knows_is_refused_with_the_connection_to_correct(
    url: str, scheme: str
) -> None:
    with pytest.raises(Problem) as caught:
        open_store(url, pytest.fail)
    assert (caught.value.error_class, caught.value.message) == (
        ErrorClass.STORAGE,
        f"connection raw_store names no store that this version knows ({scheme}): set it to"
        " file:///absolute/folder or gs://bucket/prefix",
    )
