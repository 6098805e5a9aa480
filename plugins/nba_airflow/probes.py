"""The preflight's checks of the world outside Airflow: upstreams, ledger, stores, disks, mail. Each
is asked once, for as little as it takes; they run in a worker as well as in a command."""

from __future__ import annotations

import logging
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from include.errors import Problem
from include.guards.canary import MAX_WITHOUT_CANARY, MIN_GOOD_DATES
from include.guards.preflight import (
    Finding,
    Start,
    failed,
    judge_credits,
    judge_disk,
    judge_hours,
    judge_input,
    judge_problem,
    judge_scope,
    judge_skew,
    passed,
    warned,
)
from include.limits.allowance import LARGER_PLAN
from include.ops.measured import count_good_dates
from include.outcome import Later
from include.wording import counted
from nba_airflow import connections
from nba_airflow.specs import processors, sources, tables_of

if TYPE_CHECKING:
    from include.http.client import Answer
    from include.sources.spec import Host
    from include.steps.job import Wire

log = logging.getLogger(__name__)

Check = Callable[[Start], Iterator[Finding]]

REBUILD = (
    "run `DROP SCHEMA ops CASCADE` in that database, then `airflow nba repair --tables` and"
    " `airflow nba repair --ledger`"
)


def probe(start: Start) -> list[Finding]:
    """What all checks of the table have found."""
    found: list[Finding] = []
    for name, check in CHECKS:
        try:
            told = [*check(start)]
        except Problem as problem:
            told = [failed(problem.message)]
        except Exception as error:  # whatever it is, what cannot be checked has not passed
            log.exception("the check of %s", name)
            told = [failed(f"cannot be checked ({type(error).__name__}: {error})")]
        found += [replace(each, check=name) for each in told]
    return found


# --- the plan


def check_scope(start: Start) -> Iterator[Finding]:
    """What it takes is known, and can be had."""
    if start.plan:
        yield judge_scope(start.plan, start.refusal)


def check_canary(start: Start) -> Iterator[Finding]:
    """A few dates have gone well with the code and configuration that it begins with; of DAGs
    whose code is known."""
    from include.ops.db import connect
    from nba_airflow.fingerprints import read_fingerprint

    code = read_fingerprint(start.dag_id)
    if not code:
        return
    many = len(start.window.days) > MAX_WITHOUT_CANARY
    with connect(connections.ops_url(), application_name="nba preflight") as ledger:
        good = count_good_dates(ledger, start.dag_id, code)
    told = f"{counted(good, 'date')} went well with this code and configuration"
    if many and good < MIN_GOOD_DATES:
        repair = "" if start.ours else "`airflow dags backfill` runs a canary of a few dates first"
        yield warned(told, repair)
    else:
        yield passed(f"{told}, {'enough' if many else 'and few are asked for'}")


def check_hours(start: Start) -> Iterator[Finding]:
    """When it would work."""
    if start.plan:
        yield judge_hours(start.plan)


# --- upstreams


def check_upstreams(start: Start) -> Iterator[Finding]:
    """Each host of the source: its key, its plan, what is left of it, its clock."""
    from include.http.client import Policy
    from include.http.transport import Bounds
    from include.ops.session import Session
    from nba_airflow.wire import wire

    source = sources().get(start.dag_id)
    if source is None:
        return
    connections.chosen(source)
    # A second request for one that met a sick proxy; what hangs is not waited for.
    policy = Policy(max_requests=2, backoff=0.2, slow_down=0.5, max_retry_after=2, max_wait=5)
    bounds = Bounds(connect=3, read=4, total=6)
    with (
        Session(connections.ops_url(), name="nba preflight") as session,
        wire(session, source, "backfill", policy=policy, bounds=bounds) as found,
    ):
        for host in source.hosts:
            yield from _ask(found, host, start)


def _ask(wire: Wire, host: Host, start: Start) -> Iterator[Finding]:
    """What one host says."""
    name = host.connection
    if host.probe is None:
        yield warned(f"{name} is not asked", "declare the probe of its Host in the source's file")
        return
    try:
        answer = wire.client.get(wire.upstreams[name], host.probe, {}, endpoint="preflight")
    except Problem as problem:
        yield judge_problem(problem)
    except Later as later:
        yield warned(str(later))
    else:
        yield passed(f"{name} answers and lets us in")
        yield from _read_headers(name, answer, start)


def _read_headers(name: str, answer: Answer, start: Start) -> Iterator[Finding]:
    from include.http.exchange import REMAINING

    if (left := answer.headers.get(REMAINING, "")).isdecimal():
        yield judge_credits(name, left=int(left), needed=start.credits, more=LARGER_PLAN)
    if told := answer.headers.get("date"):
        yield judge_skew(name, datetime.now(UTC) - parsedate_to_datetime(told))


# --- our own


def check_ledger(start: Start) -> Iterator[Finding]:
    """Where the progress of each date is kept."""
    from include.ops.db import connect
    from include.ops.migrate import find_missing

    with connect(connections.ops_url(), application_name="nba preflight") as ledger:
        missing = find_missing(ledger)
        whole = ledger.execute("SELECT to_regclass('ops.versions') IS NULL").fetchone()
    if not missing:
        yield passed("the operations tables are there")
    elif whole == (True,):
        yield failed("there are no operations tables", "airflow nba repair --tables")
    else:
        yield failed(f"the operations tables lack {', '.join(missing)}", REBUILD)


def check_raw_store(start: Start) -> Iterator[Finding]:
    """Where bodies are kept, so that a rerun asks for none of them again."""
    store = connections.raw_store()
    store.check_writable()
    store.read("_preflight")  # a bucket that is not there looks like one without the object
    yield passed(f"the raw store {store.url} can be read and written")


def check_warehouse(start: Start) -> Iterator[Finding]:
    """Where rows go: the tables of the DAG can be loaded."""
    from include.storage.local import LocalStore

    warehouse = connections.warehouse()
    if folder := _folder(warehouse.url):
        LocalStore(folder).check_writable()
    for table in tables_of(start.dag_id):
        warehouse.prepare(table)
    yield passed(f"the warehouse {warehouse.url} can be loaded")


def check_inputs(start: Start) -> Iterator[Finding]:
    """What a processor's dates are made of is there: without it they are not done."""
    from include.ops.built import read_ready
    from include.ops.db import connect

    processor = processors().get(start.dag_id)
    if processor is None:
        return
    days = start.window.days
    with connect(connections.ops_url(), application_name="nba preflight") as ledger:
        for each in processor.inputs:
            if each.required:
                ready = read_ready(ledger, [each], days)
                yield judge_input(each.dag_id, days, [day for day in days if day not in ready])


def check_disks(start: Start) -> Iterator[Finding]:
    """Room for bodies, rows, logs and mails, where those are folders."""
    from airflow.configuration import conf

    mail = connections.connection(connections.MAIL).host or ""
    urls = [*map(connections.location, (connections.RAW_STORE, connections.WAREHOUSE)), mail]
    folders = [folder for folder in map(_folder, urls) if folder]
    folders.append(Path(conf.get("logging", "base_log_folder")))
    disks: dict[int, list[Path]] = defaultdict(list)
    for folder in folders:
        disks[_there(folder).stat().st_dev].append(folder)
    for on_disk in disks.values():
        free = shutil.disk_usage(_there(on_disk[0])).free
        yield judge_disk(", ".join(map(str, on_disk)), free=free, needed=start.bytes)


def check_mail(start: Start) -> Iterator[Finding]:
    """Who is told, and whether the mail would go out."""
    from include.guards.sender import judge_sender
    from include.mail.delivery import Folder, read_target
    from include.mail.envelope import read_envelope
    from include.storage.local import LocalStore

    found = connections.connection(connections.MAIL)
    people = read_envelope(found.extra_dejson)
    target = read_target(found.host or "", found.password or "")
    if isinstance(target, Folder):
        LocalStore(target.path).check_writable()
    else:
        yield judge_sender(target, people.sender)
    told = ", ".join(person.addr_spec for person in people.recipients)
    yield passed(f"the one mail goes to {told}")


def _folder(url: str) -> Path | None:
    """The folder that a URL names; None where it is not one of this machine."""
    parsed = urlparse(url)
    local = parsed.scheme in ("file", "duckdb")
    return Path(unquote(parsed.netloc + parsed.path)) if local else None


def _there(folder: Path) -> Path:
    """The folder, or the first one above it that is there."""
    return next(each for each in (folder, *folder.parents) if each.exists())


CHECKS: Sequence[tuple[str, Check]] = (
    ("scope", check_scope),
    ("canary", check_canary),
    ("time window", check_hours),
    ("limits", check_upstreams),
    ("progress", check_ledger),
    ("resumable", check_raw_store),
    ("dependencies", check_inputs),
    ("dependencies", check_warehouse),
    ("dependencies", check_disks),
    ("notification", check_mail),
)
"""The guide's check that a function is of, and the function."""
