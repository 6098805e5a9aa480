"""### A task that does nothing

For comparison: what Airflow itself costs a date. No part of a deployment.
"""

from airflow.sdk import DAG, BaseOperator, CronPartitionTimetable
from pendulum import datetime


class NothingOperator(BaseOperator):
    """Starts, and has ended."""

    def execute(self, context: object) -> None:
        """Does nothing."""


with DAG(
    dag_id="nothing",
    schedule=CronPartitionTimetable(
        "0 0 * * *", timezone="America/New_York", run_offset=-1, key_format="%Y-%m-%d"
    ),
    start_date=datetime(2100, 1, 1),
    default_args={"do_xcom_push": False},
):
    NothingOperator(task_id="nothing")
