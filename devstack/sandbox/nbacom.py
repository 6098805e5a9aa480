"""NBA.com: stats.nba.com's game log and schedule, and the cdn's play by play and current
schedule."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from devstack.sandbox.boxscore import Line
from devstack.sandbox.exchange import Answer, Call, Upstream
from devstack.sandbox.faults import ACCESS_DENIED
from devstack.sandbox.league import League, is_final
from devstack.sandbox.nba_actions import play_by_play_body
from devstack.sandbox.nba_schedule import schedule_body, season_name
from devstack.sandbox.nbacom_faults import bend_log, bend_schedule
from devstack.sandbox.schedule import Game, Stage, season_of
from include.partition import BadDay, eastern_day, parse_day

Json = dict[str, Any]

_HTML = "text/html; charset=utf-8"
SEASON_TYPES = {
    "Pre Season": Stage.PRESEASON,
    "Regular Season": Stage.REGULAR,
    "Playoffs": Stage.PLAYOFFS,
    "PlayIn": Stage.PLAY_IN,
    "IST": Stage.CUP_FINAL,
}
_LOG_HEADERS = (
    "SEASON_ID", "PLAYER_ID", "PLAYER_NAME", "TEAM_ID", "TEAM_ABBREVIATION", "TEAM_NAME", "GAME_ID",
    "GAME_DATE", "MATCHUP", "WL", "MIN", "FGM", "FGA", "FG_PCT", "FG3M", "FG3A", "FG3_PCT", "FTM",
    "FTA", "FT_PCT", "OREB", "DREB", "REB", "AST", "STL", "BLK", "TOV", "PF", "PTS", "PLUS_MINUS",
    "FANTASY_PTS", "VIDEO_AVAILABLE",
)  # fmt: skip
_LOG_REQUIRED = (
    "Counter",
    "Direction",
    "LeagueID",
    "PlayerOrTeam",
    "Season",
    "SeasonType",
    "Sorter",
)
_PLAY_BY_PLAY = re.compile(r"/static/json/liveData/playbyplay/playbyplay_(\d{10})\.json")
_CDN_FILES = {
    "/static/json/staticData/scheduleLeagueV2.json": "schedule",
    "/static/json/liveData/scoreboard/todaysScoreboard_00.json": "scoreboard",
}


def _refusal(kind: str) -> Answer:
    """No rate headers, no JSON for limits: a page. There is no key, no tier and no credit to
    refuse."""
    match kind:
        case "down":
            return Answer(status=500, payload={"Message": "An error has occurred."})
        case "rate_limited":
            return Answer(
                status=429, text="<HTML><BODY>Too Many Requests</BODY></HTML>", content_type=_HTML
            )
    return _denied()


def _denied() -> Answer:
    return Answer(status=403, text=ACCESS_DENIED, content_type=_HTML)


def _like_a_browser(call: Call, *more: tuple[str, str]) -> Answer | None:
    wanted = (("user-agent", "Mozilla/"), ("referer", "https://www.nba.com/"), *more)
    return None if all(text in call.headers.get(name, "") for name, text in wanted) else _denied()


def _day(text: str) -> date:
    """Both forms that the site itself uses: ``2025-03-15`` and ``03/15/2025``."""
    if "/" in text:
        month, day, year = text.split("/")
        return date(int(year), int(month), int(day))
    return parse_day(text)


@dataclass(frozen=True)
class NbaStats(Upstream):
    """stats.nba.com. Without a browser's headers it answers with a page."""

    source: str = "nba_stats"

    def endpoint(self, call: Call) -> str:
        """``leaguegamelog`` or ``schedule``."""
        return {"/stats/leaguegamelog": "leaguegamelog", "/stats/scheduleleaguev2": "schedule"}.get(
            call.path, ""
        )

    def day(self, call: Call, league: League) -> date | None:
        """The game log's first date."""
        try:
            return _day(call.param("DateFrom")) if call.param("DateFrom") else None
        except ValueError:
            return None

    def covers(self, call: Call, league: League, day: date) -> bool:
        """A game log's own date, and every date of a schedule's season."""
        if self.endpoint(call) == "schedule":
            return call.param("Season") == season_name(season_of(day))
        return self.day(call, league) == day

    def refuse(self, kind: str) -> Answer:
        """The site's own words."""
        return _refusal(kind)

    def authorise(self, call: Call, key: str) -> Answer | None:
        """No key, but a browser."""
        return _like_a_browser(
            call, ("origin", "https://www.nba.com"), ("accept", "application/json")
        )

    def answer(self, call: Call, league: League) -> Answer:
        """400 with plain text for missing parameters, an HTML 404 for unknown paths."""
        match self.endpoint(call):
            case "leaguegamelog":
                return _game_log(call, league)
            case "schedule":
                return _season_schedule(call, league)
        return Answer(
            status=404, text="<html><body>404 - Not Found</body></html>", content_type=_HTML
        )

    def bend(self, kind: str, call: Call, answer: Answer, day: date | None) -> Answer:
        """Faults in what a 200 says; for the schedule on the rule's date, or its first."""
        if answer.status != 200 or not isinstance(answer.payload, dict):
            return answer
        payload = deepcopy(answer.payload)
        if self.endpoint(call) == "schedule":
            bend_schedule(kind, payload, day)
        else:
            bend_log(kind, payload["resultSets"][0])
        return replace(answer, payload=payload, text=None)


@dataclass(frozen=True)
class NbaCdn(Upstream):
    """cdn.nba.com: static files; one that is not there is a 403 page, like a block."""

    source: str = "nba_cdn"

    def endpoint(self, call: Call) -> str:
        """``play_by_play``, ``scoreboard`` or ``schedule``."""
        if call.path in _CDN_FILES:
            return _CDN_FILES[call.path]
        return "play_by_play" if _PLAY_BY_PLAY.fullmatch(call.path) else ""

    def day(self, call: Call, league: League) -> date | None:
        """The game's date."""
        game = self._game(call, league)
        return game.day if game else None

    def covers(self, call: Call, league: League, day: date) -> bool:
        """The game's own date, and every date of the current season's schedule."""
        if self.endpoint(call) == "schedule":
            return season_of(eastern_day(call.now)) == season_of(day)
        return self.day(call, league) == day

    def refuse(self, kind: str) -> Answer:
        """The site's own words."""
        return _refusal(kind)

    def authorise(self, call: Call, key: str) -> Answer | None:
        """No key, but a browser that comes from nba.com."""
        return _like_a_browser(call)

    def answer(self, call: Call, league: League) -> Answer:
        """A final game's play by play, the current season's schedule, an empty scoreboard."""
        if self.endpoint(call) == "schedule":
            return Answer(payload=schedule_body(season_of(eastern_day(call.now)), league, call.now))
        if self.endpoint(call) == "scoreboard":
            today = {"gameDate": str(eastern_day(call.now)), "leagueId": "00", "games": []}
            return Answer(payload={"scoreboard": today})
        game = self._game(call, league)
        if game is None or not is_final(game, call.now):
            return _denied()
        return Answer(payload=play_by_play_body(game, league))

    def bend(self, kind: str, call: Call, answer: Answer, day: date | None) -> Answer:
        """A game that is late, postponed or missing has no file yet."""
        if answer.status != 200 or not isinstance(answer.payload, dict):
            return answer
        payload = deepcopy(answer.payload)
        if self.endpoint(call) == "schedule":
            bend_schedule(kind, payload, day)
            return replace(answer, payload=payload, text=None)
        if self.endpoint(call) == "scoreboard":
            return answer
        actions = payload["game"]["actions"]
        match kind:
            case "empty":
                actions.clear()
            case "schema_drift":
                for action in actions:
                    action["type"] = action.pop("actionType")
            case "corrected":
                shot = next(action for action in actions if action["actionType"] in ("2pt", "3pt"))
                shot["description"] += " (corrected)"
            case "another_game":
                payload["game"]["gameId"] = f"{int(payload['game']['gameId']) + 1:010}"
            case "absent" | "late_game" | "missing_game" | "postponed" | "cancelled" | "unplayed":
                return _denied()
        return replace(answer, payload=payload, text=None)

    def _game(self, call: Call, league: League) -> Game | None:
        found = _PLAY_BY_PLAY.fullmatch(call.path)
        return league.by_nba_id(found[1]) if found else None


def _missing(call: Call, names: Sequence[str]) -> Answer | None:
    lacking = [f"{name} is required" for name in names if not call.param(name)]
    return (
        Answer(status=400, text="; ".join(lacking), content_type="text/plain") if lacking else None
    )


def _season(call: Call) -> int | None:
    text = call.param("Season")
    season = int(text[:4]) if re.fullmatch(r"\d{4}-\d\d", text) else None
    return season if season is not None and season_name(season) == text else None


def _season_schedule(call: Call, league: League) -> Answer:
    if refusal := _missing(call, ("LeagueID", "Season")):
        return refusal
    season = _season(call)
    if season is None:
        return Answer(status=400, text="Season is invalid", content_type="text/plain")
    return Answer(payload=schedule_body(season, league, call.now))


def _game_log(call: Call, league: League) -> Answer:
    """``/stats/leaguegamelog``: the players' lines of the dates and season type asked for."""
    if refusal := _missing(call, _LOG_REQUIRED):
        return refusal
    season = _season(call)
    if season is None or call.param("PlayerOrTeam") != "P":
        return Answer(
            status=400, text="Season or PlayerOrTeam is invalid", content_type="text/plain"
        )
    try:
        first = _day(call.param("DateFrom")) if call.param("DateFrom") else date.min
        last = _day(call.param("DateTo")) if call.param("DateTo") else date.max
    except (BadDay, ValueError):
        return Answer(status=400, text="DateFrom or DateTo is invalid", content_type="text/plain")
    stage = SEASON_TYPES.get(call.param("SeasonType"))
    games = league.games_on(first, frozenset(Stage)) if first == last else league.season(season)
    rows = [
        row
        for game in games
        if game.season == season
        and game.stage is stage
        and first <= game.day <= last
        and is_final(game, call.now)
        for row in _log_rows(game, league)
    ]
    if call.param("Direction").upper() == "DESC":
        rows.sort(key=lambda row: (row[7], row[6]), reverse=True)
    names = (
        "LeagueID",
        "Season",
        "SeasonType",
        "PlayerOrTeam",
        "Counter",
        "Sorter",
        "Direction",
        "DateFrom",
        "DateTo",
    )
    parameters: Json = {name: call.param(name) or None for name in names}
    parameters["Counter"] = int(call.param("Counter"))
    result = {"name": "LeagueGameLog", "headers": list(_LOG_HEADERS), "rowSet": rows}
    return Answer(
        payload={"resource": "leaguegamelog", "parameters": parameters, "resultSets": [result]}
    )


def _share(made: int, tried: int) -> float | None:
    return round(made / tried, 3) if tried else None


def _log_rows(game: Game, league: League) -> list[list[Any]]:
    """Only players who played. On neutral ground each team's rows say ``@``, its own team first."""
    box = league.box_score(game)
    away_first = f"{game.away.tricode} @ {game.home.tricode}"
    sign = "@" if game.neutral else "vs."
    home_first = f"{game.home.tricode} {sign} {game.away.tricode}"
    home_won = box.score.home_points > box.score.away_points
    rows: list[list[Any]] = []
    for team, lines, matchup, won in (
        (game.home, box.home, home_first, home_won),
        (game.away, box.away, away_first, not home_won),
    ):
        about = (
            team.nba_id,
            team.tricode,
            team.full_name,
            game.nba_id,
            game.day.isoformat(),
            matchup,
            "W" if won else "L",
        )
        for line in (line for line in lines if line.played):
            player = (f"{game.stage}{game.season}", line.player.nba_id, line.player.name)
            rows.append([*player, *about, *_numbers(line)])
    return rows


def _numbers(line: Line) -> list[Any]:
    """A player's counts in the order of the log's headers."""
    fantasy = line.pts + 1.2 * line.reb + 1.5 * line.ast + 3 * (line.stl + line.blk) - line.turnover
    return [
        line.minutes,
        line.fgm,
        line.fga,
        _share(line.fgm, line.fga),
        line.fg3m,
        line.fg3a,
        _share(line.fg3m, line.fg3a),
        line.ftm,
        line.fta,
        _share(line.ftm, line.fta),
        line.oreb,
        line.dreb,
        line.reb,
        line.ast,
        line.stl,
        line.blk,
        line.turnover,
        line.pf,
        line.pts,
        line.plus_minus,
        round(fantasy, 1),
        1,
    ]
