"""The timetable of game dates: Airflow's date partitions, with backfills kept from moving the live
schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.timetables.trigger import CronPartitionTimetable

from include.partition import BadDay, parse_day

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.timetables.base import DagRunInfo, TimeRestriction


NO_DATE = (
    "this DAG's runs are of game dates: give one as Partition Key (Advanced Options), such as"
    " 2025-01-15, or run `airflow dags backfill DAG -s DATE -e DATE`"
)


class GameDateTimetable(CronPartitionTimetable):
    """The run at midnight US/Eastern works on the date before; keys read ``2024-10-22``.

    Airflow 3.3.2 goes on from the newest partition of *any* automated run, backfills included, and
    then ignores the DAG's start date: after a backfill of an old week it schedules every date
    since, live, and the backfill's last date twice (seen: 41 unasked runs after a backfill of seven
    dates). Here a run from before the start date does not count, and the next date is the one after
    the newest partition.
    """

    def __init__(self, **kwargs: Any) -> None:
        fixed: dict[str, Any] = {
            "cron": "0 0 * * *",
            "timezone": "America/New_York",
            "run_offset": -1,
            "key_format": "%Y-%m-%d",
        }
        super().__init__(**{**fixed, **kwargs})

    def next_dagrun_info_v2(
        self, *, last_dagrun_info: DagRunInfo | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """The next live run. A backfill's run is dated by its partition, a live one by the midnight
        after it."""
        if last_dagrun_info is not None and last_dagrun_info.partition_date is not None:
            midnight_after = self._get_next(last_dagrun_info.partition_date)
            last_dagrun_info = last_dagrun_info._replace(run_after=midnight_after)
            if restriction.earliest is not None and midnight_after < restriction.earliest:
                last_dagrun_info = None
        return super().next_dagrun_info_v2(
            last_dagrun_info=last_dagrun_info, restriction=restriction
        )

    def resolve_partition_date(self, partition_key: str | None) -> datetime | None:
        """The date of a run that somebody is about to trigger. Raises InvalidPartitionKeyError, of
        which the trigger form shows the one line, where there is none: the run could only fail."""
        from airflow.exceptions import InvalidPartitionKeyError

        try:
            day = parse_day(partition_key or "")
        except BadDay:
            raise InvalidPartitionKeyError(NO_DATE) from None
        return super().resolve_partition_date(str(day))


class ProcessedDateTimetable(GameDateTimetable):
    """The game dates of a processor: backfills have the same dates, and there is no live schedule,
    since its runs are made when their inputs are done."""

    def next_dagrun_info_v2(
        self, *, last_dagrun_info: DagRunInfo | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """None, ever."""
        return None
