"""Airflow's entry into a checkout: the one file below plugins/ that Airflow itself executes."""

from nba_airflow.plugin import NbaPlugin as NbaPlugin
