from __future__ import annotations

from typing import Any

import pytest
import requests

from devstack.sandbox.config import BadConfig, config_from
from devstack.sandbox.faults import Faults, rules_from
from devstack.sandbox.server import Sandbox, SandboxError

KEY = {"Authorization": "sandbox-key"}
DAY = "2026-01-09"


@pytest.fixture(autouse=True)
def _sound(sandbox: Sandbox) -> None:
    sandbox.no_faults()


def _ask(
    sandbox: Sandbox, day: str = DAY, endpoint: str = "box_scores", timeout: float = 10
) -> requests.Response:
    params = {"date" if endpoint == "box_scores" else "dates[]": day}
    return requests.get(
        sandbox.base("balldontlie") + f"/v1/{endpoint}", params=params, headers=KEY, timeout=timeout
    )


def _games(sandbox: Sandbox, **rule: Any) -> tuple[list[Any], list[Any]]:
    """The date's games without and with a fault."""
    sound = _ask(sandbox).json()["data"]
    sandbox.faults([{"source": "balldontlie", "endpoint": "box_scores", "day": DAY, **rule}])
    return sound, _ask(sandbox).json()["data"]


def test_a_rule_strikes_so_many_times_behind_so_many_sound_answers() -> None:
    faults = Faults(
        rules=rules_from([{"kind": "500", "after": 1, "times": 2}, {"kind": "503", "after": 4}])
    )
    struck = [
        faults.strike("balldontlie", "games", "/v1/games", "", lambda day: False) for _ in range(6)
    ]
    assert [[rule.kind for rule in rules] for rules in struck] == [
        [],
        ["500"],
        ["500"],
        [],
        ["503"],
        ["503"],
    ]


def test_answer_about_many_dates_has_the_faults_of_each_and_one_of_the_wire_alone() -> None:
    orders = [
        {"kind": "postponed", "day": "2026-01-10"},
        {"kind": "cancelled", "day": "2026-01-10"},
        {"kind": "undecided", "day": "2026-01-11", "times": 2},
        {"kind": "500", "day": "2026-01-12"},
    ]
    for first, struck in (
        ([], [["postponed", "undecided"], ["postponed", "undecided"], ["postponed"]]),
        ([{"kind": "503", "times": 1}], [["503"], ["postponed", "undecided"]]),
    ):
        faults = Faults(rules=rules_from([*first, *orders]))
        found = [faults.strike("nba_stats", "schedule", "/", "", lambda day: True) for _ in struck]
        assert [[rule.kind for rule in rules] for rules in found] == struck


def test_a_rule_is_for_its_source_endpoint_path_and_day_only(sandbox: Sandbox) -> None:
    sandbox.faults(
        [
            {
                "source": "balldontlie",
                "path_contains": "box",
                "day": DAY,
                "kind": "503",
                "times": None,
            }
        ]
    )
    answers = [
        _ask(sandbox),
        _ask(sandbox, "2026-01-10"),
        _ask(sandbox, endpoint="games"),
        _ask(sandbox),
    ]
    assert [answer.status_code for answer in answers] == [503, 200, 200, 503]


@pytest.mark.parametrize(
    ("kind", "status", "content_type"),
    [
        ("429", 429, "application/json"),
        ("500", 500, "application/json"),
        ("502", 502, "text/html"),
        ("503", 503, "text/html"),
        ("block_page_200", 200, "text/html"),
        ("block_page_403", 403, "text/html"),
        ("bad_key", 401, "text/plain"),
        ("wrong_tier", 401, "text/plain"),
        ("truncated_json", 200, "application/json"),
    ],
)
def test_wire_faults_have_their_status_and_type(
    sandbox: Sandbox, kind: str, status: int, content_type: str
) -> None:
    sandbox.faults([{"kind": kind, "times": 1}])
    answer = _ask(sandbox)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (
        status,
        content_type,
    )
    assert (sandbox.log()[-1]["fault"], sandbox.log()[-1]["limited"]) == (kind, False)
    assert _ask(sandbox).status_code == 200


def test_a_429_says_when_to_come_back_only_if_it_is_told_to(sandbox: Sandbox) -> None:
    sandbox.faults([{"kind": "429", "times": 1, "retry_after": 7}, {"kind": "429", "times": 1}])
    assert [_ask(sandbox).headers.get("retry-after") for _ in range(2)] == ["7", None]


def test_a_torn_body_is_shorter_than_it_says(sandbox: Sandbox) -> None:
    sandbox.faults([{"kind": "torn_body", "times": 1}])
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        _ask(sandbox)


def test_truncated_json_looks_whole_to_http_and_does_not_parse(sandbox: Sandbox) -> None:
    sandbox.faults([{"kind": "truncated_json", "times": 1}])
    answer = _ask(sandbox)
    assert len(answer.content) == int(answer.headers["content-length"])
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


def test_an_echo_tells_what_was_asked_and_with_which_key(sandbox: Sandbox) -> None:
    sandbox.faults([{"kind": "echo", "times": 1}])
    answer = _ask(sandbox)
    assert answer.status_code == 400
    assert answer.text.startswith("400 authorization: sandbox-key host: 127.0.0.1:")
    assert answer.text.endswith(f" date={DAY} GET /v1/box_scores ")


def test_a_hang_lasts_until_the_client_leaves_or_the_time_is_over(sandbox: Sandbox) -> None:
    sandbox.faults([{"kind": "hang", "times": 1}, {"kind": "hang", "times": 1, "seconds": 0.05}])
    with pytest.raises(requests.exceptions.ReadTimeout):
        _ask(sandbox, timeout=0.3)
    assert _ask(sandbox).json()["data"]
    assert [(entry["status"], entry["fault"]) for entry in sandbox.log()[-2:]] == [
        (0, "hang"),
        (200, "hang"),
    ]


def test_a_late_game_is_shown_as_unplayed_and_the_others_are_not(sandbox: Sandbox) -> None:
    sound, bent = _games(sandbox, kind="late_game")
    assert bent[1:] == sound[1:]
    assert (bent[0]["period"], bent[0]["home_q1"], bent[0]["home_team"]["players"]) == (0, None, [])
    assert bent[0]["status"] == sound[0]["datetime"].replace(".000Z", "Z")


def test_a_missing_game_is_still_in_the_listing(sandbox: Sandbox) -> None:
    sound, bent = _games(sandbox, kind="missing_game")
    assert bent == sound[1:]
    assert len(_ask(sandbox, endpoint="games").json()["data"]) == len(sound)


def test_unplayed_postponed_and_empty_days(sandbox: Sandbox) -> None:
    sound, unplayed = _games(sandbox, kind="unplayed", times=1)
    assert {game["period"] for game in unplayed} == {0}
    sandbox.faults([{"kind": "postponed", "times": 1}, {"kind": "empty", "times": 1}])
    assert [game["status"] for game in _ask(sandbox).json()["data"]] == ["Postponed"] + [
        "Final"
    ] * (len(sound) - 1)
    assert _ask(sandbox).json() == {"data": []}


def test_schema_drift_renames_a_field(sandbox: Sandbox) -> None:
    sound, bent = _games(sandbox, kind="schema_drift")
    before, after = (games[0]["home_team"]["players"][0] for games in (sound, bent))
    assert set(before) - set(after) == {"pts"}
    assert after["points"] == before["pts"]


def test_a_correction_changes_one_number_of_one_player(sandbox: Sandbox) -> None:
    sound, bent = _games(sandbox, kind="corrected")
    changed = [
        (key, line[key], other[key])
        for game, twin in zip(sound, bent, strict=True)
        for side in ("home_team", "visitor_team")
        for line, other in zip(game[side]["players"], twin[side]["players"], strict=True)
        for key in line
        if line[key] != other[key]
    ]
    assert [(key, after - before) for key, before, after in changed] == [("ast", 1)]


def test_a_fault_of_one_address_leaves_the_others_alone(sandbox: Sandbox) -> None:
    sandbox.faults([{"kind": "block_page_403", "address": "10.0.0.7", "times": None}])
    url = sandbox.base("balldontlie") + "/v1/teams"
    statuses = [
        requests.get(url, headers={**KEY, "X-Sandbox-Address": address}, timeout=10).status_code
        for address in ("10.0.0.7", "10.0.0.8")
    ]
    assert statuses == [403, 200]


def test_an_unknown_fault_is_refused_with_its_name(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="unknown kind of fault 'earthquake'"):
        sandbox.faults([{"kind": "earthquake"}])
    with pytest.raises(SandboxError, match="unknown field dya"):
        sandbox.faults([{"kind": "500", "dya": DAY}])
    with pytest.raises(SandboxError, match="times is not a number"):
        sandbox.faults([{"kind": "500", "times": "2"}])
    with pytest.raises(SandboxError, match="2026-02-30"):
        sandbox.faults([{"kind": "500", "day": "2026-02-30"}])


def test_an_unknown_setting_is_refused_with_its_name() -> None:
    with pytest.raises(BadConfig, match="unknown setting windows"):
        config_from({"windows": {}})
    with pytest.raises(BadConfig, match="limits has balldontlye"):
        config_from({"limits": {"balldontlye": []}})
    with pytest.raises(BadConfig, match=r"limits are lists of \[requests, seconds\]"):
        config_from({"limits": {"balldontlie": [60]}})
