"""A game of several bodies: what they say of it together, where each has a part of its data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from include.checks.completeness import DATA
from include.sources.spec import Endpoint, Game, GameState

Report = tuple[str, Game]
"""An item, and a game in its body."""


def merge_parts(endpoint: Endpoint, reports: Iterable[Report]) -> list[Game]:
    """The games of the reports. Of an endpoint with parts each game once, with the rows of all its
    bodies; sound only if every wanted part is."""
    if not endpoint.parts:
        return [game for _, game in reports]
    by_game: dict[Game, dict[str, Game]] = {}
    for item, game in reports:
        by_game.setdefault(game, {})[endpoint.split(item)[1]] = game
    return [_merge(endpoint, parts) for parts in by_game.values()]


def _merge(endpoint: Endpoint, parts: Mapping[str, Game]) -> Game:
    wanted = {part: parts.get(part, _nothing(parts)) for part in endpoint.parts}
    # The parts that have a problem, by what it is.
    wrong: dict[str, list[str]] = {}
    for part, report in wanted.items():
        wrong.setdefault(report.problem, []).append(part)
    sound, rows = wrong.pop("", []), sum(report.rows for report in parts.values())
    if sound and not rows:
        wrong["no rows"] = sound
    best = max(wanted.values(), key=lambda report: report.state in DATA)
    told = [f"{', '.join(of)}: {problem}" for problem, of in wrong.items()]
    # Of a game that is missing altogether its parts say nothing more.
    told = told if best.state in DATA else list(wrong)
    return replace(best, rows=rows, problem="; ".join(told))


def _nothing(parts: Mapping[str, Game]) -> Game:
    """The game as a part of it says that is not there."""
    known = next(iter(parts.values()))
    return replace(known, state=GameState.UNPLAYED, rows=0, problem="not there")
