"""Google's credentials from Airflow's Google connection, as environment variables alone give it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from include.errors import ErrorClass, Problem
from include.storage.gcs import GcsStore
from include.storage.local import LocalStore
from nba_airflow import connections, google
from tests.steps.credentials import PRIVATE_KEY
from tests.storage.wire import between

KEY_FILE = {
    "type": "service_account",
    "private_key": PRIVATE_KEY,
    "client_email": "loader@project.example",
    "token_uri": "https://oauth2.example/token",
}


@pytest.fixture(autouse=True)
def nothing_on_the_machine(
    airflow_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)


def define(monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any]) -> None:
    fields = {"conn_type": "google_cloud_platform", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", json.dumps(fields))


@pytest.mark.parametrize("form", ["dict", "text", "file", "file, by its older name", "machine"])
def test_key_is_found_wherever_airflow_lets_people_put_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: str
) -> None:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(KEY_FILE))
    extras: dict[str, dict[str, Any]] = {
        "dict": {"keyfile_dict": KEY_FILE},
        "text": {"keyfile_dict": json.dumps(KEY_FILE)},
        "file": {"key_path": str(path)},
        "file, by its older name": {"extra__google_cloud_platform__key_path": str(path)},
        "machine": {},
    }
    if form == "machine":
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    define(monkeypatch, extras[form])
    found: Any = google.credentials()
    assert (found.service_account_email, found.scopes) == (
        "loader@project.example",
        ["https://www.googleapis.com/auth/cloud-platform"],
    )


IDENTITY = {
    "type": "external_account",
    "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p",
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "token_url": "https://sts.googleapis.com/v1/token",
    "credential_source": {"file": "/var/run/token"},
}


@pytest.mark.parametrize("form", ["dict", "text", "file"])
def test_identity_of_another_cloud_is_found_in_its_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: str
) -> None:
    path = tmp_path / "identity.json"
    path.write_text(json.dumps(IDENTITY))
    given = {"dict": IDENTITY, "text": json.dumps(IDENTITY), "file": str(path)}[form]
    define(monkeypatch, {"credential_config_file": given})
    found: Any = google.credentials()
    assert (found.info["audience"], found.scopes) == (IDENTITY["audience"], list(google.SCOPES))


def test_scopes_and_the_project_that_is_billed_are_the_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    more = {"scope": "a, b", "quota_project_id": "payer"}
    define(monkeypatch, {"keyfile_dict": KEY_FILE, **more})
    found: Any = google.credentials()
    assert (found.scopes, found.quota_project_id) == (["a", "b"], "payer")


@pytest.mark.parametrize(
    "chain", ["first@x.example, last@x.example", ["first@x.example", "last@x.example"]]
)
def test_impersonation_goes_on_from_the_key(monkeypatch: pytest.MonkeyPatch, chain: Any) -> None:
    define(monkeypatch, {"keyfile_dict": KEY_FILE, "impersonation_chain": chain})
    found: Any = google.credentials()
    assert (found.service_account_email, found._delegates) == (
        "last@x.example",
        ["first@x.example"],
    )


def test_emulator_is_asked_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    define(monkeypatch, {"is_anonymous": True})
    client = google.bigquery_client("project", "EU")
    assert (type(client._credentials).__name__, client.project, client.location) == (
        "AnonymousCredentials",
        "project",
        "EU",
    )


@pytest.mark.parametrize(
    ("url", "kind"),
    [("gs://raw-x/nba/raw", GcsStore), ("file:///srv/nba/raw", LocalStore)],
    ids=["cloud", "disk"],
)
def test_raw_store_is_chosen_by_its_connection_alone(
    monkeypatch: pytest.MonkeyPatch, url: str, kind: type
) -> None:
    define(monkeypatch, {"is_anonymous": True})
    for name, store in (("RAW_STORE", url), ("WAREHOUSE", "duckdb:///srv/nba/warehouse")):
        fields = {"conn_type": "generic", "extra": {"url": store}}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(fields))
    found = connections.stores()
    assert (type(found.raw), found.raw.url) == (kind, url)
    assert found.warehouse.url == "duckdb:///srv/nba/warehouse"


def test_token_and_assertion_are_in_no_line_of_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, gcs_url: str, bucket: str
) -> None:
    caplog.set_level("DEBUG")
    with between(gcs_url) as wire:
        define(monkeypatch, {"keyfile_dict": {**KEY_FILE, "token_uri": f"{wire.url}/token"}})
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", wire.url)
        token = {"access_token": "a-token-that-nobody-may-see", "expires_in": 3600}
        wire.meets("POST /token", status=200, answer=token)
        with google.storage_client() as client:
            store = GcsStore(client, bucket)
            assert store.create("m", b"1") is True
    (assertion,) = re.findall(rb"assertion=([^&]+)", wire.asked[0].body)
    assert wire.asked[1].headers["authorization"] == f"Bearer {token['access_token']}"
    said = f"{[vars(record) for record in caplog.records]}"
    assert wire.url.removeprefix("http://127.0.0.1") in said
    secrets = (assertion.decode(), token["access_token"], PRIVATE_KEY[40:80])
    assert [secret for secret in secrets if str(secret) in said] == []


@pytest.mark.parametrize(
    ("extra", "what"),
    [
        (
            {"keyfile_dict": '{"private_key": "a-secret"'},
            "holds a key file that is not a service account's JSON: paste it again",
        ),
        (
            {"key_path": "/nowhere/key.json"},
            "has key_path /nowhere/key.json, which cannot be read (No such file or directory):"
            " correct it",
        ),
        (
            {"credential_config_file": {**IDENTITY, "credential_source": {}}},
            "has a credential_config_file that is not a workload identity's, with its token in a"
            " file or at a URL: make it anew with `gcloud iam workload-identity-pools"
            " create-cred-config`",
        ),
        (
            {"credential_config_file": "/nowhere/identity.json"},
            "has credential_config_file /nowhere/identity.json, which cannot be read (No such file"
            " or directory): correct it",
        ),
        (
            {"key_secret_name": "the-key"},
            "has key_secret_name, which is not read here: put the key into keyfile_dict, or keep"
            " the whole connection in a secrets backend",
        ),
        (
            {"idp_issuer_url": "https://idp.example", "keyfile_dict": KEY_FILE},
            "has idp_issuer_url, which is not read here: name that identity in"
            " credential_config_file",
        ),
        (
            {"keyfile_dict": KEY_FILE, "key_path": "/srv/key.json"},
            "has keyfile_dict and key_path: leave one of them",
        ),
        (
            {},
            "has no key, and this machine has no credentials either: put the service account's key"
            " into the extra as keyfile_dict, or run where Google's application default"
            " credentials are",
        ),
    ],
)
def test_key_that_is_not_there_is_one_line_with_its_repair(
    monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any], what: str
) -> None:
    define(monkeypatch, extra)
    with pytest.raises(Problem) as failed:
        google.credentials()
    assert failed.value == Problem(
        error_class=ErrorClass.BAD_KEY, message=f"connection google_cloud_default {what}"
    )
    assert failed.value.__context__ is None or failed.value.__suppress_context__
