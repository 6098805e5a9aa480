"""``python -m devstack.sandbox``: one server, on loopback unless told otherwise, one line on
stdout, until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import socket
import sys
from pathlib import Path

import uvicorn

from devstack.sandbox.app import build
from devstack.sandbox.config import BadConfig, Config, config_from
from devstack.sandbox.recorded import BadRecordings

_HOST = "127.0.0.1"


class _Server(uvicorn.Server):
    """Says where it listens once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host, port = sockets[0].getsockname() if sockets else (_HOST, 0)
        sys.stdout.write(f"sandbox http://{host}:{port}\n")
        sys.stdout.flush()


def _configuration(options: argparse.Namespace) -> Config:
    try:
        settings = json.loads(options.config.read_text(encoding="utf-8")) if options.config else {}
    except (OSError, ValueError) as error:
        raise BadConfig(f"cannot read {options.config}: {error}") from error
    return config_from(
        settings,
        log=options.log,
        recorded=options.recorded,
        seed=options.seed,
        control_token=options.control_token,
    )


def main(arguments: list[str] | None = None) -> int:
    """Serves until it is told to stop: 0; 2 for a busy port or a setting that cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m devstack.sandbox", description=__doc__)
    parser.add_argument("--host", default=_HOST, help="an address of this machine")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--log", type=Path, help="request log, JSON lines, appended to")
    parser.add_argument("--recorded", type=Path, help="folder with a manifest.json to answer from")
    parser.add_argument("--seed", type=int, help="another league")
    parser.add_argument(
        "--config", type=Path, help="JSON: keys, limits, monthly_credits, faults, proxies, now, ..."
    )
    parser.add_argument("--control-token", help="what X-Sandbox-Token must be on /_sandbox/...")
    options = parser.parse_args(arguments)

    # With the protocol named, asyncio turns Nagle's algorithm off: 5 ms an answer instead of 44.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        app = build(_configuration(options))
        listener.bind((options.host, options.port))
    except (BadConfig, BadRecordings) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(
            f"sandbox: port {options.port} cannot be used: {error.strerror}; take another one\n"
        )
        return 2
    # uvicorn raises the signal that stopped it once more when it has shut down; that must not kill
    # us.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    server = _Server(
        uvicorn.Config(
            app,
            # h11 hands absolute-form targets through, which a proxy needs; httptools cuts them.
            http="h11",
            ws="none",
            lifespan="off",
            # Torn bodies and hangs are errors to uvicorn; app.py itself reports what went wrong
            # unordered.
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=75,
            server_header=False,
        )
    )
    asyncio.run(server.serve(sockets=[listener]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
