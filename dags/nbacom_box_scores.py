"""### NBA.com: box scores and play by play

One row per player who played in `raw.nbacom_player_box_scores`, one per action in
`raw.nbacom_play_by_play`.

| | |
| --- | --- |
| Reference | https://github.com/swar/nba_api/tree/master/docs/nba_api/stats/endpoints |
| Connection, pool | `nba_stats` and `nba_cdn` (no keys; proxies in the extra) |
| Partition | US/Eastern game date, final about 6:00 the next morning |
| Limit | 100 requests a minute and address; works without proxies |
| Requests a date | 1 per season type of the date's games, and 1 a game |

Oddities: cloud addresses hang or get 403 pages, which are never taken for "no games". A wrong
`SeasonType` answers with an empty 200. At a neutral site both teams' rows say `@`: who is at home
is the schedule's word. A team's minutes must make 240, and 25 more an overtime, its points the
schedule's score, else its game is unsound. Needs `nbacom_schedule` for the date: without it the
outcome is `unverified`.
"""

from include.parsing import nbacom
from include.sources.nbacom import CDN, STATS
from include.sources.spec import Endpoint, Get, Source
from nba_airflow.factory import daily_dag

SOURCE = Source(
    dag_id="nbacom_box_scores",
    hosts=(STATS, CDN),
    tags=("source", "box scores", "play by play"),
    endpoints=(
        Endpoint(
            name="box_scores",
            table=nbacom.PLAYER_BOX_SCORES,
            request=Get(
                path="/stats/leaguegamelog",
                params={
                    "Counter": "1000",
                    "DateFrom": "{day}",
                    "DateTo": "{day}",
                    "Direction": "DESC",
                    "LeagueID": "00",
                    "PlayerOrTeam": "P",
                    "Season": "{season}",
                    "SeasonType": "{season_type}",
                    "Sorter": "DATE",
                },
            ),
            items=nbacom.box_score_items,
            item_of=nbacom.box_score_item,
            rows=nbacom.box_score_rows,
            games=nbacom.box_score_games,
            rows_per_game=22,
            bytes_per_request=20_700,
        ),
        Endpoint(
            name="play_by_play",
            table=nbacom.PLAY_BY_PLAY,
            request=Get(
                path="/static/json/liveData/playbyplay/playbyplay_{game_id}.json",
                connection=CDN.connection,
            ),
            items=nbacom.play_by_play_items,
            item_of=nbacom.play_by_play_item,
            per_game=True,
            rows=nbacom.play_by_play_rows,
            games=nbacom.play_by_play_games,
            rows_per_game=510,
            bytes_per_request=315_000,
        ),
    ),
)

dag = daily_dag(SOURCE, __doc__)
