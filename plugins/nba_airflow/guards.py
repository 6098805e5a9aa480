"""What the environment states about quiet hours and breakers, of each DAG."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from include.guards import breaker, quiet_hours
from include.outcome import Later, Outcome
from include.wording import moment, name_known

if TYPE_CHECKING:
    import psycopg

    from include.ops.session import Session

T = TypeVar("T")
log = logging.getLogger(__name__)

IGNORE = "ignore_quiet_hours"
"""In a run's conf: it does not wait for their end."""


def read_quiet_hours(dag_id: str) -> quiet_hours.Rules:
    """Those of the DAG."""
    stated = _stated(quiet_hours.VARIABLE, quiet_hours.parse_quiet_hours)
    return quiet_hours.choose_quiet_hours(stated, dag_id)


def read_thresholds(dag_id: str) -> breaker.Thresholds:
    """Those of the DAG's breaker."""
    stated = _stated(breaker.VARIABLE, breaker.parse_thresholds)
    return breaker.choose_thresholds(stated, dag_id)


def check_open(session: Session, dag_id: str, conf: Mapping[str, Any], now: datetime) -> None:
    """Raises Later where a date of a backfill meets quiet hours; ``conf`` is its run's."""

    def has_games(day: date) -> bool:
        return session.run(lambda connection: knows_games(connection)(day))

    if conf.get(IGNORE):
        return
    until = quiet_hours.next_open(now, read_quiet_hours(dag_id), has_games)
    if until > now:
        raise Later(
            until, f"quiet hours until {moment(until)}: games are under way", Outcome.NOT_YET
        )


def _stated(variable: str, parse: Callable[[str], T]) -> T:
    """What a variable states; the defaults where it cannot be read, which must stop nothing."""
    try:
        return parse(os.environ.get(variable, ""))
    except ValueError as error:
        log.error("%s cannot be read, its defaults count: %s", variable, error)
        return parse("")


RULES: Mapping[str, Callable[[str], Mapping[str, Any]]] = {
    quiet_hours.VARIABLE: quiet_hours.parse_quiet_hours,
    breaker.VARIABLE: breaker.parse_thresholds,
}
"""The variables that state rules by DAG, and how they are read."""


def find_misread() -> Iterator[str]:
    """What of these variables does not count, with its repair; in this process's environment."""
    from nba_airflow.specs import dag_ids

    known = [quiet_hours.EVERY_DAG, *dag_ids()]
    for variable, parse in RULES.items():
        try:
            named = parse(os.environ.get(variable, ""))
        except ValueError as error:
            yield f"{variable} cannot be read, its defaults count: {error}"
        else:
            for name in named.keys() - {*known}:
                there = name_known(name, known)
                yield f"{variable} has rules of {name!r}, which count for no DAG: known are {there}"


def knows_games(connection: psycopg.Connection[Any]) -> Callable[[date], bool]:
    """Whether a date has games, by what the schedule has said; else by the months of a season."""

    def has_games(day: date) -> bool:
        row = connection.execute(
            "SELECT games FROM ops.game_days WHERE day = %s", (day,)
        ).fetchone()
        return bool(row[0]) if row else quiet_hours.assume_games(day)

    return has_games
