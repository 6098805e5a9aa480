"""The BigQuery engine that tests run against on loopback, in an environment of its own: its pins do
not fit beside ours.

`python -m devstack.engines` makes the environment (0.5 GB) where it is not there.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import IO

ROOT = Path(__file__).resolve().parents[1]
PINS = ROOT / "devstack" / "engines.txt"
BIGQUERY = ROOT / ".venv" / "engines" / "bigquery"

# The engine loads an extension of its database, which it would fetch from the network.
_EXTENSION = """
import pathlib, duckdb, duckdb_extension_spatial
(path,) = pathlib.Path(duckdb_extension_spatial.__path__[0]).rglob("*.duckdb_extension")
duckdb.connect().execute(f"INSTALL '{path}'")
"""


def ensure_environment() -> None:
    """Makes the engine's environment, or the one that its pins name by now."""
    stamp = BIGQUERY / "engines.txt"
    if stamp.is_file() and stamp.read_text() == PINS.read_text():
        return
    uv, python = str(ROOT / ".venv" / "bin" / "uv"), str(BIGQUERY / "bin" / "python")
    venv = [uv, "venv", "-q", "--allow-existing", "--python", sys.executable]
    subprocess.run([*venv, str(BIGQUERY)], check=True)
    subprocess.run([uv, "pip", "sync", "-q", "--python", python, str(PINS)], check=True)
    stamp.write_text(PINS.read_text())


@contextmanager
def running_bigquery(folder: Path) -> Iterator[str]:
    """The URL of a running engine, empty; its files and log lie in ``folder``. A Google client
    finds it by `BIGQUERY_EMULATOR_HOST`, or as its API endpoint."""
    ensure_environment()
    env = {
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
        "BQEMU_GCS_LOCAL_ROOT": str(folder / "gcs"),
        "BQEMU_ENABLE_FORMAT_EXTENSIONS": "false",
    }
    python, engine = str(BIGQUERY / "bin" / "python"), str(BIGQUERY / "bin" / "bqemulator")
    subprocess.run([python, "-c", _EXTENSION], env=env, check=True)
    with subprocess.Popen(
        [engine, "start", "--rest-port", "0", "--grpc-port", "0"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert process.stdout
            url = _read_url(process.stdout)
            Thread(
                target=_keep, args=(process.stdout, folder / "bigquery.log"), daemon=True
            ).start()
            yield url
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


def _read_url(output: IO[str]) -> str:
    """Where it listens, once it does so on both of its ports. Raises RuntimeError with what it says
    where it ends instead."""
    said = ""
    for line in output:
        said += line
        if '"event": "grpc.listen"' in line:
            return re.findall(r"Uvicorn running on (http://[0-9.:]+)", said)[0]
    raise RuntimeError(f"the BigQuery engine did not start: {said}")


def _keep(output: IO[str], log: Path) -> None:
    with log.open("w") as kept:
        kept.writelines(output)


if __name__ == "__main__":
    ensure_environment()
