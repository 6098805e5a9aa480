"""The documents, and each DAG's page in the UI, say what is there: tables, queries, flags,
outcomes, bounds, benchmarks, prices."""

from __future__ import annotations

import ast
import json
import re
import shlex
import tomllib
from argparse import ArgumentParser
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from devstack.bench.__main__ import BENCHES
from include.guards.needs import list_needs
from include.http.classify import MAX_RETRY_AFTER
from include.mail.alerts import REPEAT_INTERVAL
from include.ops.late_dates import GRACE
from include.ops.status import MAX_TRIES
from include.outcome import Outcome
from include.sources.odds_api import MAIN, PLAYER_MARKETS, REGIONS
from include.sources.spec import Source
from include.steps.attempt import ASK_AGAIN
from include.warehouse.local import LocalWarehouse
from include.warehouse.status import DATE_STATUS, DateStatus
from tests.devstack.test_readme import CODE, MADE, README, ROOT, code, paths

PAGES = {
    path.relative_to(ROOT).as_posix(): ast.get_docstring(ast.parse(path.read_text())) or ""
    for path in sorted((ROOT / "dags").glob("*.py"))
}
DOCUMENTS = {
    **{path.relative_to(ROOT).as_posix(): path.read_text() for path in ROOT.glob("docs/*.md")},
    **PAGES,
    "README.md": README,
}
ELSEWHERE = ("apache-airflow", "deployment", "registry.example.com")
"""What begins so is not a path: a chart, an object of a cluster, an image."""
OPERATE = DOCUMENTS["docs/operate.md"]
GLOSSARY, BENCHMARKS = DOCUMENTS["docs/glossary.md"], DOCUMENTS["docs/benchmarks.md"]
DAY = date(2025, 1, 15)


@pytest.fixture
def warehouse(sources: dict[str, Source], tmp_path: Path) -> LocalWarehouse:
    """Every table, without rows."""
    from nba_airflow.specs import tables

    found = LocalWarehouse(tmp_path)
    for table in tables():
        found.replace(table, DAY, [])
    status = DateStatus(
        table="raw.bdl_box_scores",
        day=DAY,
        outcome=Outcome.NO_GAMES,
        expected_from="",
        games_expected=0,
        games_found=0,
        missing=(),
        accepted=(),
        as_of=datetime(2025, 1, 16, tzinfo=UTC),
        source_file="",
    )
    found.replace_status(status)
    return found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_path_exists_or_is_made_by_running(name: str) -> None:
    beside = (ROOT / name).parent  # where links of a page in docs/ begin
    elsewhere = (*MADE, *ELSEWHERE)
    found = [path for path in paths(DOCUMENTS[name]) if path.split("/")[0] not in elsewhere]
    there = {path for path in found if (ROOT / path).exists() or (beside / path).exists()}
    assert [path for path in found if path not in there] == []


def test_every_page_is_listed_in_the_readme() -> None:
    pages = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/*.md")}
    assert pages - set(re.findall(r"\]\((docs/[\w-]+\.md)\)", README)) == set()


def test_every_table_exists(sources: dict[str, Source]) -> None:
    ours = (ROOT / "include" / "ops" / "tables.sql").read_text()
    known = {
        str(DATE_STATUS),
        *(str(each.table) for source in sources.values() for each in source.endpoints),
        *re.findall(r"CREATE TABLE (ops\.\w+)", ours),
    }
    named = {
        (name, table)
        for name, text in DOCUMENTS.items()
        for table in re.findall(r"\b(?:raw|ops)\.[a-z]\w+", code(text))
    }
    assert sorted(each for each in named if each[1] not in known) == []
    assert {table for _, table in named} >= {str(DATE_STATUS), "ops.outbox"}


def test_every_query_of_the_readme_is_answered(warehouse: LocalWarehouse) -> None:
    queries = re.findall(r'airflow nba sql "([^"]+)"', CODE)
    joins = re.findall(r"^\.\.\. (join .+)$", CODE, re.MULTILINE)
    queries += [f"select * from raw.bdl_box_scores b {join}" for join in joins]
    assert [warehouse.ask(query).num_rows for query in queries] == [0, 0, 0]


def test_the_five_questions_are_answered_by_every_view_and_table(warehouse: LocalWarehouse) -> None:
    page = DOCUMENTS["docs/analytics.md"]
    queries = re.findall(r"```sql\n(.+?)```", page, re.DOTALL)
    titles = re.findall(r"```sql\n.+?```\n\n\| (.+?) \|\n", page, re.DOTALL)
    assert [" | ".join(warehouse.ask(query).column_names) for query in queries] == titles
    assert len(queries) == 5
    named = set(re.findall(r"^\| `analytics\.(\w+)` \|", page, re.MULTILINE))
    assert named == {path.stem for path in (ROOT / "include/analytics/views").glob("*.sql")}


def test_every_flag_is_one_of_our_commands(airflow_environment: None) -> None:
    from nba_airflow.cli.commands import BACKFILL, NBA

    known = {
        flag for each in (BACKFILL, *NBA.subcommands) for arg in each.args for flag in arg.flags
    }
    spans = [span for text in DOCUMENTS.values() for span in re.findall(r"`(-[^`\n]*)`", text)]
    flags = {word for span in spans for word in span.split() if word.startswith("-")}
    assert flags - known == set()
    assert {"--refetch", "--dry-run", "-o"} <= flags


def test_every_nba_command_is_among_the_daily_tasks(airflow_environment: None) -> None:
    from nba_airflow.cli.commands import NBA

    tasks = README.partition("## Daily tasks")[2].partition("\n## ")[0]
    named = set(re.findall(r"airflow nba ([a-z-]+)", code(tasks)))
    assert named == {command.name for command in NBA.subcommands}
    assert 'make sql Q="' in code(tasks)


def test_every_outcome_is_explained_and_has_its_colour() -> None:
    colours = dict(re.findall(r"^\| `([a-z_]+)` \| .* \| (\w+) \|$", README, re.MULTILINE))
    expected = {each: "red" for each in Outcome if each is not Outcome.HALTED}
    expected |= {each: "green" for each in Outcome if each.done}
    expected |= {each: "deferred" for each in Outcome if each.waits}
    expected[Outcome.NOT_RUN] = "any"
    assert colours == {str(each): colour for each, colour in expected.items()}
    assert Counter(re.findall(r"^\* `([a-z_]+)`", GLOSSARY, re.MULTILINE)) == Counter(
        map(str, Outcome)
    )


def test_bounds_are_those_of_the_code() -> None:
    assert f"asked again every {ASK_AGAIN // timedelta(minutes=1)} minutes;" in README
    assert f"({Source(dag_id='', hosts=(), endpoints=()).fresh_by:%H:%M} US/Eastern on" in README
    assert (GRACE, "half an hour later" in README) == (timedelta(minutes=30), True)
    assert (REPEAT_INTERVAL, "one alert in four hours" in OPERATE) == (timedelta(hours=4), True)
    assert (MAX_RETRY_AFTER, "an hour at most" in GLOSSARY) == (3600.0, True)
    told = [name for name, text in DOCUMENTS.items() if f"newest {MAX_TRIES:,} tries" in text]
    assert sorted(told) == ["docs/benchmarks.md", "docs/metrics.md"]


def test_every_benchmark_is_in_the_table_and_has_its_numbers() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", BENCHMARKS, re.MULTILINE)
    assert rows == list(BENCHES)
    assert set(re.findall(r"ONLY=(\w+)", BENCHMARKS)) - {"name"} == set(BENCHES)


def test_price_of_a_season_is_that_of_the_plan(sources: dict[str, Source]) -> None:
    page = PAGES["dags/odds_api_props.py"]
    found = re.search(r"a season of ([\d,]+) games costs ([\d,]+) credits", page)
    assert found
    games, credits = (int(number.replace(",", "")) for number in found.groups())
    source = sources["odds_api_props"]
    props = replace(source, endpoints=(source.endpoint("player_props"),))
    assert list_needs(props, {DAY: games}).credits == credits + 1


def test_price_of_each_choice_is_that_of_the_plan(sources: dict[str, Source]) -> None:
    source = sources["odds_api_props"]
    assert source.choose
    head = re.search(r"Credits of a season: ([\d,]+) games on (\d+) dates", OPERATE)
    assert head
    games, dates = (int(number.replace(",", "")) for number in head.groups())
    season = {DAY + timedelta(days=n): 0 for n in range(dates)}
    season |= dict.fromkeys(season, 1) | {DAY: games - dates + 1}
    told = re.findall(r"^\| `(\{.*\})` \| ([\d,]+) \|$", OPERATE, re.MULTILINE)
    planned = {
        extra: list_needs(
            replace(source, endpoints=source.choose(json.loads(extra))), season
        ).credits
        for extra, _ in told
    }
    assert {extra: int(credits.replace(",", "")) for extra, credits in told} == planned
    assert len(told) == 5


def test_fields_of_a_choice_are_on_the_page(sources: dict[str, Source]) -> None:
    page = PAGES["dags/odds_api_props.py"]
    fields = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert fields == ["markets", "regions", "bookmakers", "game_lines"]
    assert f"`{' '.join(REGIONS)}`" in page
    assert f"`all` ({len(PLAYER_MARKETS)})" in page
    assert f"`main` ({', '.join(each.removeprefix('player_') for each in MAIN)})" in page


# --- the operators' guide

GUIDE = DOCUMENTS["docs/guide.md"]
TESTS = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", GUIDE)


def test_every_test_that_the_guide_names_exists() -> None:
    known = {
        (path, node.name)
        for path in {path for path, _ in TESTS}
        for node in ast.parse((ROOT / path).read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    assert [each for each in TESTS if each not in known] == []


def test_every_line_of_the_guide_has_its_test() -> None:
    rows = {
        title: [line for line in text.splitlines() if line.startswith("| ")][2:]
        for title, _, text in (part.partition("\n") for part in GUIDE.split("\n## ")[1:])
    }
    assert [row for found in rows.values() for row in found if "`tests/" not in row] == []
    assert {title: len(found) for title, found in rows.items()} == {
        "Before you start": 10,
        "Checklist before": 9,
        "Checklist during": 5,
        "Checklist after": 4,
        "The three ways to run one": 6,
        "Monitoring and validation": 4,
        "Common issues": 6,
        "Best practices": 5,
        "Golden rules": 7,
        "Red flags": 5,
        "What the guide has wrong": 10,
    }


def test_every_command_of_the_guide_is_one_that_the_parser_takes(
    parser: ArgumentParser,
) -> None:
    commands = re.findall(r"`airflow ([^`]+)`", GUIDE)
    for command in commands:
        assert parser.parse_args(shlex.split(command)).func
    assert {words.split()[1] for words in commands} == {
        *(
            "plan",
            "preflight",
            "status",
            "errors",
            "backfill",
            "reprocess",
            "sql",
            "gaps",
            "resume",
            "record",
        ),
    }


def test_changelog_begins_with_this_version() -> None:
    said = re.findall(r"(?m)^## ([\d.]+)", (ROOT / "CHANGELOG.md").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert said[0] == project["version"]
