"""The only code that imports airflow: it wires the plain functions of ``include`` into DAGs,
commands and listeners."""
