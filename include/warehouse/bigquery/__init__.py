"""The warehouse in BigQuery (``bigquery://project?location=US``); imported only where the
connection names it."""
