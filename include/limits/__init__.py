"""Whether a request may be sent now: the rate limiter, the month's credits and the health of
proxies, counted in Postgres for all processes together."""
