"""The cdn's ``liveData/playbyplay`` of one game: a row per action."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from include.parsing.fields import Record, decode, drift, read_fields
from include.parsing.nbacom.box_scores import box_score_games
from include.parsing.nbacom.seasons import GAME_COLUMNS, GAME_ID, columns_of, fields_of
from include.sources.spec import Column, Game, GameState, Item, Listing, Row, Table

_ACTION = fields_of(
    ("INTEGER", True, "orderNumber actionNumber period"),
    ("STRING", False, "periodType"),
    ("STRING", True, "clock"),
    ("TIMESTAMP", False, "timeActual edited"),
    ("STRING", True, "actionType"),
    ("STRING", False, "subType descriptor teamTricode"),
    ("INTEGER", False, "teamId personId=player_id possession=possession_team_id"),
    ("STRING", False, "playerNameI=player_name playerName=player_last_name"),
    ("STRING", False, "description shotResult side area areaDetail"),
    ("INTEGER", False, "isFieldGoal xLegacy yLegacy"),
    ("DOUBLE", False, "x y shotDistance"),
    (
        "INTEGER",
        False,
        "pointsTotal reboundTotal reboundOffensiveTotal reboundDefensiveTotal turnoverTotal",
    ),
    ("INTEGER", False, "foulPersonalTotal foulTechnicalTotal shotActionNumber officialId"),
    (
        "STRING",
        False,
        "assistPlayerNameInitial blockPlayerName stealPlayerName foulDrawnPlayerName",
    ),
    ("INTEGER", False, "assistTotal assistPersonId blockPersonId stealPersonId foulDrawnPersonId"),
    ("STRING", False, "jumpBallWonPlayerName jumpBallLostPlayerName jumpBallRecoveredName"),
    ("INTEGER", False, "jumpBallWonPersonId jumpBallLostPersonId"),
    ("INTEGER", False, "jumpBallRecoverdPersonId=jump_ball_recovered_person_id"),
    ("BOOLEAN", False, "isTargetScoreLastPeriod"),
)

PLAY_BY_PLAY = Table(
    name="nbacom_play_by_play",
    doc="NBA.com: a row per action.",
    columns=(
        *GAME_COLUMNS,
        *columns_of(_ACTION),
        Column("home_score", "INTEGER", "after the action"),
        Column("away_score", "INTEGER", "after the action"),
        Column("qualifiers", "STRING", "separated by commas"),
    ),
    key=("game_id", "order_number", "action_number"),
)

_SCORE = re.compile(r"\d{1,3}", re.ASCII)
_WORTH = {"2pt": 2, "3pt": 3, "freethrow": 1}


@dataclass(frozen=True)
class _Game:
    """A game with at least one point: its actions, and the sides by who scored."""

    game_id: str
    away: str
    home: str
    actions: list[Record]


def play_by_play_items(listing: Listing) -> list[Item]:
    """One request per game: of the schedule where it is known, else of the game logs that were
    listed first.

    Values: ``game_id``. Postponed games have no play by play; a day without games has no items.
    """
    games = listing.expected
    if games is None:
        games = [game for body in listing.bodies for game in box_score_games(body, listing.day)]
    ids = {play_by_play_item(game) for game in games if game.state is not GameState.POSTPONED}
    known = filter(GAME_ID.fullmatch, sorted(ids))
    return [Item(name=game_id, values={"game_id": game_id}) for game_id in known]


def play_by_play_item(game: Game) -> str:
    """The item of a game: its id, under which the file lies."""
    return game.game_id


def play_by_play_rows(body: bytes, day: date) -> Iterator[Row]:
    """One row per action. The body names no home team: whose points raise ``scoreHome`` is at home.

    No rows while neither side has scored.
    """
    game = _read_game(body)
    if game is None:
        return
    for action in game.actions:
        away_score, home_score = _score(action)
        yield {
            "game_date": day,
            "game_id": game.game_id,
            "home_tricode": game.home,
            "away_tricode": game.away,
            **read_fields(action, _ACTION),
            "home_score": home_score,
            "away_score": away_score,
            "qualifiers": ",".join(map(str, action.children("qualifiers"))) or None,
        }


def play_by_play_games(body: bytes, day: date) -> Iterator[Game]:
    """The body's one game: final once it has the action game/end; a ``problem`` where its shots
    miss the score."""
    game = _read_game(body)
    if game is None:
        return
    state, problem = _judge(game)
    yield Game(
        day=day,
        away=game.away,
        home=game.home,
        state=state,
        game_id=game.game_id,
        rows=len(game.actions),
        problem=problem,
    )


def _read_game(body: bytes) -> _Game | None:
    """The game of the body, None while a side has not scored."""
    game = decode(body).child("game")
    actions = game.records("actions")
    sides = _find_sides(actions)
    if sides is None:
        return None
    return _Game(game.text("gameId"), *sides, actions)


def _find_sides(actions: Iterable[Record]) -> tuple[str, str] | None:
    """(away, home), each the team whose action first raised that side's score."""
    away = home = ""
    before = (0, 0)
    for action in actions:
        after = _score(action)
        team = action.text_or_none("teamTricode") or ""
        if after[0] > before[0]:
            away = away or team
        if after[1] > before[1]:
            home = home or team
        if away and home:
            return away, home
        before = after
    return None


def _score(action: Record) -> tuple[int, int]:
    """(away, home); the source writes numbers as text."""
    away, home = action.text("scoreAway"), action.text("scoreHome")
    if not (_SCORE.fullmatch(away) and _SCORE.fullmatch(home)):
        raise drift(action.path, "has a score that is not a number")
    return int(away), int(home)


def _judge(game: _Game) -> tuple[GameState, str]:
    """The state of the game by its actions, and what is wrong with it."""
    made: Counter[str] = Counter()
    is_over = False
    for action in game.actions:
        kind = action.text("actionType")
        is_over = is_over or (kind, action.values.get("subType")) == ("game", "end")
        if action.values.get("shotResult") == "Made":
            made[action.values.get("teamTricode", "")] += _WORTH.get(kind, 0)
    if not is_over:
        return GameState.LIVE, ""
    shots, score = (made[game.away], made[game.home]), _score(game.actions[-1])
    if shots != score:
        said = f"shots make {shots[0]}:{shots[1]}, the score is {score[0]}:{score[1]}"
        return GameState.FINAL, said
    return GameState.FINAL, ""
