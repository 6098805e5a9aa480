"""The store in Google Cloud Storage on its wire: what is asked, and what comes of answers that are
lost, late or refused."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.cloud.storage import Client
from google.cloud.storage.retry import DEFAULT_RETRY
from google.oauth2.service_account import Credentials

from include.errors import ErrorClass, Problem
from include.storage import gcs
from include.storage.gcs import PERMISSIONS, GcsStore
from include.storage.raw import get_body, partitions, stored_objects, write_manifest
from tests.cloud import make_client
from tests.steps.credentials import PRIVATE_KEY
from tests.storage import test_raw
from tests.storage.wire import Wire, between

ROOT = Path(__file__).resolve().parents[2]
MANY = 10_000
"""More attempts than any machine makes in a second."""
SOON = DEFAULT_RETRY.with_delay(initial=0.01, maximum=0.02).with_timeout(5.0)
Clients = Callable[..., Client]
BIG = os.urandom(8 * 1024 * 1024 + 1)


@pytest.fixture
def wire(gcs_url: str) -> Iterator[Wire]:
    with between(gcs_url) as found:
        yield found


@pytest.fixture
def store(wire: Wire, bucket: str, gcs_client: Clients) -> GcsStore:
    return GcsStore(gcs_client(wire.url), bucket, "/nba/raw/", retry=SOON)


@pytest.fixture
def other(gcs_url: str, bucket: str, gcs_client: Clients) -> GcsStore:
    """The same store as another process sees it."""
    return GcsStore(gcs_client(gcs_url), bucket, "nba/raw")


def refused(call: Callable[[], object]) -> tuple[str, bool]:
    with pytest.raises(Problem) as caught:
        call()
    assert caught.value.error_class is ErrorClass.STORAGE
    return caught.value.message, caught.value.passing


def refusal(status: int, reason: str, message: str) -> dict[str, Any]:
    """As Google words it."""
    errors = [{"message": message, "domain": "global", "reason": reason}]
    return {"error": {"code": status, "message": message, "errors": errors}}


# --- what is asked


def test_body_lies_where_people_watch_it_and_is_sent_without_an_encoding(
    store: GcsStore, wire: Wire, bucket: str, gcs_folder: Path
) -> None:
    item = test_raw.put(store)
    assert (gcs_folder / bucket / "nba/raw" / item.path).is_file()
    assert item.path.startswith("bdl/2025/01/2025-01-15/box_scores/all-")
    (upload,) = wire.asked
    assert (upload.what, upload.query) == (
        f"POST /upload/b/{bucket}/o",
        {"uploadType": "multipart", "ifGenerationMatch": "0"},
    )
    metadata, content = upload.body.split(b"\r\n\r\n")[1:3]
    assert b"contentEncoding" not in metadata
    assert b"content-type: application/gzip" in content.lower() or b"application/gzip" in metadata


def test_replaced_object_has_no_precondition_and_a_swapped_one_its_generation(
    store: GcsStore, wire: Wire
) -> None:
    store.replace("a", b"1")
    store.swap("a", b"2", seen=b"1")
    store.swap("b", b"3", seen=None)
    uploads = [each.query.get("ifGenerationMatch") for each in wire.asked if "upload" in each.what]
    assert (uploads[0], uploads[2]) == (None, "0")
    assert uploads[1]
    assert int(uploads[1]) > 10**15  # microseconds


def test_body_above_8_mib_has_the_same_precondition(
    store: GcsStore, wire: Wire, bucket: str
) -> None:
    """What the server of these tests does not heed; Google does."""
    store.create("big.json.gz", BIG)
    start = wire.asked[0]
    assert (start.what, start.query["uploadType"], start.query["ifGenerationMatch"]) == (
        *(f"POST /upload/b/{bucket}/o", "resumable"),
        "0",
    )
    assert store.read("big.json.gz") == BIG


def test_partitions_of_a_season_are_one_flat_listing(
    store: GcsStore, wire: Wire, other: GcsStore, bucket: str
) -> None:
    for day in range(1, 29):
        other.create(f"bdl/2025/01/2025-01-{day:02}/box_scores/all-000000000000.json.gz", b"")
    assert [at.day.day for at in partitions(store, "bdl")] == list(range(1, 29))
    assert [(each.what, each.query) for each in wire.asked] == [
        (
            f"GET /b/{bucket}/o",
            {
                "projection": "noAcl",
                "prefix": "nba/raw/bdl/",
                "fields": "items(name),nextPageToken",
                "prettyPrint": "false",
            },
        )
    ]


def test_listing_goes_on_over_all_pages_without_the_consoles_empty_folders(
    store: GcsStore, wire: Wire, bucket: str
) -> None:
    def page(*names: str, **more: str) -> dict[str, Any]:
        return {"items": [{"name": f"nba/raw/day/{name}"} for name in names], **more}

    wire.meets("GET", status=200, answer=page("", "a", nextPageToken="next"))
    wire.meets("GET", status=503, answer="")
    wire.meets("GET", status=200, answer=page("b", "c"))
    assert list(store.walk("day")) == ["day/a", "day/b", "day/c"]
    assert [each.query.get("pageToken") for each in wire.asked] == [None, "next", "next"]


def test_missing_object_asks_once_whether_the_bucket_is_there(
    store: GcsStore, wire: Wire, bucket: str
) -> None:
    assert [store.read(name) for name in ("a", "b")] == [None, None]
    download = f"GET /download/b/{bucket}/o nba/raw/"
    assert wire.whats == [f"{download}a", f"GET /b/{bucket}/o", f"{download}b"]


# --- answers that are lost or late


def test_write_whose_answer_was_lost_is_there_once(
    store: GcsStore, wire: Wire, other: GcsStore
) -> None:
    wire.meets("POST", lost=True)
    item = test_raw.put(store)
    assert get_body(other, item) == test_raw.BODY
    assert list(other.walk("")) == [item.path]
    uploads = [each.query for each in wire.asked if each.what.startswith("POST")]
    assert uploads == [{"uploadType": "multipart", "ifGenerationMatch": "0"}] * 2


def test_swap_whose_answer_was_lost_is_seen_to_be_ones_own(
    store: GcsStore, wire: Wire, other: GcsStore
) -> None:
    other.replace("m", b"seen")
    wire.meets("POST", lost=True)
    assert store.swap("m", b"ours", seen=b"seen") is True
    assert other.read("m") == b"ours"


def test_swap_that_another_writer_overtakes_leaves_theirs(
    store: GcsStore, wire: Wire, other: GcsStore
) -> None:
    other.replace("m", b"seen")
    wire.meets("POST", before=lambda: other.swap("m", b"theirs", seen=b"seen"))
    assert store.swap("m", b"ours", seen=b"seen") is False
    assert other.read("m") == b"theirs"


def test_manifest_that_another_run_overtakes_is_refused(
    store: GcsStore, wire: Wire, other: GcsStore
) -> None:
    theirs = test_raw.manifest()
    wire.meets("POST", before=lambda: write_manifest(other, test_raw.PARTITION, theirs))
    message, passing = refused(
        lambda: write_manifest(store, test_raw.PARTITION, test_raw.manifest(test_raw.put(other)))
    )
    assert (passing, "another run has written" in message) == (True, True)


def test_second_write_in_a_second_is_repeated_until_google_takes_it(
    store: GcsStore, wire: Wire, bucket: str
) -> None:
    slow_down = refusal(429, "rateLimitExceeded", "The object exceeded the rate limit")
    wire.meets("POST", status=429, answer=slow_down)
    wire.meets("POST", status=429, answer=slow_down)
    store.replace("m", b"1")
    assert wire.whats == [f"POST /upload/b/{bucket}/o"] * 3
    assert store.read("m") == b"1"


def test_google_that_stays_away_ends_in_time_and_airflow_tries_again(
    wire: Wire, bucket: str, gcs_client: Clients
) -> None:
    store = GcsStore(gcs_client(wire.url), bucket, retry=SOON.with_timeout(1.0))
    for _ in range(MANY):
        wire.meets("POST", status=503, answer=refusal(503, "backendError", "Backend Error"))
    assert refused(lambda: store.replace("m", b"")) == (
        f"cannot write gs://{bucket}/m: Google does not answer as it should: rerun the date later"
        " (Backend Error)",
        True,
    )
    assert 1 < len(wire.asked) < MANY


def test_google_that_is_silent_is_not_waited_for(
    store: GcsStore, wire: Wire, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gcs, "MAX_SECONDS", 0.2)
    wire.meets("GET", hang=True)
    assert refused(lambda: store.read("m")) == (
        f"cannot read gs://{bucket}/nba/raw/m: Google does not answer as it should: rerun the date"
        " later (Overdue)",
        True,
    )


def test_policy_is_bounded_where_no_test_says_otherwise(
    gcs_url: str, bucket: str, gcs_client: Clients
) -> None:
    policy = GcsStore(gcs_client(gcs_url), bucket)._options
    assert (policy["timeout"], policy["retry"]._timeout) == ((10.0, 30.0), 60.0)


def test_server_that_is_away_is_named_without_what_differs_between_two_attempts(
    gcs_client: Clients,
) -> None:
    with socket.socket() as taken:  # and does not listen
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        store = GcsStore(gcs_client(url), "raw-x", retry=SOON.with_timeout(0.05))
        assert refused(lambda: store.read("m")) == (
            "cannot read gs://raw-x/m: Google does not answer as it should: rerun the date later"
            " (ConnectionError)",
            True,
        )


def test_upload_of_a_process_that_is_killed_before_its_answer_is_there_once(
    wire: Wire, bucket: str, other: GcsStore
) -> None:
    wire.meets("POST", kill=True)
    code = "from tests.storage.test_gcs import upload; import sys; upload(*sys.argv[1:])"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/plugins"}
    command = [sys.executable, "-c", code, wire.url, bucket]

    def run() -> int:
        with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
            wire.sender = process.pid
            return process.wait(timeout=60)

    assert run() == -9
    (left,) = stored_objects(other, test_raw.PARTITION)
    assert run() == 0
    assert [each.path for each in stored_objects(other, test_raw.PARTITION)] == [left.path]
    assert get_body(other, left) == test_raw.BODY
    assert [each.what.split()[0] for each in wire.asked] == ["POST", "POST", "GET"]


def upload(url: str, bucket: str) -> None:
    """One body, in a process of its own."""
    with make_client(url) as client:
        test_raw.put(GcsStore(client, bucket, "nba/raw"))


# --- what is wrong, once each


@pytest.mark.parametrize(
    ("call", "doing"),
    [
        (lambda store: store.read("m"), "read {}/m"),
        (lambda store: store.create("m", b""), "write {}/m"),
        (lambda store: store.swap("m", b"", seen=None), "write {}/m"),
        (lambda store: store.names("day"), "list {}/day"),
        (lambda store: store.check_writable(), "write below {}"),
    ],
    ids=["read", "create", "swap", "names", "check"],
)
def test_bucket_that_is_not_there_is_named_whatever_is_asked(
    wire: Wire, call: Callable[[GcsStore], object], doing: str, gcs_client: Clients
) -> None:
    store = GcsStore(gcs_client(wire.url), "raw-nowhere", "nba", retry=SOON)
    assert refused(lambda: call(store)) == (
        f"cannot {doing.format('gs://raw-nowhere/nba')}: there is no bucket raw-nowhere: create it,"
        " or correct the store's URL",
        False,
    )


DENIED = "nba@p.example does not have storage.objects.create access to the object."


@pytest.mark.parametrize(
    ("status", "answer", "repair"),
    [
        (
            403,
            refusal(403, "forbidden", DENIED),
            f"no permission: give the account the role Storage Object User ({DENIED})",
        ),
        (
            403,
            refusal(403, "accountDisabled", "The billing account of the project is disabled."),
            "Google refuses it: correct the project or bucket that is named (accountDisabled The"
            " billing account of the project is disabled.)",
        ),
        (
            400,
            refusal(400, "invalid", "Invalid bucket name: 'x_'"),
            "Google refuses it: correct the project or bucket that is named (invalid Invalid bucket"
            " name: 'x_')",
        ),
    ],
    ids=["permission", "project", "bucket"],
)
def test_refusal_is_one_line_with_its_repair(
    store: GcsStore, wire: Wire, bucket: str, status: int, answer: Any, repair: str
) -> None:
    wire.meets("POST", status=status, answer=answer)
    assert refused(lambda: store.create("m", b"")) == (
        f"cannot write gs://{bucket}/nba/raw/m: {repair}",
        False,
    )
    assert len(wire.asked) == 1


def loader(wire: Wire) -> Credentials:
    """A service account whose tokens come over the wire."""
    key = {
        "type": "service_account",
        "private_key": PRIVATE_KEY,
        "client_email": "loader@project.example",
        "token_uri": f"{wire.url}/token",
    }
    return Credentials.from_service_account_info(key, scopes=["any"])


def test_key_that_google_refuses_is_named(wire: Wire, bucket: str, gcs_client: Clients) -> None:
    answer = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
    wire.meets("POST /token", status=400, answer=answer)
    store = GcsStore(gcs_client(wire.url, loader(wire)), bucket, retry=SOON)
    assert refused(lambda: store.read("m")) == (
        f"cannot read gs://{bucket}/m: Google refuses the credentials: renew the key of connection"
        " google_cloud_default (invalid_grant: Invalid JWT Signature.)",
        False,
    )
    assert wire.whats == ["POST /token"]


def test_token_that_google_refuses_is_renewed_and_then_the_key_is_named(
    wire: Wire, bucket: str, gcs_client: Clients
) -> None:
    token = {"access_token": "a-token", "expires_in": 3600, "token_type": "Bearer"}
    for _ in range(3):
        wire.meets("POST /token", status=200, answer=token)
        wire.meets("POST", status=401, answer=refusal(401, "authError", "Invalid Credentials"))
    store = GcsStore(gcs_client(wire.url, loader(wire)), bucket, retry=SOON)
    assert refused(lambda: store.create("m", b"")) == (
        f"cannot write gs://{bucket}/m: Google refuses the credentials: renew the key of connection"
        " google_cloud_default (Invalid Credentials)",
        False,
    )
    assert wire.whats == ["POST /token", f"POST /upload/b/{bucket}/o"] * 3


def test_account_that_may_only_read_is_named_before_anything_is_written(
    store: GcsStore, wire: Wire, bucket: str
) -> None:
    wire.meets("GET", status=200, answer={"permissions": ["storage.objects.get", PERMISSIONS[3]]})
    assert refused(store.check_writable) == (
        f"cannot write below gs://{bucket}/nba/raw: the account lacks storage.objects.create,"
        " storage.objects.delete: give it the role Storage Object User on the bucket",
        False,
    )
    assert wire.whats == [f"GET /b/{bucket}/iam/testPermissions"]


def test_account_that_has_all_it_needs_may_begin(store: GcsStore, wire: Wire, bucket: str) -> None:
    wire.meets("GET", status=200, answer={"permissions": list(PERMISSIONS)})
    store.check_writable()
    assert wire.whats == [f"GET /b/{bucket}/iam/testPermissions"]
