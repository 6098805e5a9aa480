"""What happens when Airflow reads its settings, at the start of each of its processes and before it
builds the parser of its commands: ours are added, at no cost to the others, and a Celery worker is
told to import what tasks need.

Airflow imports this module by the entry point ``airflow.policy`` where the package is installed, as
well as a team's own airflow_local_settings; in a checkout plugins/airflow_local_settings.py does.
Where both are there it is imported once.
"""

import os
import sys
from importlib.util import find_spec


def check_include() -> None:
    """Raises ImportError where another folder `include` hides ours from Python."""
    try:
        found = find_spec("include.outcome")
    except ModuleNotFoundError:  # there is none at all
        found = None
    if found is None:
        theirs = sys.modules.get("include")
        where = list(getattr(theirs, "__path__", ())) or "nothing"
        raise ImportError(
            f"nba-backfill's package `include` is hidden: Python finds {where} by that name;"
            " delete the __init__.py there, and both are found (docs/install.md)"
        )


def _extend_commands() -> None:
    from nba_airflow.cli.commands import extend

    extend()


def _preload_in_worker() -> None:
    """Celery's signal comes when the worker has imported its own modules, before it forks. Here and
    now would be too early: Airflow is in the middle of its own imports."""
    from celery.signals import import_modules  # type: ignore[import-untyped]  # has none

    import_modules.connect(_preload)


def _preload(**_: object) -> None:
    # Celery keeps results by SQLAlchemy, which at its first query in a process has Airflow import
    # all of its models: 40 ms in each of a worker's processes, and once before they are forked.
    import celery.backends.database  # type: ignore[import-untyped]  # noqa: F401  it has none
    from sqlalchemy.orm import configure_mappers

    from nba_airflow.connections import store_schemes_in_environment
    from nba_airflow.preload import preload

    configure_mappers()
    preload(store_schemes_in_environment())


# A collector of metrics that is down would hold every process up at its end, each task for 9 s of
# repeated attempts (3.3.2); what it misses of one task, nobody misses.
os.environ.setdefault("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")

if sys.argv[0].rsplit("/", 1)[-1] == "airflow":
    try:
        check_include()
        _extend_commands()
        if sys.argv[1:3] == ["celery", "worker"]:
            _preload_in_worker()
    except Exception as error:  # noqa: BLE001  an exception here would break every airflow command
        print(f"nba_airflow: commands not registered: {error!r}", file=sys.stderr)  # noqa: T201  to a person
