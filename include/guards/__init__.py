"""What is worked out about a backfill: what its dates take when all goes well, in money too."""
