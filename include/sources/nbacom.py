"""NBA.com's two hosts, shared by its DAGs, and with them the limit of each."""

from include.sources.spec import OFF_SEASON, Get, Host, Window

# Sent by every browser; without them stats.nba.com hangs and cdn.nba.com answers 403 (reported by
# several clients).
_BROWSER = {
    "User-Agent": (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/146.0.0.0 Safari/537.36"
    ),
    "Accept": "application/json, text/plain, */*",
    "Accept-Language": "en-US,en;q=0.9",
    "Origin": "https://www.nba.com",
    "Referer": "https://www.nba.com/",
}

# Nobody publishes a limit; about 100 a minute and address is what operators report to be safe.
_SAFE = (Window(limit=100, seconds=60),)

STATS = Host(
    connection="nba_stats",
    base_url="https://stats.nba.com",
    headers=_BROWSER,
    windows=_SAFE,
    seconds_per_request=1.0,
    probe=Get(
        path="/stats/leaguegamelog",
        params={
            "Counter": "1000",
            "DateFrom": OFF_SEASON,
            "DateTo": OFF_SEASON,
            "Direction": "DESC",
            "LeagueID": "00",
            "PlayerOrTeam": "P",
            "Season": "2023-24",
            "SeasonType": "Regular Season",
            "Sorter": "DATE",
        },
    ),
)
CDN = Host(
    connection="nba_cdn",
    base_url="https://cdn.nba.com",
    headers=_BROWSER,
    windows=_SAFE,
    probe=Get(path="/static/json/liveData/scoreboard/todaysScoreboard_00.json"),
)
