"""One supervisor keeps Postgres, the sandbox and Airflow's four processes running, and ends them
all when it ends."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from devstack import postgres
from devstack.connections import write_connections, write_sandbox_config
from devstack.environment import ROOT, Home, choose_ports, write_environment
from devstack.processes import leftovers, session_of, spawn, stop
from devstack.silence import MAX_SILENCE, Silence, ask_health, is_healthy
from include.errors import Problem
from include.files import write_atomically

# Without log servers (they listen on every address): all processes share one log folder here.
AIRFLOW = {
    "api-server": ["api-server"],
    "dag-processor": ["dag-processor"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
_BACKOFF = (1, 2, 5, 10, 30)


@dataclass
class Service:
    """A command that is restarted when it ends, with growing pauses while it keeps ending at
    once."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    due: float = field(default=0.0)


def lock_path(at: Home) -> Path:
    """Held by the living supervisor: the one reliable sign that it lives."""
    return at.airflow / "supervisor.lock"


def supervisor_pid(at: Home) -> int | None:
    """The pid of the running supervisor; None when there is none (a stale file does not count)."""
    path = lock_path(at)
    if not path.is_file():
        return None
    with path.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(file.read().strip() or 0) or None
    return None


@contextmanager
def _sole(at: Home) -> Iterator[None]:
    at.airflow.mkdir(parents=True, exist_ok=True)
    with lock_path(at).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit("already running: `make down` stops it") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def state_path(at: Home) -> Path:
    """What the supervisor says of itself: phase, ports, pids."""
    return at.airflow / "state.json"


def say(at: Home, phase: str, **facts: object) -> None:
    """Publishes the supervisor's phase for `make up` to show."""
    write_atomically(
        state_path(at),
        json.dumps({"phase": phase, "pid": os.getpid(), **facts}).encode(),
        replace=True,
    )


def supervise(at: Home, sandbox_options: list[str]) -> int:
    """Runs until TERM or INT. Returns 1 when something that everything needs could not be
    started."""
    # A second supervisor would restart the processes of the first and take its ports.
    with _sole(at):
        stop_asked = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop_asked.set())
        mark = str(at.airflow)
        stop(leftovers(mark), patience=5)
        services: list[Service] = []
        # In this order: the environment names the databases and ports that are chosen here, and
        # Airflow's processes need migrated databases and the pools.
        try:
            say(at, "starting Postgres")
            at.logs.mkdir(parents=True, exist_ok=True)
            postgres.start(at.postgres)
            metadata = postgres.ensure_database(at.postgres, "airflow")
            ops = postgres.ensure_database(at.postgres, "ops")
            ports = choose_ports(at)
            variables = write_environment(at, ports=ports, metadata_url=metadata)
            env = {
                **os.environ,
                **variables,
                "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
            }

            sandbox = [sys.executable, "-m", "devstack.sandbox", "--port", str(ports["sandbox"])]
            sandbox += ["--log", str(at.sandbox_log), "--config", str(write_sandbox_config(at))]
            services.append(Service("sandbox", [*sandbox, *sandbox_options]))
            _start(services[0], at, env, mark)

            say(at, "migrating the databases", ports=ports)
            _provision(at, env, mark, ports, ops)

            airflow = str(Path(sys.executable).parent / "airflow")
            for name, words in AIRFLOW.items():
                services.append(Service(name, [airflow, *words]))
                _start(services[-1], at, env, mark)
            say(at, "starting Airflow", ports=ports)
            _watch(
                at, services, env, mark, ports, stop_asked, recorded="--recorded" in sandbox_options
            )
            return 0
        except (Problem, subprocess.SubprocessError, OSError, RuntimeError) as error:
            print(f"supervisor: {error}", file=sys.stderr, flush=True)
            say(at, "failed", error=str(error))
            return 1
        finally:
            running = [
                psutil.Process(s.process.pid)
                for s in services
                if s.process and s.process.poll() is None
            ]
            stop(running, patience=15)
            stop(leftovers(mark), patience=3)
            postgres.stop(at.postgres)
            if stop_asked.is_set():
                say(at, "stopped")


def _start(service: Service, at: Home, env: Mapping[str, str], mark: str) -> None:
    service.process = spawn(
        service.command, env=env, mark=mark, log=at.logs / f"{service.name}.log", cwd=ROOT
    )
    service.started = time.monotonic()


def _provision(
    at: Home, env: Mapping[str, str], mark: str, ports: Mapping[str, int], ops: str
) -> None:
    """Schemas, pools and connections, all of which may be there already."""
    path = write_connections(at, f"http://127.0.0.1:{ports['sandbox']}", ops)
    command = [sys.executable, "-m", "nba_airflow.provision", "--connections", str(path)]
    process = spawn(command, env=env, mark=mark, log=at.logs / "provision.log", cwd=ROOT)
    if process.wait() != 0:
        raise RuntimeError(f"provisioning failed, see {at.logs / 'provision.log'}")


def _watch(
    at: Home,
    services: list[Service],
    env: Mapping[str, str],
    mark: str,
    ports: Mapping[str, int],
    stop_asked: threading.Event,
    *,
    recorded: bool,
) -> None:
    ready = False
    silence = Silence()
    # Each look restarts what has ended, after a pause that grows while it keeps ending at once, and
    # ends what does nothing; that all is ready is said once, and not taken back.
    for turn in itertools.count():
        if stop_asked.wait(0.5):
            return
        now = time.monotonic()
        if turn % 4 == 0 and not postgres.running(at.postgres):
            print("supervisor: Postgres is gone; starting it again", flush=True)
            postgres.start(at.postgres)
        for service in services:
            if service.process is None or service.process.poll() is None:
                if service.process is None and now >= service.due:
                    _start(service, at, env, mark)
                elif service.failures and now - service.started > 60:
                    service.failures = 0
                continue
            pause = _BACKOFF[min(service.failures, len(_BACKOFF) - 1)]
            code = service.process.returncode
            # LocalExecutor's workers outlive a killed scheduler and hold its database connection,
            # and with it locks on the runs that it was looking at: a new scheduler passes those
            # over for ever (seen on 3.3.2).
            stop(session_of(service.process.pid), patience=5)
            print(f"supervisor: {service.name} ended with {code}; again in {pause} s", flush=True)
            service.process, service.due, service.failures = None, now + pause, service.failures + 1
        if turn % 10 == 9:
            _end_silent(services, silence.find(ask_health(ports["api"]), _started(services)))
        if not ready and _healthy(ports["api"]) and _parsed(at, env):
            ready = True
            pids = {s.name: s.process.pid for s in services if s.process}
            say(at, "ready", ports=dict(ports), pids=pids, recorded=recorded)


def _parsed(at: Home, env: Mapping[str, str]) -> bool:
    """Whether every DAG file has been read, to a DAG or to an import error that the UI
    shows."""
    import psycopg

    read = (
        "SELECT (SELECT count(DISTINCT dag_id) FROM serialized_dag) + (SELECT count(*) FROM"
        " import_error)"
    )
    with psycopg.connect(postgres.url(at.postgres, "airflow")) as connection:
        (found,) = connection.execute(read).fetchone() or (0,)
    return found >= len(list(Path(env["AIRFLOW__CORE__DAGS_FOLDER"]).glob("*.py")))


def _healthy(port: int) -> bool:
    """Whether api-server, metadata database, scheduler, dag-processor and triggerer all say so."""
    health = ask_health(port)
    parts = ("metadatabase", "scheduler", "dag_processor", "triggerer")
    return all(is_healthy(health, part) for part in parts)


def _started(services: list[Service]) -> dict[str, float]:
    """Since when each that runs does."""
    return {each.name: each.started for each in services if each.process is not None}


def _end_silent(services: list[Service], silent: list[str]) -> None:
    """Ends them with all that they started; the next look starts them again."""
    for service in services:
        if service.name in silent and service.process is not None:
            print(
                f"supervisor: nothing heard of {service.name} for {MAX_SILENCE:.0f} s; ending it",
                flush=True,
            )
            stop(session_of(service.process.pid), patience=5)
