"""Bodies of the upstreams into rows and games: bytes in, rows out, no network, no clock, no heavy
imports."""
