"""The line of a date, without Airflow: scrape to raw, load to the warehouse, audit the count."""
