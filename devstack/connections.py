"""What the local installation's connections hold: every upstream is the sandbox, every store a
folder."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from psycopg import conninfo

from devstack.environment import ROOT, Home
from include.files import write_atomically

CONNECTIONS = "connections.json"
KEY = "sandbox-key"  # the sandbox's own, published in its documentation: not a secret
_EXAMPLE = re.compile(r'connection="(\w+)",\s+base_url="https://api\.example\.com"')
PEOPLE = {"sender": "NBA backfill <backfill@localhost>", "recipients": ["operators@localhost"]}

# The sandbox bills like a paid plan: 500 credits a month would hold a week of one market back for
# months.
MONTHLY_CREDITS = 20_000
PLAN = {"credits": {"monthly": MONTHLY_CREDITS, "live_reserve": 500, "spread": False}}


def write_connections(at: Home, sandbox: str, ops: str, *, raw_store: str = "") -> Path:
    """Writes `.airflow/connections.json` (mode 600, Airflow's import format); ``sandbox``, ``ops``
    and ``raw_store`` (else a folder) are URLs."""
    found = upstreams(sandbox, at.airflow)
    stores = {
        "raw_store": raw_store or f"file://{at.data}/raw",
        "warehouse": f"duckdb://{at.data}/warehouse",
    }
    found |= {
        name: {"conn_type": "generic", "extra": json.dumps({"url": url})}
        for name, url in stores.items()
    }
    if raw_store.startswith("gs://"):
        found["google_cloud_default"] = {
            "conn_type": "google_cloud_platform",
            "extra": json.dumps({"is_anonymous": True}),  # a stand-in of Google's
        }
    found["ops_db"] = postgres_fields(ops)
    found["mail"] = {
        "conn_type": "generic",
        "host": f"file://{at.outbox}",
        "extra": json.dumps(PEOPLE),
    }
    return _private(at.airflow / CONNECTIONS, json.dumps(found, indent=1))


def upstreams(sandbox: str, folder: Path) -> dict[str, dict[str, Any]]:
    """The fields of every upstream's connection, by id, where the sandbox (a URL) plays it. Its
    service account's key is made in ``folder``, once."""
    names = ("balldontlie", "the_odds_api", "nba_stats", "nba_cdn")
    played = {name: name for name in names} | dict.fromkeys(find_examples(), "example")
    found: dict[str, dict[str, Any]] = {
        name: {"conn_type": "http", "host": f"{sandbox}/{source}", "password": KEY}
        for name, source in played.items()
    }
    found["the_odds_api"]["extra"] = json.dumps(PLAN)
    account = _service_account(folder, f"{sandbox}/bigdataball/token")
    found["bigdataball"] = {
        "conn_type": "google_cloud_platform",
        "host": f"{sandbox}/bigdataball",
        "extra": json.dumps({"keyfile_dict": account}),
    }
    return found


def find_examples(dags: Path = ROOT / "dags") -> list[str]:
    """The connections of new sources that still ask what their template does."""
    text = "\n".join(path.read_text() for path in sorted(dags.glob("*.py")))
    return _EXAMPLE.findall(text)


def find_lacking(at: Home) -> list[str]:
    """Of these, the ones that came after the installation was started."""
    there = json.loads((at.airflow / CONNECTIONS).read_text())
    return [name for name in find_examples() if name not in there]


def postgres_fields(url: str) -> dict[str, Any]:
    """A libpq URL as the fields of an Airflow connection."""
    parts = conninfo.conninfo_to_dict(url)
    names = {"host": "host", "port": "port", "login": "user", "password": "password"}
    fields = {field: parts[name] for field, name in names.items() if name in parts}
    return {"conn_type": "postgres", **fields, "schema": parts["dbname"]}


def write_sandbox_config(at: Home) -> Path:
    """Writes what the sandbox is started with."""
    return _private(at.airflow / "sandbox.json", json.dumps({"monthly_credits": MONTHLY_CREDITS}))


def _service_account(folder: Path, token_uri: str) -> dict[str, str]:
    """A key file as Google issues them, its key made here: only the sandbox's token endpoint takes
    it."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    path = folder / "sandbox-service-account.pem"
    if not path.is_file():
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        form = (
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        _private(path, key.private_bytes(*form).decode())
    return {
        "type": "service_account",
        "project_id": "sandbox",
        "private_key_id": "sandbox",
        "private_key": path.read_text(),
        "client_email": "backfill@sandbox.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": token_uri,
    }


def _private(path: Path, text: str) -> Path:
    write_atomically(path, text.encode(), replace=True, private=True)
    return path
