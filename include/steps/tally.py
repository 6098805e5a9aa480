"""What a date should have against what its bodies have: games expected, games present."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from include.checks.completeness import Count, count
from include.checks.schedule import scheduled_games
from include.sources.spec import Endpoint, Game, GameState
from include.warehouse.open import Warehouse


def scheduled(endpoint: Endpoint, day: date, warehouse: Warehouse) -> tuple[Game, ...] | None:
    """The games that the schedule table expects; None where it does not have the date, and for the
    schedule's own endpoint."""
    return None if endpoint.is_schedule else scheduled_games(warehouse, day)


class Tally:
    """The count of one endpoint's date while its bodies come in.

    What is expected comes from the schedule; where it does not have the date, from the source's own
    list (the endpoint's ``truth``); with neither nobody knows, and the count is UNVERIFIED. The
    schedule's own bodies are themselves what is expected.
    """

    def __init__(self, endpoint: Endpoint, schedule: Iterable[Game] | None) -> None:
        self._is_schedule = endpoint.is_schedule
        self.schedule = None if schedule is None else list(schedule)
        """The schedule's games; None where it does not have the date."""
        self._listed: list[Game] | None = None
        self._present: list[Game] = []
        self.lacks_schedule = self.schedule is None
        """Whether the source's own list is the truth."""
        self.expected_from = _expected_from(endpoint, lacks_schedule=self.lacks_schedule)
        """``schedule``, ``listing``, or empty where nobody knows."""

    @property
    def expected(self) -> list[Game] | None:
        """The games that should be there, as far as they are known; None while they are not."""
        return self._listed if self.lacks_schedule else self.schedule

    @property
    def unreported(self) -> list[Game]:
        """The games that were to be played and of which no body has said anything yet."""
        due = filter(lambda game: game.state is not GameState.POSTPONED, self.expected or ())
        return sorted(set(due) - set(self._present))

    @property
    def known(self) -> list[Game]:
        """All games that have been told of: the schedule's, and those of the source's own list,
        which has the source's own ids."""
        return [*(self.schedule or ()), *(self._listed or ())]

    def add_listed(self, games: Iterable[Game]) -> None:
        """Games of the source's own list; they count only where the schedule lacks the date."""
        self._listed = [*(self._listed or ()), *games]

    def add_present(self, games: Iterable[Game]) -> None:
        """Games of a body."""
        self._present.extend(games)

    def count(self) -> Count:
        """The judgement on the date."""
        return count(self._present if self._is_schedule else self.expected, self._present)


def _expected_from(endpoint: Endpoint, *, lacks_schedule: bool) -> str:
    if endpoint.is_schedule or not lacks_schedule:
        return "schedule"
    return "listing" if endpoint.truth else ""
