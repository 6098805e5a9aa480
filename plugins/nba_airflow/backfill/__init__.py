"""`airflow dags backfill`: plan, check, create Airflow's own backfill, follow it, answer with the truth."""
