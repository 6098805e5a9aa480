"""A date from the upstream to its counted rows: the real client and limiter on the sandbox, and on recorded bodies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from include.errors import ErrorClass, Problem
from include.limits.limiter import Limiter
from include.parsing.nbacom import SCHEDULE, schedule_rows
from include.pipeline import Audited, Scraped, Stores, Wire, audit, available_at, incomplete, late_at, load, scrape
from include.sandbox.server import Sandbox, running
from include.sources.spec import Endpoint
from include.storage import raw
from include.storage.local import LocalStore
from include.warehouse.local import Loaded, LocalWarehouse
from tests.one_date import BOX_SCORES, PLAY_BY_PLAY, SOURCE, partition, stores_in, wired

DAY = date(2025, 1, 15)
NO_GAMES = date(2024, 12, 24)
FULL = {"outcome": "complete", "expected_from": "listing", "missing": ()}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One endpoint's date with everything that its steps need, and the sandbox at the other end."""

    sandbox: Sandbox
    wire: Wire
    stores: Stores
    endpoint: Endpoint = BOX_SCORES
    day: date = DAY

    @property
    def folder(self) -> Path:
        assert isinstance(self.stores.raw, LocalStore)
        return self.stores.raw.root / partition(self.endpoint, self.day).prefix

    @property
    def part(self) -> Path:
        assert isinstance(self.stores.warehouse, LocalWarehouse)
        return self.stores.warehouse.part(self.endpoint.table, self.day)

    @property
    def manifest(self) -> Path:
        return self.folder / "_manifest.json"

    def scrape(self, *, refetch: bool = False) -> Scraped:
        at = partition(self.endpoint, self.day)
        return scrape(SOURCE, self.endpoint, at, self.stores, self.wire, refetch=refetch)

    def load(self) -> Loaded:
        return load(self.endpoint, partition(self.endpoint, self.day), self.stores)

    def audit(self) -> Audited:
        return audit(self.endpoint, partition(self.endpoint, self.day), self.stores)

    def run(self) -> tuple[str, int]:
        """All three steps; outcome and rows."""
        self.scrape()
        self.load()
        audited = self.audit()
        return audited.manifest.outcome, audited.rows

    def rows(self) -> list[Any] | None:
        return self.stores.warehouse.rows(self.endpoint.table, self.day)

    def objects(self) -> list[str]:
        """Names of the raw objects, without their hashes."""
        return sorted(path.name.rpartition("-")[0] for path in self.folder.glob("*.gz"))

    def asked(self) -> list[str]:
        """The paths of all requests so far."""
        return [entry["path"] for entry in self.sandbox.log()]

    def fault(self, kind: str, **more: Any) -> None:
        self.sandbox.faults([{"source": "balldontlie", "kind": kind, "day": str(self.day), **more}])

    def on(self, day: date) -> Line:
        return replace(self, day=day)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    unlimited: dict[str, list[Any]] = {"balldontlie": [], "nba_stats": [], "nba_cdn": []}
    with running(tmp_path_factory.mktemp("sandbox"), limits=unlimited, now="2026-03-01T20:00:00Z") as server:
        yield server


@pytest.fixture(scope="module")
def limiter(ops_db: str) -> Iterator[Limiter]:
    limiter = Limiter(lambda: psycopg.connect(ops_db), {host.connection: host.windows for host in SOURCE.hosts})
    yield limiter
    limiter.close()


@pytest.fixture
def line(sandbox: Sandbox, limiter: Limiter, tmp_path: Path) -> Iterator[Line]:
    with wired(sandbox.url, limiter) as wire:
        yield Line(sandbox=sandbox, wire=wire, stores=stores_in(tmp_path))
    sandbox.no_faults()


def refused(call: Callable[[], object]) -> Problem:
    with pytest.raises(Problem) as caught:
        call()
    return caught.value


def said(manifest: raw.Manifest) -> dict[str, Any]:
    """The manifest's judgement."""
    return {name: getattr(manifest, name) for name in ("outcome", "expected_from", "missing")}


def schedule(line: Line, games: Sequence[str], postponed: Sequence[str] = ()) -> None:
    """Puts games (``GSW@UTA``) into the schedule table, as if it had been loaded for the date."""
    rows = []
    for number, game in enumerate([*games, *postponed]):
        away, home = game.split("@")
        key = {"game_date": line.day, "game_id": f"00224{number:05}", "away_tricode": away, "home_tricode": home}
        facts = {"season_type": "Regular Season", "counts": True, "postponed": game in postponed}
        rows.append({**key, **facts, "source_file": "nbacom_schedule/season-000000000000.json.gz"})
    line.stores.warehouse.replace(SCHEDULE, line.day, rows)


def listed(line: Line) -> list[str]:
    """The games that the upstream lists for the date, in its order."""
    url = f"{line.sandbox.base('balldontlie')}/v1/games?dates[]={line.day}"
    games = requests.get(url, headers={"Authorization": "sandbox-key"}, timeout=10).json()["data"]
    return [f"{game['visitor_team']['abbreviation']}@{game['home_team']['abbreviation']}" for game in games]


# --- whole dates


def test_date_is_fetched_loaded_and_counted(line: Line) -> None:
    games = listed(line)
    before = len(line.asked())

    scraped = line.scrape()

    manifest = scraped.manifest
    assert (scraped.requests, scraped.credits, line.asked()[before:]) == (2, 0, ["/v1/games", "/v1/box_scores"])
    assert said(manifest) == FULL
    assert (manifest.games_expected, manifest.games_found) == (len(games), len(games))
    assert manifest.message == f"{len(games)} of {len(games)} games"
    assert [(o.item, o.role, o.status, o.url.partition("?")[2]) for o in manifest.objects] == [
        ("games", "truth", 200, "dates%5B%5D=2025-01-15&per_page=100"),
        ("all", "data", 200, "date=2025-01-15"),
    ]
    assert line.objects() == ["all", "games"]
    assert not line.part.exists()

    loaded, audited = line.load(), line.audit()

    (data,) = manifest.data()
    expected = [{**row, "source_file": data.path} for row in BOX_SCORES.rows(raw.get_body(line.stores.raw, data), DAY)]
    assert sorted(line.rows() or [], key=str) == sorted(expected, key=str)
    assert (loaded.rows, loaded.changed) == (len(expected), True)
    assert audited == Audited(manifest=manifest, rows=len(expected))
    assert {f"{row['away_tricode']}@{row['home_tricode']}" for row in expected} == set(games)


def test_date_without_games_is_an_empty_partition_and_no_failure(line: Line) -> None:
    line = line.on(NO_GAMES)
    assert line.run() == ("no_games", 0)
    assert line.rows() == []
    found = raw.read_manifest(line.stores.raw, partition(BOX_SCORES, NO_GAMES))
    assert found
    assert (found.message, found.games_expected, found.requests) == ("no games on this date", 0, 2)


def test_rerun_of_a_whole_date_asks_nothing_and_changes_no_byte(line: Line) -> None:
    first = line.run()
    before = len(line.asked()), line.part.read_bytes(), line.part.stat().st_mtime_ns, line.manifest.read_bytes()
    objects = line.objects()

    again = line.scrape()

    assert (again.requests, again.manifest.requests) == (0, 2)
    assert line.load().changed is False
    assert line.run() == first
    assert (len(line.asked()), line.part.read_bytes(), line.part.stat().st_mtime_ns) == before[:3]
    assert (line.manifest.read_bytes(), line.objects()) == (before[3], objects)


# --- dates that are not whole


def test_missing_game_is_partial_and_the_warehouse_is_not_touched(line: Line) -> None:
    line.run()
    before = line.part.read_bytes()
    line.fault("missing_game")

    manifest = line.scrape(refetch=True).manifest

    missing, total = listed(line)[0], len(listed(line))
    message = f"{total - 1} of {total} games: missing {missing}"
    assert said(manifest) == {**FULL, "outcome": "partial", "missing": (missing,)}
    assert (incomplete(manifest).error_class, incomplete(manifest).message) == (ErrorClass.INCOMPLETE, message)
    problem = refused(line.load)
    assert (problem.error_class, problem.message) == (
        ErrorClass.STORAGE,
        f"the raw layer does not have the whole date ({message}): clear its scrape task, not only this one",
    )
    assert refused(line.audit).error_class is ErrorClass.STORAGE
    assert line.part.read_bytes() == before


def test_partial_date_is_asked_again_and_healed(line: Line) -> None:
    line.fault("missing_game", times=1)
    assert line.scrape().manifest.outcome == "partial"
    assert not line.part.exists()
    assert line.run()[0] == "complete"
    assert line.objects() == ["all", "all", "games"]
    assert len({row["source_file"] for row in line.rows() or []}) == 1


def test_late_game_is_missing_until_it_is_over(line: Line) -> None:
    line.fault("late_game")
    late = f"{listed(line)[0]} (unplayed)"
    assert said(line.scrape().manifest) == {**FULL, "outcome": "partial", "missing": (late,)}
    line.sandbox.no_faults()
    assert line.run()[0] == "complete"


def test_unplayed_date_with_status_200_is_not_data(line: Line) -> None:
    line.fault("unplayed")
    manifest = line.scrape().manifest
    games = sorted(listed(line))
    assert said(manifest) == {**FULL, "outcome": "partial", "missing": tuple(f"{game} (unplayed)" for game in games)}
    assert (manifest.games_found, incomplete(manifest).error_class) == (0, ErrorClass.EMPTY_UNEXPECTED)


def test_postponed_game_is_not_waited_for(line: Line) -> None:
    line.fault("postponed")
    total = len(listed(line))
    outcome, rows = line.run()
    found = raw.read_manifest(line.stores.raw, partition(BOX_SCORES, DAY))
    assert found
    assert (outcome, found.games_expected, found.games_found) == ("complete", total - 1, total - 1)
    assert rows == len(line.rows() or [])


def test_empty_body_though_games_are_listed_is_not_an_empty_date(line: Line) -> None:
    line.fault("empty", endpoint="box_scores")
    manifest = line.scrape().manifest
    assert said(manifest) == {**FULL, "outcome": "partial", "missing": tuple(sorted(listed(line)))}
    assert incomplete(manifest).error_class is ErrorClass.EMPTY_UNEXPECTED


def test_played_game_that_is_not_listed_makes_the_date_unverified(line: Line) -> None:
    line.fault("empty", endpoint="games")
    manifest = line.scrape().manifest
    assert (manifest.outcome, manifest.games_expected) == ("unverified", 0)
    assert incomplete(manifest).error_class is ErrorClass.INCOMPLETE
    line.sandbox.no_faults()
    assert manifest.message == f"0 of 0 games: not in the schedule: {', '.join(sorted(listed(line)))}"
    assert refused(line.load).error_class is ErrorClass.STORAGE


@pytest.mark.parametrize(
    ("kind", "error_class", "requests_sent"),
    [
        ("block_page_200", ErrorClass.BLOCKED, 4),
        ("truncated_json", ErrorClass.UPSTREAM_DOWN, 4),
        ("bad_key", ErrorClass.BAD_KEY, 1),
        ("schema_drift", ErrorClass.SCHEMA_DRIFT, 1),
    ],
)
def test_body_that_is_no_answer_fails_the_date_and_leaves_no_manifest(
    line: Line, kind: str, error_class: ErrorClass, requests_sent: int
) -> None:
    line.fault(kind, endpoint="box_scores")
    before = len(line.asked())
    problem = refused(line.scrape)
    assert (problem.error_class, len(line.asked()) - before) == (error_class, 1 + requests_sent)
    assert not line.manifest.exists()
    assert refused(line.load).message == (
        "the raw layer does not have the whole date (no manifest): clear its scrape task, not only this one"
    )
    line.sandbox.no_faults()
    assert line.run()[0] == "complete"


# --- asking again


def test_refetch_of_a_corrected_date_makes_a_second_object_and_new_rows(line: Line) -> None:
    line.run()
    before = {(row["game_id"], row["player_id"]): row for row in line.rows() or []}
    old_file = {row["source_file"] for row in before.values()}
    line.fault("corrected", endpoint="box_scores")

    assert line.scrape(refetch=True).requests == 2
    assert line.load().changed is True
    assert line.audit().rows == len(before)

    after = {(row["game_id"], row["player_id"]): row for row in line.rows() or []}
    assert line.objects() == ["all", "all", "games"]
    assert after.keys() == before.keys()
    changed = [(before[key]["ast"], row["ast"]) for key, row in after.items() if row["ast"] != before[key]["ast"]]
    assert [new - old for old, new in changed] == [1]
    assert {row["source_file"] for row in after.values()}.isdisjoint(old_file)


def test_refetch_of_an_unchanged_date_leaves_everything_as_it_was(line: Line) -> None:
    line.run()
    before = line.manifest.read_bytes(), line.part.read_bytes(), line.objects()
    again = line.scrape(refetch=True)
    assert (again.requests, again.manifest.outcome) == (2, "complete")
    assert line.load().changed is False
    assert (line.manifest.read_bytes(), line.part.read_bytes(), line.objects()) == before


def test_refetch_that_is_blocked_leaves_the_whole_date_loadable(line: Line) -> None:
    line.run()
    before = line.manifest.read_bytes()
    line.fault("block_page_403")
    assert refused(lambda: line.scrape(refetch=True)).error_class is ErrorClass.BLOCKED
    assert line.manifest.read_bytes() == before
    assert line.load().changed is False


def test_refetch_finds_out_that_the_schedule_has_one_game_more(line: Line) -> None:
    schedule(line, listed(line))
    line.run()
    schedule(line, [*listed(line), "AAA@BBB"])
    assert said(line.scrape(refetch=True).manifest) == {
        "outcome": "partial",
        "expected_from": "schedule",
        "missing": ("AAA@BBB",),
    }


# --- the schedule table


def test_schedule_that_has_the_date_saves_the_request_for_the_list_of_games(line: Line) -> None:
    schedule(line, listed(line))
    before = len(line.asked())
    assert said(line.scrape().manifest) == {**FULL, "expected_from": "schedule"}
    assert line.asked()[before:] == ["/v1/box_scores"]
    assert line.objects() == ["all"]


def test_schedule_without_games_on_the_date_is_believed(line: Line) -> None:
    line = line.on(NO_GAMES)
    schedule(line, [])
    assert line.run() == ("no_games", 0)


def test_game_that_the_schedule_does_not_know_makes_the_date_unverified(line: Line) -> None:
    first, *others = listed(line)
    schedule(line, others)
    manifest = line.scrape().manifest
    assert (manifest.outcome, manifest.message) == (
        "unverified",
        f"{len(others)} of {len(others)} games: not in the schedule: {first}",
    )


def test_game_that_the_schedule_has_postponed_is_not_waited_for(line: Line) -> None:
    schedule(line, listed(line), postponed=["AAA@BBB"])
    assert line.run()[0] == "complete"


def test_audit_turns_red_when_the_schedule_learns_of_a_game_and_the_next_scrape_asks_again(line: Line) -> None:
    line.run()
    games = listed(line)
    schedule(line, [*games, "AAA@BBB"])

    problem = refused(line.audit)

    total = len(games)
    assert (problem.error_class, problem.message) == (
        ErrorClass.INCOMPLETE,
        f"the schedule changed since the fetch: {total} of {total + 1} games: missing AAA@BBB",
    )
    before = len(line.asked())
    assert said(line.scrape().manifest) == {
        "outcome": "partial",
        "expected_from": "schedule",
        "missing": ("AAA@BBB",),
    }
    assert line.asked()[before:] == ["/v1/box_scores"]
    schedule(line, games)
    assert line.run()[0] == "complete"


# --- the audit


@pytest.mark.parametrize("damage", ["deleted", "torn", "other rows"])
def test_audit_heals_a_partition_that_is_not_what_raw_holds(line: Line, damage: str) -> None:
    rows = line.run()[1]
    whole = line.part.read_bytes()
    before = len(line.asked())
    match damage:
        case "deleted":
            line.part.unlink()
        case "torn":
            line.part.write_bytes(whole[: len(whole) // 2])
        case "other rows":
            line.stores.warehouse.replace(BOX_SCORES.table, DAY, (line.rows() or [])[1:])
    assert line.audit().rows == rows
    assert line.part.read_bytes() == whole
    assert len(line.asked()) == before


def test_audit_heals_an_empty_date_too(line: Line) -> None:
    line = line.on(NO_GAMES)
    line.run()
    line.part.unlink()
    line.audit()
    assert line.rows() == []


def test_audit_and_load_name_a_raw_object_that_is_gone(line: Line) -> None:
    line.run()
    (lost,) = line.folder.glob("all-*.gz")
    lost.unlink()
    for step in (line.load, line.audit):
        problem = refused(step)
        assert problem.error_class is ErrorClass.STORAGE
        assert f"{lost.name} is missing" in problem.message
    assert line.scrape(refetch=True).manifest.outcome == "complete"
    assert line.run()[0] == "complete"


def test_endpoint_that_gives_fewer_rows_than_its_games_have_is_not_called_complete(line: Line) -> None:
    def short(body: bytes, day: date) -> list[Any]:
        return list(BOX_SCORES.rows(body, day))[2:]

    line = replace(line, endpoint=replace(BOX_SCORES, rows=short))
    line.scrape()
    line.load()
    problem = refused(line.audit)
    assert problem.error_class is ErrorClass.INCOMPLETE
    assert problem.message.startswith("raw.bdl_box_scores has other rows than raw: ")


# --- an endpoint with a body per game


@pytest.fixture
def plays(line: Line) -> Line:
    """Play by play of the date; which games it asks for comes from the schedule table."""
    headers = {"User-Agent": "Mozilla/5.0", "Referer": "https://www.nba.com/", "Origin": "https://www.nba.com"}
    url = f"{line.sandbox.base('nba_stats')}/stats/scheduleleaguev2?LeagueID=00&Season=2024-25"
    body = requests.get(url, headers={**headers, "Accept": "application/json"}, timeout=10).content
    rows = [{**row, "source_file": "nbacom_schedule/all.json.gz"} for row in schedule_rows(body, DAY)]
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
    assert plays.audit().rows == len(plays.rows() or [])


def test_running_game_is_asked_for_again_and_the_finished_ones_are_not(plays: Line) -> None:
    """A body that ends in the middle of the game stands in for a running one."""
    plays.scrape()
    at = partition(PLAY_BY_PLAY, DAY)
    first, *others = raw.stored_objects(plays.stores.raw, at)
    body = raw.get_body(plays.stores.raw, first)
    for path in (plays.folder / first.path.rpartition("/")[2], plays.manifest):
        path.unlink()
    running = body.replace(b'"actionType":"game"', b'"actionType":"period"')
    assert running != body
    facts = {"role": "data", "url": "", "status": 200, "suffix": "json"}
    raw.put_body(plays.stores.raw, at, item=first.item, body=running, **facts)
    before = len(plays.asked())

    assert plays.scrape().manifest.outcome == "complete"

    assert [path.rpartition("_")[2] for path in plays.asked()[before:]] == [f"{first.item}.json"]
    assert plays.run()[0] == "complete"
    assert len({row["source_file"] for row in plays.rows() or []}) == 1 + len(others)


# --- when a date can be final


def test_moments_from_which_a_date_is_final_and_late_are_eastern() -> None:
    assert [available_at(BOX_SCORES, date(2025, 3, 8)), late_at(BOX_SCORES, date(2025, 3, 8))] == [
        datetime(2025, 3, 9, 10, tzinfo=UTC),
        datetime(2025, 3, 9, 19, tzinfo=UTC),
    ]


# --- recorded bodies


@pytest.fixture(scope="module")
def recorded_sandbox(tmp_path_factory: pytest.TempPathFactory, recorded: Path) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("recorded")
    with running(folder, recorded=recorded, limits={"balldontlie": []}, now="2026-03-01T20:00:00Z") as server:
        yield server


@pytest.fixture
def real(recorded_sandbox: Sandbox, limiter: Limiter, tmp_path: Path) -> Iterator[Line]:
    with wired(recorded_sandbox.url, limiter) as wire:
        yield Line(sandbox=recorded_sandbox, wire=wire, stores=stores_in(tmp_path))
    recorded_sandbox.no_faults()


@pytest.mark.parametrize(
    ("day", "rows", "idle", "games"),
    [(date(2024, 1, 15), 384, 155, 11), (date(2026, 1, 9), 347, 139, 10)],
)
def test_recorded_date_of_either_shape_gives_all_its_rows(
    real: Line, day: date, rows: int, idle: int, games: int
) -> None:
    line = real.on(day)
    assert line.run() == ("complete", rows)
    query = (
        "SELECT count(*), count(*) FILTER (did_not_play), count(DISTINCT game_id), typeof(any_value(minutes))"
        " FROM raw.bdl_box_scores"
    )
    assert isinstance(line.stores.warehouse, LocalWarehouse)
    with line.stores.warehouse.connect() as connection:
        assert connection.execute(query).fetchone() == (rows, idle, games, "BIGINT")


def test_recorded_empty_body_is_a_date_without_games(real: Line, recorded: Path) -> None:
    line = real.on(NO_GAMES)
    assert line.run() == ("no_games", 0)
    (body,) = line.folder.glob("all-*.gz")
    item = next(
        item for item in raw.stored_objects(line.stores.raw, partition(BOX_SCORES, NO_GAMES)) if "all" in item.path
    )
    assert body.name in item.path
    assert raw.get_body(line.stores.raw, item) == (recorded / "balldontlie" / "box_scores_empty.json").read_bytes()


def test_recorded_date_whose_body_lacks_a_listed_game_is_partial(real: Line) -> None:
    line = real.on(date(2024, 1, 15))
    line.fault("missing_game")
    manifest = line.scrape().manifest
    assert (manifest.outcome, manifest.games_expected, manifest.games_found) == ("partial", 11, 10)
    assert len(manifest.missing) == 1
    assert refused(line.load).error_class is ErrorClass.STORAGE
    assert not line.part.exists()
