"""Registers `airflow dags backfill` and `airflow nba`; imports nothing heavy, every `airflow`
command pays for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.cli import cli_config
from airflow.cli.cli_config import (
    ARG_OUTPUT,
    ActionCommand,
    Arg,
    GroupCommand,
    lazy_load_command,
)

from nba_airflow.cli.completion import DagId


def _arg(*flags: str, **options: Any) -> Arg:
    return Arg(flags, **options)  # type: ignore[no-untyped-call]  # Airflow's own has no types


ARG_DAG_ID = _arg("dag_id", action=DagId, help="The DAG of a source, for example bdl_box_scores")
ARG_START = _arg(
    "-s", "--start-date", required=True, help="First US/Eastern game date, YYYY-MM-DD, included"
)
ARG_END = _arg(
    "-e", "--end-date", required=True, help="Last US/Eastern game date, YYYY-MM-DD, included"
)
ARG_DRY_RUN = _arg("-n", "--dry-run", action="store_true", help="Show the plan and change nothing")
ARG_RERUN_FAILED = _arg(
    "--rerun-failed-tasks",
    action="store_true",
    help=(
        "Also clear the failed tasks of the window's runs, so that they run again in their own runs"
    ),
)
ARG_RESET = _arg(
    "--reset-dagruns",
    action="store_true",
    help="Also clear every task of the window's finished runs",
)
ARG_BACKWARDS = _arg("-B", "--run-backwards", action="store_true", help="Newest date first")
ARG_REFETCH = _arg(
    "--refetch",
    action="store_true",
    help=(
        "Ask the upstream again for every date of the window, also finished ones (as"
        " --reset-dagruns), and say what it has corrected since"
    ),
)
ARG_CONF = _arg(
    "-c", "--conf", help="JSON object, the conf of the runs that are created or cleared"
)
ARG_YES = _arg("-y", "--yes", action="store_true", help="Do not ask before clearing")
ARG_MAX_ACTIVE = _arg(
    "--max-active-runs", type=int, default=32, help="Dates at work at a time (default 32)"
)
ARG_DETACH = _arg("--detach", action="store_true", help="Return once the backfill is created")
ARG_ATTACH = _arg(
    "--attach", action="store_true", help="Follow this DAG's running backfill; create nothing"
)
ARG_UNPAUSE = _arg("--unpause", action="store_true", help="Unpause the DAG first if it is paused")
ARG_RAMP = _arg(
    "--ramp",
    action="store_true",
    help="Run 3 dates, then a week, then the rest, each only if the one before was clean",
)
ARG_SKIP_CANARY = _arg(
    "--skip-canary",
    action="store_true",
    help="Start more than 7 dates at once with code and configuration that had no good run yet",
)
ARG_IGNORE_QUIET_HOURS = _arg(
    "--ignore-quiet-hours",
    action="store_true",
    help="Go on while games are under way (18:00 to 23:00 US/Pacific on dates with games)",
)
ARG_REASON = _arg("--reason", default="", help="Why the backfill is made; kept in its record")
ARG_SPREAD = _arg(
    "--spread",
    action="store_true",
    help="Start also what needs more credits than there are now: it waits for the others",
)
ARG_ANNOUNCE = _arg(
    "--announce",
    action="store_true",
    help="Tell the team of begin, every tenth part and end, by the notifiers of NBA_ANNOUNCE",
)
ARG_JSON = _arg("--json", action="store_true", help="Short for -o json")
ANSWERED = (ARG_OUTPUT, ARG_JSON)

BACKFILL = ActionCommand(
    name="backfill",
    help="Run a DAG over a range of game dates and follow it until the end",
    description=(
        "Creates Airflow's own backfill for the dates of the window that have no run yet (both ends"
        " included, US/Eastern game dates) and follows it. Ctrl-C stops following, not the"
        " backfill. Exit code 0: every date is complete, has no games or was accepted. 1: some date"
        " is not. 2: nothing was done, the message says why. 130: Ctrl-C, the backfill goes on."
    ),
    func=lazy_load_command("nba_airflow.cli.backfill.backfill"),
    args=(
        ARG_DAG_ID,
        ARG_START,
        ARG_END,
        ARG_DRY_RUN,
        ARG_RERUN_FAILED,
        ARG_RESET,
        ARG_REFETCH,
        ARG_BACKWARDS,
        ARG_CONF,
        ARG_YES,
        ARG_MAX_ACTIVE,
        ARG_DETACH,
        ARG_ATTACH,
        ARG_UNPAUSE,
        ARG_SPREAD,
        ARG_RAMP,
        ARG_SKIP_CANARY,
        ARG_IGNORE_QUIET_HOURS,
        ARG_REASON,
        ARG_ANNOUNCE,
        *ANSWERED,
    ),
)


ARG_WATCH = _arg(
    "--watch", action="store_true", help="Show it anew until no batch is under way, or Ctrl-C"
)
ARG_HOURS = _arg(
    "hours", nargs="?", default="24", metavar="HOURS", help="How far to look back (default 24)"
)
ARG_TABLES = _arg(
    "--tables",
    action="store_true",
    help="Create or update the operations tables and the warehouse's; safe to repeat",
)
ARG_LEDGER = _arg(
    "--ledger",
    action="store_true",
    help="Rebuild lost outcomes from raw manifests and warehouse",
)
ARG_MAILS = _arg("--mails", action="store_true", help="Make the mails that were given up due again")
ARG_DAG_ID_OR_ALL = _arg(
    "dag_id",
    action=DagId,
    nargs="?",
    help="The DAG whose gaps are healed; with --ledger, all by default",
)
ARG_REPAIR_START = _arg("-s", "--start-date", help="First US/Eastern game date, YYYY-MM-DD")
ARG_REPAIR_END = _arg("-e", "--end-date", help="Last US/Eastern game date, YYYY-MM-DD")
REPAIRING = (ARG_DAG_ID_OR_ALL, ARG_REPAIR_START, ARG_REPAIR_END, ARG_DRY_RUN, ARG_REASON)

ARG_BACKFILL_ID = _arg("backfill_id", metavar="ID", help="The number of Airflow's backfill")
ARG_NAME = _arg(
    "name", action=DagId, metavar="CONNECTION|DAG", help="For example nba_stats or bdl_box_scores"
)

ARG_SQL = _arg(
    "sql",
    nargs="?",
    metavar="SQL",
    help='For example "select * from raw.bdl_box_scores limit 5"; without it: the tables',
)
ARG_ROWS_OUTPUT = _arg(
    "-o",
    "--output",
    help="Output format. Allowed values: json, yaml, plain, csv, table (default: table)",
    metavar="(table, csv, json, yaml, plain)",
    choices=("table", "csv", "json", "yaml", "plain"),
    default="table",
)

ARG_TO = _arg(
    "--to", required=True, metavar="URL", help="gs://bucket/prefix or file:///absolute/folder"
)

ARG_UPDATE = _arg(
    "--update",
    action="store_true",
    help="Replace what has changed since it was copied: manifests, pointers, acceptances",
)
ARG_DATE = _arg("date", help="US/Eastern game date, YYYY-MM-DD")
ARG_ENDPOINT = _arg("--endpoint", help="Only this endpoint of the DAG (default: all)")
ARG_GAME = _arg(
    "--game", metavar="AWAY@HOME", default="", help="The game that is missing or not sound"
)
ARG_MISSING = _arg("--missing", action="store_true", help="All games that are missing of the date")
ARG_WHY = _arg("--reason", default="", help="Why it will stay so; shown with the date")
ARG_UNTIL = _arg(
    "--until", default="", help="The last US/Eastern date on which it is accepted (default: ever)"
)
ARG_UNDO = _arg("--undo", action="store_true", help="Accept it (or, without a game, all) no more")
ARG_LIST = _arg("--list", action="store_true", help="Show what is accepted of the date")
ACCEPTING = (ARG_GAME, ARG_MISSING, ARG_WHY, ARG_UNTIL, ARG_UNDO, ARG_LIST)

NBA = GroupCommand(
    name="nba",
    help="Look after the NBA backfills",
    subcommands=(
        ActionCommand(
            name="plan",
            help="What a backfill of a window would take: requests, credits, money, time",
            description=(
                "Reads schedule, raw store, ledger and limits; asks no upstream, changes nothing."
                " Dates that are complete are left out. Exit code 0: it could be started. 2: it"
                " would be refused, and why."
            ),
            func=lazy_load_command("nba_airflow.cli.plan.plan"),
            args=(ARG_DAG_ID, ARG_START, ARG_END, ARG_SPREAD, *ANSWERED),
        ),
        ActionCommand(
            name="status",
            help=(
                "Batches under way, mails that were not sent, limits and credits, dates by outcome"
            ),
            description=(
                "Exit code 0: all is well. 1: something needs a person, the last lines say what. 2:"
                " it cannot be told. --watch shows it anew until no batch is under way, or Ctrl-C."
            ),
            func=lazy_load_command("nba_airflow.cli.status.status"),
            args=(ARG_WATCH, *ANSWERED),
        ),
        ActionCommand(
            name="errors",
            help="What failed lately, grouped by cause",
            func=lazy_load_command("nba_airflow.cli.errors.errors"),
            args=(ARG_HOURS, *ANSWERED),
        ),
        ActionCommand(
            name="gaps",
            help="Dates of a window that are not done, by schedule, raw store and warehouse",
            description=(
                "Exit code 0: nothing is missing. 1: something is. 2: nothing was looked at, and"
                " why."
            ),
            func=lazy_load_command("nba_airflow.cli.gaps.gaps"),
            args=(ARG_DAG_ID, ARG_START, ARG_END, *ANSWERED),
        ),
        ActionCommand(
            name="preflight",
            help="Look for all that would keep a backfill from going well; start nothing",
            description=(
                "Asks each upstream once, for nothing that costs. Exit code 0: nothing failed,"
                " there may be warnings. 1: something failed, and no backfill would be started. 2:"
                " nothing was looked at, and why."
            ),
            func=lazy_load_command("nba_airflow.cli.preflight.preflight"),
            args=(ARG_DAG_ID, ARG_START, ARG_END, *ANSWERED),
        ),
        ActionCommand(
            name="release",
            help="Let a backfill go on that its preflight holds",
            func=lazy_load_command("nba_airflow.cli.release.release"),
            args=(ARG_BACKFILL_ID, *ANSWERED),
        ),
        ActionCommand(
            name="accept",
            help="Accept what is wrong with a date and will stay so",
            description=(
                "The date's rerun is green then, asks for nothing, and loads the accepted game's"
                " rows where there are any. Bound to what is wrong now: anything new is red again."
            ),
            func=lazy_load_command("nba_airflow.cli.accept.accept"),
            args=(ARG_DAG_ID, ARG_DATE, ARG_ENDPOINT, *ACCEPTING, *ANSWERED),
        ),
        ActionCommand(
            name="reconcile",
            help="Compare Ball Don't Lie's and NBA.com's box scores, player by player",
            description=(
                "Points, rebounds, assists and minutes of every player of the window. Exit code 0:"
                " the sources agree. 1: something differs, or only one has a player."
            ),
            func=lazy_load_command("nba_airflow.cli.reconcile.reconcile"),
            args=(ARG_START, ARG_END, *ANSWERED),
        ),
        ActionCommand(
            name="record",
            help="Write the records of a window's backfills anew, from our tables",
            description=(
                "Each backfill that has ended writes its record by itself, and whatever runs its"
                " dates again adds to it. The lessons that people have written are kept."
            ),
            func=lazy_load_command("nba_airflow.cli.record.record"),
            args=(ARG_DAG_ID, ARG_START, ARG_END, *ANSWERED),
        ),
        ActionCommand(
            name="reprocess",
            help="Make a DAG's tables again from raw, without a request to any upstream",
            description=(
                "Each date of the window that raw has is parsed, loaded and counted again, and what"
                " differs from the rows before is listed. Exit code 0: all are whole. 1: some date"
                " is not. Interrupted, run it again."
            ),
            func=lazy_load_command("nba_airflow.cli.reprocess.reprocess"),
            args=(ARG_DAG_ID, ARG_START, ARG_END, *ANSWERED),
        ),
        ActionCommand(
            name="repair",
            help="Heal the gaps of a DAG's dates; or bring our tables, ledger and mails up to date",
            description=(
                "DAG -s DATE -e DATE: rows are made again where raw has the date, and only the"
                " other dates run. Exit code 0: no gap is left. 1: some are. 2: nothing was done."
            ),
            func=lazy_load_command("nba_airflow.cli.repair.repair"),
            args=(*REPAIRING, ARG_TABLES, ARG_LEDGER, ARG_MAILS, *ANSWERED),
        ),
        ActionCommand(
            name="resume",
            help="Lift pauses and cooldowns, and let halted backfills go on",
            description=(
                "Lifts what holds requests of a connection back (or of all connections of a DAG)"
                " and lets the dates go on that wait for it, and the backfills that were halted."
                " The declared limits are kept."
            ),
            func=lazy_load_command("nba_airflow.cli.resume.resume"),
            args=(ARG_NAME, *ANSWERED),
        ),
        ActionCommand(
            name="copy-raw",
            help="Copy the raw store into another, for example into a bucket",
            description=(
                "May be stopped and begun again, and run beside backfills: what is there already is"
                " not written again. Exit code 0: all is there. 1: the other store has other bytes"
                " by the name of some object, which it keeps."
            ),
            func=lazy_load_command("nba_airflow.cli.copy_raw.copy_raw"),
            args=(ARG_TO, ARG_UPDATE, *ANSWERED),
        ),
        ActionCommand(
            name="sql",
            help="Read the warehouse: one query, which changes nothing; times are in UTC",
            func=lazy_load_command("nba_airflow.cli.sql.sql"),
            args=(ARG_SQL, ARG_ROWS_OUTPUT, ARG_JSON),
        ),
    ),
)


def extend() -> None:
    """Adds group `nba`, and `backfill` to the group `dags`: a second group of that name would break
    the whole CLI."""
    others = [command for command in cli_config.core_commands if command.name != NBA.name]
    if not any(isinstance(command, GroupCommand) and command.name == "dags" for command in others):
        raise LookupError("this Airflow has no `dags` command group")
    cli_config.core_commands[:] = [*map(_with_backfill, others), NBA]


def _with_backfill(command: ActionCommand | GroupCommand) -> ActionCommand | GroupCommand:
    if not isinstance(command, GroupCommand) or command.name != "dags":
        return command
    others = [each for each in command.subcommands if each.name != BACKFILL.name]
    return command._replace(subcommands=[*others, BACKFILL])


def list_options(words: Sequence[str]) -> list[str]:
    """The long options of one of our commands, such as ``nba``, ``status``."""
    ours = {("dags", BACKFILL.name): BACKFILL}
    ours |= {(NBA.name, each.name): each for each in NBA.subcommands}
    flags = (flag for arg in ours[words[0], words[1]].args for flag in arg.flags)
    return ["--help", *(flag for flag in flags if flag.startswith("--"))]
