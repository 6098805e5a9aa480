"""### Prop results: how bets on players came out

One row per game, player, market, bookmaker and line in `analytics.player_prop_results`: the last
offer strictly before tip-off, the actual value, and over, under, push or void. Whom the box score
lacks is in `analytics.unmatched_players`, with the names that look like his.

| | |
| --- | --- |
| Made of | `raw.odds_api_player_props`, `raw.nbacom_schedule`, and one source's box scores |
| Box scores | `raw.bdl_box_scores`; `NBA_ACTUAL_SOURCE=nbacom_box_scores` takes NBA.com's |
| Partition | US/Eastern game date |
| Requests | none |

Runs by itself: when a date's props and box scores are both done, and again when one of them has
changed (a healed, accepted, refetched or reprocessed date). Such runs send no mail unless they
fail. While the DAG is paused none are made: backfill those dates afterwards.

Oddities: a row that cannot be settled has no `result` and says in `why` what is missing, such as a
first basket, which box scores do not tell. Who is listed and did not play is void, and so is every
bet on a game that was not played on its date. NBA.com lists nobody who did not play: with its box
scores those are unmatched, and not void. Ball Don't Lie gives whole minutes: who played for seconds
and did nothing counts as not having played.
"""

import os

from include.analytics import prop_results
from include.analytics.actual import choose
from include.analytics.spec import Processor
from nba_airflow.processors import processed_dag

PROCESSOR = Processor(
    dag_id="prop_results",
    name="player_prop_results",
    inputs=prop_results.inputs(choose(os.environ.get("NBA_ACTUAL_SOURCE"))),
    tables=(prop_results.PLAYER_PROP_RESULTS, prop_results.UNMATCHED_PLAYERS),
    build=prop_results.builder(choose(os.environ.get("NBA_ACTUAL_SOURCE"))),
    tags=("analytics", "odds", "box scores"),
)

dag = processed_dag(PROCESSOR, __doc__)
