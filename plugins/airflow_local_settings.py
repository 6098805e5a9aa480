"""Airflow's first look into a checkout: every `airflow` command imports it before its parser is
built. An installed package has entry points instead."""

from nba_airflow import startup as startup

__all__: list[str] = []  # nothing here overrides a setting of Airflow
