"""The message names the thing and the repair."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.steps.bench import Bench
from tests.steps.errors.cases import (
    BDL,
    DAY,
    DRIVE,
    PROPS,
    SCHEDULE,
    named,
    strike,
)

MESSAGES: dict[tuple[tuple[str, str], str, str], str] = {
    (
        BDL,
        "429",
        "box_scores",
    ): "balldontlie: too many requests: lower the limit in the source's file if this goes on",
    (BDL, "500", "box_scores"): (
        "balldontlie: the upstream fails with status 500: rerun the date when the upstream is well"
        " again"
    ),
    (
        BDL,
        "hang",
        "box_scores",
    ): "balldontlie: connected, but nothing came before the read time-out: rerun the date later",
    (
        BDL,
        "truncated_json",
        "box_scores",
    ): "balldontlie: the JSON is torn: rerun the date when the upstream is well again",
    (PROPS, "block_page_200", "events"): (
        "the_odds_api: an HTML page instead of data: this address is being blocked; wait, or use"
        " other proxies"
    ),
    (BDL, "wrong_tier", "box_scores"): (
        "balldontlie: key refused, or its tier lacks this endpoint: check the connection's key and"
        " the account's plan"
    ),
    (
        DRIVE,
        "wrong_tier",
        "list",
    ): "bigdataball: accessNotConfigured: the API is not enabled in the service account's project",
    (
        DRIVE,
        "out_of_credits",
        "list",
    ): "bigdataball: downloadQuotaExceeded: the file's download quota is used up: wait a day",
    (DRIVE, "schema_drift", "download"): (
        "header lacks points; the upstream changed its format: compare the raw object with the"
        " parser and adapt it, then reprocess"
    ),
    (
        SCHEDULE,
        "empty",
        "schedule",
    ): "the schedule of 2024-25 has no dates at all: ask again, or wait until it is published",
    (BDL, "empty", "box_scores"): "0 of 4 games: missing BOS@TOR, CLE@SAS, PHX@IND, UTA@MEM",
    (BDL, "late_game", "box_scores"): "3 of 4 games: missing PHX@IND (unplayed)",
}


@pytest.mark.parametrize(("at", "kind", "asked"), MESSAGES, ids=named)
def test_the_message_names_the_thing_and_the_repair(
    bench: Bench, tmp_path: Path, at: tuple[str, str], kind: str, asked: str
) -> None:
    strike(bench.sandbox, at, kind, endpoint=asked)
    ended = bench.run(at, DAY, tmp_path, requests=1, read=0.3 if kind == "hang" else 10.0)
    assert ended.message == MESSAGES[at, kind, asked]
