"""Counts the games in a date's bodies against those that were to be played: the verdict that a
scrape writes into the date's manifest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from include.outcome import Outcome
from include.sources.spec import Game, GameState


@dataclass(frozen=True, kw_only=True)
class Count:
    """The result of counting one date. ``expected`` and ``found`` are numbers of games; ``found``
    ones are sound.

    ``missing``: expected, but absent, unplayed or still running (``GSW@UTA (unplayed)``).
    ``unsound``: there, but with a problem, which stands in brackets. ``unexpected``: played says
    the source, unknown to the schedule.
    """

    outcome: Outcome
    expected: int
    found: int
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    unsound: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """One line for an operator: ``9 of 11 games: missing GSW@UTA, ...``."""
        if self.outcome is Outcome.NO_GAMES:
            return "no games on this date"
        if self.outcome is Outcome.UNVERIFIED and not self.unexpected:
            return (
                f"{self.found} games found, but which were to be played is not known: load"
                " nbacom_schedule first"
            )
        parts = [
            f"{label} {', '.join(names)}"
            for label, names in (
                ("missing", self.missing),
                ("unsound", self.unsound),
                ("not in the schedule:", self.unexpected),
            )
            if names
        ]
        head = f"{self.found} of {self.expected} games"
        return f"{head}: {'; '.join(parts)}" if parts else head


# Which of two reports on one game to believe: the one that says most.
_RANK = {
    GameState.UNPLAYED: 0,
    GameState.POSTPONED: 1,
    GameState.LIVE: 2,
    GameState.LISTED: 3,
    GameState.FINAL: 4,
}
_DATA = frozenset({GameState.FINAL, GameState.LISTED})
# Not LISTED: bookmakers keep listing postponed games (GSW@UTA on 2024-01-17).
_PLAYED = frozenset({GameState.FINAL, GameState.LIVE})


def count(expected: Iterable[Game] | None, present: Iterable[Game]) -> Count:
    """Judges a date: ``expected`` from the schedule (None: not known), ``present`` from the bodies,
    in any order.

    Never COMPLETE on an assumption: without ``expected`` the outcome is UNVERIFIED; so it is where
    the source has a played game that the schedule does not know, since then the schedule may lack
    others too. Postponed games are not expected. Reports on one game from several bodies are
    merged: the best one counts.
    """
    best: dict[Game, Game] = {}
    for game in present:
        if game not in best or _standing(game) > _standing(best[game]):
            best[game] = game
    if expected is None:
        reports = sorted(best.values())
        return Count(
            outcome=Outcome.UNVERIFIED,
            expected=0,
            found=sum(_is_sound(game) for game in reports),
            unsound=_unsound(reports),
        )

    listed = list(expected)
    due = sorted({game for game in listed if game.state is not GameState.POSTPONED})
    reports = [best[game] for game in due if game in best]
    absent = tuple(
        _absence(game, best.get(game))
        for game in due
        if game not in best or best[game].state not in _DATA
    )
    unsound = _unsound(reports)
    unexpected = tuple(
        str(g) for g in sorted(best.keys() - set(listed)) if best[g].state in _PLAYED
    )
    if absent or unsound:
        outcome = Outcome.PARTIAL
    elif unexpected:
        outcome = Outcome.UNVERIFIED
    else:
        outcome = Outcome.COMPLETE if due else Outcome.NO_GAMES
    return Count(
        outcome=outcome,
        expected=len(due),
        found=sum(_is_sound(game) for game in reports),
        missing=absent,
        unexpected=unexpected,
        unsound=unsound,
    )


def _standing(game: Game) -> tuple[bool, int, bool, int]:
    return _is_sound(game), _RANK[game.state], not game.problem, game.rows


def _is_sound(game: Game) -> bool:
    return game.state in _DATA and not game.problem


def _unsound(reports: Iterable[Game]) -> tuple[str, ...]:
    return tuple(
        f"{game} ({game.problem})" for game in reports if game.state in _DATA and game.problem
    )


def _absence(game: Game, report: Game | None) -> str:
    if report is None:
        return str(game)
    return f"{game} ({report.problem or report.state})"
