"""The cdn's ``liveData/playbyplay`` of one game: a row per action."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date

from include.parsing import fields
from include.parsing.fields import Json
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
    columns=(
        *GAME_COLUMNS,
        *columns_of(_ACTION),
        Column("home_score", "INTEGER", "after the action"),
        Column("away_score", "INTEGER", "after the action"),
        Column("qualifiers", "STRING", "separated by commas"),
    ),
    key=("game_id", "order_number", "action_number"),
)

_WORTH = {"2pt": 2, "3pt": 3, "freethrow": 1}


def play_by_play_items(listing: Listing) -> list[Item]:
    """One request per game: of the schedule where it is known, else of the game logs that were
    listed first.

    Values: ``game_id``. Postponed games have no play by play; a day without games has no items.
    """
    if listing.expected is not None:
        games: Sequence[Game] = listing.expected
    else:
        games = [game for body in listing.bodies for game in box_score_games(body, listing.day)]
    ids = {game.game_id for game in games if game.state is not GameState.POSTPONED}
    return [
        Item(name=game_id, values={"game_id": game_id})
        for game_id in sorted(ids)
        if GAME_ID.fullmatch(game_id)
    ]


def play_by_play_rows(body: bytes, day: date) -> Iterator[Row]:
    """One row per action. The body names no home team: whose points raise ``scoreHome`` is at home.

    No rows while neither side has scored.
    """
    game_id, actions = _actions(body)
    sides = _scoring_sides(actions)
    if sides is None:
        return
    away, home = sides
    of_game = {"game_date": day, "game_id": game_id, "home_tricode": home, "away_tricode": away}
    for action, at in actions:
        away_score, home_score = _score(action, at)
        yield {
            **of_game,
            **fields.read(action, at, _ACTION),
            "home_score": home_score,
            "away_score": away_score,
            "qualifiers": ",".join(map(str, fields.children(action, "qualifiers", at))) or None,
        }


def play_by_play_games(body: bytes, day: date) -> Iterator[Game]:
    """The body's one game: final once it has the action game/end; a ``problem`` where its shots
    miss the score."""
    game_id, actions = _actions(body)
    sides = _scoring_sides(actions)
    if sides is None:
        return
    away, home = sides
    ended = any(
        (action["actionType"], action.get("subType")) == ("game", "end") for action, _ in actions
    )
    made: Counter[str] = Counter()
    for action, _ in actions:
        if action.get("shotResult") == "Made":
            made[action.get("teamTricode", "")] += _WORTH.get(action["actionType"], 0)
    score = _score(*actions[-1])
    shots = (made[away], made[home])
    problem = (
        ""
        if shots == score
        else f"shots make {shots[0]}:{shots[1]}, the score is {score[0]}:{score[1]}"
    )
    yield Game(
        day=day,
        away=away,
        home=home,
        state=GameState.FINAL if ended else GameState.LIVE,
        game_id=game_id,
        rows=len(actions),
        problem=problem if ended else "",
    )


def _actions(body: bytes) -> tuple[str, list[tuple[Json, str]]]:
    game = fields.child(fields.decoded(body), "game")
    actions = fields.records(game, "actions", "game")
    for action, at in actions:
        fields.text(action, "actionType", at)
    return fields.text(game, "gameId", "game"), actions


def _score(action: Json, at: str) -> tuple[int, int]:
    """(away, home); the source writes numbers as text."""
    texts = [fields.text(action, key, at) for key in ("scoreAway", "scoreHome")]
    if not all(text.isdecimal() for text in texts):
        raise fields.wrong(at, "has a score that is no number")
    return int(texts[0]), int(texts[1])


def _scoring_sides(actions: list[tuple[Json, str]]) -> tuple[str, str] | None:
    """(away, home), each the team whose action first raised that side's score."""
    away = home = ""
    before = (0, 0)
    for action, at in actions:
        after = _score(action, at)
        team = fields.text_or_none(action, "teamTricode", at) or ""
        away = away or (team if after[0] > before[0] else "")
        home = home or (team if after[1] > before[1] else "")
        if away and home:
            return away, home
        before = after
    return None
