"""Every command of ours in a shell of an installation that is down: one line that says which
database is away and what starts it."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator

import pytest

from tests.plugins.cli.asking import DAG
from tests.plugins.conftest import _bind

WINDOW = f"{DAG} -s 2024-10-22 -e 2024-10-23"
START = (
    "start it (`make up` on one machine) or correct the variable"
    " AIRFLOW__DATABASE__SQL_ALCHEMY_CONN (`. .airflow/env` sets it)"
)
MIGRATE = "bring its tables up to date: airflow db migrate"
WORDS = {
    "dags backfill": [WINDOW, f"{WINDOW} --dry-run", f"{WINDOW} --attach", f"{WINDOW} -o json"],
    "nba plan": [WINDOW, f"{WINDOW} -o json"],
    "nba status": ["", "-o json"],
    "nba errors": ["", "48"],
    "nba gaps": [WINDOW, f"{WINDOW} -o yaml"],
    "nba preflight": [WINDOW],
    "nba release": ["7"],
    "nba accept": [f"{DAG} 2025-01-15 --list", f"{DAG} 2025-01-15 --undo"],
    "nba reconcile": ["-s 2024-10-22 -e 2024-10-23"],
    "nba record": [WINDOW],
    "nba reprocess": [WINDOW],
    "nba repair": ["--tables", "--ledger", f"--ledger {DAG}", "--mails"],
    "nba resume": ["balldontlie", DAG],
    "nba copy-raw": ["--to file:///tmp/nowhere"],
    "nba sql": ["", "-o csv"],
}


@pytest.fixture(params=["no socket", "no server", "no tables"])
def down(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, postgres_dir: object
) -> Iterator[str]:
    """Airflow's database is away, and its connections with it; how the line about it ends."""
    from devstack import postgres

    empty = postgres.ensure_database(str(postgres_dir), "nothing_in_it")
    urls = {
        "no socket": "postgresql://airflow:very-secret@/airflow?host=/nowhere",
        "no server": "postgresql://airflow:very-secret@127.0.0.1:1/airflow",
        "no tables": empty,
    }
    url = urls[request.param].replace("postgresql://", "postgresql+psycopg://", 1)
    with monkeypatch.context() as patch:
        patch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", url)
        patch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC", url)
        _bind()
        yield MIGRATE if request.param == "no tables" else START
    _bind()


def test_every_command_of_ours_is_tried() -> None:
    from nba_airflow.cli.commands import NBA

    assert sorted(WORDS) == sorted(["dags backfill", *(f"nba {c.name}" for c in NBA.subcommands)])


@pytest.mark.parametrize(
    "words", [f"{name} {more}".strip() for name, each in WORDS.items() for more in each]
)
def test_it_says_on_one_line_which_database_is_away_and_what_starts_it(
    parser: ArgumentParser, down: str, capfd: pytest.CaptureFixture[str], words: str
) -> None:
    args = parser.parse_args(words.split())
    with pytest.raises(SystemExit) as ended:
        args.func(args)
    out, err = capfd.readouterr()
    assert (ended.value.code, out) == (2, "")
    (line,) = err.splitlines()
    name = " ".join(words.split()[:2])
    assert line.startswith(f"airflow {name}: storage: Airflow's database failed: ")
    assert line.endswith(f": {down}")
    assert "very-secret" not in line
