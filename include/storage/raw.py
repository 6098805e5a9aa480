"""The raw layer of one partition: content-addressed objects and the manifest that names those of
the date."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import re
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime

from include.errors import ErrorClass, Problem
from include.outcome import Outcome
from include.partition import Partition
from include.storage.store import Store

log = logging.getLogger(__name__)

MANIFEST = "_manifest.json"
DRIFTED = "drifted"
"""The role of a body that could not be read: it is kept, and holds no rows."""
_IN_PARTITION = re.compile(
    r"[^/]+/\d{4}/\d{2}/(?P<day>\d{4}-\d{2}-\d{2})/(?P<endpoint>[^/]+)/[^/]+"
)
_OBJECT = re.compile(r"(?P<item>.+)-(?P<sha>[0-9a-f]{12})\.(?:json|csv)\.gz")


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
    ``parts`` are those of the endpoint that were counted; ``objects`` may have others, too.
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
    parts: tuple[str, ...] = ()

    def lacking(self, wanted: Iterable[str]) -> list[str]:
        """The wanted parts that it was not counted by; none of a date without games, which has
        nothing of any."""
        if self.outcome is Outcome.NO_GAMES:
            return []
        return [part for part in wanted if part not in self.parts]

    @property
    def done(self) -> bool:
        """Whether the date needs no further request."""
        return self.outcome.done

    def data(self) -> list[RawObject]:
        """The objects that hold rows, in a fixed order."""
        return sorted(
            (o for o in self.objects if o.role == "data"), key=lambda o: (o.item, o.sha256)
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


def is_body(path: str) -> bool:
    """Whether the object is a body, which its name tells from all others: it never changes."""
    return _OBJECT.fullmatch(path.rsplit("/", 1)[-1]) is not None


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


def partitions(store: Store, dag_id: str) -> list[Partition]:
    """Every partition of the DAG that has an object, by date and endpoint, whether it has a
    manifest or not: one listing."""
    found = set(filter(None, map(_IN_PARTITION.fullmatch, store.walk(dag_id))))
    at = {(date.fromisoformat(match["day"]), match["endpoint"]) for match in found}
    return [Partition(dag_id=dag_id, endpoint=name, day=day) for day, name in sorted(at)]


def write_manifest(
    store: Store, partition: Partition, manifest: Manifest, *, over: Manifest | None = None
) -> None:
    """Swaps the partition's manifest for the one that was read before (``over``; None: there was
    none, or a torn one): from here on these objects are the date.

    Raises Problem(STORAGE), for Airflow's retry, where another run has written one since.
    """
    path = f"{partition.prefix}/{MANIFEST}"
    seen = store.read(path)
    there = _parse_or_none(seen, path, store)
    data = json.dumps(asdict(manifest), indent=1, sort_keys=True).encode()
    if _moment(there) != _moment(over) or not store.swap(path, data, seen=seen):
        raise Problem(
            error_class=ErrorClass.STORAGE,
            message=(
                f"raw store {store.url}: another run has written {path} meanwhile: nothing to do,"
                " Airflow's retry goes on from there"
            ),
            passing=True,
        )


def _moment(manifest: Manifest | None) -> str:
    """What tells a manifest from those of other scrapes, however it was judged since."""
    return manifest.finished_at if manifest else ""


def read_manifest(store: Store, partition: Partition) -> Manifest | None:
    """The partition's manifest, or None where it was never finished. Raises Problem(STORAGE) when
    it is torn."""
    path = f"{partition.prefix}/{MANIFEST}"
    data = store.read(path)
    return _parse(data, path, store) if data is not None else None


def read_manifest_or_none(store: Store, partition: Partition) -> Manifest | None:
    """As ``read_manifest``, and None also where it is torn, for who makes another of it."""
    path = f"{partition.prefix}/{MANIFEST}"
    return _parse_or_none(store.read(path), path, store)


def _parse_or_none(data: bytes | None, path: str, store: Store) -> Manifest | None:
    if data is None:
        return None
    with suppress(Problem):
        return _parse(data, path, store)
    return None


def _parse(data: bytes, path: str, store: Store) -> Manifest:
    try:
        fields = json.loads(data)
        objects = tuple(RawObject(**o) for o in fields.pop("objects"))
        fields["outcome"] = Outcome(fields["outcome"])
        for name in ("missing", "unsound", "unexpected", "accepted", "parts"):
            fields[name] = tuple(fields[name])
        return Manifest(**fields, objects=objects)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(f"{path} is not readable ({error})", store) from error
