"""Ball Don't Lie: box scores, games, stats, players and teams in both of its shapes."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from devstack.sandbox.balldontlie_faults import PERIODS, bend
from devstack.sandbox.boxscore import Line, Score
from devstack.sandbox.exchange import Answer, Call, Upstream, not_found
from devstack.sandbox.league import League, has_begun, is_final, is_known
from devstack.sandbox.rosters import Player, plain
from devstack.sandbox.schedule import COUNTING, Game, Stage, season_of
from devstack.sandbox.teams import TEAMS, Team
from include.partition import BadDay, parse_day

Json = dict[str, Any]

# From this season on games have an id, a datetime, quarters and plus-minus in /v1/box_scores too.
_NEW_SHAPE_SINCE = 2025
_QUARTERS = ("1st Qtr", "2nd Qtr", "3rd Qtr", "4th Qtr")


@dataclass(frozen=True)
class BallDontLie(Upstream):
    """Every path hangs below ``/v1`` or its alias ``/nba/v1``."""

    source: str = "balldontlie"

    def endpoint(self, call: Call) -> str:
        """``box_scores``, ``games``, ``stats``, ``players/active``, ``teams``; empty for an unknown
        path."""
        path = call.path.removeprefix("/nba").strip("/")
        name = path.removeprefix("v1/")
        return name if path.startswith("v1/") and name in _ENDPOINTS else ""

    def day(self, call: Call, league: League) -> date | None:
        """The one date that is asked for."""
        days = call.params("date") or call.params("dates[]") or call.params("start_date")
        try:
            return parse_day(days[0]) if days else None
        except BadDay:
            return None

    def covers(self, call: Call, league: League, day: date) -> bool:
        """The date that is asked for, and every date of a season's list."""
        asked = self.day(call, league)
        return asked == day or (not asked and str(season_of(day)) in call.params("seasons[]"))

    def refuse(self, kind: str) -> Answer:
        """Bad key and wrong tier look alike; a 429 has neither Retry-After nor rate headers."""
        match kind:
            case "rate_limited":
                return Answer(
                    status=429, payload={"error": "Too many requests, please try again later."}
                )
            case "down":
                return Answer(status=500, payload={"error": "Internal server error"})
        return Answer(status=401, text="Unauthorized", content_type="text/plain; charset=utf-8")

    def authorise(self, call: Call, key: str) -> Answer | None:
        """The bare key in ``Authorization``."""
        return None if call.headers.get("authorization") == key else self.refuse("bad_key")

    def answer(self, call: Call, league: League) -> Answer:
        """The listed endpoints; 400 for a date that is none, 404 for an unknown path."""
        endpoint = self.endpoint(call)
        if not endpoint:
            return not_found()
        try:
            return _ENDPOINTS[endpoint](call, league)
        except (BadDay, ValueError) as error:
            return Answer(status=400, payload={"error": f"Bad request: {error}"})

    def bend(self, kind: str, call: Call, answer: Answer, day: date | None) -> Answer:
        """Faults in what a 200 says."""
        if answer.status != 200 or not isinstance(answer.payload, dict):
            return answer
        payload = deepcopy(answer.payload)
        rows: list[Json] = payload["data"]
        if day and call.params("seasons[]"):
            rows = [row for row in rows if row["date"] == str(day)]
        bend(kind, self.endpoint(call), rows)
        return replace(answer, payload=payload, text=None)


def _team(team: Team) -> Json:
    return {
        "id": team.balldontlie_id,
        "conference": team.conference,
        "division": team.division,
        "city": team.city,
        "name": team.name,
        "full_name": team.full_name,
        "abbreviation": team.tricode,
    }


def _player(player: Player) -> Json:
    year, round_, number = player.draft or (None, None, None)
    return {
        "id": player.balldontlie_id,
        "first_name": plain(player.first_name),
        "last_name": plain(player.family_name),
        "position": player.position,
        "height": player.height,
        "weight": str(player.weight),
        "jersey_number": player.jersey,
        "college": player.college,
        "country": player.country,
        "draft_year": year,
        "draft_round": round_,
        "draft_number": number,
    }


def _share(made: int, tried: int) -> float | int:
    share = round(made / tried, 7) if tried else 0
    return int(share) if share in (0, 1) else share


def _line(line: Line, new_shape: bool) -> Json:
    """A player's counts, as both shapes write them."""
    row: Json = {
        "min": f"{line.minutes:02d}",
        "fgm": line.fgm,
        "fga": line.fga,
        "fg_pct": _share(line.fgm, line.fga),
        "fg3m": line.fg3m,
        "fg3a": line.fg3a,
        "fg3_pct": _share(line.fg3m, line.fg3a),
        "ftm": line.ftm,
        "fta": line.fta,
        "ft_pct": _share(line.ftm, line.fta),
        "oreb": line.oreb,
        "dreb": line.dreb,
        "reb": line.reb,
        "ast": line.ast,
        "stl": line.stl,
        "blk": line.blk,
        "turnover": line.turnover,
        "pf": line.pf,
        "pts": line.pts,
    }
    return {**row, "plus_minus": line.plus_minus} if new_shape else row


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _core(game: Game, league: League, now: datetime) -> Json:
    """Date, status and score: scheduled games have an ISO time as status, period 0 and no
    points."""
    core: Json = {"date": (game.first_day or game.day).isoformat(), "season": game.season}
    if not has_begun(game, now):
        state: Json = {"status": _utc(game.tip_off), "period": 0, "time": None}
        points = (0, 0)
    elif is_final(game, now):
        final = league.score(game)
        state = {"status": "Final", "period": final.periods, "time": "Final"}
        points = (final.home_points, final.away_points)
    else:
        final = league.score(game)
        period = min(4, 1 + int((now - game.tip_off).total_seconds() // (38 * 60)))
        state = {"status": _QUARTERS[period - 1], "period": period, "time": f"Q{period} 6:00"}
        points = (sum(final.home[: period - 1]), sum(final.away[: period - 1]))
    postseason = game.stage is Stage.PLAYOFFS
    return {
        **core,
        **state,
        "postseason": postseason,
        "home_team_score": points[0],
        "visitor_team_score": points[1],
    }


def _by_period(final: Score | None) -> Json:
    if final is None:
        return {**_of_side("home", ()), **_of_side("visitor", ())}
    return {**_of_side("home", final.home), **_of_side("visitor", final.away)}


def _of_side(side: str, points: Sequence[int]) -> Json:
    """A side's points by period, null in those that were not played, and its end of the game."""
    row: Json = {f"{side}_{name}": None for name in PERIODS}
    row |= {f"{side}_{name}": number for name, number in zip(PERIODS, points, strict=False)}
    row[f"{side}_timeouts_remaining"] = 1 if points else None
    row[f"{side}_in_bonus"] = True if points else None
    return row


def _listed(game: Game, league: League, now: datetime) -> Json:
    """One row of ``/v1/games``."""
    row = {
        "id": game.balldontlie_id,
        **_core(game, league, now),
        "datetime": _utc(game.tip_off)[:-1] + ".000Z",
    }
    if game.season >= _NEW_SHAPE_SINCE:
        row |= _by_period(league.score(game) if is_final(game, now) else None)
        row["ist_stage"] = "Championship" if game.stage is Stage.CUP_FINAL else None
    return {**row, "home_team": _team(game.home), "visitor_team": _team(game.away)}


def _boxed(game: Game, league: League, now: datetime) -> Json:
    """One element of ``/v1/box_scores``; no players until the game is over."""
    final, new_shape = is_final(game, now), game.season >= _NEW_SHAPE_SINCE
    row: Json = {}
    if new_shape:
        row = {"id": game.balldontlie_id, "datetime": _utc(game.tip_off)[:-1] + ".000Z"}
        row |= _by_period(league.score(game) if final else None)
    row |= _core(game, league, now)
    home: Sequence[Line] = ()
    away: Sequence[Line] = ()
    if final:
        box = league.box_score(game)
        home, away = box.home, box.away
    sides = (("home_team", game.home, home), ("visitor_team", game.away, away))
    for side, team, lines in sides:
        players = [{**_line(line, new_shape), "player": _player(line.player)} for line in lines]
        row[side] = {**_team(team), "players": players}
    return row


def _asked(call: Call, league: League) -> list[Game]:
    """The games that dates, seasons and teams of the query select."""
    days = [parse_day(text) for text in call.params("dates[]")]
    if not days and call.param("start_date"):
        first = parse_day(call.param("start_date"))
        last = parse_day(call.param("end_date") or call.param("start_date"))
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    if not days:
        seasons = [int(text) for text in call.params("seasons[]")]
        games = [
            game for season in seasons for game in league.season(season) if game.stage in COUNTING
        ]
    else:
        games = [game for day in days for game in league.listed_on(day)]
    teams = {int(text) for text in call.params("team_ids[]")}
    return [
        game
        for game in games
        if is_known(game, call.now)
        and (not teams or {game.home.balldontlie_id, game.away.balldontlie_id} & teams)
    ]


def _page(call: Call, rows: Sequence[Json]) -> Answer:
    """A page of rows in order of id; ``next_cursor`` is the last id and is absent on the last
    page."""
    size = min(100, int(call.param("per_page", "25")))
    if size < 1:
        raise ValueError("per_page is less than 1")
    after = int(call.param("cursor", "0"))
    left = [row for row in sorted(rows, key=lambda row: row["id"]) if row["id"] > after]
    page, meta = left[:size], {"per_page": size}
    if len(left) > size:
        meta = {"next_cursor": page[-1]["id"], "per_page": size}
    return Answer(payload={"data": page, "meta": meta})


def _box_scores(call: Call, league: League) -> Answer:
    games = [
        game for game in league.listed_on(parse_day(call.param("date"))) if is_known(game, call.now)
    ]
    return Answer(payload={"data": [_boxed(game, league, call.now) for game in games]})


def _games(call: Call, league: League) -> Answer:
    return _page(call, [_listed(game, league, call.now) for game in _asked(call, league)])


def _stats(call: Call, league: League) -> Answer:
    """A page of ``/v1/stats``: a row per player of every final game."""
    rows: list[Json] = []
    # Each game's rows, the visitors' after the home team's.
    for game in _asked(call, league):
        if not is_final(game, call.now):
            continue
        box, about = league.box_score(game), _listed(game, league, call.now)
        brief = {
            key: value for key, value in about.items() if key not in ("home_team", "visitor_team")
        }
        brief |= {
            "home_team_id": game.home.balldontlie_id,
            "visitor_team_id": game.away.balldontlie_id,
        }
        for team, lines in ((game.home, box.home), (game.away, box.away)):
            for line in lines:
                player = {**_player(line.player), "team_id": team.balldontlie_id}
                row_id = game.balldontlie_id * 100 + len(rows) % 100
                about_line = {**_line(line, False), "player": player, "team": _team(team)}
                rows.append({"id": row_id, **about_line, "game": brief})
    return _page(call, rows)


def _players(call: Call, league: League) -> Answer:
    rows = [
        {**_player(player), "team": _team(team)} for team in TEAMS for player in league.roster(team)
    ]
    return _page(call, rows)


def _teams(call: Call, league: League) -> Answer:
    return Answer(payload={"data": [_team(team) for team in TEAMS]})


_ENDPOINTS = {
    "box_scores": _box_scores,
    "games": _games,
    "stats": _stats,
    "players/active": _players,
    "teams": _teams,
}
