"""Imported by every `airflow` command before its parser is built: adds our commands, at no cost to
the others."""

import sys

__all__: list[str] = []  # nothing here overrides a setting of Airflow


def _extend_commands() -> None:
    from nba_airflow.cli.commands import extend

    extend()


if sys.argv[0].rsplit("/", 1)[-1] == "airflow":
    try:
        _extend_commands()
    except Exception as error:  # noqa: BLE001  an exception here would break every airflow command
        print(f"nba_airflow: commands not registered: {error!r}", file=sys.stderr)  # noqa: T201  to a person
