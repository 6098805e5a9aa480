"""Airflow's entry into this package: the one file below plugins/ that Airflow itself executes."""

from airflow.plugins_manager import AirflowPlugin

from nba_airflow import listener
from nba_airflow.priority import LiveFirst
from nba_airflow.timetable import GameDateTimetable


class NbaPlugin(AirflowPlugin):
    """Registers the listener; pools and batches hang on it."""

    name = "nba"
    listeners = [listener]  # noqa: RUF012  Airflow reads plain class attributes
    timetables = [GameDateTimetable]  # noqa: RUF012  as above
    priority_weight_strategies = [LiveFirst]  # noqa: RUF012  as above
