"""Imported by every `airflow` command before its parser is built: adds our commands, at no cost to
the others, and has a Celery worker import what tasks need."""

import os
import sys

__all__: list[str] = []  # nothing here overrides a setting of Airflow


def _extend_commands() -> None:
    from nba_airflow.cli.commands import extend

    extend()


def _preload_in_worker() -> None:
    """Celery's signal comes when the worker has imported its own modules, before it forks. Here and
    now would be too early: Airflow is in the middle of its own imports."""
    from celery.signals import import_modules  # type: ignore[import-untyped]  # has none

    import_modules.connect(_preload)


def _preload(**_: object) -> None:
    from nba_airflow.connections import store_schemes_in_environment
    from nba_airflow.preload import preload

    preload(store_schemes_in_environment())


# A collector of metrics that is down would hold every process up at its end, each task for 9 s of
# repeated attempts (3.3.2); what it misses of one task, nobody misses.
os.environ.setdefault("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")

if sys.argv[0].rsplit("/", 1)[-1] == "airflow":
    try:
        _extend_commands()
        if sys.argv[1:3] == ["celery", "worker"]:
            _preload_in_worker()
    except Exception as error:  # noqa: BLE001  an exception here would break every airflow command
        print(f"nba_airflow: commands not registered: {error!r}", file=sys.stderr)  # noqa: T201  to a person
