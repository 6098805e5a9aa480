"""The operations tables in Postgres: outcomes, batches, mails, leases, and their schema."""
