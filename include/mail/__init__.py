"""The one summary mail of a backfill: from the ledger's rows to a report, its words as text and
HTML, and its delivery."""
