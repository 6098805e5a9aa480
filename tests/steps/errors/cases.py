"""What is tried of every source: a date, its requests, faults that pass and faults that last."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from devstack.sandbox.league import League
from devstack.sandbox.server import Sandbox
from include.http.upstream import Upstream
from include.sources.spec import Get
from tests.steps.bench import Bench, Ended

DAY = date(2025, 1, 16)
GAMES = len(League(seed=1).games_on(DAY))
BDL = ("bdl_box_scores", "box_scores")
SCHEDULE = ("nbacom_schedule", "schedule")
LOGS = ("nbacom_box_scores", "box_scores")
PLAYS = ("nbacom_box_scores", "play_by_play")
PROPS = ("odds_api_props", "player_props")
LINES = ("odds_api_props", "game_lines")
DRIVE = ("bigdataball_play_by_play", "play_by_play")

# The requests of a sound date.
SOUND = {BDL: 1, SCHEDULE: 1, LOGS: 1, PLAYS: GAMES, PROPS: 1 + GAMES, LINES: 2, DRIVE: 1 + GAMES}
UPSTREAM = {
    BDL: "balldontlie",
    SCHEDULE: "nba_stats",
    LOGS: "nba_stats",
    PLAYS: "nba_cdn",
    PROPS: "the_odds_api",
    LINES: "the_odds_api",
    DRIVE: "bigdataball",
}
# An endpoint and the sandbox's name of its first request, and of its second.
FIRST = (
    (BDL, "box_scores"),
    (SCHEDULE, "schedule"),
    (LOGS, "leaguegamelog"),
    (PLAYS, "play_by_play"),
    (PROPS, "events"),
    (DRIVE, "list"),
)
SECOND = ((PROPS, "event_odds"), (LINES, "odds"), (DRIVE, "download"))


# What may pass. A CSV has no end that a cut could be seen by before it is parsed.
PASSING = {
    "429": "rate_limited",
    "500": "upstream_down",
    "502": "upstream_down",
    "503": "upstream_down",
    "hang": "hang",
    "block_page_200": "blocked",
    "block_page_403": "blocked",
    "truncated_json": "upstream_down",
    "torn_body": "upstream_down",
}
# What does not pass by asking again: where, the fault, its class, and the requests of the date in
# all.
LASTING: tuple[tuple[tuple[str, str], str, dict[str, Any], str, int], ...] = (
    (BDL, "wrong_tier", {}, "bad_key", 1),  # 401 to both, so the message names both
    (BDL, "schema_drift", {}, "schema_drift", 1),
    # Four games are sought where else the source may keep them: one list has a second page.
    (BDL, "empty", {}, "empty_unexpected", 6),
    (BDL, "unplayed", {}, "empty_unexpected", 1),
    (BDL, "missing_game", {}, "incomplete", 2),
    (BDL, "late_game", {}, "incomplete", 1),
    (SCHEDULE, "schema_drift", {}, "schema_drift", 1),
    (SCHEDULE, "empty", {}, "empty_unexpected", 1),
    (SCHEDULE, "late_game", {"day": str(DAY)}, "incomplete", 1),
    (LOGS, "schema_drift", {}, "schema_drift", 1),
    (LOGS, "empty", {}, "empty_unexpected", 1),
    (LOGS, "missing_game", {}, "incomplete", 1),
    (PLAYS, "schema_drift", {}, "schema_drift", 2),
    (PLAYS, "empty", {}, "empty_unexpected", GAMES),
    (PLAYS, "empty", {"times": 1}, "incomplete", GAMES),
    (PLAYS, "missing_game", {}, "blocked", 6),  # the cdn answers as to a blocked address
    (PROPS, "wrong_tier", {}, "not_entitled", 1),
    (PROPS, "out_of_credits", {}, "quota_exhausted", 1),
    (PROPS, "schema_drift", {"endpoint": "events"}, "schema_drift", 1),
    (PROPS, "schema_drift", {"endpoint": "event_odds"}, "schema_drift", 3),
    (PROPS, "empty", {"endpoint": "events"}, "empty_unexpected", 1),
    (PROPS, "empty", {"endpoint": "event_odds"}, "empty_unexpected", 1 + GAMES),
    (PROPS, "missing_game", {"endpoint": "events", "day": str(DAY)}, "incomplete", GAMES),
    (PROPS, "empty", {"endpoint": "event_odds", "times": 1}, "incomplete", 1 + GAMES),
    (LINES, "wrong_tier", {"endpoint": "odds"}, "not_entitled", 2),
    (LINES, "out_of_credits", {"endpoint": "odds"}, "quota_exhausted", 2),
    (LINES, "schema_drift", {"endpoint": "odds"}, "schema_drift", 2),
    (LINES, "empty", {"endpoint": "odds"}, "empty_unexpected", 2),
    (LINES, "missing_game", {"endpoint": "odds", "day": str(DAY)}, "incomplete", 2),
    (DRIVE, "bad_key", {}, "bad_key", 1),
    (DRIVE, "wrong_tier", {}, "not_entitled", 1),
    (DRIVE, "out_of_credits", {"endpoint": "download"}, "quota_exhausted", 2),
    (DRIVE, "missing_game", {"endpoint": "download"}, "empty_unexpected", 1 + GAMES),
    (DRIVE, "missing_game", {"endpoint": "list"}, "incomplete", GAMES),
    (DRIVE, "empty", {"endpoint": "list"}, "empty_unexpected", 1),
    (DRIVE, "schema_drift", {"endpoint": "list"}, "schema_drift", 1),
    (DRIVE, "schema_drift", {"endpoint": "download"}, "schema_drift", 3),
    (DRIVE, "truncated_json", {"endpoint": "download"}, "schema_drift", 3),
)


def strike(sandbox: Sandbox, at: tuple[str, str], kind: str, **more: Any) -> None:
    """Orders a fault that lasts unless ``times`` says how often it strikes."""
    sandbox.faults([{"source": UPSTREAM[at], "kind": kind, "times": None, **more}])


def named(value: Any) -> str:
    """A table's line in a test's name."""
    return "/".join(value) if isinstance(value, tuple) else str(value or "-")


def judged(ended: Ended) -> tuple[str, str, int]:
    """Outcome, class and requests."""
    return ended.outcome, ended.error_class, ended.requests


def with_params(get: Get | None, **params: str) -> Get:
    assert get is not None
    return replace(get, params={**get.params, **params})


def changed(bench: Bench, name: str, **changes: Any) -> dict[str, Upstream]:
    """One upstream with another key, address or token."""
    return {name: replace(bench.upstreams[name], **changes)}
