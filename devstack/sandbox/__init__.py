"""One local server that plays all four upstreams, enforces their limits by its own clock and logs
what was asked."""
