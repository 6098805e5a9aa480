"""What an Airflow that runs these DAGs is told, beside where things are: each setting with its
reason. `.env.example` repeats them, the local installation takes them from here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """A variable of Airflow's environment, and in one line why it is not left at its default."""

    name: str
    value: str
    reason: str


MAX_ACTIVE_RUNS = 32
"""Runs of a DAG that may be under way at a time beside its backfills, which have a number of their
own. Twice the dates that workers can be at, so that the live date starts beside 16 that wait."""
MAX_WAITING_RUNS = 200
"""As above where requests cost credits: there dates may wait for days, until the next month. More
than a season has, so that no number of them keeps the live date from starting."""
MAX_RUNS_A_TURN = 1000
"""Runs that the scheduler looks at in a turn: more than all DAGs together can have under way beside
backfills, whose runs it looks at last, with room for the sources that somebody adds. One that waits
costs a turn 4 ms (measured on 3.3.2)."""

SETTINGS = (
    Setting(
        "AIRFLOW__CORE__PARALLELISM",
        "16",
        "Tasks at a time, each 0.2 to 1 s long; a worker costs 30 MB",
    ),
    Setting(
        "AIRFLOW__CORE__LOAD_EXAMPLES",
        "False",
        "The DAG page is for this package's DAGs",
    ),
    Setting(
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME",
        "0.1",
        "Short tasks wait for the scheduler's turns, not for a processor",
    ),
    Setting(
        "AIRFLOW__SCHEDULER__MAX_DAGRUNS_PER_LOOP_TO_SCHEDULE",
        str(MAX_RUNS_A_TURN),
        "A backfill's runs are not looked at while so many others run or wait"
        " (apache/airflow#58554)",
    ),
    Setting(
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT",
        "60",
        "Seconds after which a killed task is noticed",
    ),
    Setting(
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL",
        "30",
        "Seconds after which another scheduler takes over a killed one's tasks",
    ),
    Setting(
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL",
        "1",
        "Seconds until a worker that missed its task's end looks again; at 5 a third sat idle",
    ),
    Setting(
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL",
        "300",
        "Seconds between two looks at a DAG file, which changes with a deployment only",
    ),
    Setting(
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES",
        "1",
        "One process reads all DAG files in a second",
    ),
    Setting(
        "AIRFLOW__API__WORKERS",
        "1",
        "One process of 260 MB answers 100 calls a second; more where many people watch",
    ),
    Setting(
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS",
        "airflow.models.backfill=ERROR airflow.serialization.definitions=ERROR",
        "Two lines a date while a backfill is created, in the command and in the scheduler",
    ),
)
