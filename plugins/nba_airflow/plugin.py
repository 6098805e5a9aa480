"""What the package adds to Airflow's processes, found by its entry point ``airflow.plugins`` or, in
a checkout, by way of plugins/nba_plugin.py. Airflow takes the first of one name, and says so."""

from airflow.plugins_manager import AirflowPlugin

from nba_airflow.startup import check_include

check_include()  # its message says what to do, which those of the imports below would not

from nba_airflow import links, listener, page  # noqa: E402  after the check
from nba_airflow.priority import LiveFirst  # noqa: E402  as above
from nba_airflow.timetable import GameDateTimetable, ProcessedDateTimetable  # noqa: E402  as above


class NbaPlugin(AirflowPlugin):
    """Registers the listener, on which pools and batches hang, the page and the links of
    tasks."""

    name = "nba"
    listeners = [listener]  # noqa: RUF012  Airflow reads plain class attributes
    timetables = [GameDateTimetable, ProcessedDateTimetable]  # noqa: RUF012  as above
    priority_weight_strategies = [LiveFirst]  # noqa: RUF012  as above
    fastapi_apps = page.APPS
    external_views = page.make_views()
    operator_extra_links = links.LINKS
