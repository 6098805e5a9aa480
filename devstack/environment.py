"""Where the local installation lives, and the environment that makes `airflow` find it
(`.airflow/env`)."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shlex
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zlib import crc32

from include.files import write_atomically
from include.partition import eastern_day
from include.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[1]

_FIRST_PORTS = {"api": 8080, "sandbox": 8180}
OVERRIDES = "NBA_VARIABLES"
"""A JSON object of variables that this installation shall have otherwise, null: not at all; for
tests and benchmarks."""


@dataclass(frozen=True, kw_only=True)
class Home:
    """The folders of one installation below ``root``; all are git-ignored."""

    root: Path

    @property
    def airflow(self) -> Path:
        """Airflow's home: configuration, secrets, Postgres, logs."""
        return self.root / ".airflow"

    @property
    def data(self) -> Path:
        """Raw bodies, warehouse, outbox and the sandbox's log."""
        return self.root / "data"

    @property
    def postgres(self) -> Path:
        """Postgres' data folder."""
        return self.airflow / "postgres"

    @property
    def logs(self) -> Path:
        """One log file per process; task logs below ``tasks``."""
        return self.airflow / "logs"

    @property
    def env_file(self) -> Path:
        """What `. .airflow/env` reads; mode 600, it holds this installation's secrets."""
        return self.airflow / "env"

    @property
    def outbox(self) -> Path:
        """Mails that were written to files because no SendGrid key is configured."""
        return self.data / "outbox"

    @property
    def sandbox_log(self) -> Path:
        """The sandbox's request log, which judges our limits."""
        return self.data / "sandbox" / "requests.jsonl"


def home() -> Home:
    """The installation of this checkout, or of ``NBA_ROOT`` (tests put theirs into a temporary
    folder). Not another checkout's, whose `.airflow/env` the shell has read."""
    named = Path(os.environ.get("NBA_ROOT") or ROOT)
    return Home(root=(ROOT if _is_checkout(named) else named).resolve())


def _is_checkout(folder: Path) -> bool:
    return (folder / "devstack" / "environment.py").is_file()


def free_port(first: int, taken: set[int]) -> int:
    """The first port from ``first`` on that nobody on loopback listens on."""
    for port in range(first, first + 500):
        if port in taken:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise SystemExit(f"no free port on 127.0.0.1 between {first} and {first + 499}")


def _kept(at: Home) -> dict[str, str]:
    """Secrets and dates that stay over restarts of this installation."""
    path = at.airflow / "installation.json"
    if path.is_file():
        return dict(json.loads(path.read_text()))
    kept = {
        "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "api_secret": secrets.token_urlsafe(32),
        "jwt_secret": secrets.token_urlsafe(32),
        "ui_password": secrets.token_urlsafe(12),
        "live_since": os.environ.get("NBA_LIVE_SINCE") or str(eastern_day(datetime.now(UTC))),
    }
    write_atomically(path, json.dumps(kept, indent=1).encode(), replace=True, private=True)
    return kept


def choose_ports(at: Home) -> dict[str, int]:
    """A free loopback port per service; a busy default is passed over, not fought for.

    Installations elsewhere than in the checkout (tests start two at once) begin to look at places
    of their own: a port that is free now may be somebody's a second later.
    """
    ports: dict[str, int] = {}
    away = 0 if at.root == ROOT else 1000 + 4 * (crc32(str(at.root).encode()) % 5000)
    for name, first in _FIRST_PORTS.items():
        ports[name] = free_port(first + away, set(ports.values()))
    return ports


def write_environment(at: Home, *, ports: dict[str, int], metadata_url: str) -> dict[str, str]:
    """Writes `.airflow/env` and the UI's password file; returns the variables.

    ``metadata_url`` is the libpq URL of the Postgres database that holds Airflow's metadata.
    Everything listens on loopback only; every secret is generated per installation.
    """
    kept = _kept(at)
    driver_url = metadata_url.replace("postgresql://", "postgresql+psycopg://", 1)
    variables = {
        "AIRFLOW_HOME": str(at.airflow),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}",
        "NBA_ROOT": str(at.root),
        "NBA_LIVE_SINCE": kept["live_since"],
        # The sandbox has no evening on which games come first.
        "NBA_QUIET_HOURS": os.environ.get("NBA_QUIET_HOURS") or '{"*": null}',
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__FERNET_KEY": kept["fernet_key"],
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{ports['api']}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(at.airflow / "ui-passwords.json"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": driver_url,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": driver_url,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(ports["api"]),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{ports['api']}",
        "AIRFLOW__API__SECRET_KEY": kept["api_secret"],
        "AIRFLOW__API_AUTH__JWT_SECRET": kept["jwt_secret"],
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(at.logs / "tasks"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        **{setting.name: setting.value for setting in SETTINGS},
    }
    overrides: dict[str, str | None] = json.loads(os.environ.get(OVERRIDES, "{}"))
    variables = {
        name: value for name, value in {**variables, **overrides}.items() if value is not None
    }
    write_atomically(
        at.airflow / "ui-passwords.json",
        json.dumps({"admin": kept["ui_password"]}).encode(),
        replace=True,
        private=True,
    )
    lines = [
        "# Written by `make up`. Puts this installation's airflow into your shell: . .airflow/env"
    ]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    lines.append(f'export PATH={shlex.quote(str(ROOT / ".venv" / "bin"))}:"$PATH"')
    write_atomically(at.env_file, "\n".join([*lines, ""]).encode(), replace=True, private=True)
    return variables


def ui_password(at: Home) -> str:
    """The generated password of the UI's user ``admin``."""
    return _kept(at)["ui_password"]
