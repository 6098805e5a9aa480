"""Random secrets of every kind are planted in Airflow's connections, used, refused, and told back
by upstreams; then they are looked for in all that this installation says and keeps."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psutil
import psycopg
import pytest

from devstack import control, postgres
from devstack.sandbox.config import SOURCES
from devstack.sandbox.server import Sandbox, running
from tests.steps.leaks import recorded_in, secrets_in, stored_in

if TYPE_CHECKING:
    from tests.e2e.conftest import Finished, System

pytestmark = pytest.mark.slow

VARIABLES = {"AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"}
LIVE_DAYS = 0


def invent(name: str) -> str:
    """A secret with what looks otherwise in a URL, in JSON and in a shell."""
    return f"{name}/{secrets.token_hex(8)}+a=b&c@d"


UPSTREAMS = [source for source in SOURCES if source != "example"]
"""What every installation has connections of: the example is a template's."""
KEYS = {source: invent(source) for source in UPSTREAMS}
SENDGRID = f"SG.{secrets.token_urlsafe(24)}"
OPS_USER = "nba_ops"
OPS_PASSWORD, WRONG_OPS_PASSWORD = invent("ops"), invent("former-ops")
PROXY_USER = f"proxy-user-{secrets.token_hex(4)}"
PROXY_PASSWORD, WRONG_PROXY_PASSWORD = invent("proxy"), invent("former-proxy")
USERINFO = f"{PROXY_USER}:{quote(PROXY_PASSWORD, safe='')}"
WRONG_USERINFO = f"{PROXY_USER}:{quote(WRONG_PROXY_PASSWORD, safe='')}"

SCHEDULE = "nbacom_schedule"  # the others are counted against it
DAGS = ("nbacom_box_scores", "bigdataball_play_by_play", "odds_api_props", "bdl_box_scores")
GOOD, BAD = "2024-02-05", "2024-02-06"
WINDOW = f"-s {GOOD} -e {BAD}"
ECHOES = [
    {"source": "balldontlie", "kind": "echo", "day": BAD},
    {"source": "the_odds_api", "kind": "echo", "day": BAD},
    {"source": "nba_stats", "endpoint": "leaguegamelog", "kind": "echo", "day": BAD},
    # Below a preflight, which is answered as usual.
    {"source": "nba_cdn", "endpoint": "play_by_play", "kind": "echo", "times": 1},
    {"source": "bigdataball", "endpoint": "list", "kind": "echo", "day": BAD, "times": 1},
    # The sign-in sends an assertion that lets in whoever reads it within the hour.
    {"source": "bigdataball", "endpoint": "token", "kind": "echo", "times": 1, "after": 1},
]

COMMANDS = (
    f"dags backfill odds_api_props {WINDOW} --rerun-failed-tasks -y",
    f"dags backfill nbacom_box_scores {WINDOW} --attach -o json",
    "nba status -o json",
    "nba errors -o json",
    f"nba gaps odds_api_props {WINDOW}",
    f"nba accept bdl_box_scores {BAD} --missing --reason 'for ever'",
    f"nba reconcile {WINDOW}",
    "nba repair --ledger",
    "nba repair --tables",
    "nba repair --mails",
    "nba resume nba_stats",
    'nba sql "select * from raw.date_status" -o csv',
)
"""All of ours, once dates are done and failed."""
REFUSED = (
    f"dags backfill nbacom_box_scores {WINDOW} --refetch -y",
    "nba status",
)
"""While connections cannot be used."""
ANSWERS = (
    "connections?limit=100",
    "eventLogs?limit=100",
    "dags/~/dagRuns?limit=100",
    "dags/~/dagRuns/~/taskInstances?limit=100",
    "dags/~/dagRuns/~/taskInstances/~/xcomEntries?limit=100",
    *("pools", "variables", "importErrors", "dagWarnings", "plugins", "providers"),
)


def plant(system: System, conn_id: str, **changes: Any) -> str:
    """What an operator corrects in the UI, fields that are not named stay; the API's answer."""
    kept = system.api("GET", f"connections/{conn_id}")
    fields = {"connection_id": conn_id, "conn_type": kept["conn_type"], **changes}
    mask = "&".join(f"update_mask={name}" for name in changes)
    return json.dumps(system.api("PATCH", f"connections/{conn_id}?{mask}", fields))


def require_password(system: System) -> None:
    """Postgres lets a new user into our tables by password alone."""
    rules = system.home.postgres / "pg_hba.conf"
    rules.write_text(f"local ops {OPS_USER} scram-sha-256\n{rules.read_text()}")
    with psycopg.connect(postgres.url(system.home.postgres, "ops")) as connection:
        role = f"CREATE ROLE {OPS_USER} SUPERUSER LOGIN PASSWORD '{OPS_PASSWORD}'"
        connection.execute(role.encode())
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="module")
def upstreams() -> Iterator[Sandbox]:
    """A sandbox that takes the planted keys alone, and tells some of its callers what they sent."""
    proxies = {PROXY_USER: PROXY_PASSWORD}
    with (
        tempfile.TemporaryDirectory(prefix="nba-upstreams-") as folder,
        running(Path(folder), keys=KEYS, proxies=proxies, monthly_credits=20_000) as sandbox,
    ):
        sandbox.faults(ECHOES)
        yield sandbox


def plant_all(system: System, upstreams: Sandbox) -> list[str]:
    """Every connection with a secret of ours; the API's answers."""
    require_password(system)
    kept = json.loads((system.home.airflow / "connections.json").read_text())
    key_file = json.loads(kept["bigdataball"]["extra"])["keyfile_dict"]
    key_file["token_uri"] = f"{upstreams.base('bigdataball')}/token"
    address = f"127.0.0.1:{upstreams.port}"
    good, wrong = f"http://{USERINFO}@{address}", f"http://{WRONG_USERINFO}@{address}"
    extras = {
        "the_odds_api": json.loads(kept["the_odds_api"]["extra"]) | {"proxies": good},
        "nba_stats": {"proxies": [wrong, good]},
        "nba_cdn": {"proxies": {"http": good, "https": wrong}},
        "bigdataball": {"keyfile_dict": key_file},
    }
    told = [
        plant(
            system,
            source,
            host=upstreams.base(source),
            extra=json.dumps(extras.get(source, {})),
            **({} if source == "bigdataball" else {"password": KEYS[source]}),
        )
        for source in UPSTREAMS
    ]
    told.append(plant(system, "ops_db", login=OPS_USER, password=OPS_PASSWORD))
    system.sendgrid.key = SENDGRID
    system.sendgrid.refusals.append(403)
    return [*told, plant(system, "mail", password=SENDGRID)]


def break_all(system: System) -> list[str]:
    """Connections as people write them wrong; the API's answers."""
    proxies = {"proxies": [f"socks5://{USERINFO}@127.0.0.1:1"]}
    return [
        plant(system, "nba_stats", extra=json.dumps(proxies)),
        plant(system, "ops_db", password=WRONG_OPS_PASSWORD),
    ]


def answers(system: System) -> list[str]:
    """What Airflow's API says of all that there is, and the logs of the tasks that failed."""
    told = [json.dumps(system.api("GET", path)) for path in ANSWERS]
    failed = "SELECT dag_id, run_id, task_id, try_number FROM task_instance WHERE state = 'failed'"
    told += [
        json.dumps(system.api("GET", f"dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/{n}"))
        for dag, run, task, n in system.metadata(failed)
    ]
    return told


def command_lines(system: System) -> list[str]:
    """What everybody on the machine may see of the installation's processes."""
    pid = control.state(system.home)["pid"]
    return [str(each.cmdline()) for each in psutil.Process(pid).children(recursive=True)]


def run_all(system: System, commands: Sequence[str]) -> list[Finished]:
    """The commands, some at a time."""
    with ThreadPoolExecutor(3) as hands:
        return list(hands.map(system.airflow, commands))


@pytest.fixture(scope="module")
def told(system: System, upstreams: Sandbox) -> dict[str, list[str]]:
    """Place -> all that it holds, after dates of each source and our commands."""
    said = plant_all(system, upstreams)
    ran = [system.airflow(f"dags backfill {SCHEDULE} -s {GOOD} -e {GOOD} --unpause")]
    ran += run_all(system, [f"dags backfill {dag} {WINDOW} --unpause --detach" for dag in DAGS])
    assert [done.code for done in ran] == [0] * (1 + len(DAGS)), ran
    open_runs = "SELECT 1 FROM dag_run WHERE backfill_id IS NOT NULL AND end_date IS NULL"
    system.until(lambda: not system.metadata(open_runs))
    outcomes = "SELECT DISTINCT outcome FROM ops.outcomes WHERE day IN (%s, %s)"
    assert {"complete", "failed"} <= {o for (o,) in system.ops(outcomes, GOOD, BAD)}
    assert {r["source"] for r in upstreams.log() if r["fault"] == "echo"} == set(UPSTREAMS)
    told_of = "SELECT count(*) FROM ops.outbox WHERE state IN ('sent', 'failed')"
    system.until(lambda: system.ops(told_of) == [(1 + len(DAGS),)])
    assert (len(system.mails()), system.sendgrid.refusals) == (len(DAGS), [])
    ran += run_all(system, COMMANDS)
    lines = command_lines(system)
    said += break_all(system)
    refused = run_all(system, REFUSED)
    assert "has proxies in its extra that cannot be used" in "".join(done.err for done in refused)
    places = {
        "commands": [text for done in (*ran, *refused) for text in (done.out, done.err)],
        "command lines": lines,
        "REST API": [*said, *answers(system)],
        "logs": [
            *stored_in(system.home.logs),
            (system.home.postgres / "postgres.log").read_text(),
        ],
        "data": list(stored_in(system.home.data)),
        "mails": [json.dumps(system.mails())],
    }
    for database in ("airflow", "ops"):
        with psycopg.connect(postgres.url(system.home.postgres, database)) as connection:
            places[database] = list(recorded_in(connection, "public"))
            places[database] += recorded_in(connection, "ops")
    return places


def planted(system: System) -> list[str]:
    """All that was planted, and this installation's own."""
    found = json.loads((system.home.airflow / "connections.json").read_text())
    key_file = json.loads(found["bigdataball"]["extra"])["keyfile_dict"]
    own = json.loads((system.home.airflow / "installation.json").read_text())
    return [
        *KEYS.values(),
        f"ya29.{KEYS['bigdataball']}",
        *(SENDGRID, OPS_PASSWORD, WRONG_OPS_PASSWORD),
        *(PROXY_USER, PROXY_PASSWORD, WRONG_PROXY_PASSWORD, USERINFO, WRONG_USERINFO),
        f"{PROXY_USER}:{PROXY_PASSWORD}",
        *key_file["private_key"].splitlines()[1:-1],
        *(own[name] for name in ("fernet_key", "api_secret", "jwt_secret", "ui_password")),
    ]


def test_no_secret_is_told_anywhere(system: System, told: dict[str, list[str]]):
    assert all(len("".join(texts)) > 1000 for texts in told.values()), {
        place: len("".join(texts)) for place, texts in told.items()
    }
    found = {place: secrets_in(texts, planted(system)) for place, texts in told.items()}
    assert found == {place: [] for place in told}


def test_files_that_hold_secrets_are_their_owners_alone(system: System, told: dict[str, list[str]]):
    files = [
        Path(folder) / name
        for folder, _, names in os.walk(system.home.root)
        for name in names
        if not Path(folder).is_relative_to(system.home.postgres)
    ]
    holders = {
        path.name: oct(path.stat().st_mode & 0o777)
        for path in files
        if path.is_file() and secrets_in([path.read_text(errors="replace")], planted(system))
    }
    names = ("connections.json", "env", "installation.json", "ui-passwords.json")
    assert holders == dict.fromkeys((*names, "sandbox-service-account.pem"), "0o600")
    assert system.home.postgres.stat().st_mode & 0o777 == 0o700
