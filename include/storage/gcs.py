"""The object store that is a bucket of Google Cloud Storage (``gs://bucket/prefix``)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import urlsplit

from google.api_core.exceptions import GoogleAPIError, NotFound, PreconditionFailed
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import GoogleAuthError
from google.cloud.storage import Blob, Bucket, Client
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from google.cloud.storage.retry import DEFAULT_RETRY
from requests import PreparedRequest, RequestException, Response

from include.errors import ErrorClass, Problem
from include.http.deadline import CuttableAdapter, Overdue, within
from include.storage.gcs_errors import describe_error
from include.used import Used

T = TypeVar("T")

REQUEST_TIMEOUT = (10.0, 30.0)
"""Seconds to connect in, and to wait for the next bytes of an answer in."""
RETRY_FOR = 60.0
"""Seconds in which a request that may be repeated is begun again (408, 429, 5xx, lost answers),
after 1 s, 2 s, ... The library's own are 120 s. Also what keeps the limit of one write a second to
one name: Google refuses the second one with 429."""
MAX_SECONDS = 100.0
"""After which an operation's connection is cut: an answer may come a byte at a time."""

PERMISSIONS = (
    "storage.objects.create",
    "storage.objects.delete",  # asked for when an object is overwritten
    "storage.objects.get",
    "storage.objects.list",
)
"""What a task needs on the bucket; the role Storage Object User has all of it."""

KINDS = {
    "gz": "application/gzip",
    "md": "text/markdown; charset=utf-8",
    "svg": "image/svg+xml",
}
"""What a browser takes an object for, by the ending of its name."""

DAMAGED = Retry(predicate=if_exception_type(DataCorruption), initial=0.1, timeout=2.0)
"""A body that was damaged on its way, or replaced while it was read, is read once more."""

ERRORS = (
    *(GoogleAPIError, GoogleAuthError, RequestException, DataCorruption, InvalidResponse),
    Overdue,
)
"""All that a request to Google can end with."""


class _Counting(CuttableAdapter):
    """Counts by class what Google has done; what it refuses (4xx, 5xx) it does not bill."""

    def __init__(self) -> None:
        super().__init__()
        self.used = Used()

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        response = super().send(request, *args, **options)
        if response.ok:
            self.used += _class_of(request)
        return response


def _class_of(request: PreparedRequest) -> Used:
    """A large body's parts (PUT) are one operation with the request that begins it; names of
    objects have no slash in a URL, so that a list is what ends with ``/o``."""
    is_list = urlsplit(request.url or "").path.endswith("/o")
    if request.method == "POST" or (request.method == "GET" and is_list):
        return Used(writes=1)
    return Used(reads=int(request.method == "GET"))


class GcsStore:
    """A Store of objects below ``prefix`` in a bucket, which must be there.

    Two writers of one name are kept apart by Google's own preconditions on the object's generation.
    A request whose answer is lost is repeated by the library, which then sees its own write as
    another's (412); so after that what lies there is read back.

    ``client`` connects with its first request, and is the store's alone. ``retry`` replaces the
    policy of RETRY_FOR.
    """

    def __init__(
        self, client: Client, bucket: str, prefix: str = "", *, retry: Retry | None = None
    ) -> None:
        # For traces, which nobody has switched on, the client would ask in a thread for what a
        # worker may not see: the bucket's own data (3.17.1).
        os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
        self._adapter = _Counting()
        for scheme in ("https://", "http://"):
            client._http.mount(scheme, self._adapter)
        self._bucket: Bucket = client.bucket(bucket)
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._known = False
        """Whether the bucket was seen to be there."""
        self._options: dict[str, Any] = {
            "timeout": REQUEST_TIMEOUT,
            "retry": retry or DEFAULT_RETRY.with_timeout(RETRY_FOR),
        }

    @property
    def url(self) -> str:
        return f"gs://{self._bucket.name}/{self._prefix}".rstrip("/")

    @property
    def used(self) -> Used:
        """What Google bills: an answer that was lost on its way is not in it."""
        return self._adapter.used

    def check_writable(self) -> None:
        def ask() -> list[str]:
            try:
                return list(self._bucket.test_iam_permissions(list(PERMISSIONS), **self._options))
            except NotFound:
                self._find_bucket()  # there, at an emulator, which does not know the question
                return list(PERMISSIONS)

        allowed = self._asked("write below", "", ask)
        if lacking := [each for each in PERMISSIONS if each not in allowed]:
            raise self._problem(
                "write below",
                "",
                f"the account lacks {', '.join(lacking)}: give it the role Storage Object User on"
                " the bucket",
            )

    def create(self, path: str, data: bytes) -> bool:
        return self._asked("write", path, lambda: self._upload(path, data, generation=0))

    def replace(self, path: str, data: bytes) -> None:
        self._asked("write", path, lambda: self._upload(path, data, generation=None))

    def swap(self, path: str, data: bytes, *, seen: bytes | None) -> bool:
        def swap() -> bool:
            there, generation = self._download(path)
            if there != seen:
                return False
            swapped = self._upload(path, data, generation=generation)
            return swapped or self._download(path)[0] == data

        return self._asked("write", path, swap)

    def read(self, path: str) -> bytes | None:
        return self._asked("read", path, lambda: self._download(path)[0])

    def names(self, prefix: str) -> list[str]:
        return sorted(self._list(f"{prefix}/", delimiter="/"))

    def walk(self, prefix: str) -> Iterator[str]:
        yield from self._list(f"{prefix}/" if prefix else "")

    def _blob(self, path: str) -> Blob:
        return self._bucket.blob(self._prefix + path)

    def _upload(self, path: str, data: bytes, *, generation: int | None) -> bool:
        """Whether the object, of this generation until now (0: not there, None: any), is written.

        Without content encoding: Google would decompress a body that has one on its way out.
        """
        kind = KINDS.get(path.rpartition(".")[2], "application/json")
        try:
            self._blob(path).upload_from_string(
                data, content_type=kind, if_generation_match=generation, **self._options
            )
        except PreconditionFailed:
            return False
        return True

    def _download(self, path: str) -> tuple[bytes | None, int]:
        """The object's bytes and generation; None and 0 where there is none."""
        blob = self._blob(path)
        try:
            data = DAMAGED(blob.download_as_bytes)(raw_download=True, **self._options)
        except NotFound:
            self._find_bucket()
            return None, 0
        return data, int(blob.generation)

    def _find_bucket(self) -> None:
        """Raises NotFound where the bucket is not there, once: an object that is missing looks the
        same. Asks as a worker may, who has no rights on the bucket itself."""
        if not self._known:
            list(self._bucket.list_blobs(max_results=1, fields="items(name)", **self._options))
            self._known = True

    def _list(self, prefix: str, **options: Any) -> Iterator[str]:
        """Paths in the order of their bytes, a thousand with each request."""
        top = self._prefix + prefix
        pages = self._bucket.list_blobs(
            prefix=top, fields="items(name),nextPageToken", **options, **self._options
        ).pages
        while page := self._asked("list", prefix, lambda: next(pages, None)):
            for blob in page:
                # The console's empty folders have an object of their own.
                if not blob.name.endswith("/"):
                    yield blob.name.removeprefix(self._prefix)

    def _asked(self, doing: str, path: str, ask: Callable[[], T]) -> T:
        """What ``ask`` gives, in bounded time. Raises Problem(STORAGE) for all that Google refuses
        and that does not arrive; without its cause, which may hold a token."""
        try:
            return within(MAX_SECONDS, ask)
        except ERRORS as error:
            why, passing = describe_error(error, self._bucket.name)
            raise self._problem(doing, path, why, passing=passing) from None

    def _problem(self, doing: str, path: str, why: str, *, passing: bool = False) -> Problem:
        where = f"{self.url}/{path}".rstrip("/")
        message = f"cannot {doing} {where}: {why}"
        return Problem(error_class=ErrorClass.STORAGE, message=message, passing=passing)
