"""Imported by every `airflow` command before its parser is built: adds our commands, at no cost to
the others."""

import os
import sys

__all__: list[str] = []  # nothing here overrides a setting of Airflow


def _extend_commands() -> None:
    from nba_airflow.cli.commands import extend

    extend()


# A collector of metrics that is down would hold every process up at its end, each task for 9 s of
# repeated attempts (3.3.2); what it misses of one task, nobody misses.
os.environ.setdefault("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")

if sys.argv[0].rsplit("/", 1)[-1] == "airflow":
    try:
        _extend_commands()
    except Exception as error:  # noqa: BLE001  an exception here would break every airflow command
        print(f"nba_airflow: commands not registered: {error!r}", file=sys.stderr)  # noqa: T201  to a person
