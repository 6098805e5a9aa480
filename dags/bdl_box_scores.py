"""### Ball Don't Lie: box scores

One row per listed player and game in `raw.bdl_box_scores`; players who did not play are listed too.

| | |
| --- | --- |
| Reference | https://docs.balldontlie.io/#box-scores |
| Connection, pool | `balldontlie` (password = API key, sent in `Authorization`) |
| Partition | US/Eastern game date, final about 6:00 the next morning |
| Limit | 60 requests a minute (ALL-STAR tier; 5 on the free one, 600 on GOAT) |
| Requests a date | 1, and 1 for the list of games while `nbacom_schedule` does not have the date |

Oddities: a game that was not played yet is answered with status 200 and no players, so games are
counted, not bodies. Until the 2024-25 season a game has no `id`, `datetime` and `plus_minus`. A key
of a lower tier answers 401 as well. A game is unsound where a team's minutes do not make 240, and
25 more an overtime, or its players' points are not the team's and the schedule's. Final scores can
change hours later (stat corrections): `--refetch` asks again and reports them. A game
that was moved stays listed under its first date; its rows are those of the date on which it was
played, which takes them from the first date's body or, where that is not there, asks where the
source keeps them: 2 or 3 requests for each of up to 4 games that the schedule has on the date and
its body has not.
"""

from include.parsing import balldontlie
from include.sources.spec import (
    OFF_SEASON,
    Cursor,
    Endpoint,
    Get,
    HeaderKey,
    Host,
    Moved,
    Source,
    Truth,
    Window,
)
from nba_airflow.factory import daily_dag

BALL_DONT_LIE = Host(
    connection="balldontlie",
    base_url="https://api.balldontlie.io",
    auth=HeaderKey(name="Authorization"),
    windows=(Window(limit=60, seconds=60),),
    probe=Get(path="/v1/box_scores", params={"date": OFF_SEASON}),
)

SOURCE = Source(
    dag_id="bdl_box_scores",
    hosts=(BALL_DONT_LIE,),
    tags=("source", "box scores"),
    endpoints=(
        Endpoint(
            name="box_scores",
            table=balldontlie.BOX_SCORES,
            request=Get(path="/v1/box_scores", params={"date": "{day}"}),
            rows=balldontlie.rows,
            games=balldontlie.games,
            rows_per_game=28,
            bytes_per_request=47_500,
            moved=Moved(
                days=balldontlie.true_days,
                search=Get(
                    path="/v1/games",
                    params={
                        "seasons[]": "{season}",
                        "team_ids[]": "{team_id}",
                        "per_page": "100",
                    },
                    pages=Cursor(path="meta.next_cursor", param="cursor"),
                ),
                values=balldontlie.team_season,
                kept_under=balldontlie.kept_under,
            ),
            truth=Truth(
                request=Get(
                    path="/v1/games",
                    params={"dates[]": "{day}", "per_page": "100"},
                    pages=Cursor(path="meta.next_cursor", param="cursor"),
                ),
                games=balldontlie.listed_games,
            ),
        ),
    ),
)

dag = daily_dag(SOURCE, __doc__)
