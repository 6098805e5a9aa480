"""Reads a body game by game, so that what cannot be read of one game does not take the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from include.errors import Problem
from include.sources.spec import Game, Row

Read = tuple[Game, Sequence[Row]]
"""A game of a body, and its rows."""


def each_game(games: Iterable[tuple[Game, Callable[[], Read]]]) -> Sequence[Read]:
    """Every game as its function reads it; one that cannot be read has no rows, and a ``problem``
    which says why.

    Raises the first Problem where no game can be read: then the body has another form.
    """
    read: list[Read] = []
    unread: list[Problem] = []
    for game, read_game in games:
        try:
            found, rows = read_game()
        except Problem as problem:
            unread.append(problem)
            found, rows = replace(game, problem=brief(problem)), ()
        read.append((replace(found, rows=len(rows)), rows))
    if unread and len(unread) == len(read):
        raise unread[0]
    return read


def games_in(read: Iterable[Read]) -> Iterator[Game]:
    """The games."""
    return (game for game, _ in read)


def rows_in(read: Iterable[Read]) -> Iterator[Row]:
    """The rows of all games."""
    return (row for _, rows in read for row in rows)


def brief(problem: Problem) -> str:
    """What is wrong, without what to do about it."""
    return problem.message.partition("; ")[0]
