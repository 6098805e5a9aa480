"""What a person can do about backfills: of each action a question that states what it takes, and
the actions that Airflow's API does not have. Pause and unpause are Airflow's own addresses.

Airflow decides who may: as for its own buttons on backfills and on tasks. Each action is a PUT,
which a page of another origin cannot send in a person's name without being allowed to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import (
    GetUserDep,
    requires_access_backfill,
    requires_access_dag,
)
from airflow.api_fastapi.logging.decorators import action_logging
from airflow.utils.session import create_session
from fastapi import APIRouter, Depends, HTTPException, Path, Request

from include.errors import Problem, Refused
from include.guards.plan_words import word_plan
from include.ops import backfills, stages
from include.ops.batches import name_backfill
from include.ops.db import COMMAND
from include.wording import counted, dates
from nba_airflow import going_on
from nba_airflow.check_begun import read_backfill
from nba_airflow.metadata.ledger import Away
from nba_airflow.metadata.unfinished import read_open_days
from nba_airflow.page import PREFIX
from nba_airflow.page.access import open_ledger
from nba_airflow.page.now import read_failed_days
from nba_airflow.page.running import NOW
from nba_airflow.planning import read_plan
from nba_airflow.reruns import Rerun, plan_rerun, start_rerun
from nba_airflow.specs import connections_of, dag_ids

if TYPE_CHECKING:
    import psycopg

router = APIRouter()

Action = Literal["pause", "unpause", "resume", "release", "cancel"]
OF_AIRFLOW = ("pause", "unpause")
OnBackfill = [Depends(requires_access_backfill("PUT"))]
OnTasks = [Depends(requires_access_dag("PUT", DagAccessEntity.TASK_INSTANCE))]
Noted = [Depends(action_logging())]
"""In Airflow's audit log."""
BackfillId = Annotated[int, Path(ge=0)]


@router.get("/api/v1/backfills/{backfill_id}/questions/{action}", dependencies=OnBackfill)
def ask_backfill(request: Request, backfill_id: BackfillId, action: Action) -> dict[str, Any]:
    """What the action would do and take: ``{"title", "lines", "method", "address"}``; the address
    is what is then asked, with that method."""
    made = _find(backfill_id)
    with create_session() as session:
        queued, running = read_open_days(session, backfill_id)
    root = request.scope["root_path"]
    ui = root.removesuffix(PREFIX)
    at = f"{ui}/api/v2" if action in OF_AIRFLOW else f"{root}/api/v1"
    with open_ledger() as ledger:
        to_come = _read_to_come(ledger, made)
    title, lines = _word(action, backfill_id, made.dag_id, queued, running)
    if to_come:
        lines.append(f"{_OF_STAGES[action]}: {counted(len(to_come), 'date')}, {dates(to_come)}")
    later = action in ("pause", "cancel")
    planned = sorted([*queued, *([] if later else running), *to_come])
    return {
        "title": title,
        "lines": [*lines, *_word_cost(made.dag_id, planned, later=later)],
        "method": "PUT",
        "address": f"{at}/backfills/{backfill_id}/{action}",
    }


@router.put("/api/v1/backfills/{backfill_id}/release", dependencies=[*Noted, *OnBackfill])
def release_backfill(backfill_id: BackfillId, user: GetUserDep) -> dict[str, Any]:
    """Lets it go on that its preflight holds: ``{"said"}``. 409: it does not."""
    _find(backfill_id)
    with open_ledger(COMMAND) as ledger:
        found = _refusing(lambda: going_on.release(ledger, backfill_id, user.get_name()))
    NOW.forget()
    others = f"it stays paused: {'; '.join(found.others)}"
    return {"said": "it goes on" if found.goes_on else others}


@router.put("/api/v1/backfills/{backfill_id}/cancel", dependencies=[*Noted, *OnBackfill])
def cancel_backfill(backfill_id: BackfillId, user: GetUserDep) -> dict[str, Any]:
    """As Airflow's own cancel, and no stage that was to come comes: ``{"said"}``. 409: the next is
    just being begun, or the backfill is over."""
    from airflow.api_fastapi.core_api.routes.public import backfills as of_airflow

    with open_ledger(COMMAND) as ledger:
        if not stages.lock(ledger):
            raise HTTPException(409, "stages are just being begun: ask again in a minute")
        made = _find(backfill_id)
        if made.completed_at:
            raise HTTPException(409, f"backfill {backfill_id} has ended: its cleared dates go on")
        left_out = _read_to_come(ledger, made)
        stages.leave_out(ledger, _find_batch(ledger, made), f"cancelled by {user.get_name()}")
        ledger.commit()
    with create_session() as session:
        of_airflow.cancel_backfill(backfill_id, session)
    NOW.forget()
    left = [f"{counted(len(left_out), 'date')} of stages to come left out"] if left_out else []
    return {"said": ", ".join([f"backfill {backfill_id} is cancelled", *left])}


@router.put("/api/v1/backfills/{backfill_id}/resume", dependencies=[*Noted, *OnBackfill])
def resume_backfill(backfill_id: BackfillId) -> dict[str, Any]:
    """As `airflow nba resume` with its DAG: ``{"said"}``."""
    dag_id = _find(backfill_id).dag_id
    names = connections_of(dag_id)
    with open_ledger(COMMAND) as ledger:
        found = _refusing(lambda: going_on.resume(ledger, names, [dag_id]))
        holds = backfills.read_holds(ledger, [backfill_id])
    NOW.forget()
    others = [hold.why for hold in holds if hold.over_at is None]
    said = [
        f"{counted(len(found.halted), 'breaker')} closed",
        f"{counted(len(found.lifted), 'pause')} lifted",
        f"{counted(found.woken, 'date')} woken",
    ]
    stays = [f"it stays paused: {'; '.join(others)}"] if others else []
    return {"said": "; ".join([", ".join(said), *stays])}


OF_BATCH = "/api/v1/dags/{dag_id}/batches/{batch_id}"


@router.get(f"{OF_BATCH}/questions/rerun", dependencies=OnTasks)
def ask_rerun(request: Request, dag_id: str, batch_id: str) -> dict[str, Any]:
    """As of a backfill, for its dates that have ended and are not done."""
    rerun = _refusing(lambda: _plan_rerun(dag_id, batch_id))
    refusal = [f"It would be refused: {rerun.refusal}"] if rerun.refusal else []
    lines = list(word_plan(rerun.plan)) if rerun.plan else [_NOTHING]
    address = OF_BATCH.format(dag_id=dag_id, batch_id=quote(batch_id, safe=""))
    return {
        "title": f"Run {counted(len(rerun.days), 'unfinished date')} of {dag_id} again?",
        "lines": [dates(rerun.days), *map(str.strip, lines), *_word_paused(rerun), *refusal],
        "method": "PUT",
        "address": f"{request.scope['root_path']}{address}/rerun?asked={rerun.mark}",
    }


@router.put(f"{OF_BATCH}/rerun", dependencies=[*Noted, *OnTasks])
def rerun_failed(dag_id: str, batch_id: str, user: GetUserDep, asked: str) -> dict[str, Any]:
    """Runs its dates again that have ended and are not done: ``{"said"}``. ``asked``: as the
    question's address has it. 409: there is none, the credits are not there, or others are not done
    since it was asked."""
    rerun = _refusing(lambda: _plan_rerun(dag_id, batch_id))
    if rerun.mark != asked:
        raise HTTPException(409, f"by now others are not done: {dates(rerun.days)}; ask again")
    _refusing(lambda: start_rerun(rerun, user.get_name()))
    NOW.forget()
    said = f"{counted(len(rerun.days), 'date')} run again: {dates(rerun.days)}"
    return {"said": "; ".join([said, *_word_paused(rerun)])}


def _word_paused(rerun: Rerun) -> list[str]:
    return [f"They stay queued until backfill {b} is resumed" for b in sorted(rerun.paused)]


_NOTHING = "no request is needed"


def _plan_rerun(dag_id: str, batch_id: str) -> Rerun:
    with open_ledger(COMMAND) as ledger:
        days = read_failed_days(ledger, dag_id, batch_id)
        return plan_rerun(ledger, dag_id, days)


def _find(backfill_id: int) -> Any:
    """Airflow's row of a backfill of ours that is under way, else as an answer of HTTP."""
    made = _refusing(lambda: read_backfill(backfill_id))
    if made.dag_id not in dag_ids():
        raise HTTPException(404, f"backfill {backfill_id} is not one of game dates")
    return made


def _read_to_come(ledger: psycopg.Connection[Any], made: Any) -> Sequence[date]:
    """The dates of the stages that are to come after this backfill."""
    batch_id = _find_batch(ledger, made)
    return sorted(stages.read_to_come(ledger, [batch_id]).get(batch_id, []))


def _find_batch(ledger: psycopg.Connection[Any], made: Any) -> str:
    noted = backfills.read(ledger, [made.id]).get(made.id)
    return noted.batch_id if noted else name_backfill(made.dag_id, made.id)


_OF_STAGES: Mapping[Action, str] = {
    "pause": "Of stages to come, left out unless it is resumed before it ends",
    "unpause": "Of stages to come",
    "resume": "Of stages to come",
    "release": "Of stages to come",
    "cancel": "Left out, of stages to come",
}


def _refusing(act: Any) -> Any:
    """What it returns; a refusal, or a ledger that is away, as an answer of HTTP."""
    try:
        return act()
    except Refused as refused:
        raise HTTPException(409, str(refused)) from None
    except Away as away:
        raise HTTPException(503, str(away)) from None


def _word(
    action: Action, backfill_id: int, dag_id: str, queued: Sequence[date], running: Sequence[date]
) -> tuple[str, list[str]]:
    """The question, and what becomes of its dates."""
    name = f"backfill {backfill_id} of {dag_id}"
    waits, goes = counted(len(queued), "date"), counted(len(running), "date")
    on = f"{goes} under way, {waits} not begun"
    return {
        "pause": (f"Pause {name}?", [f"Under way, and goes on: {goes}", f"Waits: {waits}"]),
        "unpause": (f"Resume {name}?", [on]),
        "resume": (
            f"Resume {name} at once?",
            [on, "Closes its breaker, and lifts pauses and cooldowns of its connections"],
        ),
        "release": (f"Release {name}?", [on, "What the preflight found stays as it is"]),
        "cancel": (
            f"Cancel {name}?",
            [f"Under way, and goes on: {goes}", f"Cancelled before they ran: {waits}"],
        ),
    }[action]


def _word_cost(dag_id: str, days: Sequence[date], *, later: bool) -> Iterator[str]:
    """What these dates take when they run, by the plan as it is made now. ``later``: the action
    keeps them from running."""
    if not days:
        yield "No date is left to run"
        return
    named = dates(days)
    yield f"Run later, these would take ({named}):" if later else f"{named} when they run:"
    try:
        plan = read_plan(dag_id, days, now=datetime.now(UTC))
    except Problem as problem:
        yield f"What they take cannot be told: {problem.message}"
        return
    yield from map(str.strip, word_plan(plan, later=later) if plan else [_NOTHING])
