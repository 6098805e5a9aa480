"""The one summary mail of a backfill: what it says, how it looks, how it leaves."""
