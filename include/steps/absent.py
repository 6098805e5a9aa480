"""Items that the upstream does not have: the others are fetched all the same, and the absent ones
are named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from include.errors import ErrorClass, Problem
from include.sources.spec import Endpoint, Game, GameState

MAX_REFUSED = 2
"""So many items forbidden and none answered: then it is the address or the account, not a file."""

_FORBIDDEN = 403
_ALONE = (
    "status 403 for it alone: the upstream does not have it; rerun the date later, or"
    " `airflow nba accept` the game"
)
# A block page of status 200 is about the address whatever it was asked for.
_ABSENT = {
    (ErrorClass.NOT_FOUND, 404),
    (ErrorClass.NOT_FOUND, 410),
    (ErrorClass.BLOCKED, _FORBIDDEN),
    (ErrorClass.NOT_ENTITLED, _FORBIDDEN),
}


@dataclass(kw_only=True)
class Absent:
    """The items of a date that were refused one by one. ``answered``: whether any was not."""

    endpoint: Endpoint
    answered: bool = False
    refused: dict[str, Problem] = field(default_factory=dict)
    forbidden: list[Problem] = field(default_factory=list)

    def note(self, item: str, problem: Problem) -> None:
        """Takes the item for absent; raises the Problem where it is about more than one item: of an
        endpoint that is not asked game by game, another error, or nothing but refusals."""
        refusal = problem.error_class, problem.status
        named = self.endpoint.per_game and self.endpoint.item_of
        if not named or refusal not in _ABSENT:
            raise problem
        self.refused[item] = problem
        if problem.status == _FORBIDDEN:
            self.forbidden.append(problem)
        self._check(MAX_REFUSED)

    def close(self) -> None:
        """Raises the Problem where all items were forbidden."""
        self._check(1)

    def _check(self, most: int) -> None:
        if len(self.forbidden) >= most and not self.answered:
            raise self.forbidden[0]

    def games(self, known: Sequence[Game]) -> Iterator[Game]:
        """The known games whose items are absent, each with what the upstream said; what it says
        of a forbidden one is about the address or the account, which others have shown to be
        well."""
        for item, problem in self.refused.items():
            assert self.endpoint.item_of
            by_item = dict(zip(map(self.endpoint.item_of, known), known, strict=True))
            if item in by_item:
                yield replace(
                    by_item[item],
                    state=GameState.UNPLAYED,
                    rows=0,
                    problem={_FORBIDDEN: _ALONE}.get(problem.status or 0, problem.message),
                )
