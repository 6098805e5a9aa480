"""What is asked for again, on order or after a failure, and what comes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import requests

from include.checks.lost import give_up_lost
from include.errors import ErrorClass
from include.outcome import Outcome
from include.parsing.nbacom import SCHEDULE, schedule_rows
from include.sources.spec import Endpoint
from include.storage import raw
from tests.steps.line import DAY, Line, refused, said
from tests.steps.one_date import BOX_SCORES, PLAY_BY_PLAY, partition

PAID = replace(BOX_SCORES, request=replace(BOX_SCORES.request, cost=lambda params: 1))
# As a season's schedule, of which no date has games.
SEASON = replace(
    BOX_SCORES,
    name="season",
    truth=None,
    is_schedule=True,
    games=lambda body, day: [],
    shared=lambda day: "2024-25",
)


def test_refetch_of_a_corrected_date_makes_a_second_object_and_new_rows(line: Line) -> None:
    line.run()
    before = {(row["game_id"], row["player_id"]): row for row in line.rows()}
    old_file = {row["source_file"] for row in before.values()}
    line.fault("corrected", endpoint="box_scores")

    assert line.scrape(refetch=True).requests == 2
    assert line.load().changed is True
    assert line.audit().rows == len(before)

    after = {(row["game_id"], row["player_id"]): row for row in line.rows()}
    assert line.objects() == ["all", "all", "games"]
    assert after.keys() == before.keys()
    changed = [
        (before[key]["ast"], row["ast"])
        for key, row in after.items()
        if row["ast"] != before[key]["ast"]
    ]
    assert [new - old for old, new in changed] == [1]
    assert {row["source_file"] for row in after.values()}.isdisjoint(old_file)


def test_refetch_of_an_unchanged_date_leaves_everything_as_it_was(line: Line) -> None:
    line.run()
    before = line.manifest_file.read_bytes(), line.part.read_bytes(), line.objects()
    again = line.scrape(refetch=True)
    assert (again.requests, again.manifest.outcome) == (2, "complete")
    assert line.load().changed is False
    assert (line.manifest_file.read_bytes(), line.part.read_bytes(), line.objects()) == before


def test_refetch_that_is_blocked_leaves_the_whole_date_loadable(line: Line) -> None:
    line.run()
    before = line.manifest_file.read_bytes()
    line.fault("block_page_403")
    assert refused(lambda: line.scrape(refetch=True)).error_class is ErrorClass.BLOCKED
    assert line.manifest_file.read_bytes() == before
    assert line.load().changed is False


def test_refetch_finds_out_that_the_schedule_has_one_game_more(line: Line) -> None:
    line.schedule(line.listed())
    line.run()
    line.schedule([*line.listed(), "AAA@BBB"])
    assert said(line.scrape(refetch=True).manifest) == ("partial", "schedule", ("AAA@BBB",))


def test_refetch_is_carried_out_once_however_often_its_run_is_cleared(line: Line) -> None:
    line.run()
    ordered_at = datetime.now(UTC)
    again = [line.scrape(ordered_at=ordered_at).requests for _ in range(3)]
    assert again == [2, 0, 0]
    assert line.scrape(ordered_at=ordered_at + timedelta(seconds=1)).requests == 2


@pytest.mark.parametrize("endpoint", [BOX_SCORES, PAID], ids=["free", "paid"])
def test_order_that_was_carried_out_asks_again_once_the_date_is_not_whole_any_more(
    line: Line, endpoint: Endpoint
) -> None:
    line = replace(line, endpoint=endpoint)
    line.run()
    ordered_at = datetime.now(UTC)
    line.scrape(ordered_at=ordered_at)
    whole, at = line.manifest(), partition(line.endpoint, line.day)
    partial = replace(whole, outcome=Outcome.PARTIAL)
    raw.write_manifest(line.stores.raw, at, partial, over=whole)
    assert [line.scrape(ordered_at=ordered_at).requests for _ in range(2)] == [2, 0]


def test_earlier_order_is_carried_out_by_a_later_one(line: Line) -> None:
    line.run()
    ordered_at = datetime.now(UTC)
    line.scrape(ordered_at=ordered_at)
    assert line.scrape(ordered_at=ordered_at - timedelta(hours=1)).requests == 0


def test_refetch_whose_notes_are_torn_asks_for_everything(line: Line) -> None:
    line.run()
    ordered_at = datetime.now(UTC)
    line.scrape(ordered_at=ordered_at)
    for text in ("", "[]", "{", '{"ordered_at": "2026-01-01"}'):
        (line.folder / "_refetch.json").write_text(text)
        assert line.scrape(ordered_at=ordered_at).requests == 2, text


@pytest.mark.parametrize("text", ["", "{", "[]", '{"objects": []}'])
def test_torn_manifest_is_made_anew_by_a_refetch(line: Line, text: str) -> None:
    line.run()
    line.manifest_file.write_text(text)
    assert refused(line.scrape).message.endswith("or rerun the date with --refetch")
    ordered_at = datetime.now(UTC)
    assert line.scrape(ordered_at=ordered_at).requests == 2
    assert line.scrape().requests == 0
    line.manifest_file.write_text(text)
    assert [line.scrape(ordered_at=ordered_at).requests for _ in range(2)] == [2, 0]


def test_torn_manifest_that_is_given_up_is_made_anew_by_any_try(line: Line) -> None:
    line.run()
    store, at = line.stores.raw, partition(line.endpoint, line.day)
    line.manifest_file.write_text("{")
    assert give_up_lost(store, at) == 0
    assert line.manifest().message == "its manifest could not be read"
    assert line.scrape().manifest.outcome == "complete"
    assert give_up_lost(store, replace(at, day=DAY + timedelta(days=1))) == 0
    assert raw.read_manifest(store, replace(at, day=DAY + timedelta(days=1))) is None


def test_body_of_a_season_is_fetched_anew_once_for_all_dates_of_an_order(line: Line) -> None:
    dates = [replace(line, endpoint=SEASON, day=DAY + timedelta(days=n)) for n in range(3)]
    assert [each.scrape().requests for each in dates] == [1, 0, 0]
    ordered_at = datetime.now(UTC)
    assert [each.scrape(ordered_at=ordered_at).requests for each in dates] == [1, 0, 0]
    assert [each.scrape(ordered_at=ordered_at).requests for each in dates] == [0, 0, 0]


# --- an endpoint with a body per game


@pytest.fixture
def plays(line: Line) -> Line:
    """Play by play of the date; which games it asks for comes from the schedule table."""
    headers = {
        "User-Agent": "Mozilla/5.0",
        "Referer": "https://www.nba.com/",
        "Origin": "https://www.nba.com",
    }
    url = f"{line.sandbox.base('nba_stats')}/stats/scheduleleaguev2?LeagueID=00&Season=2024-25"
    body = requests.get(url, headers={**headers, "Accept": "application/json"}, timeout=10).content
    rows = [
        {**row, "source_file": "nbacom_schedule/all.json.gz"} for row in schedule_rows(body, DAY)
    ]
    assert len(rows) > 3
    line.stores.warehouse.replace(SCHEDULE, DAY, rows)
    return replace(line, endpoint=PLAY_BY_PLAY)


def test_bodies_that_had_arrived_before_a_failure_are_not_asked_for_again(plays: Line) -> None:
    plays.sandbox.faults([{"source": "nba_cdn", "kind": "bad_key", "after": 2}])
    refused(plays.scrape)
    kept = plays.objects()
    plays.sandbox.no_faults()
    before = len(plays.asked())

    scraped = plays.scrape()

    assert len(kept) == 2
    asked = [path.rpartition("_")[2].removesuffix(".json") for path in plays.asked()[before:]]
    assert sorted([*kept, *asked]) == plays.objects()
    assert (scraped.manifest.outcome, scraped.requests) == ("complete", len(asked))
    plays.load()
    assert plays.audit().rows == len(plays.rows())


def test_refetch_that_was_interrupted_goes_on_where_it_was(plays: Line) -> None:
    games = len(plays.scrape().manifest.objects)
    ordered_at = datetime.now(UTC)
    plays.sandbox.faults([{"source": "nba_cdn", "kind": "bad_key", "after": 2}])
    refused(lambda: plays.scrape(ordered_at=ordered_at))
    assert plays.manifest().outcome == "complete"  # the old one, until all is there
    plays.sandbox.no_faults()

    assert plays.scrape(ordered_at=ordered_at).requests == games - 2
    assert plays.scrape(ordered_at=ordered_at).requests == 0
    assert plays.run()[0] == "complete"


def test_running_game_is_asked_for_again_and_the_finished_ones_are_not(plays: Line) -> None:
    """A body that ends in the middle of the game stands in for a running one."""
    plays.scrape()
    at = partition(PLAY_BY_PLAY, DAY)
    first, *others = raw.stored_objects(plays.stores.raw, at)
    body = raw.get_body(plays.stores.raw, first)
    for path in (plays.folder / first.path.rpartition("/")[2], plays.manifest_file):
        path.unlink()
    running = body.replace(b'"actionType":"game"', b'"actionType":"period"')
    assert running != body
    facts = {"role": "data", "url": "", "status": 200, "suffix": "json"}
    raw.put_body(plays.stores.raw, at, item=first.item, body=running, **facts)
    before = len(plays.asked())

    assert plays.scrape().manifest.outcome == "complete"

    assert [path.rpartition("_")[2] for path in plays.asked()[before:]] == [f"{first.item}.json"]
    assert plays.run()[0] == "complete"
    assert len({row["source_file"] for row in plays.rows()}) == 1 + len(others)


def correct_first(plays: Line) -> raw.RawObject:
    """The first game's stored body, after another sound one was put beside it."""
    at = partition(PLAY_BY_PLAY, DAY)
    first, *_ = raw.stored_objects(plays.stores.raw, at)
    body = raw.get_body(plays.stores.raw, first) + b"\n"
    facts = {"role": "data", "url": "", "status": 200, "suffix": "json"}
    raw.put_body(plays.stores.raw, at, item=first.item, body=body, **facts)
    return first


def test_of_two_sound_bodies_of_a_game_neither_is_believed(plays: Line) -> None:
    plays.scrape()
    first = correct_first(plays)
    plays.manifest_file.unlink()
    before = len(plays.asked())

    assert plays.scrape().manifest.outcome == "complete"

    assert [path.rpartition("_")[2] for path in plays.asked()[before:]] == [f"{first.item}.json"]
    assert [o.sha256 for o in plays.manifest().objects if o.item == first.item] == [first.sha256]


def test_of_two_sound_bodies_of_a_game_the_manifests_counts(plays: Line) -> None:
    manifest = plays.scrape().manifest
    at = partition(PLAY_BY_PLAY, DAY)
    correct_first(plays)
    partial = replace(manifest, outcome=Outcome.PARTIAL)
    raw.write_manifest(plays.stores.raw, at, partial, over=manifest)

    scraped = plays.scrape()

    assert (scraped.manifest.outcome, scraped.requests) == ("complete", 0)
    assert [o.path for o in scraped.manifest.objects] == [o.path for o in manifest.objects]


def test_stored_body_of_a_game_that_is_no_longer_due_is_not_part_of_the_date(plays: Line) -> None:
    games = [o.item for o in plays.scrape().manifest.objects]
    plays.manifest_file.unlink()
    rows = [
        {**row, "postponed": row["game_id"] == games[0]}
        for row in plays.stores.warehouse.rows(SCHEDULE, DAY) or []
    ]
    plays.stores.warehouse.replace(SCHEDULE, DAY, rows)

    scraped = plays.scrape()

    assert (scraped.requests, [o.item for o in scraped.manifest.objects]) == (0, games[1:])
    assert plays.run() == ("complete", len(plays.rows()))
    assert {row["game_id"] for row in plays.rows()} == set(games[1:])
