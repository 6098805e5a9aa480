"""What real data has wrong, planted in the sandbox's league by order: each is found by the line of
a date, in the first of its games alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from devstack.sandbox.faults import KINDS
from devstack.sandbox.server import Sandbox, running
from include.errors import Problem
from include.http.client import Client, Policy, Upstream
from include.ops.outcomes import OutcomeRow
from include.partition import Partition
from include.steps.attempt import attempt
from include.steps.entry import Entry
from include.steps.job import Job, Stores, Wire
from include.storage.local import LocalStore
from include.warehouse.local import LocalWarehouse
from tests.devstack.sandbox.test_nbacom import BROWSER
from tests.steps.one_date import OpenGate

if TYPE_CHECKING:
    from include.sources.spec import Source

DAY = date(2025, 1, 15)
SCHEDULE = ("nbacom_schedule", "schedule")
BALL_DONT_LIE = ("bdl_box_scores", "box_scores")
NBACOM = ("nbacom_box_scores", "box_scores")
PLAYS = ("nbacom_box_scores", "play_by_play")
PROPS = ("odds_api_props", "player_props")
FILES = ("bigdataball_play_by_play", "play_by_play")
PLANTED = frozenset(
    {
        *("cancelled", "moved_game", "neutral_site", "undecided", "wrong_score", "wrong_minutes"),
        *("half_time", "lost_players", "null_player", "player_twice", "absent", "another_game"),
        *("other_names", "old_form"),
    }
)


@dataclass(frozen=True, kw_only=True)
class Line:
    """The specs in dags/ on the sandbox, with stores below a folder."""

    sandbox: Sandbox
    sources: Mapping[str, Source]
    folder: Path

    def run(
        self,
        at: tuple[str, str],
        kind: str = "",
        day: date = DAY,
        *,
        struck: date | None = None,
        **more: Any,
    ) -> tuple[OutcomeRow, list[Any]]:
        """One try of a date with one fault (of the date ``struck``, where that is another): what
        was recorded of it, and its rows."""
        self.sandbox.no_faults()
        if kind:
            self.sandbox.faults([{"kind": kind, "day": str(struck or day), **more}])
        source = self.sources[at[0]]
        hosts = {host.connection: host for each in self.sources.values() for host in each.hosts}
        upstreams = {
            name: Upstream(
                name=name,
                base_url=self.sandbox.base(name),
                key="sandbox-key",
                auth=host.auth,
                headers=host.headers,
                token=lambda: "ya29.sandbox-key",
            )
            for name, host in hosts.items()
        }
        stores = Stores(
            raw=LocalStore(self.folder / "raw"), warehouse=LocalWarehouse(self.folder / "warehouse")
        )
        told: list[OutcomeRow] = []
        partition = Partition(dag_id=at[0], endpoint=at[1], day=day)
        entry = Entry(partition, told.append, run_id="planted")
        with Client(OpenGate(), policy=Policy(backoff=0.01)) as client:
            wire = Wire(client=client, upstreams=upstreams)
            job = Job(
                source=source,
                endpoint=source.endpoint(at[1]),
                partition=partition,
                stores=stores,
                reach=lambda: nullcontext(wire),
            )
            try:
                with entry.recorded():
                    attempt(job, entry)
            except Problem:
                pass  # it is in the record
        return told[-1], stores.warehouse.rows(source.endpoint(at[1]).table, day) or []


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    connections = ("balldontlie", "the_odds_api", "nba_stats", "nba_cdn", "bigdataball")
    limits: dict[str, list[Any]] = {name: [] for name in connections}
    folder = tmp_path_factory.mktemp("planted")
    with running(
        folder, limits=limits, now="2026-03-01T20:00:00Z", monthly_credits=100_000
    ) as server:
        yield server


@pytest.fixture
def line(sandbox: Sandbox, sources: dict[str, Source], tmp_path: Path) -> Line:
    """The schedule of the date is known."""
    made = Line(sandbox=sandbox, sources=sources, folder=tmp_path)
    assert made.run(SCHEDULE)[0].outcome == "complete"
    return made


def test_every_kind_of_real_fault_can_be_ordered() -> None:
    assert set() == PLANTED - KINDS


@pytest.mark.parametrize(
    ("at", "kind", "said"),
    [
        (BALL_DONT_LIE, "wrong_score", " points, the team "),
        (BALL_DONT_LIE, "wrong_minutes", " minutes, 240 expected"),
        (BALL_DONT_LIE, "half_time", " minutes, 240 expected"),
        (BALL_DONT_LIE, "lost_players", " minutes, 240 expected"),
        (BALL_DONT_LIE, "null_player", ".player is NoneType, wanted an object"),
        (BALL_DONT_LIE, "player_twice", "two rows with the key "),
        (NBACOM, "wrong_minutes", " minutes, 240 expected"),
        (NBACOM, "half_time", " points, the schedule "),
        (NBACOM, "lost_players", " minutes, 240 expected"),
        (NBACOM, "null_player", ".PLAYER_NAME is NoneType, wanted text"),
        (NBACOM, "player_twice", "two rows with the key "),
    ],
)
def test_one_game_that_is_wrong_is_found_and_the_others_are_sound(
    line: Line, at: tuple[str, str], kind: str, said: str
) -> None:
    row, _ = line.run(at, kind)
    assert row.outcome == "partial"
    assert (row.games_found, len(row.missing)) == (row.games_expected - 1, 1)
    assert said in row.message
    assert line.run(at)[0].outcome == "complete"


# Without the schedule the team that comes first in the alphabet would be the guest.
@pytest.mark.parametrize("day", [DAY, date(2025, 1, 2)], ids=["ORL@SAC", "SAS@POR"])
def test_neutral_site_leaves_every_game_its_sides(line: Line, day: date) -> None:
    _, games = line.run(SCHEDULE, day=day)
    row, rows = line.run(NBACOM, "neutral_site", day)
    at_home = {r["game_id"] for r in rows if r["matchup"].split()[1] == "vs."}
    assert (row.outcome, len(at_home)) == ("complete", len(games) - 1)
    sides = ("game_id", "away_tricode", "home_tricode")
    assert {tuple(map(r.get, sides)) for r in rows} == {tuple(map(g.get, sides)) for g in games}


def test_play_by_play_of_another_game_is_missing_and_says_whose_it_is(line: Line) -> None:
    _, games = line.run(SCHEDULE)
    row, _ = line.run(PLAYS, "another_game", path_contains=games[0]["game_id"])
    assert (row.outcome, row.games_found) == ("partial", row.games_expected - 1)
    assert "its body is of " in row.message


def test_names_as_bookmakers_write_them_have_the_same_keys_but_for_initials(line: Line) -> None:
    _, rows = line.run(PROPS)
    second = Line(sandbox=line.sandbox, sources=line.sources, folder=line.folder / "again")
    second.run(SCHEDULE)
    row, respelled = second.run(PROPS, "other_names")
    assert row.outcome == "complete"
    known = {row["player_key"] for row in rows}
    strange = {row["player_key"] for row in respelled} - known
    assert {len(key.split()[0]) for key in strange} == {1}
    assert any("," in row["player_name"] for row in respelled)


def test_file_in_its_old_form_gives_the_same_plays_without_coordinates(line: Line) -> None:
    _, rows = line.run(FILES)
    second = Line(sandbox=line.sandbox, sources=line.sources, folder=line.folder / "again")
    second.run(SCHEDULE)
    row, old = second.run(FILES, "old_form")
    assert (row.outcome, len(old)) == ("complete", len(rows))
    assert {each["original_x"] for each in old} == {None}


def test_file_in_its_present_form_has_its_teams_and_no_ids_in_names(line: Line) -> None:
    day = date(2026, 1, 15)
    line.run(SCHEDULE, day=day)
    row, rows = line.run(FILES, day=day)
    assert (row.outcome, {r["home_team"] for r in rows}) == (
        "complete",
        {r["home_tricode"] for r in rows},
    )
    assert [r["player_name"] for r in rows if "/" in (r["player_name"] or "")] == []
    assert {type(r["player_id"]) for r in rows if r["player_name"]} == {int}


@pytest.mark.parametrize(
    ("kind", "fewer", "listed"), [("cancelled", 1, 0), ("moved_game", 1, -1), ("undecided", 0, 2)]
)
def test_schedule_that_calls_off_moves_or_adds_games_expects_so_many(
    line: Line, kind: str, fewer: int, listed: int
) -> None:
    _, games = line.run(SCHEDULE)
    second = Line(sandbox=line.sandbox, sources=line.sources, folder=line.folder / "again")
    _, bent = second.run(SCHEDULE, kind, source="nba_stats")
    assert len(bent) == len(games) + listed
    due = [game for game in bent if game["counts"] and not game["postponed"]]
    assert len(due) == len(games) - fewer


def test_absent_file_is_one_of_its_date(sandbox: Sandbox, line: Line) -> None:
    _, games = line.run(SCHEDULE)
    first, second = (game["game_id"] for game in games[:2])
    sandbox.faults([{"kind": "absent", "path_contains": first}])
    path = "/static/json/liveData/playbyplay/playbyplay_{}.json"
    answers = [
        requests.get(sandbox.base("nba_cdn") + path.format(game), headers=BROWSER, timeout=10)
        for game in (first, second)
    ]
    sandbox.no_faults()
    assert [answer.status_code for answer in answers] == [403, 200]


def test_moved_game_stays_listed_with_the_moment_at_which_it_was_played(sandbox: Sandbox) -> None:
    url = f"{sandbox.base('balldontlie')}/v1/games?dates[]={DAY}"
    sandbox.faults([{"kind": "moved_game", "source": "balldontlie", "day": str(DAY)}])
    headers = {"Authorization": "sandbox-key"}
    moved, *others = requests.get(url, headers=headers, timeout=10).json()["data"]
    sandbox.no_faults()
    assert (moved["date"], moved["datetime"][:10]) == ("2025-01-15", "2025-02-13")
    assert {game["datetime"][:10] for game in others} <= {"2025-01-15", "2025-01-16"}


def test_moved_game_is_found_on_its_true_date_where_the_source_keeps_it(line: Line) -> None:
    first = date(2026, 1, 9)
    played = first + timedelta(days=28)
    for day in (first, played):
        line.run(SCHEDULE, "moved_game", day, struck=first, source="nba_stats")
    games = []
    for day, items in ((played, {"all", "from-2026-01-09"}), (first, {"all"})):
        row, rows = line.run(BALL_DONT_LIE, "moved_game", day, struck=first)
        assert (row.outcome, row.games_found) == ("complete", row.games_expected)
        files = {row["source_file"].rpartition("/")[2] for row in rows}
        assert {name.rpartition("-")[0] for name in files} == items
        games.append({row["game_id"] for row in rows})
    assert not games[0] & games[1]
