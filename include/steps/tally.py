"""What a date should have against what its bodies have: games expected, games present."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import repeat
from operator import itemgetter

from include.checks.completeness import Count, count, due, is_sound
from include.checks.parts import Report, merge_parts
from include.checks.schedule import scheduled_games
from include.sources.spec import Endpoint, Game
from include.storage.moved import PREFIX
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
        self._endpoint = endpoint
        self.schedule = None if schedule is None else list(schedule)
        """The schedule's games; None where it does not have the date."""
        self._listed: list[Game] | None = None
        self._reports: list[Report] = []
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
        """The games that were to be played and of which no body has said anything yet; that of
        another date may be older than the game, so that it counts only where it has it sound."""
        ours = {game for item, game in self._reports if not item.startswith(PREFIX)}
        return sorted(self._lacking - ours)

    def is_outdated(self, item: str) -> bool:
        """Whether the item tells of a game that was to be played, and no body has it sound."""
        told = {game for name, game in self._reports if name == item}
        return bool(told & self._lacking)

    @property
    def known(self) -> list[Game]:
        """All games that have been told of: the schedule's, and those of the source's own list,
        which has the source's own ids."""
        return [*(self.schedule or ()), *(self._listed or ())]

    def learn(self, schedule: Iterable[Game]) -> None:
        """The schedule has the date now; its games count."""
        self.schedule, self.lacks_schedule = list(schedule), False
        self.expected_from = _expected_from(self._endpoint, lacks_schedule=False)

    def add_listed(self, games: Iterable[Game]) -> None:
        """Games of the source's own list; they count only where the schedule lacks the date."""
        self._listed = [*(self._listed or ()), *games]

    def add_present(self, games: Iterable[Game], item: str = "") -> None:
        """Games of an item's body."""
        self._reports.extend(zip(repeat(item), games))

    def forget(self, item: str) -> None:
        """Takes back what an item's body says, since a newer one has come."""
        self._reports = list(filter(lambda report: report[0] != item, self._reports))

    def count(self) -> Count:
        """The judgement on the date."""
        present = merge_parts(self._endpoint, self._reports)
        return count(present if self._endpoint.is_schedule else self.expected, present)

    @property
    def _lacking(self) -> set[Game]:
        """The games that were to be played and that no body has sound."""
        sound = filter(is_sound, map(itemgetter(1), self._reports))
        return set(due(self.expected or ())).difference(sound)


def _expected_from(endpoint: Endpoint, *, lacks_schedule: bool) -> str:
    if endpoint.is_schedule or not lacks_schedule:
        return "schedule"
    return "listing" if endpoint.truth else ""
