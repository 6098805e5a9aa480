"""What a shell offers for an argument, by argcomplete, which Airflow asks."""

from __future__ import annotations

import argparse
from typing import Any


class DagId(argparse.Action):
    """Takes a DAG id as it stands, and offers those that our files declare."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, values)

    @staticmethod
    def completer(**_: Any) -> list[str]:
        """The sources' and processors' DAGs; argcomplete keeps those that begin as the word does.
        No file is run."""
        from nba_airflow.specs import dag_ids

        return dag_ids()
