"""Counts the games in a date's bodies against those that were to be played: the verdict that a
scrape writes into the date's manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
        parts = []
        if self.missing:
            parts.append(f"missing {', '.join(self.missing)}")
        if self.unsound:
            parts.append(f"unsound {', '.join(self.unsound)}")
        if self.unexpected:
            parts.append(f"not in the schedule: {', '.join(self.unexpected)}")
        if not parts:
            return f"{self.found} of {self.expected} games"
        return f"{self.found} of {self.expected} games: {'; '.join(parts)}"


# Which of two reports on one game to believe: the one that says most.
_RANK = {
    GameState.UNPLAYED: 0,
    GameState.POSTPONED: 1,
    GameState.LIVE: 2,
    GameState.LISTED: 3,
    GameState.FINAL: 4,
}
DATA = frozenset({GameState.FINAL, GameState.LISTED})
"""The states in which a body has a game's data."""
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
    best = _best_reports(present)
    if expected is None:
        reports = sorted(best.values())
        return Count(
            outcome=Outcome.UNVERIFIED,
            expected=0,
            found=len(_sound(reports)),
            unsound=_describe_unsound(reports),
        )
    listed = set(expected)
    played = due(listed)
    reports = [best[game] for game in played if game in best]
    missing = tuple(_describe_missing(game, best.get(game)) for game in _missing(played, best))
    unsound = _describe_unsound(reports)
    unexpected = tuple(map(str, sorted(_played(best) - listed)))
    if missing or unsound:
        outcome = Outcome.PARTIAL
    elif unexpected:
        outcome = Outcome.UNVERIFIED
    elif played:
        outcome = Outcome.COMPLETE
    else:
        outcome = Outcome.NO_GAMES
    return Count(
        outcome=outcome,
        expected=len(played),
        found=len(_sound(reports)),
        missing=missing,
        unexpected=unexpected,
        unsound=unsound,
    )


def due(games: Iterable[Game]) -> list[Game]:
    """Of the listed games those that are expected, each once and in order."""
    return sorted(game for game in set(games) if game.state is not GameState.POSTPONED)


def _best_reports(present: Iterable[Game]) -> dict[Game, Game]:
    """Game -> the report on it that says most."""
    best: dict[Game, Game] = {}
    for game in present:
        best[game] = max(best.get(game, game), game, key=weigh)
    return best


def weigh(game: Game) -> tuple[bool, int, bool, int]:
    """How much a report on a game says: the greater of two is to be believed."""
    return is_sound(game), _RANK[game.state], not game.problem, game.rows


def is_sound(game: Game) -> bool:
    """Whether it is data, with nothing wrong about it."""
    return game.state in DATA and not game.problem


def _sound(reports: Iterable[Game]) -> list[Game]:
    return list(filter(is_sound, reports))


def _played(best: Mapping[Game, Game]) -> set[Game]:
    return {game for game, report in best.items() if report.state in _PLAYED}


def _missing(due: Iterable[Game], best: Mapping[Game, Game]) -> list[Game]:
    with_data = {game for game, report in best.items() if report.state in DATA}
    return [game for game in due if game not in with_data]


def _describe_unsound(reports: Iterable[Game]) -> tuple[str, ...]:
    data = (game for game in reports if game.state in DATA)
    return tuple(f"{game} ({game.problem})" for game in data if game.problem)


def _describe_missing(game: Game, report: Game | None) -> str:
    if report is None:
        return str(game)
    return f"{game} ({report.problem or report.state})"
