"""### BigDataBall: play by play

One row per play in `raw.bigdataball_play_by_play`, from the files of a shared Google Drive folder.

| | |
| --- | --- |
| Reference | https://developers.google.com/workspace/drive/api/reference/rest/v3/files/list |
| Connection, pool | `bigdataball` (Google type; extra `keyfile_dict`: a service account's key) |
| Partition | US/Eastern game date; files come 4:00 to 7:00 Pacific the next day, late after noon |
| Limit | none published; 600 requests a minute kept as a courtesy |
| Requests a date | 1 list, and 1 download a game |

Oddities: `name contains` matches prefixes, so the exact date is looked at again;
`...combined-stats.csv` files are skipped; `game_id` loses its leading zeros in the file. Files of
2017-18 write it as a spreadsheet's text, are in cp1252 and say `unknown` for null; the present
layout has 11 columns more (null in older files) and an id before each name. Needs
`nbacom_schedule` for the date, since a file that is missing is not listed either.
"""

from datetime import time

from include.parsing import bigdataball
from include.sources.spec import (
    OFF_SEASON,
    Cursor,
    Endpoint,
    Get,
    Host,
    ServiceAccount,
    Source,
    Window,
)
from nba_airflow.factory import daily_dag

DRIVE = Host(
    connection="bigdataball",
    base_url="https://www.googleapis.com",
    auth=ServiceAccount(scopes=("https://www.googleapis.com/auth/drive.readonly",)),
    windows=(Window(limit=600, seconds=60),),
    probe=Get(
        path="/drive/v3/files",
        params={
            "supportsAllDrives": "true",
            "includeItemsFromAllDrives": "true",
            "q": f"name contains '[{OFF_SEASON}]'",
            "pageSize": "1",
            "fields": "files(id)",
        },
    ),
)

SHARED = {"supportsAllDrives": "true"}

SOURCE = Source(
    dag_id="bigdataball_play_by_play",
    hosts=(DRIVE,),
    tags=("source", "play by play"),
    endpoints=(
        Endpoint(
            name="play_by_play",
            table=bigdataball.PLAY_BY_PLAY,
            listing=Get(
                path="/drive/v3/files",
                params={
                    **SHARED,
                    "includeItemsFromAllDrives": "true",
                    "q": "name contains '[{day}]' and trashed = false",
                    "pageSize": "100",
                    "fields": "nextPageToken, files(id,name,modifiedTime)",
                },
                pages=Cursor(path="nextPageToken", param="pageToken"),
            ),
            request=Get(
                path="/drive/v3/files/{file_id}", params={**SHARED, "alt": "media"}, accept="csv"
            ),
            items=bigdataball.items,
            item_of=bigdataball.item_of,
            per_game=True,
            rows=bigdataball.rows,
            games=bigdataball.games,
            rows_per_game=450,
            bytes_per_request=120_000,
            available_after=time(7, 0),
            late_after=time(15, 0),
        ),
    ),
)

dag = daily_dag(SOURCE, __doc__)
