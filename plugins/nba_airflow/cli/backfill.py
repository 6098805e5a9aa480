"""The command itself: from arguments to an exit code that tells the truth."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from typing import Any

from include.errors import Problem
from include.partition import DateRange
from include.reruns import backfill_command
from include.storage.refetch import refetch_moment
from include.wording import counted, dates
from nba_airflow.cli.window import Refused, parse_window
from nba_airflow.metadata import runs as metadata

DETACHED = 130  # as for any command that Ctrl-C ended


def backfill(args: Namespace) -> None:
    """Entry of `airflow dags backfill`. Exits 0 (every date done), 1 (some are not), 2 (refused) or
    130 (detached)."""
    try:
        code = _run(args)
    except (Refused, Problem) as error:
        print(f"airflow dags backfill: {error}", file=sys.stderr)
        code = 2
    sys.exit(code)


def _run(args: Namespace) -> int:
    from airflow.utils.session import create_session
    from rich.console import Console

    began = datetime.now(UTC)
    window = parse_window(args.start_date, args.end_date, began)
    conf = _conf(args.conf)
    if args.refetch:
        if args.attach:
            raise Refused(
                "--attach starts nothing, so nothing would be fetched again: leave --refetch out"
            )
        conf = {**(conf or {}), "refetch": True}
    if conf and "refetch" in conf:
        try:
            moment = refetch_moment(conf["refetch"], run_began=began)
            conf = {**conf, "refetch": moment.isoformat() if moment else False}
        except ValueError as error:
            raise Refused(f"--conf: {error}") from None
    console = Console(stderr=args.json, highlight=False)
    with create_session() as session:
        metadata.check_dag(args.dag_id, window, session, unpause=args.unpause)
        active = metadata.active_backfill(args.dag_id, session)
        if active and not args.attach:
            raise Refused(
                f"{args.dag_id} has a running backfill (id {active.id},"
                f" {active.from_date:%Y-%m-%d}..{active.to_date:%Y-%m-%d}): wait, cancel it in the"
                " UI, or follow it with --attach"
            )
        before = metadata.runs_of(args.dag_id, window, session)
    plan = _Plan(args, window, before, refetch=bool(conf and conf.get("refetch")))
    console.print(plan.text(), soft_wrap=True)
    if args.dry_run:
        return _answer(args, {"plan": plan.facts()}, 0)
    if plan.cleared and not args.yes and not _agreed(plan):
        raise Refused("nothing was cleared and nothing was started")
    lacking = [] if args.attach else _start(args, window, plan, conf)
    if lacking:
        console.print(
            f"Airflow made no run for {dates(lacking)}; the other dates are running", soft_wrap=True
        )
    if args.detach:
        console.print(f"Started. Follow it: {_attach(args, window)}", soft_wrap=True)
        return _answer(args, {"plan": plan.facts(), "detached": True}, 0)
    return _follow(
        args, window, plan, console, since=None if args.attach else began, lacking=lacking
    )


def _conf(text: str | None) -> Mapping[str, Any] | None:
    if not text:
        return None
    try:
        conf = json.loads(text)
    except ValueError as error:
        raise Refused(
            f'--conf is not JSON ({error}): write it like \'{{"note": "trial"}}\''
        ) from None
    if not isinstance(conf, dict):
        raise Refused('--conf must be a JSON object, like \'{"note": "trial"}\'')
    return conf


class _Plan:
    """What the command is about to do with each date of the window."""

    def __init__(
        self,
        args: Namespace,
        window: DateRange,
        runs: Mapping[date, metadata.Run],
        *,
        refetch: bool,
    ) -> None:
        self.dag_id, self.window, self.runs = args.dag_id, window, runs
        self.new = [] if args.attach else [day for day in window.days if day not in runs]
        failed = [r for r in runs.values() if r.state == "failed"]
        ended = [r for r in runs.values() if r.finished]
        whole = args.reset_dagruns or args.refetch
        self.cleared = (
            [] if args.attach else ended if whole else failed if args.rerun_failed_tasks else []
        )
        self.only_failed = not whole
        self.refetch = refetch
        self.left_red = [] if self.cleared or args.attach else failed

    @property
    def under_way(self) -> bool:
        """Whether a date of the window runs or is about to, so that a mail will come."""
        return bool(self.new or self.cleared) or any(not run.finished for run in self.runs.values())

    def text(self) -> str:
        """The plan as the operator reads it, one fact a line."""
        kept = len(self.runs) - len(self.cleared)
        total = counted(len(self.window.days), "date")
        lines = [f"{self.dag_id}: {self.window}, {total} (US/Eastern, both ends included)"]
        lines.append(
            f"  {len(self.new)} new, {len(self.cleared)} to run again, {kept} that have a run are"
            " left alone"
        )
        if self.refetch:
            asked = counted(len(self.new) + len(self.cleared), "date")
            lines.append(f"  refetch: the upstream is asked again for {asked}")
        if self.left_red:
            lines.append(
                f"  of those, {len(self.left_red)} failed ({dates(r.day for r in self.left_red)}):"
                " --rerun-failed-tasks runs them again"
            )
        return "\n".join(lines)

    def facts(self) -> dict[str, Any]:
        """The plan for --json."""
        return {
            "dag_id": self.dag_id,
            "first": str(self.window.first),
            "last": str(self.window.last),
            "dates": len(self.window.days),
            "new": [str(day) for day in self.new],
            "cleared": sorted(str(run.day) for run in self.cleared),
            "refetch": self.refetch,
        }


def _agreed(plan: _Plan) -> bool:
    if not sys.stdin.isatty():
        raise Refused(f"{len(plan.cleared)} finished dates would run again: confirm with -y")
    return input(f"Run {len(plan.cleared)} finished dates again? [y/N] ").strip().lower() in (
        "y",
        "yes",
    )


def _start(
    args: Namespace, window: DateRange, plan: _Plan, conf: Mapping[str, Any] | None
) -> list[date]:
    """Creates and clears the plan's runs; the dates for which Airflow made none."""
    from airflow.utils.session import create_session

    lacking = []
    if plan.new:
        metadata.create(
            args.dag_id,
            window,
            max_active_runs=args.max_active_runs,
            backwards=args.run_backwards,
            conf=conf,
        )
        with create_session() as session:
            there = metadata.runs_of(args.dag_id, window, session)
        lacking = [day for day in plan.new if day not in there]
    if plan.cleared:
        with create_session() as session:
            metadata.clear(
                args.dag_id,
                [run.run_id for run in plan.cleared],
                session,
                only_failed=plan.only_failed,
                conf=conf,
            )
    return lacking


def _follow(
    args: Namespace,
    window: DateRange,
    plan: _Plan,
    console: Any,
    *,
    since: datetime | None,
    lacking: Collection[date],
) -> int:
    from airflow.utils.session import create_session

    from nba_airflow.cli.follow import follow
    from nba_airflow.cli.verdict import verdict

    def read() -> Mapping[date, metadata.Run]:
        with create_session() as session:
            return metadata.runs_of(args.dag_id, window, session)

    tracked = [day for day in window.days if day in {*plan.new, *plan.runs} - {*lacking}]
    try:
        ended = follow(read, tracked, console)
        found = verdict(args.dag_id, window, ended, since=since, mail_wanted=plan.under_way)
    except KeyboardInterrupt:
        console.print("\nNot following any more; the backfill goes on. Follow it again:")
        console.print(_attach(args, window), soft_wrap=True)
        return DETACHED
    console.print(found.text(), soft_wrap=True)
    if plan.refetch and not found.corrections and found.all_done:
        console.print("No upstream corrections were found.")
    return _answer(args, {"plan": plan.facts(), **found.facts()}, 0 if found.all_done else 1)


def _attach(args: Namespace, window: DateRange) -> str:
    return backfill_command(args.dag_id, window, "--attach")


def _answer(args: Namespace, facts: Mapping[str, Any], code: int) -> int:
    if args.json:
        print(json.dumps({**facts, "exit_code": code}))
    return code
