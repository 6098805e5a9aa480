"""What has happened and what is under way, in Postgres: how each try of a date ended (outcomes),
which runs share a mail (batches), mails to send (outbox), who works on a date (leases)."""
