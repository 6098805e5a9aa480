"""All that touches Airflow's own tables: runs, batches, and backfills that nobody reported."""
