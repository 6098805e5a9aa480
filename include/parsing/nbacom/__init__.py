"""NBA.com bodies: game logs into player box scores, live data into play by play, a season's
schedule into its games."""

from include.parsing.nbacom.box_scores import (
    PLAYER_BOX_SCORES,
    box_score_games,
    box_score_item,
    box_score_items,
    box_score_rows,
)
from include.parsing.nbacom.play_by_play import (
    PLAY_BY_PLAY,
    play_by_play_games,
    play_by_play_item,
    play_by_play_items,
    play_by_play_rows,
)
from include.parsing.nbacom.schedule import FINAL_STATUS, SCHEDULE, schedule_games, schedule_rows
from include.parsing.nbacom.seasons import COUNTING, SEASON_TYPES, season

__all__ = [
    "COUNTING",
    "FINAL_STATUS",
    "PLAYER_BOX_SCORES",
    "PLAY_BY_PLAY",
    "SCHEDULE",
    "SEASON_TYPES",
    "box_score_games",
    "box_score_item",
    "box_score_items",
    "box_score_rows",
    "play_by_play_games",
    "play_by_play_item",
    "play_by_play_items",
    "play_by_play_rows",
    "schedule_games",
    "schedule_rows",
    "season",
]
