"""`make demo`: the main job from nothing to a healed date, with the commands that an operator
types."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from devstack import control
from devstack.connections import find_lacking
from devstack.environment import ROOT, Home
from include.partition import DateRange
from include.reruns import word_backfill, word_rerun
from include.warehouse.local import LocalWarehouse

DAG = "bdl_box_scores"
SCHEDULE = "nbacom_schedule"
LEAGUE_WINDOW = (
    date(2024, 12, 21),
    date(2024, 12, 27),
)  # 2024-12-24 has no games, in the sandbox as in the world
RECORDED_WINDOW = (
    date(2026, 1, 6),
    date(2026, 1, 12),
)  # 2026-01-09 was recorded, the days around it are empty there
RECORDED_DAY = date(2024, 1, 15)


def find_others(dags: Path = ROOT / "dags") -> tuple[str, ...]:
    """The DAGs that have dates, beside the first one: the schedule leads, since the rest is counted
    against it, and what is made of other tables comes last."""
    texts = {path.stem: path.read_text() for path in sorted(dags.glob("*.py"))}
    sources, processors = (
        [dag_id for dag_id, text in texts.items() if f"\n{declared} = " in text]
        for declared in ("SOURCE", "PROCESSOR")
    )
    return (SCHEDULE, *(each for each in sources if each not in (DAG, SCHEDULE)), *processors)


OTHERS = find_others()


def demo(at: Home, sandbox_options: list[str], sources: str) -> int:
    """Runs the story; returns 0 only if each step ended as it should: one date red, then healed,
    all rows in place.

    ``sources``: DAG ids with commas between, or ``all``. Where one is unknown nothing is started
    and 2 returned.
    """
    if unknown := _asked(sources) - {DAG, *OTHERS}:
        known = ", ".join((DAG, *OTHERS))
        _say(
            f"SOURCES={sources}: no such DAG {', '.join(sorted(unknown))}; there are {known};"
            " or all"
        )
        return 2
    began = time.monotonic()
    recorded = bool(sandbox_options)
    _title("Starting Postgres, the sandbox and Airflow")
    ready = control.up(at, sandbox_options)
    if (served := control.state(at).get("recorded", False)) != recorded:
        _say(
            f"The sandbox runs {'with' if served else 'without'} recorded answers: starting again."
        )
        control.down(at)
        ready = control.up(at, sandbox_options)
    elif lacking := find_lacking(at):
        _say(f"{', '.join(lacking)} came since this was started: starting again.")
        control.down(at)
        ready = control.up(at, sandbox_options)
    first, last = RECORDED_WINDOW if recorded else LEAGUE_WINDOW
    broken = date(2026, 1, 9) if recorded else first + timedelta(days=4)
    fault = {
        "source": "balldontlie",
        "endpoint": "box_scores",
        "day": str(broken),
        "kind": "missing_game",
        "times": 1,
    }
    set_faults(ready["ports"]["sandbox"], [fault])

    _title(f"Backfilling {first}..{last}; Ball Don't Lie will lack one game of {broken} at first")
    window = DateRange(first, last)
    # A demo that ran before left its runs: they are run again, and asked for again, so that the
    # story is the same.
    attach = word_backfill(DAG, window, "--attach")
    code = _airflow(at, word_backfill(DAG, window, "--refetch", "-y"), attach=attach)
    if code != 1:
        _say(f"The backfill should have ended with 1 (one date is partial), it ended with {code}.")
        return 1

    _title(f"Rerunning the failed date as the mail says: {broken}")
    code = _airflow(at, word_rerun(DAG, [broken]))
    if code != 0:
        _say(f"The rerun should have healed the date, it ended with {code}.")
        return 1

    days = window.days
    if recorded:
        days = [RECORDED_DAY, *days]
        _title(f"The other recorded date, in the API's shape of 2024: {RECORDED_DAY}")
        only = DateRange(RECORDED_DAY, RECORDED_DAY)
        if code := _airflow(at, word_backfill(DAG, only, "--reset-dagruns", "-y")):
            _say(f"It should have been complete, the command ended with {code}.")
            return 1

    for dag in _others(sources):
        _title(f"Backfilling {dag}")
        if code := _airflow(at, word_backfill(dag, window, "--reset-dagruns", "-y")):
            _say(f"It should have been complete, the command ended with {code}.")
            return 1

    _title("What is in the warehouse, read back with DuckDB")
    whole = _table(at, days)
    if _others(sources):
        _rows_per_table(at, days)
    if recorded:
        _say("\nThe schedule of these dates was not recorded: `airflow nba status` says so.")
    _say("")
    _say(control.where(at, ready["ports"]))
    _say(f"Took {time.monotonic() - began:.0f} s.")
    return 0 if whole else 1


def _asked(sources: str) -> set[str]:
    return (
        {DAG, *OTHERS} if sources == "all" else {name.strip() for name in sources.split(",")} - {""}
    )


def _others(sources: str) -> tuple[str, ...]:
    """The DAGs beside the first one that were asked for; the schedule leads, the rest is counted
    against it."""
    return tuple(dag for dag in OTHERS if dag in _asked(sources))


def _airflow(at: Home, command: str, *, attach: str = "") -> int:
    code = _shell(at, command)
    if code == 2 and attach:  # a demo that was interrupted left its backfill running
        if _shell(at, attach) == 2:
            return 2
        code = _shell(at, command)
    return code


def _shell(at: Home, command: str) -> int:
    """Shows and runs the line that an operator types."""
    _say(f"$ {command}")
    line = f". {shlex.quote(str(at.env_file))} && exec {command}"
    return subprocess.run(["bash", "-c", line], cwd=ROOT, check=False).returncode


def _table(at: Home, days: list[date]) -> bool:
    """Prints a line per date; False if a date has no partition."""
    connection = LocalWarehouse(at.data / "warehouse").connect()
    found = {
        day: numbers
        for day, *numbers in connection.execute(
            "SELECT game_date, count(DISTINCT home_tricode), count(*), count(*) FILTER"
            " (did_not_play), sum(pts) FROM raw.bdl_box_scores GROUP BY game_date"
        ).fetchall()
    }
    _say(f"  {'date':<12}{'games':>6}{'rows':>7}{'did not play':>14}{'points':>8}")
    whole = True
    parts = LocalWarehouse(at.data / "warehouse").root / "raw" / DAG
    for day in days:
        loaded = (parts / f"game_date={day}" / "part.parquet").is_file()
        whole = whole and loaded
        games, rows, idle, points = found.get(day, (0, 0, 0, 0))
        note = "  no games" if loaded else "  NOT LOADED"
        _say(f"  {day!s:<12}{games:>6}{rows:>7}{idle:>14}{points:>8}{'' if rows else note}")
    return whole


def _rows_per_table(at: Home, days: list[date]) -> None:
    """Prints a matrix: a table per line, a date per column."""
    connection = LocalWarehouse(at.data / "warehouse").connect()
    found = connection.execute(
        "SELECT table_schema, table_name FROM information_schema.columns"
        " WHERE column_name = 'source_file' ORDER BY table_schema DESC, table_name"
    ).fetchall()  # our views have none
    names = [(f"{schema}.{name}", f'{schema}."{name}"') for schema, name in found]
    width = max(30, *(len(shown) + 2 for shown, _ in names))
    _say(f"\n  {'rows':<{width}}" + "".join(f"{day:%m-%d}".rjust(8) for day in days))
    for shown, name in names:
        rows = f"SELECT game_date, count(*) FROM {name} GROUP BY 1"
        counted = dict(connection.execute(rows).fetchall())
        _say(f"  {shown:<{width}}" + "".join(str(counted.get(day, 0)).rjust(8) for day in days))


def set_faults(port: int, faults: Sequence[Mapping[str, Any]]) -> None:
    """Replaces those of the sandbox that listens on this port of loopback."""
    url = f"http://127.0.0.1:{port}/_sandbox/faults"
    _request(url, "DELETE")
    _request(url, "POST", list(faults))


def _request(url: str, method: str, body: Any = None) -> None:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, data=data, method=method, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10):
        return


def _title(text: str) -> None:
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    _say(f"\n{bold}{text}{plain}")


def _say(text: str) -> None:
    print(text, flush=True)
