"""The only code that imports airflow: it wires the plain functions of ``include`` into DAGs,
commands and listeners."""

from pathlib import Path

_PACKAGED = Path(__file__).resolve().parent / "dags"

DAGS = _PACKAGED if _PACKAGED.is_dir() else _PACKAGED.parents[2] / "dags"
"""The folder of the DAG files: in the installed package, or beside plugins/ in a checkout."""
