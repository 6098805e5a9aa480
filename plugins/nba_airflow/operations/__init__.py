"""`airflow nba`: what an operator asks between two backfills; each command reads, only `repair` writes."""
