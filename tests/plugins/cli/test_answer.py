"""What all commands share: four forms of one answer, one line on an error, nothing beside them."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy.exc import OperationalError

from devstack.connections import postgres_fields
from include.errors import ErrorClass, Problem, Refused
from include.outcome import Outcome
from nba_airflow.cli.answer import Answer, Grid, Line, command
from nba_airflow.cli.errors import errors
from nba_airflow.cli.progress import track
from nba_airflow.cli.repair import repair
from nba_airflow.cli.status import status
from nba_airflow.metadata.database import START
from tests.plugins.cli.asking import DAY, Call, Said

# Airflow says on stdout that it is being tested, when it is first imported.
pytestmark = pytest.mark.usefixtures("sources")
NAME = "airflow nba test"


def answering(answer: Answer) -> Callable[[Namespace], None]:
    return command(NAME)(lambda args: answer)


ANSWER = Answer(
    text=[
        Line(text="[1 failed] [bold]not markup[/bold] :smile:", style="bold red"),
        Line(text="x" * 300),
        Grid(rows=[{"name": "[bold]", "state": Line(text="[1 failed]", style="red")}]),
    ],
    rows=[
        {"date": DAY, "print": "001234567890", "message": "bad key"},
        {"date": DAY, "print": "1e5", "message": ""},
    ],
    facts={
        "days": (DAY,),
        "at": {"first": datetime(2025, 1, 15, 10, tzinfo=UTC)},
        "none": None,
        "outcome": Outcome.PARTIAL,
    },
    code=1,
)
FACTS = {
    "days": ["2025-01-15"],
    "at": {"first": "2025-01-15T10:00:00+00:00"},
    "none": None,
    "outcome": "partial",
    "exit_code": 1,
}


def test_table_is_plain_where_there_is_no_terminal_and_never_read_as_markup(call: Call) -> None:
    said = call(answering(ANSWER))
    assert (said.code, said.err) == (1, "")
    assert [line.rstrip() for line in said.out.splitlines()] == [
        "[1 failed] [bold]not markup[/bold] :smile:",
        "x" * 300,
        "name   | state",
        "=======+===========",
        "[bold] | [1 failed]",
        "",
    ]


def test_plain_has_a_line_per_row_and_takes_nothing_for_a_number(call: Call) -> None:
    said = call(answering(ANSWER), output="plain")
    assert said == Said(
        code=1,
        out="date        print         message\n"
        "2025-01-15  001234567890  bad key\n"
        "2025-01-15  1e5\n",
        err="",
    )
    nothing = Answer(text=[], rows=[], facts={})
    assert call(answering(nothing), output="plain") == Said(code=0, out="", err="")


@pytest.mark.parametrize("asked", [{"json": True}, {"output": "json"}])
def test_json_is_one_object_with_dates_as_text_and_the_exit_code(
    call: Call, asked: dict[str, Any]
) -> None:
    said = call(answering(ANSWER), **asked)
    assert (said.code, said.facts, said.err) == (1, FACTS, "")


def test_yaml_is_the_same_object(call: Call) -> None:
    said = call(answering(ANSWER), output="yaml")
    assert (said.code, yaml.safe_load(said.out), said.err) == (1, FACTS, "")


def test_what_is_printed_meanwhile_is_not_part_of_the_answer(call: Call) -> None:
    @command(NAME)
    def noisy(args: Namespace) -> Answer:
        os.write(1, b"a warning of Airflow's\n")
        return Answer(text=[], rows=[], facts={})

    said = call(noisy, json=True)
    assert (said.facts, said.err) == ({"exit_code": 0}, "a warning of Airflow's\n")


def raising(error: BaseException) -> Callable[[Namespace], None]:
    @command(NAME)
    def fails(args: Namespace) -> Answer:
        raise error

    return fails


AIRFLOW_IS_AWAY = OperationalError("SELECT 1", {}, Exception("connection refused\n\tis it up?"))
SILENT = OperationalError("SELECT 1", {}, Exception(""))


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (Refused("nothing was started"), 2, "nothing was started"),
        (
            Problem(error_class=ErrorClass.STORAGE, message="the disk is full"),
            2,
            "storage: the disk is full",
        ),
        (
            AIRFLOW_IS_AWAY,
            2,
            f"storage: Airflow's database failed: connection refused: {START}",
        ),
        (SILENT, 2, f"storage: Airflow's database failed: Exception: {START}"),
        (KeyboardInterrupt(), 130, "stopped"),
    ],
)
def test_command_that_fails_says_why_on_one_line(
    call: Call, error: BaseException, code: int, said: str
) -> None:
    assert call(raising(error)) == Said(code=code, out="", err=f"{NAME}: {said}\n")


def test_progress_passes_everything_on_and_is_silent_where_there_is_no_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert list(track(iter("abc"), "letters", 3)) == ["a", "b", "c"]
    assert capfd.readouterr() == ("", "")


def test_long_work_says_how_far_it_is_where_there_is_no_terminal(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nba_airflow.cli.progress.SECONDS_A_LINE", 0.0)
    assert list(track(iter("ab"), "letters", 2)) == ["a", "b"]
    assert list(track(iter("a"), "letters")) == ["a"]
    assert capfd.readouterr() == ("", "1 of 2 letters\n2 of 2 letters\n1 letters\n")


@pytest.mark.parametrize(
    ("entry", "arguments"),
    [
        (status, {}),
        (errors, {}),
        (repair, {"ledger": True}),
        (repair, {"mails": True}),
        (repair, {"tables": True}),
    ],
)
@pytest.mark.usefixtures("stores")
def test_database_that_is_away_is_one_line_without_its_password(
    call: Call, monkeypatch: pytest.MonkeyPatch, entry: Any, arguments: dict[str, Any]
) -> None:
    away = postgres_fields("postgresql://nba:very-secret@127.0.0.1:1/ops")
    monkeypatch.setenv("AIRFLOW_CONN_OPS_DB", json.dumps(away))
    said = call(entry, **arguments)
    assert (said.code, said.out) == (2, "")
    (line,) = said.err.splitlines()
    assert line.startswith(
        f"airflow nba {entry.__name__}: storage: the operations database (ops_db) failed: "
    )
    assert "very-secret" not in line


@pytest.mark.usefixtures("stores", "our_dags")
def test_database_without_our_tables_is_one_line_with_the_repair(
    call: Call, monkeypatch: pytest.MonkeyPatch, postgres_dir: Path
) -> None:
    from devstack import postgres

    empty = postgres_fields(postgres.ensure_database(postgres_dir, "never_migrated"))
    monkeypatch.setenv("AIRFLOW_CONN_OPS_DB", json.dumps(empty))
    said = call(status)
    assert (said.code, said.out) == (2, "")
    (line,) = said.err.splitlines()
    assert line.endswith("bring its tables up to date: airflow nba repair --tables")
    assert call(repair, tables=True).out == "operations tables and warehouse: up to date\n"
    assert call(status, json=True).facts["batches"] == []


# --- the command line


def test_commands_are_registered_once_beside_airflows_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.cli import cli_config

    from nba_airflow.cli.commands import extend

    before = list(cli_config.core_commands)
    monkeypatch.setattr(cli_config, "core_commands", list(before))
    extend()
    extend()
    names = [each.name for each in cli_config.core_commands]
    assert names == [*(each.name for each in before if each.name != "nba"), "nba"]
    groups = {each.name: each for each in cli_config.core_commands}
    assert [each.name for each in groups["nba"].subcommands] == [
        "plan",
        "status",
        "errors",
        "gaps",
        "preflight",
        "release",
        "accept",
        "reconcile",
        "record",
        "reprocess",
        "repair",
        "resume",
        "copy-raw",
        "sql",
    ]
    dags = [each.name for each in groups["dags"].subcommands]
    assert dags.count("backfill") == 1
    assert {"list", "trigger", "unpause"} < set(dags)


def test_option_that_is_not_written_out_is_refused(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow's parser takes the beginning of a name for the name."""
    done = command("airflow dags backfill")(lambda args: ANSWER)
    words = [
        "airflow",
        "dags",
        "backfill",
        "bdl_box_scores",
        "-s",
        "2025-01-15",
        "-e",
        "2025-01-16",
    ]
    monkeypatch.setattr(sys, "argv", [*words, "--refe", "--dry-run"])
    assert call(done) == Said(
        code=2,
        out="",
        err="airflow dags backfill: no option --refe: write it out, --refetch\n",
    )
    monkeypatch.setattr(sys, "argv", [*words, "--reason=--", "--refetch", "--output", "json"])
    assert call(done).code == ANSWER.code


def test_every_command_can_be_asked_for_every_form_of_its_answer() -> None:
    from nba_airflow.cli.commands import ANSWERED, ARG_JSON, ARG_ROWS_OUTPUT, BACKFILL, NBA

    ours = [BACKFILL, *NBA.subcommands]
    assert [each.name for each in ours if not set(ANSWERED) <= set(each.args)] == ["sql"]
    assert {ARG_ROWS_OUTPUT, ARG_JSON} < set(ours[-1].args)  # which has one form more


def test_connection_that_airflow_warns_of_is_read_without_a_word(
    call: Call, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of Google's type for its ``_``, of the extra for its short value."""
    from airflow._shared.secrets_masker import SecretsMasker

    from nba_airflow.connections import connection

    monkeypatch.setattr(SecretsMasker, "_has_warned_short_secret", False)
    extra = {"keyfile_dict": {"client_id": "1"}}
    fields = {"conn_type": "google_cloud_platform", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_BIGDATABALL", json.dumps(fields))

    def read(_: Namespace) -> Answer:
        found = connection("bigdataball").extra_dejson
        return Answer(text=[Line(text=json.dumps(found))], rows=[], facts={})

    assert call(command(NAME)(read)) == Said(code=0, out=json.dumps(extra) + "\n", err="")
    assert caplog.messages == []
