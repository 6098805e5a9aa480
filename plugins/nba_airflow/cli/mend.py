"""`airflow nba repair DAG -s DATE -e DATE`: heals the gaps of a window, and asks for nothing that
is not needed: rows come from raw where it has the date, and only the other dates run."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from include.checks.gaps import Gap, find_gaps
from include.checks.lost import give_up_lost
from include.checks.standing import Fault
from include.errors import Refused
from include.ops.stages import Stage
from include.partition import DateRange, Partition, day_ranges
from include.reruns import word_backfill
from include.sources.spec import Source
from include.wording import counted, dates
from nba_airflow import connections
from nba_airflow.cli.answer import INTERRUPTED, Answer, Line, find_source
from nba_airflow.cli.gaps import list_due
from nba_airflow.cli.progress import track
from nba_airflow.cli.results import list_rows, word_groups
from nba_airflow.cli.window import parse_window
from nba_airflow.metadata import runs as metadata
from nba_airflow.metadata.runs import Run


@dataclass(frozen=True, kw_only=True)
class Mending:
    """``from_raw``: the gaps that are healed without a request; ``new`` dates get a run,
    ``cleared`` runs run again; ``under_way`` are dates that run already."""

    gaps: Sequence[Gap]
    from_raw: Sequence[Gap]
    new: Sequence[date]
    cleared: Sequence[Run]
    under_way: Sequence[date]

    @classmethod
    def of(cls, gaps: Sequence[Gap], runs: Mapping[date, Run]) -> Mending:
        """What heals the gaps: a date whose raw is not whole runs, all its endpoints with it."""
        asked = sorted({gap.day for gap in gaps if not gap.fault.healed_from_raw})
        there = [runs[day] for day in asked if day in runs]
        return cls(
            gaps=gaps,
            from_raw=[gap for gap in gaps if gap.day not in asked],
            new=[day for day in asked if day not in runs],
            cleared=[run for run in there if run.finished],
            under_way=[run.day for run in there if not run.finished],
        )

    @property
    def started(self) -> list[date]:
        """The dates that run because of the repair."""
        return sorted([*self.new, *(run.day for run in self.cleared)])

    def stages(self) -> list[Stage]:
        """A backfill for each range of new dates, so that no date between them runs; what runs
        again goes with the first."""
        ranges: list[Sequence[date]] = [each.days for each in day_ranges(self.new)] or [[]]
        cleared = [run.run_id for run in self.cleared]
        first = Stage(stage="repair", days=ranges[0], cleared=cleared)
        return [first, *(Stage(stage="repair", days=days) for days in ranges[1:])]

    def lines(self) -> Iterator[str]:
        """The plan as an operator reads it."""
        parts = {
            "made again of raw, without a request": [gap.day for gap in self.from_raw],
            "new": self.new,
            "run again": [run.day for run in self.cleared],
            "under way already": self.under_way,
        }
        yield from (f"  {what}: {dates({*days})}" for what, days in parts.items() if days)

    def facts(self) -> dict[str, object]:
        """The plan for -o json."""
        return {
            "from_raw": [{"date": gap.day, "endpoint": gap.endpoint} for gap in self.from_raw],
            "new": self.new,
            "cleared": [run.day for run in self.cleared],
            "under_way": self.under_way,
        }


def mend(args: Namespace) -> Answer:
    """Exit code 0: no gap is left. 1: some are. 2: refused. 130: Ctrl-C, what runs goes on."""
    from airflow.utils.session import create_session

    from nba_airflow.cli.stages import follow_stages

    now = datetime.now(UTC)
    window = parse_window(args.start_date, args.end_date, now)
    source = connections.chosen(find_source(args.dag_id))
    due = list_due(source, window, now)
    gaps = _find(source, due)
    with create_session() as session:
        planned = Mending.of(gaps, metadata.read_runs(args.dag_id, window, session))
    head = f"{args.dag_id}: {window}: {counted(len(gaps), 'gap')}"
    if args.dry_run or not gaps:
        return _answer(head, planned, gaps, code=0)
    _reprocess(source, planned.from_raw)
    if planned.started:
        batch_id = _run(args, source, window, planned)
        try:
            follow_stages(args.dag_id, window, planned.new, batch_id)
        except KeyboardInterrupt:
            return _interrupted(args.dag_id, window, planned)
    left = _find(source, due)
    return _answer(head, planned, left, code=int(bool(left)), healed=len(gaps) - len(left))


def _find(source: Source, due: Collection[tuple[str, date]]) -> list[Gap]:
    stores = connections.stores()
    found = find_gaps(source, due, stores.raw, stores.warehouse)
    return [gap for gap in track(found, "endpoints' dates", len(due)) if gap]


def _reprocess(source: Source, gaps: Sequence[Gap]) -> None:
    """Makes the dates' rows again, whatever comes of one: what is left is told at the end."""
    from include.ops.session import Session
    from include.steps.reprocess_dates import reprocess_date

    stores, days = connections.stores(), sorted({gap.day for gap in gaps})
    with Session(connections.ops_url()) as session:
        for day in track(days, "dates made again of raw", len(days)):
            reprocess_date(source, day, stores, session)


def _run(args: Namespace, source: Source, window: DateRange, planned: Mending) -> str:
    """Starts what is needed as one order; its batch."""
    from airflow.utils.session import create_session

    with create_session() as session:
        metadata.check_dag(args.dag_id, window, session, unpause=False)
        if planned.new and metadata.find_active_backfill(args.dag_id, session):
            raise Refused(f"{args.dag_id} has a running backfill: repair it when that has ended")
    for gap in planned.gaps:
        if gap.fault is Fault.DAMAGED_RAW:
            at = Partition(dag_id=source.dag_id, endpoint=gap.endpoint, day=gap.day)
            give_up_lost(connections.stores().raw, at)
    return _start(args, planned)


def _start(args: Namespace, planned: Mending) -> str:
    from airflow.utils.platform import getuser

    from nba_airflow.fingerprints import read_fingerprint
    from nba_airflow.orders import Order, start
    from nba_airflow.planning import read_plan

    # Runs of whole dates in between are not touched; those that run again do so as a whole.
    now = datetime.now(UTC)
    plan = read_plan(args.dag_id, planned.started, now=now, reruns=True)
    options = {"max_active_runs": 32, "run_backwards": False, "refetch": False}
    order = Order(
        dag_id=args.dag_id,
        started_by=getuser(),
        reason=args.reason or "repair",
        options={**options, "reset_dagruns": True, "conf": None},
        plan=plan.facts() if plan else None,
        fingerprint=read_fingerprint(args.dag_id),
    )
    return start(order, planned.stages())


def _interrupted(dag_id: str, window: DateRange, planned: Mending) -> Answer:
    attach = word_backfill(dag_id, window, "--attach")
    said = f"Not following any more; {dates(planned.started)} go on. Follow them again:"
    return Answer(
        text=[Line(text=said), Line(text=attach)],
        rows=list_rows(planned.gaps),
        facts={**planned.facts(), "detached": True, "attach": attach},
        code=INTERRUPTED,
    )


def _answer(
    head: str, planned: Mending, left: Sequence[Gap], *, code: int, healed: int | None = None
) -> Answer:
    said = "" if healed is None else f"{counted(healed, 'gap')} healed, {len(left)} left"
    text = [head, *planned.lines(), *filter(None, [said]), *word_groups(left)]
    gaps = [{"date": gap.day, "endpoint": gap.endpoint, "fault": gap.fault} for gap in left]
    return Answer(
        text=[Line(text=each) for each in text],
        rows=list_rows(left),
        facts={**planned.facts(), "gaps": gaps, "healed": healed},
        code=code,
    )
