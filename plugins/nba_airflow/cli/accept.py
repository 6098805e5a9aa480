"""`airflow nba accept`: what is wrong with a date and will stay so is accepted, with a reason; its
rerun is green then, and anything new is red again."""

from __future__ import annotations

import getpass
import re
from argparse import Namespace
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from include.checks.acceptance import list_wrong, read_judged
from include.errors import Refused
from include.partition import BadDay, Partition, eastern_day, parse_day
from include.reruns import word_rerun, word_resets
from include.storage.accepted import Acceptance, change_accepted, read_accepted
from include.wording import moment
from nba_airflow import connections
from nba_airflow.cli.answer import Answer, Line, Row, command, find_source

if TYPE_CHECKING:
    from include.storage.store import Store

_ADVICE = "Run it again, which asks for nothing that is there"


@command("airflow nba accept")
def accept(args: Namespace) -> Answer:
    """Writes beside the date's manifest; asks no upstream and touches no row: the rerun does."""
    store, partitions = connections.raw_store(), _find_partitions(args)
    if args.list:
        return _answer("accepted", _gather(partitions, lambda at: read_accepted(store, at)), ())
    day = partitions[0].day
    if args.undo:
        gone = _gather(partitions, lambda at: _undo(args, store, at))
        (reset,) = word_resets(args.dag_id, [day])  # its run is green
        return _answer("not accepted any more", gone, [f"{_ADVICE}: {reset}"])
    _check_words(args)
    found = _gather(partitions, lambda at: _accept(args, store, at))
    return _answer("accepted", found, [f"{_ADVICE}: {word_rerun(args.dag_id, [day])}"])


def _find_partitions(args: Namespace) -> list[Partition]:
    """The date of the endpoint that was named, or of all that the DAG has."""
    day, source = _read_day(args.date), find_source(args.dag_id)
    found = [
        Partition(dag_id=args.dag_id, endpoint=each.name, day=day)
        for each in source.endpoints
        if args.endpoint in (each.name, None)
    ]
    if not found:
        raise Refused(f"{args.dag_id} has no endpoint {args.endpoint!r}")
    return found


def _read_day(text: str) -> date:
    try:
        return parse_day(text)
    except BadDay as error:
        raise Refused(str(error)) from None


def _check_words(args: Namespace) -> None:
    if not args.reason.strip():
        raise Refused('say why it will stay so: --reason "..."')
    if bool(args.game) == args.missing:
        raise Refused("say what is accepted: --game AWAY@HOME, or --missing for all that is absent")
    if args.until and _read_day(args.until) < eastern_day(datetime.now(UTC)):
        raise Refused(f"--until {args.until} is over already")


def _accept(args: Namespace, store: Store, at: Partition) -> list[Acceptance]:
    """What is accepted from now on; the same with other words, where it was already."""
    manifest = read_judged(store, at)
    words = {
        "reason": args.reason.strip(),
        "by": getpass.getuser(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "until": args.until,
    }
    wrong = _meant(args, list_wrong(manifest) if manifest else ())
    new = [Acceptance(wrong=each, **words) for each in wrong]
    _replace(store, at, wrong, new)
    return new


def _undo(args: Namespace, store: Store, at: Partition) -> list[Acceptance]:
    """What is not accepted any more: of one game, of what is missing, or all."""
    there = {each.wrong: each for each in read_accepted(store, at)}
    gone = _meant(args, there)
    _replace(store, at, gone, [])
    return list(map(there.__getitem__, gone))


def _meant(args: Namespace, wrong: Iterable[str]) -> list[str]:
    """Of what is wrong that which the command line names; all of it where it names nothing."""
    pattern = {True: r"\S+ missing", False: ".*"}[args.missing]
    if args.game:
        pattern = re.escape(args.game.strip().upper()) + " .*"
    return list(filter(re.compile(pattern).fullmatch, wrong))


def _replace(
    store: Store, at: Partition, changed: Collection[str], new: Iterable[Acceptance]
) -> None:
    """Puts the new ones in place of those with these words."""
    if changed:
        change_accepted(
            store, at, lambda there: [*(each for each in there if each.wrong not in changed), *new]
        )


def _gather(partitions: Iterable[Partition], of: Any) -> list[Row]:
    """What ``of`` gives of each partition, as rows."""
    return [
        {"date": at.day, "endpoint": at.endpoint, **asdict(each)}
        for at in partitions
        for each in of(at)
    ]


def _word_when(row: Row) -> str:
    return moment(datetime.fromisoformat(str(row["at"])))


def _answer(done: str, rows: Sequence[Row], advice: Sequence[str]) -> Answer:
    """Each acceptance, and what to do next. Raises Refused where the words meant nothing."""
    if advice and not rows:
        raise Refused(
            "nothing of the kind is wrong with the date as it was counted: `airflow nba gaps` names"
            " what is, `--list` what was accepted"
        )
    said = "{done}: {date} {endpoint}: {wrong}: {reason} ({by}, {when})"
    text = [said.format(done=done, when=_word_when(row), **row) for row in rows]
    return Answer(
        text=[Line(text=each) for each in (*(text or ["nothing is accepted"]), *advice)],
        rows=rows,
        facts={done.replace(" ", "_"): rows, "advice": list(advice)},
    )
