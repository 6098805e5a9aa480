"""Items that a date has to do without: the upstream does not have them, or in another form than we
read. The others are fetched all the same, and these are named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from include.checks.parts import Report
from include.errors import ErrorClass, Problem
from include.parsing.each_game import brief
from include.sources.spec import Endpoint, Game, GameState

MAX_REFUSED = 2
"""So many games forbidden or of another form, and none read: then it is the address, the account or
the source, not a file."""

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
    """The items of a date that were refused, or could not be read, one by one.

    ``read``: whether any was not; ``heard``: whether the upstream has given one in this try.
    ``ended``: whether they were the end of the date.
    """

    endpoint: Endpoint
    read: bool = False
    heard: bool = False
    ended: bool = False
    named: dict[str, Problem] = field(default_factory=dict)
    grave: dict[str, Problem] = field(default_factory=dict)
    forbidden: dict[str, Problem] = field(default_factory=dict)
    gone: dict[str, Problem] = field(default_factory=dict)
    """All by the name that a game's items share: what was said of one of them first."""

    def has_game_of(self, item: str) -> bool:
        """Whether the item's game is gone by what was said of another part of it, so that asking is
        of no use."""
        problem = self.gone.get(self.endpoint.split(item)[0])
        if problem:
            self.named[item] = problem
        return problem is not None

    def note(self, item: str, problem: Problem) -> None:
        """Does without the item; raises the Problem where it is about more than one item: of an
        endpoint that is not asked game by game, another error, or nothing but refusals."""
        endpoint, has_drifted = self.endpoint, problem.error_class is ErrorClass.SCHEMA_DRIFT
        is_absent = (problem.error_class, problem.status) in _ABSENT
        is_game = endpoint.per_game and endpoint.item_of and not endpoint.request.pages
        if not is_game or not (is_absent or has_drifted):
            raise problem
        self.named[item] = problem
        told = self.gone if problem.error_class is ErrorClass.NOT_FOUND else self.grave
        told.setdefault(endpoint.split(item)[0], problem)
        if problem.status == _FORBIDDEN:
            self.forbidden.setdefault(endpoint.split(item)[0], problem)
        self._check(MAX_REFUSED, self.grave, self.read)
        # Bodies of an earlier try say nothing of the address now.
        self._check(MAX_REFUSED, self.forbidden, self.heard)

    def close(self) -> None:
        """Raises the Problem where all items were forbidden, or none could be read."""
        self._check(1, self.grave, self.read)

    def _check(self, most: int, refused: Mapping[str, Problem], was_answered: bool) -> None:
        if len(refused) >= most and not was_answered:
            self.ended = True
            raise next(iter(refused.values()))

    def games(self, known: Sequence[Game]) -> Iterator[Report]:
        """The items of known games that the date has to do without, each with the reason."""
        for item, problem in self.named.items():
            assert self.endpoint.item_of
            by_name = dict(zip(map(self.endpoint.item_of, known), known, strict=True))
            if game := by_name.get(self.endpoint.split(item)[0]):
                said = self._word(problem)
                yield item, replace(game, state=GameState.UNPLAYED, rows=0, problem=said)

    def _word(self, problem: Problem) -> str:
        """Of a forbidden item the upstream speaks as of the address or the account, which others
        have shown to be well."""
        if problem.error_class is ErrorClass.SCHEMA_DRIFT:
            return brief(problem)
        if problem.status == _FORBIDDEN and self.read:
            return _ALONE
        return problem.message
