"""``python -m include.ops migrate [URL]``: the URL defaults to the variable AIRFLOW_CONN_OPS_DB."""

from __future__ import annotations

import argparse
import os
import sys

from include.errors import Problem
from include.ops.migrate import migrate


def main() -> int:
    """Exit code 0 when the tables are up to date, 1 with a reason on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m include.ops", description="The operations tables."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    apply = commands.add_parser("migrate", help="create or update the tables; safe to repeat")
    apply.add_argument("url", nargs="?", default=os.environ.get("AIRFLOW_CONN_OPS_DB", ""))
    url = parser.parse_args().url
    if not url:
        parser.error(
            "which database? give its URL, or set AIRFLOW_CONN_OPS_DB (`. .airflow/env` does)"
        )
    try:
        migrate(url)
    except Problem as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    sys.stdout.write("operations tables: up to date\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
