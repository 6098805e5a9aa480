"""What every source in dags/ must keep. A new source brings a fixture and no test code.

Its fixture is a small invented body per endpoint, ``tests/fixtures/<dag_id>/<endpoint>.<day>.json``
(or ``.csv``); where the endpoint has a listing, or a truth with its own request,
``listing.<day>.json`` and ``truth.<day>.json`` too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from include.http.upstream import Upstream, prepare
from include.parsing.names import player_key
from include.sources.spec import (
    Endpoint,
    GameState,
    Get,
    Host,
    Item,
    Listing,
    ServiceAccount,
    Source,
)
from include.warehouse.local import LocalWarehouse
from include.warehouse.rows import sorted_rows
from tests.steps import one_date

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
FILES = sorted(path for path in FIXTURES.rglob("*") if path.is_file())
SPECS = sorted(
    path.stem for path in (ROOT / "dags").glob("*.py") if "SOURCE = " in path.read_text()
)

# Names that dashboards and queries rely on; a table may be added, never renamed.
CONTRACT = {
    ("bdl_box_scores", "box_scores"): "raw.bdl_box_scores",
    ("odds_api_props", "player_props"): "raw.odds_api_player_props",
    ("odds_api_props", "game_lines"): "raw.odds_api_game_lines",
    ("nbacom_box_scores", "box_scores"): "raw.nbacom_player_box_scores",
    ("nbacom_box_scores", "play_by_play"): "raw.nbacom_play_by_play",
    ("bigdataball_play_by_play", "play_by_play"): "raw.bigdataball_play_by_play",
    ("nbacom_schedule", "schedule"): "raw.nbacom_schedule",
}
_FILE_NAME = re.compile(r"(?P<name>\w+)\.(?P<day>\d{4}-\d\d-\d\d)\.(?:json|csv)")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")
_SECRETS = frozenset(
    {
        "apikey",
        "api_key",
        "key",
        "token",
        "access_token",
        "secret",
        "password",
        "authorization",
        "cookie",
    }
)


@pytest.fixture(params=SPECS)
def source(request: pytest.FixtureRequest, sources: dict[str, Source]) -> Source:
    assert request.param in sources, (
        f"dags/{request.param}.py: its dag_id must be {request.param}, like its file"
    )
    return sources[request.param]


def gets(endpoint: Endpoint) -> Iterator[Get]:
    """Everything that the endpoint asks."""
    yield endpoint.request
    if endpoint.listing:
        yield endpoint.listing
    if endpoint.truth and endpoint.truth.request:
        yield endpoint.truth.request


def host_of(source: Source, get: Get) -> Host:
    connection = get.connection or source.connection
    found = [host for host in source.hosts if host.connection == connection]
    assert len(found) == 1, (
        f"{source.dag_id}: {get.path} goes to {connection}, which is {len(found)} of its hosts"
    )
    return found[0]


# --- declarations


def test_every_source_file_is_named_like_its_dag(sources: dict[str, Source]) -> None:
    assert sorted(sources) == SPECS
    assert len(SPECS) >= 5, "the files in dags/ were not found"


def test_the_steps_are_tested_with_the_endpoint_that_dags_have(
    sources: dict[str, Source],
) -> None:
    """The steps' tests do without Airflow, which comes with the files in dags/."""
    assert sources["bdl_box_scores"].endpoints == (one_date.BOX_SCORES,)


def test_tables_are_those_of_the_contract_and_no_two_share_one(sources: dict[str, Source]) -> None:
    tables = {(s.dag_id, e.name): str(e.table) for s in sources.values() for e in s.endpoints}
    assert {key: tables.get(key) for key in CONTRACT} == CONTRACT
    assert [name for name, times in Counter(tables.values()).items() if times > 1] == []
    assert [name for name in tables.values() if not name.startswith("raw.")] == []


def test_sources_on_one_host_declare_it_alike(
    airflow_environment: None, sources: dict[str, Source]
) -> None:
    from nba_airflow.specs import hosts

    assert set(hosts()) == {host.connection for source in sources.values() for host in source.hosts}


def test_table_has_the_date_first_the_teams_and_its_key(source: Source) -> None:
    for endpoint in source.endpoints:
        table = endpoint.table
        names = [column.name for column in table.columns]
        assert (names[0], table.columns[0].type) == (
            "game_date",
            "DATE",
        ), f"{table}: game_date DATE comes first"
        assert len(set(names)) == len(names), f"{table} has a column twice"
        assert [name for name in names if not _IDENTIFIER.fullmatch(name)] == [], (
            f"{table}: lower_case names only"
        )
        # The audit counts the warehouse's rows per game by these, and every join is on them.
        assert {"game_id", "home_tricode", "away_tricode"} <= set(names), (
            f"{table} does not name the game's teams"
        )
        assert "source_file" not in names, f"{table}: the loader adds source_file"
        assert table.key, f"{table} has no key"
        assert set(table.key) <= set(names), f"{table}: its key has columns that it does not have"
        assert "player_key" not in names or "player_name" in names, f"{table}: whose player_key?"


def test_limits_are_positive_and_hosts_are_plain_addresses(source: Source) -> None:
    for host in source.hosts:
        assert host.windows, f"{host.connection} has no limit"
        assert all(window.limit > 0 and window.seconds > 0 for window in host.windows), (
            host.connection
        )
        assert host.seconds_per_request > 0, host.connection
        assert re.fullmatch(r"https://[a-z0-9.-]+", host.base_url), (
            f"{host.base_url}: no path, no key, no final slash"
        )
        assert _IDENTIFIER.fullmatch(host.connection), host.connection
        if host.credits:
            assert 0 <= host.credits.live_reserve < host.credits.monthly, (
                f"{host.connection}: nothing left to spend"
            )
    connections = [host.connection for host in source.hosts]
    assert len(set(connections)) == len(connections), f"{source.dag_id} declares a host twice"


def test_credits_are_counted_exactly_where_a_host_has_them(source: Source) -> None:
    for endpoint in source.endpoints:
        for get in gets(endpoint):
            assert (get.cost is not None) == (host_of(source, get).credits is not None), (
                f"{source.dag_id}: {get.path}"
            )


def test_key_is_never_a_parameter_or_a_header_of_the_spec(source: Source) -> None:
    for host in source.hosts:
        own = (
            set()
            if host.auth is None or isinstance(host.auth, ServiceAccount)
            else {host.auth.name.lower()}
        )
        named = [name for name in host.headers if name.lower() in _SECRETS | own]
        assert named == [], (
            f"{host.connection}: the connection's password is sent as {named}, not the spec's text"
        )
        for endpoint in source.endpoints:
            for get in gets(endpoint):
                named = [name for name in get.params if name.lower() in _SECRETS | own]
                assert named == [], (
                    f"{source.dag_id}: {get.path} has a key in its parameters {named}"
                )
                assert "?" not in get.path, (
                    f"{source.dag_id}: {get.path} has a query in its path: use params"
                )


def test_date_is_not_late_before_it_can_be_final(source: Source) -> None:
    for endpoint in source.endpoints:
        assert endpoint.available_after <= endpoint.late_after, f"{source.dag_id} {endpoint.name}"


def test_docstring_tells_the_operator_where_what_and_how_much(
    source: Source, sources: dict[str, Source]
) -> None:
    text = (ROOT / "dags" / f"{source.dag_id}.py").read_text()
    doc = text.split('"""')[1]
    assert doc.startswith("### "), (
        f"dags/{source.dag_id}.py: its docstring is its page in the UI, begin it with ### Title"
    )
    rows = dict(re.findall(r"^\| (\w[\w, ]*?) \| (.+) \|$", doc, re.MULTILINE))
    lacking = {"Reference", "Connection, pool", "Partition", "Limit"} - set(rows)
    assert not lacking, (
        f"dags/{source.dag_id}.py: its table has no row {', '.join(sorted(lacking))}"
    )
    assert [row for row in rows if row.startswith(("Requests", "Credits"))], (
        f"dags/{source.dag_id}.py: what does a date cost?"
    )
    unnamed = [
        host.connection
        for host in source.hosts
        if f"`{host.connection}`" not in rows["Connection, pool"]
    ]
    assert unnamed == [], f"dags/{source.dag_id}.py: connection {unnamed} is not in its docstring"
    unnamed = [str(e.table) for e in source.endpoints if f"`{e.table}`" not in doc]
    assert unnamed == [], f"dags/{source.dag_id}.py: table {unnamed} is not in its docstring"
    assert re.match(r"https://\S+$", rows["Reference"]), (
        f"dags/{source.dag_id}.py: Reference is one URL"
    )
    assert "Oddities:" in doc, (
        f"dags/{source.dag_id}.py: what surprised you about it? Say so under Oddities:"
    )


# --- fixtures


@dataclass(frozen=True, kw_only=True)
class Case:
    """An endpoint's body of a date."""

    source: Source
    endpoint: Endpoint
    day: date
    body: bytes

    def beside(self, name: str) -> list[bytes]:
        """The body of that name and date in the same folder, if there is one."""
        path = FIXTURES / self.source.dag_id / f"{name}.{self.day}.json"
        return [path.read_bytes()] if path.is_file() else []


def parts(path: Path) -> tuple[str, str, str]:
    """DAG id, name and day of a fixture."""
    named = _FILE_NAME.fullmatch(path.name)
    assert named, (
        f"{path.relative_to(ROOT)}: name it <endpoint>.<day>.json, listing.<day>.json or"
        " truth.<day>.json"
    )
    return path.parent.name, named["name"], named["day"]


BODIES = [path for path in FILES if path.name.split(".")[0] not in ("listing", "truth")]


@pytest.fixture(params=BODIES, ids=lambda path: f"{path.parent.name}-{path.name}")
def case(request: pytest.FixtureRequest, sources: dict[str, Source]) -> Case:
    dag_id, name, day = parts(request.param)
    source = sources[dag_id]
    return Case(
        source=source,
        endpoint=source.endpoint(name),
        day=date.fromisoformat(day),
        body=request.param.read_bytes(),
    )


def test_every_endpoint_has_a_fixture_and_every_fixture_an_endpoint(
    sources: dict[str, Source],
) -> None:
    wanted = {(s.dag_id, e.name) for s in sources.values() for e in s.endpoints}
    found = {parts(path)[:2] for path in BODIES}
    lacking = [
        f"tests/fixtures/{dag_id}/{name}.<day>.json" for dag_id, name in sorted(wanted - found)
    ]
    assert not lacking, f"add a small invented body: {', '.join(lacking)}"
    assert not found - wanted, f"no endpoint reads {sorted(found - wanted)}"
    days = {(dag_id, day) for dag_id, _, day in map(parts, BODIES)}
    assert [str(path) for path in FILES if (parts(path)[0], parts(path)[2]) not in days] == []


def test_rows_have_exactly_the_columns_of_their_table(case: Case) -> None:
    rows = list(case.endpoint.rows(case.body, case.day))
    assert rows, "the fixture gives no row"
    assert {frozenset(row) for row in rows} == {
        frozenset(column.name for column in case.endpoint.table.columns)
    }


def test_rows_have_the_types_of_their_table_and_a_unique_key(case: Case, tmp_path: Path) -> None:
    rows = [{**row, "source_file": "fixture"} for row in case.endpoint.rows(case.body, case.day)]
    warehouse = LocalWarehouse(tmp_path)
    assert warehouse.replace(case.endpoint.table, case.day, rows).rows == len(rows)
    assert warehouse.rows(case.endpoint.table, case.day) == sorted_rows(case.endpoint.table, rows)
    assert [
        row for row in rows if any(row[name] is None for name in ("game_date", "game_id"))
    ] == []


def test_rows_have_one_date_known_teams_and_the_folded_player(case: Case) -> None:
    for row in case.endpoint.rows(case.body, case.day):
        assert row["game_date"] == case.day
        assert re.fullmatch(r"[A-Z]{3}", row["home_tricode"])
        assert re.fullmatch(r"[A-Z]{3}", row["away_tricode"])
        if row.get("player_key"):
            assert row["player_key"] == player_key(row["player_name"])


def test_games_count_the_rows_that_the_body_gives(case: Case) -> None:
    games = list(case.endpoint.games(case.body, case.day))
    counted = Counter(
        f"{row['away_tricode']}@{row['home_tricode']}"
        for row in case.endpoint.rows(case.body, case.day)
    )
    assert {str(game): game.rows for game in games if game.rows} == counted
    assert {game.day for game in games} == {case.day}


def test_fixture_has_a_game_that_counts_as_data(case: Case) -> None:
    games = list(case.endpoint.games(case.body, case.day))
    assert [
        g
        for g in games
        if g.state in (GameState.FINAL, GameState.LISTED) and not g.problem and g.rows
    ]


def test_parsing_twice_gives_the_same(case: Case) -> None:
    for parse in (case.endpoint.rows, case.endpoint.games):
        assert list(parse(case.body, case.day)) == list(parse(case.body, case.day))


def test_games_of_the_body_are_in_the_sources_own_list(case: Case) -> None:
    truth = case.endpoint.truth
    if truth is None:
        return  # the schedule table is
    name = "truth" if truth.request else "listing"
    bodies = case.beside(name)
    assert bodies, (
        f"add tests/fixtures/{case.source.dag_id}/{name}.{case.day}.json, the source's list of that"
        " date"
    )
    listed = {game for body in bodies for game in truth.games(body, case.day)}
    assert set(case.endpoint.games(case.body, case.day)) <= listed


def test_items_fill_every_blank_of_the_request(case: Case) -> None:
    games = list(case.endpoint.games(case.body, case.day))
    bodies = case.beside("listing")
    wanted = (
        f"add tests/fixtures/{case.source.dag_id}/listing.{case.day}.json, what the listing says of"
        " that date"
    )
    assert bool(bodies) >= bool(case.endpoint.listing), wanted
    known = case.endpoint.items(Listing(day=case.day, expected=games, bodies=bodies))
    unknown = case.endpoint.items(Listing(day=case.day, expected=None, bodies=bodies))
    assert known, "nothing would be asked for the date, though it has games"
    for items in (known, unknown):
        assert len({item.name for item in items}) == len(items), "two items of one name"
        assert [item.name for item in items if "{" in filled(case, item)] == []


def filled(case: Case, item: Item) -> str:
    """The URL of an item's request, as it is logged; Problem where a blank stays empty."""
    host = host_of(case.source, case.endpoint.request)
    upstream = Upstream(
        name=host.connection,
        base_url=host.base_url,
        key="conformance-key",
        auth=host.auth,
        token=lambda: "conformance",
    )
    return prepare(upstream, case.endpoint.request, {"day": str(case.day), **item.values}).shown_url
