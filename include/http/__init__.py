"""Everything between a spec's Get and a sound body: one client, one retry policy, no secret in what
is shown."""
