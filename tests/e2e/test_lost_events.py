"""Ten backfills at once on real processes, of which the listener hears half and whose scheduler is
killed: what the mails, the commands and the status say is what Airflow's rows say."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from devstack import control
from devstack.environment import ROOT
from include import failpoints
from include.outcome import Outcome
from include.partition import DateRange

if TYPE_CHECKING:
    from tests.e2e.conftest import System

pytestmark = pytest.mark.slow

SEED = 3
DEPLOYED = Path(tempfile.gettempdir()) / f"nba-ten-{os.getpid()}"
LIVE_DAYS = 0
VARIABLES = {
    failpoints.LOST: f"{SEED}:50",
    "PYTHONPATH": f"{ROOT}:{DEPLOYED / 'plugins'}",
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(DEPLOYED / "plugins"),
    "AIRFLOW__CORE__DAGS_FOLDER": str(DEPLOYED / "dags"),
    # A killed scheduler takes its tasks with it, which is to be seen soon.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
}
SOURCE = "bdl_box_scores"
DAGS = [f"box_scores_{number:02d}" for number in range(10)]
DATES = 6
FAST = [[600, 60]]
KILLS = 2

STATES = "SELECT partition_key, state, start_date IS NOT NULL FROM dag_run WHERE dag_id = %s"
OUTCOMES = (
    "SELECT DISTINCT ON (day) day::text, outcome FROM ops.outcomes WHERE dag_id = %s"
    " ORDER BY day, outcome_id DESC"
)


@pytest.fixture(scope="module", autouse=True)
def deployed() -> Iterator[None]:
    """The project as it is deployed, with ten DAGs of one source: a DAG has one backfill at a
    time."""
    shutil.copytree(ROOT / "plugins", DEPLOYED / "plugins")
    (DEPLOYED / "dags").mkdir()
    shutil.copy(ROOT / "dags" / "backfill_summary.py", DEPLOYED / "dags")
    spec = (ROOT / "dags" / f"{SOURCE}.py").read_text()
    for dag_id in DAGS:
        text = spec.replace(f'dag_id="{SOURCE}"', f'dag_id="{dag_id}"')
        (DEPLOYED / "dags" / f"{dag_id}.py").write_text(text)
    yield
    shutil.rmtree(DEPLOYED)


@dataclass
class Story:
    """A backfill of six dates, one at a time: one fails, one is partial, one is cleared when it is
    good, two take long, and the last is cancelled before it starts."""

    dag_id: str
    window: DateRange
    backfill: int = 0
    done: list[str] = field(default_factory=list)

    @property
    def days(self) -> list[str]:
        return [str(day) for day in self.window.days]

    def faults(self) -> Iterator[dict[str, Any]]:
        failed, partial, _, *slow, _ = self.days
        yield {"endpoint": "games", "day": failed, "kind": "bad_key", "times": None}
        yield {"endpoint": "box_scores", "day": partial, "kind": "missing_game", "times": None}
        for day in slow:
            yield {"endpoint": "games", "day": day, "kind": "hang", "seconds": 10, "times": None}

    def begin(self, system: System) -> None:
        order = {"dag_id": self.dag_id, "max_active_runs": 1, "reprocess_behavior": "none"}
        order |= {"run_backwards": False, "dag_run_conf": {}}
        order |= {
            "from_date": f"{self.window.first}T00:00:00Z",
            "to_date": f"{self.window.last}T00:00:00Z",
        }
        self.backfill = system.api("POST", "backfills", order)["id"]

    def go_on(self, system: System) -> bool:
        """Does what is due by now; whether it did something."""
        states = {day: state for day, state, _ in system.metadata(STATES, self.dag_id)}
        good, slow, slower = self.days[2:5]
        if not self.done and states[slow] != "queued":
            clear = {"dry_run": False, "only_failed": False, "reset_dag_runs": True}
            run = "SELECT run_id FROM dag_run WHERE dag_id = %s AND partition_key = %s"
            ((run_id,),) = system.metadata(run, self.dag_id, good)
            system.api(
                "POST", f"dags/{self.dag_id}/clearTaskInstances", {**clear, "dag_run_id": run_id}
            )
            self.done.append("cleared")
        elif self.done == ["cleared"] and states[slower] != "queued":
            system.api("PUT", f"backfills/{self.backfill}/cancel")
            self.done.append("cancelled")
        else:
            return False
        return True

    def is_over(self, system: System) -> bool:
        states = {state for _, state, _ in system.metadata(STATES, self.dag_id)}
        return len(self.done) == 2 and states <= {"success", "failed"}

    def booked(self, system: System) -> dict[str, Outcome]:
        """Date -> how it stands by Airflow's rows; what a red one has come to, by the ledger."""
        said = dict(system.ops(OUTCOMES, self.dag_id))
        found = {}
        for day, state, started in system.metadata(STATES, self.dag_id):
            found[day] = Outcome(said[day]) if started else Outcome.CANCELLED
            assert found[day].done is (state == "success"), (self.dag_id, day)
        return dict(sorted(found.items()))


@pytest.fixture(scope="module")
def stories(system: System) -> list[Story]:
    """All ten, over; a random one's step was followed by the scheduler's death."""
    first = date(2024, 11, 1)
    windows = [first + timedelta(days=DATES * n) for n in range(len(DAGS))]
    found = [
        Story(dag_id, DateRange(start, start + timedelta(days=DATES - 1)))
        for dag_id, start in zip(DAGS, windows, strict=True)
    ]
    widen(system)
    system.faults([{"source": "balldontlie", **f} for story in found for f in story.faults()])
    for story in found:
        system.api("PATCH", f"dags/{story.dag_id}", {"is_paused": False})
        story.begin(system)
    kills = set(random.Random(SEED).sample(range(2 * len(DAGS)), KILLS))
    steps: Counter[str] = Counter()

    def go_on() -> bool:
        """One look at all stories; a kill that is due waits until there is a scheduler."""
        for story in found:
            if story.go_on(system):
                steps["due"] += steps["done"] in kills
                steps["done"] += 1
            if steps["killed"] < steps["due"]:
                steps["killed"] += kill_scheduler(system)
        return all(story.is_over(system) for story in found)

    system.until(go_on, 400)
    assert steps == {"done": 2 * len(DAGS), "due": KILLS, "killed": KILLS}
    return found


def kill_scheduler(system: System) -> bool:
    """Whether there was one to kill."""
    supervisor = psutil.Process(control.state(system.home)["pid"])
    found = [each for each in supervisor.children() if "scheduler" in each.cmdline()]
    for each in found:
        each.kill()
    return bool(found)


def widen(system: System) -> None:
    """The source lets ten backfills run at once."""
    system.sandbox("POST", "limits", {"balldontlie": FAST})
    extra = json.dumps({"windows": FAST})
    fields = {"connection_id": "balldontlie", "conn_type": "http", "extra": extra}
    system.api("PATCH", "connections/balldontlie?update_mask=extra", fields)
    pool = {"name": "balldontlie", "slots": 12, "description": "", "include_deferred": False}
    system.api("PATCH", "pools/balldontlie", pool)


def subject(story: Story, booked: dict[str, Outcome]) -> str:
    """The subject of the mail on dates that stand so."""
    stands = Counter(booked.values())
    done = sum(n for outcome, n in stands.items() if outcome.done)
    words = {
        Outcome.FAILED: "failed",
        Outcome.PARTIAL: "incomplete",
        Outcome.CANCELLED: "cancelled",
    }
    bad = [f"{stands[outcome]} {word}" for outcome, word in words.items() if stands[outcome]]
    told = f"{done} of {DATES} dates complete"
    return f"[Cancelled] {story.dag_id} {story.window}: {', '.join([told, *bad])}"


def mailed(system: System, story: Story) -> set[tuple[str, str]]:
    """Batch and subject of the DAG's mails."""
    return {(m["custom_args"]["batch_id"], m["subject"]) for m in system.mails(story.dag_id)}


def test_every_backfill_has_lost_events_and_dates_of_every_kind(
    system: System, stories: list[Story]
):
    log = (system.home.logs / "scheduler.log").read_text()
    lost = Counter(re.findall(r"Lost: (box_scores_\d+)", log))
    assert set(lost) == set(DAGS), lost
    kinds = {Outcome.FAILED, Outcome.PARTIAL, Outcome.CANCELLED, Outcome.COMPLETE}
    assert [kinds - set(story.booked(system).values()) for story in stories] == [set()] * len(DAGS)


def test_mails_verdicts_and_status_say_what_airflows_rows_say(system: System, stories: list[Story]):
    def sweep() -> bool:
        """Sweeps get lost too; what one does not find, a later one does."""
        system.api("POST", "dags/backfill_summary/dagRuns", {"logical_date": None})
        return all(system.mails(story.dag_id) for story in stories)

    system.until(sweep)
    booked = {story.dag_id: story.booked(system) for story in stories}
    assert {story.dag_id: mailed(system, story) for story in stories} == {
        story.dag_id: {(f"{story.dag_id}:{story.backfill}:0", subject(story, booked[story.dag_id]))}
        for story in stories
    }

    status = json.loads(system.airflow("nba status -o json").out)
    assert (status["batches"], status["mails"]) == ([], [])
    ran = {
        dag_id: Counter(str(o) for o in days.values() if o is not Outcome.CANCELLED)
        for dag_id, days in booked.items()
    }
    assert {dag: status["outcomes"][dag]["box_scores"] for dag in DAGS} == ran

    commands = [
        f"dags backfill {s.dag_id} -s {s.window.first} -e {s.window.last} --attach -o json"
        for s in stories[:3]
    ]
    with ThreadPoolExecutor(3) as hands:
        answers = [json.loads(done.out)["dates"] for done in hands.map(system.airflow, commands)]
    assert [{day: said["outcome"] for day, said in dates.items()} for dates in answers] == [
        {day: str(outcome) for day, outcome in booked[s.dag_id].items()} for s in stories[:3]
    ]
