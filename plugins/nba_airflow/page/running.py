"""The backfills that are under way: JSON, which the page itself polls, and the same as HTML."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from include.guards.breaker import word_rules
from include.ops.stages import Stage
from include.outcome import Outcome
from include.wording import clipped, counted, dates, moment
from nba_airflow.guards import read_thresholds
from nba_airflow.page.access import DagIds, Readable, open_ledger, show
from nba_airflow.page.now import QUEUED, UNDER_WAY, Ended, Going, Now, Part, Wait, read_now
from nba_airflow.page.shared import Shared
from nba_airflow.under_way import word_ended

router = APIRouter(dependencies=Readable)

MAX_WHY = 300
REST = "see airflow nba status -o json"
LABELS: Mapping[str, str] = {
    "pause": "Pause",
    "unpause": "Resume",
    "resume": "Resume at once",
    "release": "Release",
    "cancel": "Cancel the backfill",
}
Row = tuple[str, str]
"""A label and what is said."""


def _read() -> Now:
    with open_ledger() as connection:
        return read_now(connection)


NOW = Shared(_read)


@router.get("/api/v1/running")
def get_running(user: GetUserDep, dag_ids: DagIds) -> dict[str, Any]:
    """What is under way, of the DAGs that the user may read: ``{"said", "batches": [...], "ended":
    [...]}``.

    A batch has the facts of `airflow nba status -o json` and ``outcomes`` (dates by outcome),
    ``waits``, ``stages``, and ``backfills`` of Airflow's with what holds them. It and each backfill
    have ``rows``, the same in words, and ``actions``: what the user may do, with the address that
    tells what it would take; none for a viewer.
    """
    now = NOW.get()
    going = [each for each in now.going if each.under_way.batch.dag_id in dag_ids]
    ended = [each for each in now.ended if each.dag_id in dag_ids]
    mine = _find_mine(user) if going or ended else set()
    return {
        "said": _word_all(going),
        "batches": [_tell(each, now.at, mine) for each in going],
        "ended": [_tell_ended(each, mine) for each in ended],
    }


@router.get("/running", response_class=HTMLResponse)
def show_running(
    request: Request, user: GetUserDep, dag_ids: DagIds, fresh: bool = False
) -> HTMLResponse:
    """The same as a page; ``fresh``: somebody has just acted."""
    if fresh:
        NOW.forget()
    return show(request, "running.html.j2", found=get_running(user, dag_ids))


def _find_mine(user: Any) -> set[str]:
    """The DAGs on which the user may act; Airflow decides again when they do."""
    return get_auth_manager().get_authorized_dag_ids(user=user, method="PUT")


def _word_all(going: Sequence[Going]) -> str:
    """What a screen reader says when it changes."""
    held = sum(part.paused for each in going for part in each.parts)
    said = [f"{counted(len(going), 'batch', 'batches')} under way"]
    return ", ".join([*said, *([f"{counted(held, 'backfill')} paused"] if held else [])])


def _tell(going: Going, at: datetime, mine: Collection[str]) -> dict[str, Any]:
    batch = going.under_way.batch
    acts = batch.dag_id in mine
    again = _offer_rerun(batch.dag_id, batch.batch_id, going.failed) if acts else []
    return {
        **going.under_way.facts(),
        "plan": {k: v for k, v in going.under_way.plan.items() if not isinstance(v, list | dict)},
        "title": word_ended(batch),
        "outcomes": dict(going.dates),
        "waits": [asdict(each) for each in going.waits],
        "stages": [_tell_stage(each) for each in going.stages],
        "warnings": going.warnings,
        "rows": [*_word_batch(going, at)],
        "backfills": [_tell_part(each, acts=acts) for each in going.parts],
        "actions": again,
    }


def _tell_stage(stage: Stage) -> dict[str, Any]:
    return {"stage": stage.stage, "dates": len(stage.days), "state": stage.state, "why": stage.why}


def _tell_part(part: Part, *, acts: bool) -> dict[str, Any]:
    offered = _choose_actions(part) if acts else []
    at = f"/api/v1/backfills/{part.backfill_id}/questions"
    return {
        "backfill_id": part.backfill_id,
        "paused": part.paused,
        "holds": [each.facts() for each in part.held],
        "breaker": asdict(part.breaker) if part.breaker else None,
        "title": _word_title(part),
        "rows": [*_word_part(part)],
        "actions": [{"label": LABELS[name], "ask": f"{at}/{name}"} for name in offered],
    }


def _word_title(part: Part) -> str:
    stage = f" ({part.stage})" * (part.stage != "whole")
    still = counted(part.ending, "date is", "dates are")
    ends = f": cancelled, {still} still ending" if part.ending else ""
    return f"Backfill {part.backfill_id}{stage}{ends}"


def _tell_ended(ended: Ended, mine: Collection[str]) -> dict[str, Any]:
    acts = ended.dag_id in mine
    return {
        **asdict(ended),
        "rows": [("Not done", f"{counted(len(ended.failed), 'date')}: {dates(ended.failed)}")],
        "actions": _offer_rerun(ended.dag_id, ended.batch_id, ended.failed) if acts else [],
    }


def _offer_rerun(dag_id: str, batch_id: str, failed: Sequence[Any]) -> list[dict[str, str]]:
    ask = f"/api/v1/dags/{dag_id}/batches/{quote(batch_id, safe='')}/questions/rerun"
    return [{"label": "Run unfinished dates again", "ask": ask}] if failed else []


def _choose_actions(part: Part) -> list[str]:
    """What can be done with the backfill as it stands. What quiet hours hold goes on by itself, and
    would be paused again; one that is over can be neither paused nor cancelled."""
    kinds = {each.kind for each in part.held}
    again = ["resume"] if part.breaker else []
    again += ["release"] if "preflight" in kinds else []
    if part.over:
        return again
    if part.paused and not again and "quiet hours" not in kinds:
        again.append("unpause")
    return [*again, *(["pause"] if not part.paused else []), "cancel"]


def _word_batch(going: Going, at: datetime) -> Iterator[Row]:
    under_way, order = going.under_way, [*map(str, Outcome), UNDER_WAY, QUEUED]
    shown = [f"{going.dates[name]} {_spaced(name)}" for name in order if name in going.dates]
    yield "Dates", ", ".join(shown)
    if pace := under_way.word_pace():
        yield "Pace", "; ".join(pace)
    if ends := _word_end(going, at):
        yield "Ends", ends
    if taken := under_way.word_taken():
        yield "Taken", "; ".join(taken)
    yield from (("Put off", _word_wait(each)) for each in going.waits)
    for stage in going.stages:
        if stage.state != "begun":
            why = f": {stage.why}" if stage.why else ""
            yield "Stages", f"{stage.stage} {dates(stage.days)}, {stage.state}{why}"
    yield from (("Look at", each) for each in going.warnings)


def _word_end(going: Going, at: datetime) -> str:
    """When it ends at its pace, against the plan."""
    pace, planned = going.under_way.pace, going.under_way.plan.get("ends_at")
    left = None if pace.by_plan else pace.seconds_left
    said = [f"about {moment(at + timedelta(seconds=left))}"] if left else []
    said += [f"planned {moment(datetime.fromisoformat(planned))}"] if planned else []
    return ", ".join([*(["held"] if going.under_way.held and said else []), *said])


def _word_wait(wait: Wait) -> str:
    until = f", until {moment(wait.first_until)}" if wait.first_until else ""
    if wait.last_until and wait.last_until != wait.first_until:
        until = f"{until} to {moment(wait.last_until)}"
    if 0 < wait.known < wait.dates:
        until = f"{until} (known of {wait.known})"
    many = counted(wait.dates, "date")
    return f"{many} {_spaced(wait.outcome)}{until}: {clipped(wait.why, MAX_WHY)}"


def _word_part(part: Part) -> Iterator[Row]:
    for each in part.held:
        if each.kind != "breaker":
            since = f" since {moment(each.since)}" if each.since else ""
            yield "Held", f"{each.kind}{since}: {clipped(each.why, MAX_WHY, REST)}"
    if breaker := part.breaker:
        since = f"since {moment(breaker.opened_at)}, {clipped(breaker.holds, MAX_WHY, REST)}"
        yield "Breaker", f"{since}; {counted(breaker.failed_probes, 'probe')} failed so far"
        yield "Its rules", "; ".join(word_rules(read_thresholds(breaker.dag_id)))


def _spaced(name: str) -> str:
    return name.replace("_", " ")
