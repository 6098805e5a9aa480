"""NBA.com's live play-by-play body out of a game's plays; blocks and steals are actions of their
own there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from devstack.sandbox.league import League
from devstack.sandbox.plays import Kind, Play, length, plays
from devstack.sandbox.rosters import Player
from devstack.sandbox.schedule import Game
from devstack.sandbox.teams import Team

Json = dict[str, Any]

_TYPES = {
    Kind.PERIOD_START: ("period", "start"),
    Kind.PERIOD_END: ("period", "end"),
    Kind.GAME_END: ("game", "end"),
    Kind.JUMP_BALL: ("jumpball", "recovered"),
    Kind.TWO: ("2pt", "Layup"),
    Kind.THREE: ("3pt", "Jump Shot"),
    Kind.TURNOVER: ("turnover", "bad pass"),
    Kind.FOUL: ("foul", "personal"),
}


def play_by_play_body(game: Game, league: League) -> Json:
    """The body of the cdn's ``playbyplay_<game id>.json`` of a final game."""
    end = game.tip_off + timedelta(hours=2, minutes=30)
    return {
        "meta": {
            "version": 1,
            "code": 200,
            "request": f"http://nba.cloud/games/{game.nba_id}/playbyplay?Format=json",
            "time": f"{end:%Y-%m-%d %H:%M:%S}.000000",
        },
        "game": {"gameId": game.nba_id, "actions": list(_actions(game, league))},
    }


def _actions(game: Game, league: League) -> Iterator[Json]:
    """The plays as NBA.com numbers them: two for a substitution, two for a shot defended."""
    totals: Counter[tuple[Player, str]] = Counter()
    number = 0
    for play in plays(game, league.seed):
        if play.kind is Kind.SUBSTITUTION:
            shown = [_swap(play, "out", play.other), _swap(play, "in", play.player)]
        else:
            shown = [_action(play, totals)]
            if play.other and not play.made and play.kind is not Kind.JUMP_BALL:
                shown.append(_defended(game, play, totals))
        for action in shown:
            number += 1
            yield {
                "actionNumber": number * 2,
                "orderNumber": number * 10_000,
                **_frame(game, play),
                **action,
            }


def _frame(game: Game, play: Play) -> Json:
    """The fields of every action: when, and the score as text."""
    gone = (
        sum(length(period) for period in range(1, play.period)) + length(play.period) - play.clock
    )
    at = game.tip_off + timedelta(seconds=600 + gone * 2.4)
    return {
        "clock": f"PT{play.clock // 60:02d}M{play.clock % 60:02d}.00S",
        "timeActual": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 100_000}Z",
        "period": play.period,
        "periodType": "REGULAR" if play.period <= 4 else "OVERTIME",
        "qualifiers": [],
        "x": None,
        "y": None,
        "possession": play.team.nba_id if play.team else 0,
        "scoreHome": str(play.home_score),
        "scoreAway": str(play.away_score),
        "edited": f"{at:%Y-%m-%dT%H:%M:%S}Z",
        "isTargetScoreLastPeriod": False,
        "xLegacy": None,
        "yLegacy": None,
        "isFieldGoal": int(play.kind in (Kind.TWO, Kind.THREE)),
        "side": None,
    }


def _who(team: Team, player: Player | None, *others: Player) -> Json:
    shown: Json = {
        "teamId": team.nba_id,
        "teamTricode": team.tricode,
        "personId": player.nba_id if player else 0,
    }
    if player:
        shown |= {"playerName": player.family_name, "playerNameI": player.short_name}
    return {**shown, "personIdsFilter": [each.nba_id for each in (player, *others) if each]}


def _swap(play: Play, way: str, player: Player | None) -> Json:
    assert play.team is not None
    assert player is not None
    said = {
        "actionType": "substitution",
        "subType": way,
        "description": f"SUB {way}: {player.short_name}",
    }
    return {**said, **_who(play.team, player)}


def _defended(game: Game, play: Play, totals: Counter[tuple[Player, str]]) -> Json:
    """The block or the steal that follows a missed shot or a turnover."""
    assert play.other is not None
    kind = "steal" if play.kind is Kind.TURNOVER else "block"
    totals[play.other, kind] += 1
    short = {"steal": "STL", "block": "BLK"}[kind]
    text = f"{play.other.short_name} {kind.upper()} ({totals[play.other, kind]} {short})"
    team = game.away if play.team is game.home else game.home
    return {
        "actionType": kind,
        "subType": "",
        "isFieldGoal": 0,
        "description": text,
        **_who(team, play.other),
    }


def _action(play: Play, totals: Counter[tuple[Player, str]]) -> Json:
    """The fields that the kind of play has; totals count on."""
    if play.team is None:
        kind, sub_kind = _TYPES[play.kind]
        text = f"{kind} {sub_kind}".title()
        return {
            "actionType": kind,
            "subType": sub_kind,
            "personId": 0,
            "personIdsFilter": [],
            "description": text,
        }
    others = (play.other,) if play.other else ()
    who = _who(play.team, play.player, *others)
    name = play.player.short_name if play.player else "TEAM"
    match play.kind:
        case Kind.TWO | Kind.THREE | Kind.FREE_THROW:
            return {**who, **_shot(play, totals, name)}
        case Kind.REBOUND:
            way = "offensive" if play.offensive else "defensive"
            more: Json = {}
            if play.player:
                totals[play.player, way] += 1
                off, deff = totals[play.player, "offensive"], totals[play.player, "defensive"]
                more = {
                    "reboundTotal": off + deff,
                    "reboundOffensiveTotal": off,
                    "reboundDefensiveTotal": deff,
                }
            return {
                **who,
                "actionType": "rebound",
                "subType": way,
                "description": f"{name} REBOUND",
                **more,
            }
        case Kind.TURNOVER | Kind.FOUL if play.player:
            kind, sub_kind = _TYPES[play.kind]
            totals[play.player, kind] += 1
            key = "turnoverTotal" if play.kind is Kind.TURNOVER else "foulPersonalTotal"
            text = f"{name} {sub_kind} {kind.upper()} ({totals[play.player, kind]})"
            shown = {
                "actionType": kind,
                "subType": sub_kind,
                key: totals[play.player, kind],
                "description": text,
            }
            if play.kind is Kind.TURNOVER and play.other:
                shown |= {
                    "stealPlayerName": play.other.family_name,
                    "stealPersonId": play.other.nba_id,
                }
            return {**who, **shown}
    kind, sub_kind = _TYPES[play.kind]
    return {**who, "actionType": kind, "subType": sub_kind, "description": f"Jump Ball {name}"}


def _shot(play: Play, totals: Counter[tuple[Player, str]], name: str) -> Json:
    """The fields of a shot from the field."""
    assert play.player is not None
    totals[play.player, "points"] += play.points
    points = f" ({totals[play.player, 'points']} PTS)" if play.made else ""
    miss = "" if play.made else "MISS "
    shown: Json = {"shotResult": "Made" if play.made else "Missed"}
    if play.made:
        shown["pointsTotal"] = totals[play.player, "points"]
    if play.kind is Kind.FREE_THROW:
        turn = f"{play.number} of {play.out_of}"
        return {
            "actionType": "freethrow",
            "subType": turn,
            **shown,
            "description": f"{miss}{name} Free Throw {turn}{points}",
        }
    kind, sub_kind = _TYPES[play.kind]
    assist = ""
    if play.other and play.made:
        totals[play.other, "assists"] += 1
        count = totals[play.other, "assists"]
        assist = f" ({play.other.short_name} {count} AST)"
        shown |= {
            "assistPlayerNameInitial": play.other.short_name,
            "assistPersonId": play.other.nba_id,
            "assistTotal": count,
        }
    elif play.other:
        shown |= {"blockPlayerName": play.other.family_name, "blockPersonId": play.other.nba_id}
    return {
        "actionType": kind,
        "subType": sub_kind,
        "shotDistance": float(play.distance),
        "area": "Above the Break 3" if play.kind is Kind.THREE else "In The Paint (Non-RA)",
        **shown,
        "description": f"{miss}{name} {play.distance}' {sub_kind}{points}{assist}",
    }
