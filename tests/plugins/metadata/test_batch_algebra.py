"""Whatever events are lost, whenever sweeps come and the scheduler is killed: mail, verdict and
status say what Airflow's rows and the ledger say. Airflow's functions and tables are real."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from email.message import EmailMessage

import pytest

from include.outcome import Outcome
from include.partition import DateRange
from tests.plugins.running import DAG, Airflow, Killed, transaction

FIRST = date(2024, 11, 1)
DATES = 7
SEEDS = 200
SEEDS_AT_ONCE = 20
"""Seeds that are tried in every run of the fast tests: a second each."""
A_TEST = 10
"""Seeds that one test tries on one database."""


@dataclass
class Season:
    """One backfill under one seed, and what was done with it: ``said`` is what each date's run has
    written last, ``cancelled`` are dates that never started."""

    airflow: Airflow
    rng: random.Random
    window: DateRange
    said: dict[date, str] = field(default_factory=dict)
    cancelled: set[date] = field(default_factory=set)
    done: Counter[str] = field(default_factory=Counter)

    def run(self) -> None:
        """A failed, a partial and a cleared run, some of any kind, and two that never start, in any
        order that Airflow knows; the run that ends last is heard, or is not."""
        failed, partial, cleared, other, last, *never = self.window.days
        backfill = self.airflow.backfill(self.window)
        wanted = {failed: "failed", partial: "partial", cleared: self._any(), other: self._any()}
        self._event("start", last)
        lives = [[("start", day), (outcome, day)] for day, outcome in wanted.items()]
        lives[2] += [("clear", cleared), ("start", cleared), (self._any(), cleared)]
        lives.append([("cancel", last)])
        while lives := [life for life in lives if life]:
            what, day = self.rng.choice(lives).pop(0)
            if what == "cancel" and not self._ran(wanted, cleared):
                lives.append([("cancel", last)])
                continue
            self._happens(what, day, backfill)
        self.cancelled = set(never)
        self._event("complete", last, lost=self.done["lost"] == 0 or self.rng.random() < 0.3)

    def rerun(self) -> None:
        """What was not done runs again and ends well."""
        bad = [day for day in self.window.days if not self.expected(day).done]
        self.airflow.clear(*bad)
        self.rng.shuffle(bad)
        for day in bad:
            self._happens("start", day, 0)
        for day in bad:
            self._happens("complete", day, 0)
        self.cancelled = set()

    def expected(self, day: date) -> Outcome:
        """How the date stands, by what was done with it."""
        return Outcome.CANCELLED if day in self.cancelled else Outcome(self.said[day])

    def settle(self) -> None:
        """The next sweeps."""
        self.airflow.sweep()
        self.airflow.summarise()

    def check_status(self) -> None:
        """What status shows of the batch is what Airflow's rows say."""
        from include.ops.status import count_runs
        from nba_airflow.metadata.register import find_batches

        with transaction() as session:
            found = find_batches(session, self.airflow.ledger)
        self.airflow.ledger.commit()
        states = Counter(self.airflow.states(*self.window.days).values())
        shown = [count_runs(each.batch_id, each.runs) for each in found]
        assert [(each.runs, each.ended, each.failed + each.cancelled) for each in shown] == [
            (DATES, states["success"] + states["failed"], states["failed"])
        ]

    def _any(self) -> str:
        return self.rng.choice(["complete", "failed", "partial", "no_games"])

    def _ran(self, wanted: dict[date, str], cleared: date) -> bool:
        """Whether nothing is queued that is still to run."""
        return set(wanted) <= set(self.said) and self.done["again"] == 1

    def _happens(self, what: str, day: date, backfill: int) -> None:
        if self.rng.random() < 0.1:
            self.airflow.sweep()
        if backfill and self.rng.random() < 0.1:
            self.check_status()
        if what == "cancel":
            self.airflow.cancel(backfill)
        elif what == "clear":
            self.airflow.clear(day)
            self.done["cleared"] += 1
        else:
            self._event(what, day, lost=self.rng.random() < 0.4)

    def _event(self, what: str, day: date, *, lost: bool = False) -> None:
        """A start or an end, of which the listener hears or not; a killed scheduler tells it
        again."""
        self.airflow.lost = lost
        self.done["lost"] += lost
        if what != "start":
            self.airflow.write(day, what)
            self.said[day] = what
        else:
            self.done["again"] += day in self.said
        state = "running" if what == "start" else "failed"
        state = "success" if what != "start" and Outcome(what).done else state
        if self.rng.random() < 0.1:
            with pytest.raises(Killed):
                self.airflow.move_and_die(day, state)
            self.done["killed"] += 1
        self.airflow.move(str(day), state)


def subject(season: Season) -> str:
    """The subject of the mail on the whole backfill."""
    stands = Counter(season.expected(day) for day in season.window.days)
    done = sum(n for outcome, n in stands.items() if outcome.done)
    words = {
        Outcome.FAILED: "failed",
        Outcome.PARTIAL: "incomplete",
        Outcome.CANCELLED: "cancelled",
    }
    bad = [f"{stands[outcome]} {word}" for outcome, word in words.items() if stands[outcome]]
    told = f"{done} of {DATES} dates complete"
    return f"[Cancelled] {DAG} {season.window}: {', '.join([told, *bad])}"


def verdict(season: Season) -> dict[date, Outcome]:
    """Date -> outcome, as the command says."""
    from nba_airflow.cli.verdict import reach_verdict
    from nba_airflow.metadata.runs import read_runs

    with transaction() as session:
        runs = read_runs(DAG, season.window, session)
    found = reach_verdict(DAG, season.window, runs, awaited=())
    return {result.day: result.outcome for result in found.results}


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return " ".join(body.get_content().split())


@pytest.mark.parametrize(
    "first_seed",
    [
        pytest.param(seed, marks=[pytest.mark.slow] if seed >= SEEDS_AT_ONCE else [])
        for seed in range(0, SEEDS, A_TEST)
    ],
)
def test_mail_verdict_and_status_say_what_airflows_rows_say_whatever_was_heard(
    airflow: Airflow, first_seed: int
) -> None:
    for seed in range(first_seed, first_seed + A_TEST):
        start = FIRST + timedelta(days=DATES * (seed - first_seed))
        window = DateRange(start, start + timedelta(days=DATES - 1))
        season = Season(airflow, random.Random(seed), window)
        told = len(airflow.mails())
        season.run()
        assert season.done["lost"] >= 1, "a seed without a lost event shows nothing"
        season.settle()
        stands = [season.expected(day) for day in window.days]
        assert verdict(season) == dict(zip(window.days, stands, strict=True)), f"seed {seed}"
        (mail,) = airflow.mails()[told:]
        assert mail["Subject"] == subject(season), f"seed {seed}"
        assert {Outcome.FAILED, Outcome.PARTIAL, Outcome.CANCELLED} <= set(stands)
        assert season.done["cleared"] == 1

        season.rerun()
        season.settle()
        healed = [day for day, was in zip(window.days, stands, strict=True) if not was.done]
        recovered = len(healed) - stands.count(Outcome.CANCELLED)
        _, again = airflow.mails()[told:]
        assert again["Subject"].endswith(
            f": {len(healed)} dates complete, {recovered} recovered"
        ), f"seed {seed}"
        assert again["In-Reply-To"] == mail["Message-ID"]
        assert all(outcome.done for outcome in verdict(season).values()), f"seed {seed}"
