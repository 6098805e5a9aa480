"""The DAG files that come with the installed package, as a bundle for Airflow's setting
``dag_bundle_config_list``: nobody has to know where Python keeps packages."""

from __future__ import annotations

from typing import Any

from airflow.dag_processing.bundles.local import LocalDagBundle

from nba_airflow import DAGS


class PackagedDags(LocalDagBundle):
    """The folder of our DAG files, whatever version of the package is installed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(path=str(DAGS), **options)
