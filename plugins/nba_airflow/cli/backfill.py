"""`airflow dags backfill`: from arguments to an exit code that tells the truth."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from include.errors import Refused
from include.guards.plan import Plan
from include.guards.plan_words import refuse, word_plan
from include.guards.preflight import Finding, Start, failures
from include.ops.judgment import judge
from include.ops.outcomes import read_newest
from include.ops.stages import Stage
from include.partition import DateRange
from include.reruns import word_backfill
from include.storage.refetch import refetch_moment
from nba_airflow.announce import check_announce
from nba_airflow.cli.answer import (
    INTERRUPTED,
    Answer,
    Line,
    command,
    connect_ops,
)
from nba_airflow.cli.interrupt import held_interrupts
from nba_airflow.cli.preflight import check, refuse_unfit, word
from nba_airflow.cli.progress import track
from nba_airflow.cli.selection import Selection
from nba_airflow.cli.stages import choose_stages, find_waiting, follow_stages, word_stages
from nba_airflow.cli.window import parse_window
from nba_airflow.fingerprints import read_fingerprint
from nba_airflow.guards import IGNORE
from nba_airflow.metadata import runs as metadata
from nba_airflow.orders import Order, start
from nba_airflow.planning import read_plan

NOTED = (
    *("max_active_runs", "run_backwards", "refetch", "rerun_failed_tasks", "reset_dagruns"),
    *("spread", "ramp", "skip_canary", "announce", "ignore_quiet_hours"),
)
"""The options that change what is done."""


@command("airflow dags backfill")
def backfill(args: Namespace) -> Answer:
    """Exit code 0: every date is done. 1: some are not. 2: refused. 130: Ctrl-C, it goes on."""
    began = datetime.now(UTC)
    window = parse_window(args.start_date, args.end_date, began)
    check_announce(args.announce)
    conf = _conf(args, began)
    selection = _select(args, window, refetch=bool(conf and conf.get("refetch")))
    plan = _plan(selection, began, conf or {}, runs=args.max_active_runs)
    refusal = refuse(plan, spread=args.spread) if plan else ""
    order = _order(args, selection, plan, conf)
    planned = choose_stages(args, selection, order.fingerprint)
    found = _look(args, window, selection, plan)
    if args.dry_run:
        return _dry_run(selection, planned, plan, refusal, found)
    _say(*_describe(selection, planned, plan), *word(found))
    refuse_unfit(found)
    if refusal:
        raise Refused(refusal)
    if selection.cleared and not args.yes:
        _agree(len(selection.cleared))
    with held_interrupts() as interrupted:
        batch_id = _start(args, selection, order, planned)
    if args.detach:
        return _detached(args, window, selection, "Started. Follow it:")
    try:
        if interrupted:
            raise KeyboardInterrupt
        return _follow(args, window, selection, batch_id)
    except KeyboardInterrupt:
        said = "Not following any more; the backfill goes on. Follow it again:"
        return _detached(args, window, selection, said, code=INTERRUPTED)


def _plan(
    selection: Selection, began: datetime, conf: Mapping[str, Any], *, runs: int
) -> Plan | None:
    """What the dates that start now take; None where nothing does, and of a DAG without a
    source."""
    refetched = began if selection.refetch else None
    return read_plan(
        selection.dag_id,
        selection.started,
        now=began,
        refetched=refetched,
        reruns=True,
        quiet=not conf.get(IGNORE),
        runs=runs,
        watch=track,
    )


def _describe(selection: Selection, planned: Sequence[Stage], plan: Plan | None) -> list[str]:
    """What will be done with which dates, in which stages, and what it takes."""
    return [*selection.lines(), *word_stages(planned), *(word_plan(plan) if plan else ())]


def _look(
    args: Namespace, window: DateRange, selection: Selection, plan: Plan | None
) -> list[Finding]:
    """What the preflight finds, where anything would be started."""
    if not selection.started:
        return []
    again, unpause = not selection.new, args.unpause
    asked = Start(dag_id=args.dag_id, window=window, again=again, unpause=unpause, plan=plan)
    return check(replace(asked, ours=True))


def _dry_run(
    selection: Selection,
    planned: Sequence[Stage],
    plan: Plan | None,
    refusal: str,
    found: Sequence[Finding],
) -> Answer:
    """The plan and the preflight; exit code 2 where it would be refused."""
    text = [*_describe(selection, planned, plan), *word(found)]
    if refusal:
        text.append(f"It would be refused: {refusal}")
    return Answer(
        text=[Line(text=each) for each in text],
        rows=selection.rows(),
        facts={
            "selection": selection.facts(),
            "plan": plan.facts() if plan else None,
            "stages": [{"stage": each.stage, "days": [*each.days]} for each in planned],
            "refusal": refusal,
            "preflight": [each.facts() for each in found],
        },
        code=2 if refusal or failures(found) else 0,
    )


def _conf(args: Namespace, began: datetime) -> Mapping[str, Any] | None:
    """What the runs are given; an order to fetch again has its moment in it. Raises Refused."""
    if args.refetch and args.attach:
        raise Refused(
            "--attach starts nothing, so nothing would be fetched again: leave --refetch out"
        )
    conf = _parsed(args.conf)
    conf |= {IGNORE: True} if args.ignore_quiet_hours else {}
    if args.refetch:
        conf["refetch"] = True
    if "refetch" in conf:
        try:
            moment = refetch_moment(conf["refetch"], run_began=began)
        except ValueError as error:
            raise Refused(f"--conf: {error}") from None
        conf["refetch"] = moment.isoformat() if moment else False
    return conf or None


def _parsed(text: str | None) -> dict[str, Any]:
    if not text:
        return {}
    try:
        conf = json.loads(text)
    except ValueError as error:
        raise Refused(
            f'--conf is not JSON ({error}): write it like \'{{"note": "trial"}}\''
        ) from None
    if not isinstance(conf, dict):
        raise Refused('--conf must be a JSON object, like \'{"note": "trial"}\'')
    return conf


def _select(args: Namespace, window: DateRange, *, refetch: bool) -> Selection:
    """What is to be done with each date. Raises Refused where the DAG cannot be backfilled now."""
    from airflow.utils.session import create_session

    if args.max_active_runs < 1:
        raise Refused("--max-active-runs must be at least 1, else no date would ever start")
    with create_session() as session:
        metadata.check_dag(args.dag_id, window, session, unpause=args.unpause)
        active = metadata.find_active_backfill(args.dag_id, session)
        there = metadata.read_runs(args.dag_id, window, session)
    if args.attach and not there:
        _check_known(args.dag_id, window)
    selection = Selection.of(
        args.dag_id,
        window,
        there,
        attach=args.attach,
        rerun_failed=args.rerun_failed_tasks,
        reset=args.reset_dagruns or args.refetch,
        refetch=refetch,
        not_done=_read_not_done(args.dag_id, there) if args.rerun_failed_tasks else (),
    )
    if selection.new and active:
        raise Refused(_word_active(args.dag_id, active))
    return selection


def _check_known(dag_id: str, window: DateRange) -> None:
    """Raises Refused where no date of the window is to come or was ever tried: Airflow's rows of
    what was are deleted some day, the ledger's are not."""
    with connect_ops() as ledger:
        tried = read_newest(ledger, dag_id, window.days)
        waiting = find_waiting(ledger, dag_id, window)
    if not tried and not waiting:
        raise Refused(
            f"no backfill of {dag_id} is under way, and no date of {window} was ever tried: leave"
            " --attach out to start them"
        )


def _read_not_done(dag_id: str, runs: Mapping[date, metadata.Run]) -> set[date]:
    """The dates that are not done by the ledger, also those whose run somebody has marked good."""
    from nba_airflow.specs import endpoint_names

    with connect_ops() as connection:
        found = judge(connection, dag_id, list(runs.values()), endpoint_names(dag_id))
    return {result.day for result in found.results if not result.outcome.done}


def _word_active(dag_id: str, active: Any) -> str:
    """Why no date of the DAG can be added: Airflow has one backfill of a DAG at a time. What it has
    runs for already can run again meanwhile."""
    of = DateRange(active.from_date.date(), active.to_date.date())
    attach = word_backfill(dag_id, of, "--attach")
    if active.is_paused:
        return (
            f"{dag_id} has a paused backfill (id {active.id}, {of}): go on with it or cancel it in"
            f" the UI; to follow it: {attach}"
        )
    return (
        f"{dag_id} has a running backfill (id {active.id}, {of}): wait, or cancel it in the UI; to"
        f" follow it: {attach}"
    )


def _agree(count: int) -> None:
    """Asks the operator; raises Refused without a yes."""
    if not sys.stdin.isatty():
        raise Refused(f"{count} finished dates would run again: confirm with -y")
    print(f"Run {count} finished dates again? [y/N] ", end="", file=sys.stderr, flush=True)
    if input().strip().lower() not in ("y", "yes"):
        raise Refused("nothing was cleared and nothing was started")


def _start(args: Namespace, selection: Selection, order: Order, planned: Sequence[Stage]) -> str:
    """Starts what is planned; the id of the order's batch. The DAG is unpaused last: a refusal
    changes nothing."""
    from airflow.utils.session import create_session

    batch_id = ""
    if selection.new or selection.cleared:
        batch_id = start(order, planned)
    if args.unpause:
        with create_session() as session:
            metadata.unpause(args.dag_id, session)
    return batch_id


def _order(
    args: Namespace, selection: Selection, plan: Plan | None, conf: Mapping[str, Any] | None
) -> Order:
    """What is noted of the order."""
    from airflow.utils.platform import getuser

    return Order(
        dag_id=args.dag_id,
        started_by=getuser(),
        reason=args.reason,
        options={**{name: getattr(args, name) for name in NOTED}, "conf": conf},
        plan=plan.facts() if plan else None,
        fingerprint=read_fingerprint(args.dag_id) if selection.new else "",
    )


def _follow(args: Namespace, window: DateRange, selection: Selection, batch_id: str) -> Answer:
    """Waits until every date has ended, or a stage was not clean; then how they ended."""
    from nba_airflow.cli.verdict import reach_verdict

    if not selection.under_way:
        _say("  no date of it is under way now: this is how they ended")
    ended = follow_stages(args.dag_id, window, selection.new, batch_id)
    found = reach_verdict(args.dag_id, window, ended.runs, awaited=selection.under_way)
    text = [*ended.lines(), *found.lines()]
    if selection.refetch and not found.corrections and found.all_done:
        text.append("No upstream corrections were found.")
    return Answer(
        text=[Line(text=each) for each in text],
        rows=found.rows(),
        facts={"selection": selection.facts(), "left_out": ended.left_out, **found.facts()},
        code=0 if found.all_done else 1,
    )


def _detached(
    args: Namespace, window: DateRange, selection: Selection, said: str, *, code: int = 0
) -> Answer:
    attach = word_backfill(args.dag_id, window, "--attach")
    return Answer(
        text=[Line(text=said), Line(text=attach)],
        rows=selection.rows(),
        facts={"selection": selection.facts(), "detached": True, "attach": attach},
        code=code,
    )


def _say(*lines: str) -> None:
    """What an operator reads while it goes on; standard output is for the answer."""
    for line in lines:
        print(line, file=sys.stderr)
