"""NBA.com's season schedule as the sandbox would publish it: every game of a season with its state
at a moment."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from devstack.sandbox.league import League, has_begun, is_final, is_known
from devstack.sandbox.schedule import Game, Stage, all_star_sunday
from devstack.sandbox.teams import Team
from include.partition import EASTERN

Json = dict[str, Any]

_LABELS = {
    Stage.PRESEASON: "Preseason",
    Stage.PLAY_IN: "SoFi Play-In Tournament",
    Stage.CUP_FINAL: "Emirates NBA Cup",
}
_ROUNDS = {"1": "First Round", "2": "Conf. Semifinals", "3": "Conf. Finals"}


def season_name(season: int) -> str:
    """``2024-25``."""
    return f"{season}-{(season + 1) % 100:02d}"


def schedule_body(season: int, league: League, now: datetime) -> Json:
    """The body of ``scheduleleaguev2`` and of the cdn's ``scheduleLeagueV2.json``, as of the
    minute; not to be changed.

    Kept for a minute like at the real site's edge: it takes 50 ms to make.
    """
    return _body(season, league, now.replace(second=0, microsecond=0))


@lru_cache(maxsize=4)
def _body(season: int, league: League, now: datetime) -> Json:
    """The season's whole body, with each team's wins and losses so far."""
    wins: Counter[str] = Counter()
    losses: Counter[str] = Counter()
    dates: dict[str, list[Json]] = {}
    for game in league.season(season):
        if not is_known(game, now):
            continue
        entry = _entry(game, league, now)
        if is_final(game, now) and game.stage is Stage.REGULAR:
            final = league.score(game)
            home_won = final.home_points > final.away_points
            wins[(game.home if home_won else game.away).tricode] += 1
            losses[(game.away if home_won else game.home).tricode] += 1
        for side, team in (("homeTeam", game.home), ("awayTeam", game.away)):
            entry[side] |= {"wins": wins[team.tricode], "losses": losses[team.tricode]}
        games = dates.setdefault(f"{game.day:%m/%d/%Y} 00:00:00", [])
        entry["gameSequence"] = len(games) + 1
        games.append(entry)
    sunday = all_star_sunday(season)
    dates[f"{sunday:%m/%d/%Y} 00:00:00"] = [_all_star(season, now)]
    ordered = sorted(dates.items(), key=lambda each: (each[0][6:10], each[0][:5]))
    return {
        "meta": {
            "version": 1,
            "request": f"http://nba.cloud/league/00/{season_name(season)}/scheduleleaguev2?Format=json",
            "time": f"{now:%Y-%m-%dT%H:%M:%S}.0000Z",
        },
        "leagueSchedule": {
            "seasonYear": season_name(season),
            "leagueId": "00",
            "gameDates": [{"gameDate": day, "games": games} for day, games in ordered],
        },
    }


def times(moment: datetime) -> Json:
    """The ten time fields; those of the East carry a Z that is not true."""
    local = moment.astimezone(EASTERN)
    utc_midnight = local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(
        moment.tzinfo
    )
    return {
        "gameDateEst": f"{local:%Y-%m-%dT00:00:00Z}",
        "gameTimeEst": f"1900-01-01T{local:%H:%M:%S}Z",
        "gameDateTimeEst": f"{local:%Y-%m-%dT%H:%M:%S}Z",
        "gameDateUTC": f"{utc_midnight:%Y-%m-%dT%H:%M:%S}Z",
        "gameTimeUTC": f"1900-01-01T{moment:%H:%M:%S}Z",
        "gameDateTimeUTC": f"{moment:%Y-%m-%dT%H:%M:%S}Z",
        "day": f"{local:%a}",
        "monthNum": local.month,
    }


def _clock(moment: datetime) -> str:
    local = moment.astimezone(EASTERN)
    return f"{local.hour % 12 or 12}:{local:%M} {'am' if local.hour < 12 else 'pm'} ET"


def _side(team: Team, points: int) -> Json:
    return {
        "teamId": team.nba_id,
        "teamName": team.name,
        "teamCity": team.city,
        "teamTricode": team.tricode,
        "teamSlug": team.slug,
        "wins": 0,
        "losses": 0,
        "score": points,
        "seed": 0,
    }


def _label(game: Game) -> tuple[str, str]:
    if game.stage is not Stage.PLAYOFFS:
        return _LABELS.get(game.stage, ""), "Championship" if game.stage is Stage.CUP_FINAL else ""
    played = f"Game {game.number[4]}"
    if game.number[2] == "4":
        return "NBA Finals", played
    return f"{game.home.conference} {_ROUNDS[game.number[2]]}", played


def _state(game: Game, league: League, now: datetime) -> tuple[int, str, tuple[int, int]]:
    """``gameStatus`` with its text, and the points of home and away."""
    if is_final(game, now):
        final = league.score(game)
        text = {4: "Final", 5: "Final/OT"}.get(final.periods, "Final/2OT")
        return 3, text, (final.home_points, final.away_points)
    if has_begun(game, now):
        return 2, "In Progress", (0, 0)
    return 1, _clock(game.tip_off), (0, 0)


def _entry(game: Game, league: League, now: datetime) -> Json:
    status, text, points = _state(game, league, now)
    label, sub_label = _label(game)
    # The real entry's fields, in its order.
    return {
        "gameId": game.nba_id,
        "gameCode": f"{game.day:%Y%m%d}/{game.away.tricode}{game.home.tricode}",
        "gameStatus": status,
        "gameStatusText": text,
        "gameSequence": 0,
        **times(game.tip_off),
        "awayTeamTime": f"{game.tip_off.astimezone(game.away.zone):%Y-%m-%dT%H:%M:%S}Z",
        "homeTeamTime": f"{game.tip_off.astimezone(game.home.zone):%Y-%m-%dT%H:%M:%S}Z",
        "weekNumber": 0,
        "weekName": "",
        "ifNecessary": False,
        "seriesGameNumber": sub_label if game.stage is Stage.PLAYOFFS else "",
        "gameLabel": label,
        "gameSubLabel": sub_label,
        "seriesText": "Neutral Site" if game.neutral else "",
        "arenaName": f"{game.home.name} Arena",
        "arenaState": "",
        "arenaCity": game.home.city,
        "postponedStatus": "N",
        "branchLink": "",
        "gameSubtype": "in-season-knockout" if game.stage is Stage.CUP_FINAL else "",
        "isNeutral": game.neutral,
        "homeTeam": _side(game.home, points[0]),
        "awayTeam": _side(game.away, points[1]),
    }


def _all_star(season: int, now: datetime) -> Json:
    """One game of teams that are none of the thirty; it counts for nobody."""
    sunday = all_star_sunday(season)
    tip_off = datetime(sunday.year, sunday.month, sunday.day, 20, 20, tzinfo=EASTERN).astimezone(
        now.tzinfo
    )
    over = now >= tip_off + timedelta(hours=2, minutes=30)

    def side(number: int, name: str, tricode: str, points: int) -> Json:
        names = {
            "teamName": name,
            "teamCity": "",
            "teamTricode": tricode,
            "teamSlug": name.lower().replace(" ", "-"),
        }
        record = {"wins": 0, "losses": 0, "score": points if over else 0, "seed": 0}
        return {"teamId": 1610616850 + number, **names, **record}

    return {
        "gameId": f"003{season % 100:02d}00001",
        "gameCode": f"{sunday:%Y%m%d}/STPSTR",
        "gameStatus": 3 if over else 1,
        "gameStatusText": "Final" if over else _clock(tip_off),
        "gameSequence": 1,
        **times(tip_off),
        "gameLabel": "All-Star Game",
        "gameSubLabel": "",
        "postponedStatus": "N",
        "gameSubtype": "",
        "isNeutral": True,
        "homeTeam": side(1, "Team Stars", "STR", 186),
        "awayTeam": side(2, "Team Stripes", "STP", 179),
    }
