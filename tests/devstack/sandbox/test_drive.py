from __future__ import annotations

import base64
import csv
import io
import json
from collections import Counter
from hashlib import md5
from typing import Any

import pytest
import requests

from devstack.sandbox.server import Sandbox

SCOPE = "https://www.googleapis.com/auth/drive.readonly"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
BEARER = {"Authorization": "Bearer ya29.sandbox-key"}
FIELDS = "nextPageToken, files(id,name,modifiedTime,size,md5Checksum)"


@pytest.fixture(autouse=True)
def _sound(sandbox: Sandbox) -> None:
    sandbox.no_faults()


def _get(sandbox: Sandbox, path: str = "", **params: str) -> requests.Response:
    return requests.get(
        f"{sandbox.base('bigdataball')}/drive/v3/files{path}",
        params=params,
        headers=BEARER,
        timeout=10,
    )


def _list(sandbox: Sandbox, q: str, **params: str) -> dict[str, Any]:
    return _get(sandbox, q=q, **{"fields": FIELDS, **params}).json()


def _games(sandbox: Sandbox, day: str) -> list[dict[str, Any]]:
    files = _list(sandbox, f"name contains '[{day}]' and 'folder' in parents and trashed = false")[
        "files"
    ]
    return sorted(
        (file for file in files if "combined" not in file["name"]), key=lambda file: file["name"]
    )


def _download(sandbox: Sandbox, file: dict[str, Any]) -> tuple[list[str], list[dict[str, str]]]:
    reader = csv.DictReader(
        io.StringIO(_get(sandbox, f"/{file['id']}", alt="media").content.decode(), newline="")
    )
    rows = list(reader)
    return list(reader.fieldnames or ()), rows


def _jwt(**claims: object) -> str:
    sound = {
        "iss": "a@b.iam.gserviceaccount.com",
        "aud": "token",
        "iat": 1_700_000_000,
        "exp": 1_700_003_600,
        "scope": SCOPE,
    }
    parts = ({"alg": "RS256", "typ": "JWT"}, {**sound, **claims})
    return ".".join(
        base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=")
        for p in (*parts, "signed")
    )


def _token(sandbox: Sandbox, assertion: str, grant: str = GRANT) -> requests.Response:
    form = {"grant_type": grant, "assertion": assertion}
    return requests.post(f"{sandbox.base('bigdataball')}/token", data=form, timeout=10)


def test_a_well_formed_assertion_gets_a_token_that_opens_the_folder(sandbox: Sandbox) -> None:
    answer = _token(sandbox, _jwt()).json()
    assert answer == {
        "access_token": "ya29.sandbox-key",
        "expires_in": 3599,
        "token_type": "Bearer",
    }
    assert _games(sandbox, "2025-01-15")


@pytest.mark.parametrize(
    ("assertion", "grant", "error"),
    [
        ("no.jwt", GRANT, "invalid_grant"),
        (_jwt(exp=1_700_000_000), GRANT, "invalid_grant"),
        (_jwt(scope="https://www.googleapis.com/auth/gmail"), GRANT, "invalid_scope"),
        (_jwt(), "password", "unsupported_grant_type"),
    ],
)
def test_a_bad_assertion_is_refused_as_oauth_does(
    sandbox: Sandbox, assertion: str, grant: str, error: str
) -> None:
    answer = _token(sandbox, assertion, grant)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_google_auth_itself_gets_a_token_here(sandbox: Sandbox) -> None:
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    service_account = pytest.importorskip("google.oauth2.service_account")
    transport = pytest.importorskip("google.auth.transport.requests")
    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {
        "type": "service_account",
        "client_email": "reader@example.iam.gserviceaccount.com",
        "private_key": pem.decode(),
        "token_uri": f"{sandbox.base('bigdataball')}/token",
    }
    credentials = service_account.Credentials.from_service_account_info(account, scopes=[SCOPE])
    credentials.refresh(transport.Request())
    assert credentials.token == "ya29.sandbox-key"


def test_without_a_token_nothing_is_shown(sandbox: Sandbox) -> None:
    url = f"{sandbox.base('bigdataball')}/drive/v3/files"
    answers = [
        requests.get(url, headers=headers, timeout=10)
        for headers in ({}, {"Authorization": "Bearer stale"})
    ]
    assert [(a.status_code, a.json()["error"]["errors"][0]["reason"]) for a in answers] == [
        (401, "required"),
        (401, "authError"),
    ]


def test_a_dates_files_are_its_games_and_a_combined_file(sandbox: Sandbox) -> None:
    url = sandbox.base("nba_cdn") + "/static/json/staticData/scheduleLeagueV2.json"
    browser = {"User-Agent": "Mozilla/5.0", "Referer": "https://www.nba.com/"}
    dates = requests.get(url, headers=browser, timeout=10).json()["leagueSchedule"]["gameDates"]
    (scheduled,) = [each["games"] for each in dates if each["gameDate"].startswith("01/15/2026")]
    names = [file["name"] for file in _games(sandbox, "2026-01-15")]
    assert names == sorted(
        f"[2026-01-15]-{g['gameId']}-{g['awayTeam']['teamTricode']}@{g['homeTeam']['teamTricode']}.csv"
        for g in scheduled
    )
    every = {file["name"] for file in _list(sandbox, "name contains '[2026-01-15]'")["files"]}
    assert every - set(names) == {"[2025-10-21]-[2026-01-15]-combined-stats.csv"}


def test_size_and_checksum_are_those_of_the_download(sandbox: Sandbox) -> None:
    file = _games(sandbox, "2025-01-15")[0]
    assert set(file) == {"id", "name", "modifiedTime", "size", "md5Checksum"}
    content = _get(sandbox, f"/{file['id']}", alt="media", supportsAllDrives="true")
    assert content.headers["content-type"] == "text/csv"
    assert (str(len(content.content)), md5(content.content).hexdigest()) == (
        file["size"],
        file["md5Checksum"],
    )
    assert _get(sandbox, f"/{file['id']}", fields="name,size").json() == {
        "name": file["name"],
        "size": file["size"],
    }


def test_files_appear_on_the_next_morning(sandbox: Sandbox) -> None:
    assert [_games(sandbox, day) != [] for day in ("2026-02-27", "2026-02-28", "2026-03-01")] == [
        True,
        True,
        False,
    ]
    for file in _games(sandbox, "2026-02-28"):
        assert "2026-03-01T12:00" <= file["modifiedTime"] < "2026-03-01T15:00"


def test_contains_is_a_match_of_prefixes_and_ordering_breaks_it(sandbox: Sandbox) -> None:
    month = _list(sandbox, "name contains '[2026-02-2'", pageSize="1000")["files"]
    days = {file["name"].rpartition("]")[0][-10:] for file in month}
    assert days >= {"2026-02-20", "2026-02-28"}
    assert {day[:9] for day in days} == {"2026-02-2"}
    everything = _list(
        sandbox, "name contains '[2026-02-20]'", orderBy="name", fields="nextPageToken,files(name)"
    )
    assert len(everything["files"]) == 100
    assert "nextPageToken" in everything


def test_pages_hold_every_file_once(sandbox: Sandbox) -> None:
    whole = _list(sandbox, "name contains '[2025-01-15]'")["files"]
    pages, more = [], {}
    while True:
        page = _list(sandbox, "name contains '[2025-01-15]'", pageSize="4", **more)
        pages.append(page["files"])
        if "nextPageToken" not in page:
            break
        more = {"pageToken": page["nextPageToken"]}
    assert [len(page) for page in pages] == [4] * (len(whole) // 4) + [len(whole) % 4] * bool(
        len(whole) % 4
    )
    assert [file for page in pages for file in page] == whole


def test_a_query_that_drive_does_not_know_is_invalid(sandbox: Sandbox) -> None:
    answer = _get(sandbox, q="name like 'x'")
    assert (answer.status_code, answer.json()["error"]["errors"][0]["location"]) == (400, "q")


def test_a_game_file_has_the_columns_quirks_and_points_of_its_game(sandbox: Sandbox) -> None:
    old, new = _games(sandbox, "2025-01-15"), _games(sandbox, "2026-01-15")
    headers, rows = _download(sandbox, old[0])
    assert (len(headers), len(_download(sandbox, new[0])[0])) == (44, 55)
    assert {row["game_id"] for row in rows} == {old[0]["name"].split("]-")[1][:10].lstrip("0")}
    assert 380 < len(rows) < 650
    away, home = old[0]["name"][:-4].rpartition("-")[2].split("@")
    points = Counter({away: 0, home: 0})
    for row in rows:
        points[row["team"]] += int(row["points"] or 0)
    assert [points[away], points[home]] == [
        int(rows[-1]["away_score"]),
        int(rows[-1]["home_score"]),
    ]
    assert {_download(sandbox, file)[1][0]["date"] for file in old} == {"2025-01-15", "01/15/2025"}


def test_an_unknown_or_coming_file_is_not_found(sandbox: Sandbox) -> None:
    known = _games(sandbox, "2025-01-15")[0]["id"]
    for file_id in ("nothing", known[:-1] + ("0" if known[-1] != "0" else "1")):
        answer = _get(sandbox, f"/{file_id}", alt="media")
        assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (
            404,
            "notFound",
        )


def test_faults_in_the_folder(sandbox: Sandbox) -> None:
    sound = _games(sandbox, "2025-01-15")
    rule = {"source": "bigdataball", "day": "2025-01-15", "times": 1}
    kinds = ("late_game", "unplayed")
    sandbox.faults([{**rule, "endpoint": "list", "kind": kind} for kind in kinds])
    assert _games(sandbox, "2025-01-15") == sound[1:]
    assert _games(sandbox, "2025-01-15") == []
    kinds = ("late_game", "schema_drift", "empty", "out_of_credits", "500")
    sandbox.faults([{**rule, "endpoint": "download", "kind": kind} for kind in kinds])
    assert _get(sandbox, f"/{sound[0]['id']}", alt="media").status_code == 404
    assert "pts" in _download(sandbox, sound[0])[0]
    assert _download(sandbox, sound[0])[1] == []
    statuses = [_get(sandbox, f"/{sound[0]['id']}", alt="media").status_code for _ in range(3)]
    assert statuses == [403, 500, 200]


def test_signing_in_fails_only_on_order(sandbox: Sandbox) -> None:
    sandbox.faults([{"source": "bigdataball", "kind": "503", "times": 1}])
    assert _token(sandbox, _jwt()).status_code == 200
    sandbox.faults([{"source": "bigdataball", "endpoint": "token", "kind": "502", "times": 1}])
    assert [_token(sandbox, _jwt()).status_code for _ in range(2)] == [502, 200]
