"""kill -9 at every named point, of the scheduler and of Postgres, amid a backfill: nothing is lost
or doubled."""

from __future__ import annotations

import json
import os
import random
import signal
import urllib.request
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from devstack import control, postgres
from include import failpoints
from include.limits.credit_rows import balance
from include.ops.db import connect
from include.partition import days_between
from tests.disk import small_disk

if TYPE_CHECKING:
    from tests.e2e.conftest import System

pytestmark = pytest.mark.slow

PAID = "odds_api_props"
FREE = "bdl_box_scores"
BEGUN = "SELECT 1 FROM dag_run WHERE partition_key = %s AND state <> 'queued'"
"""A date may be done between two looks."""
ROUNDS = int(os.environ.get("NBA_CRASH_ROUNDS", "1"))
"""Random rounds after the one that strikes at each point once; CI runs one, more find more."""


@pytest.fixture(scope="module", autouse=True)
def caught_up(system: System):
    """Both DAGs are unpaused and their late dates reported."""
    system.catch_up(PAID, FREE)


def healed(system: System, dag: str, first: date, last: date) -> dict[str, int]:
    """Reruns what failed until all is done; the outcomes. A date may lose its worker more often
    than it is retried."""
    for _ in range(3):
        code, answer = system.backfill(f"{dag} -s {first} -e {last} --rerun-failed-tasks")
        if code == 0:
            break
    return dict(Counter(found["outcome"] for found in answer["dates"].values()))


def whole_and_single(system: System, table: str, key: str, first: date, last: date) -> None:
    """Every date of the window that has games has rows, and no key stands twice."""
    window = f"game_date BETWEEN '{first}' AND '{last}'"
    twice = (
        f"SELECT {key}, count(*) FROM raw.{table} WHERE {window} GROUP BY ALL HAVING count(*) > 1"
    )
    assert system.rows(twice) == []
    counted = dict(
        system.rows(
            f"SELECT game_date, count(DISTINCT home_tricode) FROM raw.{table} WHERE {window} GROUP"
            " BY 1"
        )
    )
    for day in days_between(first, last):
        manifest = next((system.home.data / "raw").glob(f"*/{day:%Y/%m}/{day}/*/_manifest.json"))
        assert counted.get(day, 0) == json.loads(manifest.read_text())["games_expected"], day


def one_mail_per_batch(system: System, dag: str, since: int) -> list[str]:
    """The batches that were mailed since; a mail that was sent twice has one Message-ID."""
    ids = [
        (m["custom_args"]["batch_id"], m["headers"]["Message-ID"])
        for m in system.mails(dag)[since:]
    ]
    assert len({batch for batch, _ in ids}) == len({message for _, message in ids}) == len(set(ids))
    return sorted({batch for batch, _ in ids})


@pytest.mark.parametrize("round_", range(ROUNDS + 1))
def test_killed_at_every_point_a_backfill_ends_whole_paid_once_and_told_once(
    system: System, crash_orders: Path, round_: int
):
    first = date(2024, 12, 2) + timedelta(days=10 * round_)
    last = first + timedelta(days=5)
    points = (
        list(failpoints.POINTS)
        if round_ == 0
        else random.Random(round_).sample(failpoints.POINTS, 6)
    )
    mails, asked = len(system.mails(PAID)), len(system.requests())
    for point in points:
        (crash_orders / point).touch()

    system.backfill(f"{PAID} -s {first} -e {last}")
    outcomes = healed(system, PAID, first, last)
    system.until(lambda: not any(crash_orders.iterdir()))

    assert outcomes == {"complete": 6}
    key = "game_id, market, bookmaker, player_name, side, line, snapshot_at"
    whole_and_single(system, "odds_api_player_props", key, first, last)
    whole_and_single(
        system, "odds_api_game_lines", "game_id, market, bookmaker, side, line", first, last
    )
    props = (
        "SELECT sum(games_expected) FROM (SELECT DISTINCT ON (day) games_expected FROM ops.outcomes"
        " WHERE"
    )
    props += (
        " dag_id = %s AND endpoint = 'player_props' AND phase = 'audit' AND day BETWEEN %s AND %s)"
        " AS dates"
    )
    ((games,),) = system.ops(props, PAID, first, last)
    planned = games + 3 * 6  # an odds request a game; two lists and the lines a date
    made = [r for r in system.requests()[asked:] if r["source"] == "the_odds_api"]
    assert planned <= len(made) <= planned + len(points)
    system.until(lambda: len(system.mails(PAID)) > mails)
    assert one_mail_per_batch(system, PAID, mails)[0].endswith(":0")
    bill = json.load(
        urllib.request.urlopen(f"http://127.0.0.1:{system.ports['sandbox']}/_sandbox/bill")
    )
    with connect(postgres.url(system.home.postgres, "ops")) as connection:
        month = balance(connection, "the_odds_api", datetime.now(UTC).date())
    assert (month.billed, made[-1]["credits_used"]) == (bill["used"], bill["used"])


def test_killing_the_scheduler_in_the_middle_loses_nothing_and_sends_one_mail(system: System):
    first, last = date(2024, 11, 25), date(2024, 11, 30)
    mails = len(system.mails(FREE))
    assert system.backfill(f"{FREE} -s {first} -e {last} --detach")[0] == 0
    system.until(lambda: system.metadata(BEGUN, "2024-11-26"))

    os.kill(control.state(system.home)["pids"]["scheduler"], signal.SIGKILL)

    code, answer = system.backfill(f"{FREE} -s {first} -e {last} --attach")
    system.until(lambda: len(system.mails(FREE)) > mails)
    if code:
        answer = {"dates": {}}
        assert set(healed(system, FREE, first, last)) <= {"complete", "no_games"}
    whole_and_single(system, FREE, "game_id, player_id, home_tricode", first, last)
    assert one_mail_per_batch(system, FREE, mails)[0].endswith(":0")
    assert {found["outcome"] for found in answer["dates"].values()} <= {"complete", "no_games"}


def test_killing_postgres_in_the_middle_loses_nothing_and_sends_one_mail(system: System):
    first, last = date(2024, 11, 1), date(2024, 11, 4)
    mails = len(system.mails(FREE))
    assert system.backfill(f"{FREE} -s {first} -e {last} --detach")[0] == 0
    system.until(lambda: system.metadata(BEGUN, "2024-11-02"))

    os.kill(
        int((system.home.postgres / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL
    )
    system.until(lambda: answers(system))

    finished = (
        "SELECT 1 FROM dag_run WHERE partition_key BETWEEN %s AND %s AND state IN ('queued',"
        " 'running')"
    )
    system.until(lambda: not system.metadata(finished, str(first), str(last)))
    assert set(healed(system, FREE, first, last)) <= {"complete", "no_games"}
    system.until(lambda: len(system.mails(FREE)) > mails)
    whole_and_single(system, FREE, "game_id, player_id, home_tricode", first, last)
    assert one_mail_per_batch(system, FREE, mails)[0].endswith(":0")


@pytest.fixture
def filler(system: System) -> Iterator[Path]:
    """The file that fills the disk where a month's raw bodies go."""
    with small_disk(system.home.data / "raw" / FREE / "2024" / "01") as folder:
        found = folder / "filler"
        found.write_bytes(bytes(256 * 1024))
        yield found


def test_a_disk_that_is_full_fails_its_dates_by_name_and_the_rerun_heals_them(
    system: System, filler: Path
):
    first, last = date(2024, 1, 8), date(2024, 1, 11)
    mails, asked = len(system.mails(FREE)), len(system.requests())

    code, answer = system.backfill(f"{FREE} -s {first} -e {last}")

    found = answer["dates"].values()
    assert (code, {each["outcome"] for each in found}) == (1, {"failed"})
    assert all(
        "the disk is full: free some space, then rerun the date" in each["message"]
        for each in found
    )
    assert [path for path in filler.parent.rglob("*") if path.is_file()] == [filler]
    (mail,) = system.mails(FREE)[mails:]
    assert "the disk is full: free some space" in " ".join(mail["content"][0]["value"].split())
    filler.unlink()
    assert set(healed(system, FREE, first, last)) == {"complete"}
    whole_and_single(system, FREE, "game_id, player_id, home_tricode", first, last)
    made = Counter(r["path"] for r in system.requests()[asked:] if r["source"] == "balldontlie")
    # What could not be stored is asked for once more, and nothing else.
    assert made == {"/v1/box_scores": 2 * 4}
    system.until(lambda: len(system.mails(FREE)) > mails + 1)
    assert len(one_mail_per_batch(system, FREE, mails)) == 2


def answers(system: System) -> bool:
    """Whether Postgres is back."""
    try:
        return bool(system.metadata("SELECT 1"))
    except psycopg.OperationalError:
        return False
