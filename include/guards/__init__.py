"""What is worked out about a backfill: so far what its dates take when nothing goes wrong."""
