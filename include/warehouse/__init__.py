"""Rows, typed and partitioned by game date; each partition is replaced whole."""
