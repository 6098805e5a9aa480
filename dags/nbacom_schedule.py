"""### NBA.com: schedule

Every game of every date in `raw.nbacom_schedule`: the truth that all other DAGs are counted
against.

| | |
| --- | --- |
| Reference | https://stats.nba.com/stats/scheduleleaguev2 |
| Connection, pool | `nba_stats` (no key; extra `{"proxies": ["http://user:password@host:port"]}`) |
| Partition | US/Eastern game date, final about 5:00 the next morning |
| Limit | 100 requests a minute and address, shared with `nbacom_box_scores` |
| Requests | 1 a season: the body of one date serves the others; a live date asks again |

Oddities: `...Est` fields carry a false `Z`; preseason and All-Star games are listed and do not
count (`counts`); postponed games stay on their first date, marked. Backfill a season before you
backfill anything else.
"""

from datetime import time

from include.parsing import nbacom
from include.sources.nbacom import STATS
from include.sources.spec import Endpoint, Get, Item, Source
from nba_airflow.factory import daily_dag

SOURCE = Source(
    dag_id="nbacom_schedule",
    hosts=(STATS,),
    tags=("source", "schedule"),
    endpoints=(
        Endpoint(
            name="schedule",
            table=nbacom.SCHEDULE,
            request=Get(
                path="/stats/scheduleleaguev2", params={"LeagueID": "00", "Season": "{season}"}
            ),
            items=lambda listing: [
                Item(name="season", values={"season": nbacom.season(listing.day)})
            ],
            rows=nbacom.schedule_rows,
            games=nbacom.schedule_games,
            is_schedule=True,
            shared=nbacom.season,
            rows_per_game=1,
            bytes_per_request=1_430_000,
            available_after=time(5, 0),
        ),
    ),
)

dag = daily_dag(SOURCE, __doc__)
