"""The raw layer of one partition: content-addressed objects and the manifest that names those of
the date."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import re
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlparse

from include.errors import ErrorClass, Problem
from include.outcome import Outcome
from include.partition import Partition
from include.storage.local import LocalStore

log = logging.getLogger(__name__)

MANIFEST = "_manifest.json"
_YEAR = re.compile(r"\d{4}")
_OBJECT = re.compile(r"(?P<item>.+)-(?P<sha>[0-9a-f]{12})\.(?:json|csv)\.gz")


class Store(Protocol):
    """What the raw layer needs of an object store; LocalStore says what each method promises."""

    @property
    def url(self) -> str: ...
    def create(self, path: str, data: bytes) -> bool: ...
    def replace(self, path: str, data: bytes) -> None: ...
    def read(self, path: str) -> bytes | None: ...
    def names(self, prefix: str) -> list[str]: ...
    def folders(self, prefix: str) -> list[str]: ...


@dataclass(frozen=True, kw_only=True)
class RawObject:
    """One stored body. ``url`` is redacted, ``bytes`` counts the body before compression,
    ``fetched_at`` is UTC."""

    item: str
    role: str
    path: str
    sha256: str
    bytes: int
    url: str
    status: int
    fetched_at: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What makes up a partition's date, and how it was counted when it was fetched.

    ``missing`` names the expected games that are absent, unplayed or not sound, of which
    ``unsound`` are the last; ``unexpected`` those that the schedule does not know. ``accepted`` is
    what a person has accepted of both; it is kept in a file of its own, and never in this one.
    """

    dag_id: str
    endpoint: str
    day: str
    outcome: Outcome
    message: str
    expected_from: str
    games_expected: int
    games_found: int
    missing: tuple[str, ...]
    requests: int
    credits: int
    objects: tuple[RawObject, ...]
    finished_at: str
    unsound: tuple[str, ...] = field(default=(), compare=False)  # they are in missing, too
    unexpected: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """Whether the date needs no further request."""
        return self.outcome.done

    def data(self) -> list[RawObject]:
        """The objects that hold rows, in a fixed order."""
        return sorted(
            (o for o in self.objects if o.role == "data"), key=lambda o: (o.item, o.sha256)
        )


def open_store(url: str) -> Store:
    """The store of a connection URL: ``file:///folder``. Raises Problem(STORAGE) naming the
    connection."""
    parsed = urlparse(url)
    if parsed.scheme == "file" and parsed.path:
        return LocalStore(Path(unquote(parsed.netloc + parsed.path)))
    raise Problem(
        error_class=ErrorClass.STORAGE,
        message=(
            "connection raw_store names no store that this version knows"
            f" ({parsed.scheme or 'no scheme'}): set it to file:///absolute/folder"
        ),
    )


def put_body(
    store: Store,
    partition: Partition,
    *,
    item: str,
    role: str,
    body: bytes,
    url: str,
    status: int,
    suffix: str,
) -> RawObject:
    """Stores one body; a second call with the same body writes nothing, unless what lies there is
    damaged. Raises Problem(STORAGE)."""
    sha = hashlib.sha256(body).hexdigest()
    path = f"{partition.prefix}/{item}-{sha[:12]}.{suffix}.gz"
    data = gzip.compress(body, compresslevel=6, mtime=0)
    if not store.create(path, data) and _body_in(store.read(path) or b"") != body:
        store.replace(path, data)
    return RawObject(
        item=item,
        role=role,
        path=path,
        sha256=sha,
        bytes=len(body),
        url=url,
        status=status,
        fetched_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )


def get_body(store: Store, item: RawObject) -> bytes:
    """The stored body, checked against its hash. Raises Problem(STORAGE) when it is gone or
    damaged."""
    data = store.read(item.path)
    if data is None:
        raise _damaged(f"{item.path} is missing", store)
    body = _decompressed(data, item.path, store)
    if hashlib.sha256(body).hexdigest() != item.sha256:
        raise _damaged(f"{item.path} has other bytes than its manifest says", store)
    return body


def _decompressed(data: bytes, path: str, store: Store) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(f"{path} does not decompress ({error})", store) from error


def _damaged(what: str, store: Store) -> Problem:
    return Problem(
        error_class=ErrorClass.STORAGE,
        message=(f"raw store {store.url}: {what}; restore it, or rerun the date with --refetch"),
    )


def stored_objects(store: Store, partition: Partition) -> list[RawObject]:
    """Every stored body of the partition, also of a scrape that died before its manifest was
    written.

    An item may have several. What only the manifest knows (url, status) is empty. One that does not
    fit the hash in its name is left out, so that it is asked for again.
    """
    found = (_find_object(store, path) for path in store.names(partition.prefix))
    return list(filter(None, found))


def _find_object(store: Store, path: str) -> RawObject | None:
    """The stored body by its path alone, None where that is not a body's, or not a whole one's."""
    match = _OBJECT.fullmatch(path.rsplit("/", 1)[-1])
    if not match:
        return None
    data = store.read(path)
    if data is None:
        return None
    body = _body_in(data)
    sha = hashlib.sha256(body).hexdigest()
    if not sha.startswith(match["sha"]):
        log.warning("%s/%s is damaged; it is asked for again", store.url, path)
        return None
    return RawObject(
        item=match["item"],
        role="data",
        path=path,
        sha256=sha,
        bytes=len(body),
        url="",
        status=200,
        fetched_at="",
    )


def _body_in(data: bytes) -> bytes:
    """The body of an object's bytes; empty, as no body is, where they do not decompress."""
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return b""


def partitions(store: Store, dag_id: str) -> Iterator[Partition]:
    """Every partition of the DAG that has a folder, by date and endpoint, whether it has a manifest
    or not."""
    years = (path for path in store.folders(dag_id) if _YEAR.fullmatch(path.rsplit("/", 1)[-1]))
    for year in years:
        for month in store.folders(year):
            for day in store.folders(month):
                for folder in store.folders(day):
                    at, endpoint = folder.rsplit("/", 2)[-2:]
                    yield Partition(dag_id=dag_id, endpoint=endpoint, day=date.fromisoformat(at))


def write_manifest(store: Store, partition: Partition, manifest: Manifest) -> None:
    """Swaps the partition's manifest: from here on these objects are the date."""
    text = json.dumps(asdict(manifest), indent=1, sort_keys=True)
    store.replace(f"{partition.prefix}/{MANIFEST}", text.encode())


def read_manifest(store: Store, partition: Partition) -> Manifest | None:
    """The partition's manifest, or None where it was never finished. Raises Problem(STORAGE) when
    it is torn."""
    data = store.read(f"{partition.prefix}/{MANIFEST}")
    if data is None:
        return None
    try:
        fields = json.loads(data)
        objects = tuple(RawObject(**o) for o in fields.pop("objects"))
        fields["outcome"] = Outcome(fields["outcome"])
        for name in ("missing", "unsound", "unexpected", "accepted"):
            fields[name] = tuple(fields[name])
        return Manifest(**fields, objects=objects)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(f"{partition.prefix}/{MANIFEST} is not readable ({error})", store) from error
