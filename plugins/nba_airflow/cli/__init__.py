"""What operators type, `airflow dags backfill` and `airflow nba ...`: a file for each command, and
what they share."""
