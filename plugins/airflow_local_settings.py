"""Imported by every `airflow` command before its parser is built: adds our commands, at no cost to
the others."""

import sys

__all__: list[str] = []  # nothing here overrides a setting of Airflow


def _extend_commands() -> None:
    from nba_airflow.cli.commands import extend

    extend()


def _preload() -> None:
    """LocalExecutor forks: what the scheduler has imported, a task need not (0.3 s a task, measured
    on 3.3.2)."""
    import duckdb  # noqa: F401
    import psycopg  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import requests  # noqa: F401


if sys.argv[0].rsplit("/", 1)[-1] == "airflow":
    try:
        _extend_commands()
        if sys.argv[1:2] == ["scheduler"]:
            _preload()
    except Exception as error:  # noqa: BLE001  an exception here would break every airflow command
        print(f"nba_airflow: commands not registered: {error!r}", file=sys.stderr)  # noqa: T201
