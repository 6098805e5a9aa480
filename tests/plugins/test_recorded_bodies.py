"""No false alarm: every recorded body that an endpoint of ours asks for is sound by every check."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from include.checks.bodies import Asked
from include.parsing import odds_api
from include.parsing.nbacom import schedule_games
from include.sources.spec import Game, GameState
from tests.parsing.nbacom.test_box_scores import logs_by_day
from tests.parsing.reading import read

if TYPE_CHECKING:
    from include.sources.spec import Source

__all__ = ["logs_by_day"]

SEASON = "nba_com/scheduleleaguev2_2024-25.json.gz"
# Of the season's 231 dates: opening night, both neutral ones, the Cup final, play-in, the last one.
DATES = ("2024-10-22", "2024-11-02", "2024-12-14", "2024-12-17", "2025-04-15", "2025-06-22")
# Recorded while the game ran, on purpose: such a snapshot is not asked for.
RUNNING = "is not before tip-off"


@dataclass(frozen=True, kw_only=True)
class Recorded:
    at: tuple[str, str]
    item: str
    day: date
    body: bytes


def box_scores(folder: Path, logs: dict[date, bytes]) -> Iterator[Recorded]:
    for name in ("2024-01-15", "2026-01-09"):
        body = read(folder, f"balldontlie/box_scores_{name}.json")
        at, day = ("bdl_box_scores", "box_scores"), date.fromisoformat(name)
        yield Recorded(at=at, item="all", day=day, body=body)
    march = date(2025, 3, 15)
    body = read(folder, f"nba_com/leaguegamelog_players_{march}.json")
    for day, log in {**logs, march: body}.items():
        at = ("nbacom_box_scores", "box_scores")
        yield Recorded(at=at, item="regular_season", day=day, body=log)


def plays_and_schedule(folder: Path) -> Iterator[Recorded]:
    for game_id, day in (("0022400500", date(2025, 1, 4)), ("0022400561", date(2025, 1, 13))):
        body = read(folder, f"nba_com/playbyplay_{game_id}.json.gz")
        at = ("nbacom_box_scores", "play_by_play")
        yield Recorded(at=at, item=game_id, day=day, body=body)
    body = read(folder, SEASON)
    for day in map(date.fromisoformat, DATES):
        yield Recorded(at=("nbacom_schedule", "schedule"), item="season", day=day, body=body)


def odds(folder: Path) -> Iterator[Recorded]:
    for path in sorted((folder / "the_odds_api").glob("historical_*odds_*")):
        body = read(folder / "the_odds_api", path.name)
        is_event = path.name.startswith("historical_event_odds")
        name = "player_props" if is_event else "game_lines"
        for game in events(body):
            item = f"{odds_api.event_item(game)}.player_points" if is_event else "all"
            yield Recorded(at=("odds_api_props", name), item=item, day=game.day, body=body)


def events(body: bytes) -> list[Game]:
    """One of the body's games of each date."""
    answer: Any = json.loads(body)
    listed = answer["data"] if isinstance(answer["data"], list) else [answer["data"]]
    moments = {datetime.fromisoformat(event["commence_time"]) for event in listed}
    days = sorted({odds_api.eastern_day(moment) for moment in moments})
    return [game for day in days for game in list(odds_api.event_games(body, day))[:1]]


def all_bodies(folder: Path, logs: dict[date, bytes]) -> list[Recorded]:
    return [*box_scores(folder, logs), *plays_and_schedule(folder), *odds(folder)]


@pytest.fixture(scope="module")
def schedule(recorded: Path) -> bytes:
    return read(recorded, SEASON)


def expected(schedule: bytes, day: date) -> list[Game] | None:
    """The schedule's games with their scores, of the one season that was recorded."""
    if not date(2024, 10, 1) <= day <= date(2025, 6, 30):
        return None
    teams = {
        game["gameId"]: (game["awayTeam"]["score"], game["homeTeam"]["score"])
        for on in json.loads(schedule)["leagueSchedule"]["gameDates"]
        for game in on["games"]
    }
    return [replace(g, score=teams[g.game_id]) for g in schedule_games(schedule, day)]


def test_every_recorded_body_is_sound(
    recorded: Path, sources: dict[str, Source], logs_by_day: dict[date, bytes], schedule: bytes
) -> None:
    bodies = all_bodies(recorded, logs_by_day)
    found: list[tuple[Recorded, Game]] = []
    for one in bodies:
        endpoint = sources[one.at[0]].endpoint(one.at[1])
        asked = Asked(
            endpoint=endpoint, item=one.item, day=one.day, scheduled=expected(schedule, one.day)
        )
        games = asked.games(one.body)
        assert games, one
        found += [(one, game) for game in games]

    wrong = [
        (one.at, str(one.day), str(game), game.state, game.problem)
        for one, game in found
        if game.problem or game.state not in (GameState.FINAL, GameState.LISTED)
    ]
    assert [each for each in wrong if not each[-1].endswith(RUNNING)] == []
    assert Counter(one.at for one in bodies) == {
        ("bdl_box_scores", "box_scores"): 2,
        ("nbacom_box_scores", "box_scores"): 12,
        ("nbacom_box_scores", "play_by_play"): 2,
        ("nbacom_schedule", "schedule"): 6,
        ("odds_api_props", "player_props"): 2,
        ("odds_api_props", "game_lines"): 12,
    }
    assert (len(found), len(wrong)) == (215, 3)
