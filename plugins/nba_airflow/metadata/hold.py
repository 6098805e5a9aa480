"""In the scheduler: which backfills are kept paused, in Airflow's own sense, and why: quiet hours,
an open breaker, a preflight. Looked at when one of their dates ends, and every five minutes.

Airflow's pause starts no run and ends none: the dates under way go on. What is written into our
tables comes first, Airflow's rows follow with Airflow's own transaction, and every look brings them
to what our tables say, so that a scheduler that dies in between changes nothing. A backfill that is
paused and has no row in ``ops.holds`` was paused by a person, and stays so.

Dates of a completed backfill that are cleared stay its runs, which Airflow starts only while it is
not paused (3.3.2): it is looked at as long as they are open, by what they themselves say.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from include.guards.breaker import Window
from include.guards.circuit import Facts, close, step
from include.guards.quiet_hours import next_open
from include.ops import backfills, batches, breakers
from include.ops.backfills import Hold, HoldKind
from include.ops.breakers import Breaker
from include.wording import moment
from nba_airflow.guards import IGNORE, knows_games, read_quiet_hours, read_thresholds
from nba_airflow.metadata.ledger import LEDGER
from nba_airflow.metadata.runs import ENDED, has_open_runs
from nba_airflow.metadata.summary_run import start_summary

if TYPE_CHECKING:
    import psycopg
    from airflow.models.backfill import Backfill
    from airflow.models.dagrun import DagRun
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Runs:
    """A backfill's runs by id: Airflow's state of those that have ended, in the order of their ends
    (the newest of them), and when they and those that are ``under_way`` were started; how many
    wait."""

    ended: Mapping[str, str]
    started: Mapping[str, datetime]
    under_way: Collection[str]
    waiting: int

    def since(self, moment: datetime | None) -> set[str]:
        """Those that were started then or later; none where there is no such moment."""
        first = moment or _NEVER
        return {run_id for run_id, started in self.started.items() if started >= first}


_NEVER = datetime.max.replace(tzinfo=UTC)
_EVER = datetime.min.replace(tzinfo=UTC)


def hold_new(backfill_id: int, session: Session) -> None:
    """A backfill has been made: in quiet hours none of its dates is started. Raises Away."""
    _look(session, read_backfill(session, backfill_id), datetime.now(UTC))


def note_end(dag_run: DagRun, session: Session) -> None:
    """A date has ended, perhaps of a backfill. Raises Away."""
    _look(session, read_backfill(session, dag_run.backfill_id or 0), datetime.now(UTC))


def hold_backfills(session: Session, now: datetime | None = None) -> None:
    """Looks at every backfill that is not over; forgets what held the others. Raises Away."""
    found = _read_backfills(session)
    with LEDGER.opened() as connection:
        breakers.forget(connection, [each.id for each in found])
        connection.commit()
    _look(session, found, now or datetime.now(UTC))


def resume_halted(session: Session, dag_ids: Collection[str]) -> list[Breaker]:
    """Closes the breakers of these DAGs, so that their backfills go on as they were; which.
    Raises Away."""
    now = datetime.now(UTC)
    with LEDGER.opened() as connection:
        halted = [b for b in breakers.read_not_closed(connection) if b.dag_id in dag_ids]
        for breaker in halted:
            breakers.write(connection, close(breaker, now))
        connection.commit()
    _look(session, _read_backfills(session), now, again=True)
    return halted


def _look(
    session: Session, found: Sequence[Backfill], now: datetime, *, again: bool = False
) -> None:
    for each in found:
        look = _Look(each, _read_runs(session, each), _list_changed(session))
        with LEDGER.opened(again=again) as connection:
            look.judge(connection, now)
            connection.commit()
        look.apply(session)


CHANGED = "nba_airflow: backfills whose pause was changed"


def _list_changed(session: Session) -> set[int]:
    """The backfills whose pause looks of the session's transaction have changed, for them to add
    to. None of it may ever be committed."""
    transaction = session.get_transaction()
    if session.info.get(CHANGED, (None, ()))[0] is not transaction:
        session.info[CHANGED] = (transaction, set())
    changed: set[int] = session.info[CHANGED][1]
    return changed


class _Look:
    """One backfill at one moment: first what our tables are to say, then what Airflow's row is."""

    def __init__(self, backfill: Backfill, runs: Runs, changed: set[int]) -> None:
        self.backfill, self.runs, self.changed = backfill, runs, changed
        self.dag_id = backfill.dag_id
        self.was_paused = bool(backfill.is_paused) or backfill.id in changed
        self.breaker = Breaker(backfill_id=backfill.id, dag_id=backfill.dag_id)
        self.held: Collection[HoldKind] = ()
        self.stops = False
        self.has_opened = False

    def judge(self, connection: psycopg.Connection[Any], now: datetime) -> None:
        """Writes how its breaker stands, and what holds it from now on. Does not commit.

        A cause is noted where the pause is, or will be, ours. One that is over is forgotten once
        Airflow's row shows that its backfill goes on, or something else holds it.
        """
        known = breakers.read(connection, self.backfill.id, self.dag_id)
        if known.opened_at < (self.backfill.completed_at or _EVER) and known.state != "closed":
            known = close(known, now)  # of what was completed; its dates run again
        holds = backfills.read_holds(connection, [self.backfill.id])
        held = [hold.kind for hold in holds]
        persons = self._is_paused_since(holds, known)
        quiet = self._word_quiet(connection, now)
        over = self.backfill.completed_at is not None
        otherwise = bool(quiet) or ("preflight" in held and not over)
        self._judge_breaker(connection, known, now, held=otherwise)
        self.stops = otherwise or self.breaker.state == "open"
        causes: dict[HoldKind, str] = {
            "quiet hours": quiet,
            "breaker": "" if persons else self.breaker.holds,
        }
        self.held = backfills.keep_holds(
            connection,
            self.backfill.id,
            causes,
            ours=not self.was_paused or (bool(held) and not persons),
            lift=not self.was_paused or persons or self.stops,
        )

    def _is_paused_since(self, holds: Sequence[Hold], known: Breaker) -> bool:
        """Whether a person has paused it after all that held it was over, or let a probe go, and
        before a look has seen that it goes on."""
        free = {hold.kind: hold.over_at for hold in holds}
        if "breaker" in free and known.probing_since:
            free["breaker"] = known.probing_since
        over = [each for each in free.values() if each]
        all_over = bool(holds) and len(over) == len(holds)
        its = self.was_paused and self.backfill.id not in self.changed
        return its and all_over and self.backfill.updated_at > max(over)

    def _word_quiet(self, connection: psycopg.Connection[Any], now: datetime) -> str:
        """Why the backfill is to leave its upstreams alone; empty where it has none. Dates of a
        completed one wait by themselves: each run's conf may say otherwise."""
        ignores = (self.backfill.dag_run_conf or {}).get(IGNORE, False)
        asks = _hosts(self.dag_id) != [] and not (ignores or self.backfill.completed_at)
        rules = read_quiet_hours(self.dag_id) if asks else None
        until = next_open(now, rules, knows_games(connection))
        return f"games are under way, until {moment(until)}" * (until > now)

    def _judge_breaker(
        self, connection: psycopg.Connection[Any], known: Breaker, now: datetime, *, held: bool
    ) -> None:
        most, hosts = read_thresholds(self.dag_id), _hosts(self.dag_id) or []
        ordered = backfills.read(connection, [self.backfill.id]).get(self.backfill.id)
        plan = (ordered and ordered.plan) or {}
        ended = breakers.read_ended(connection, self.dag_id, self.runs.ended)
        # A date that was under way when it was closed says nothing new.
        counting = self.runs.since(self._count_since(connection, known))
        probes = self.runs.since(known.probing_since)
        facts = Facts(
            window=Window(
                dates=[each for each in ended if each.run_id in counting][-most.window :],
                refusals=breakers.read_refusals(connection, hosts),
                planned=breakers.planned_seconds(plan),
            ),
            # A row that was written last before it opened has lost its pause with a scheduler.
            paused=self.was_paused or self.backfill.updated_at < known.opened_at,
            waiting=self.runs.waiting,
            max_active_runs=self.backfill.max_active_runs,
            probe=next((each for each in ended if each.run_id in probes), None),
            held=held,
        )
        self.breaker = step(known, facts, most, now)
        if self.breaker != known:
            breakers.write(connection, self.breaker)
            breakers.forget_refusals(connection, hosts, if_closed=self.breaker)
            log.info("the breaker of backfill %d is %s", self.backfill.id, self.breaker.state)
            self.has_opened = self.breaker.state == "open"

    def _count_since(self, connection: psycopg.Connection[Any], known: Breaker) -> datetime:
        """From when on dates that were started count: of a completed backfill those that run
        again, not what was reported of it before."""
        since, completed = known.counted_since or _EVER, self.backfill.completed_at
        if completed is None:
            return since
        reported = batches.read_closed_at(connection, self.dag_id, self.runs.started)
        return max(since, completed, reported or _EVER)

    def apply(self, session: Session) -> None:
        """Brings Airflow's row to it, with Airflow's transaction; a breaker that has opened is
        mailed at once."""
        if self.held and self.backfill.is_paused != self.stops:
            self.backfill.is_paused = self.stops
            self.changed.add(self.backfill.id)
        if self.breaker.max_active_runs:
            self.backfill.max_active_runs = self._places(self.breaker.max_active_runs)
        if self.has_opened:
            start_summary(
                f"breaker:{self.backfill.id}:{self.breaker.opened_at:%Y%m%dT%H%M%S}", session
            )

    def _places(self, before: int) -> int:
        """One for the probe beside those that were under way before it: Airflow starts no second
        one while it is taken."""
        others = {*self.runs.under_way} - self.runs.since(self.breaker.probing_since)
        return before if self.breaker.state == "closed" else max(1, len(others) + 1)


def _hosts(dag_id: str) -> list[str] | None:
    """The connections that the DAG's source asks; None where a file in dags/ is broken, so that
    they are not known."""
    from nba_airflow.specs import connections_of

    try:
        return connections_of(dag_id)
    except Exception:  # whatever somebody's file raises
        log.exception("which connections %s asks is not known", dag_id)
        return None


# --- Airflow's rows


def read_backfill(session: Session, backfill_id: int) -> Sequence[Backfill]:
    """The backfill, if it is one of game dates and not over, or dates of it run again."""
    from airflow.models.backfill import Backfill

    return _read_backfills(session, Backfill.id == backfill_id)


def _read_backfills(session: Session, *wanted: ColumnElement[bool]) -> Sequence[Backfill]:
    """Those of game dates that are not over, or whose dates run again."""
    from airflow.models.backfill import Backfill
    from airflow.models.dag import DagModel
    from sqlalchemy import or_, select

    from nba_airflow.metadata.register import TIMETABLES

    unfinished = or_(Backfill.completed_at.is_(None), has_open_runs())
    ours = (unfinished, DagModel.timetable_type.in_(TIMETABLES), *wanted)
    known = select(Backfill).join(DagModel, DagModel.dag_id == Backfill.dag_id).where(*ours)
    return session.scalars(known.order_by(Backfill.id)).all()


MAX_ENDED = 100
"""Of how many runs of a backfill, the newest that have ended, the ledger is asked."""


def _read_runs(session: Session, backfill: Backfill) -> Runs:
    """Its runs, also as this session has changed them and not written yet (Airflow's sessions do
    not write before they ask, 3.3.2). One that a person ended before it ran is left out."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import func, select

    mine = (DagRun.dag_id == backfill.dag_id, DagRun.backfill_id == backfill.id)
    started = select(DagRun.run_id, DagRun.state, DagRun.start_date, DagRun.end_date).where(
        *mine, DagRun.start_date.is_not(None)
    )
    newest = started.where(DagRun.state.in_(ENDED)).order_by(DagRun.end_date.desc().nulls_last())
    rows = [
        *session.execute(newest.limit(MAX_ENDED)),
        *session.execute(started.where(DagRun.state == "running")),
        *(run for run in session.dirty if isinstance(run, DagRun) and run.start_date),
    ]
    known = {row.run_id: row for row in rows}
    of_it = session.scalars(select(DagRun.run_id).where(*mine, DagRun.run_id.in_(known)))
    there = [known[run_id] for run_id in of_it]
    ended = sorted(
        (row for row in there if row.state in ENDED), key=lambda row: row.end_date or row.start_date
    )
    queued = select(func.count()).select_from(DagRun).where(*mine, DagRun.state == "queued")
    return Runs(
        ended={row.run_id: str(row.state) for row in ended},
        started={row.run_id: row.start_date for row in there},
        under_way=[row.run_id for row in there if row.state == "running"],
        waiting=session.scalar(queued) or 0,
    )
