"""Which raw store a connection means, by its URL alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.errors import ErrorClass, Problem
from include.storage.local import LocalStore
from include.storage.open import open_store


@pytest.mark.parametrize(
    ("url", "root"),
    [("file:///srv/nba/raw", "/srv/nba/raw"), ("file:///srv/my%20data", "/srv/my data")],
)
def test_file_url_opens_a_folder(url: str, root: str) -> None:
    store = open_store(url)
    assert isinstance(store, LocalStore)
    assert store.root == Path(root)


@pytest.mark.parametrize(
    ("url", "scheme"), [("", "no scheme"), ("/srv/raw", "no scheme"), ("ftp://host/x", "ftp")]
)
def test_store_that_nobody_knows_is_refused_with_the_connection_to_correct(
    url: str, scheme: str
) -> None:
    with pytest.raises(Problem) as caught:
        open_store(url)
    assert (caught.value.error_class, caught.value.message) == (
        ErrorClass.STORAGE,
        f"connection raw_store names no store that this version knows ({scheme}): set it to"
        " file:///absolute/folder",
    )
