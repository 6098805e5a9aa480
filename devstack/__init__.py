"""The whole system on one machine: environment, processes and demo behind `make up`, `make down`
and `make demo`."""
