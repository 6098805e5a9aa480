"""What is worked out and held against a backfill before and while it runs."""
