"""What the checks of bodies find at every source in dags/: by its fixture, without test code of its
own."""

from __future__ import annotations

from dataclasses import replace

from include.checks.bodies import Asked
from include.sources.spec import Game, GameState, Listing
from tests.plugins.test_specs import Case, case

__all__ = ["case"]


def asked(case: Case, item: str = "all", scheduled: list[Game] | None = None) -> Asked:
    return Asked(endpoint=case.endpoint, item=item, day=case.day, scheduled=scheduled)


def item_name(case: Case, game: Game) -> str:
    name = case.endpoint.item_of(game) if case.endpoint.item_of else "all"
    return ".".join([name, *case.endpoint.parts[:1]])


def is_sound(game: Game) -> bool:
    return game.state in (GameState.FINAL, GameState.LISTED) and not game.problem


def test_game_is_sound_only_in_the_body_that_was_asked_for_it(case: Case) -> None:
    """An endpoint with items that differ says by ``item_of`` which game each is about."""
    listing = Listing(day=case.day, expected=None, bodies=case.beside("listing"))
    named = {item.name for item in case.endpoint.items(listing)}
    is_told_apart = case.endpoint.item_of is not None
    assert is_told_apart >= (case.endpoint.per_game or len(named) > 1), "give it an item_of"
    sound = [
        game for game in case.endpoint.games(case.body, case.day) if is_sound(game) and game.rows
    ]
    for game in sound:
        assert game in filter(is_sound, asked(case, item_name(case, game)).games(case.body))
        elsewhere = filter(is_sound, asked(case, "another-item").games(case.body))
        assert (game in elsewhere) is not is_told_apart


def test_game_whose_rows_are_there_twice_is_not_sound(case: Case) -> None:
    if case.endpoint.is_schedule:
        return  # whose games are made of its rows
    twice = replace(case.endpoint, rows=lambda body, day: [*case.endpoint.rows(body, day)] * 2)
    for game in case.endpoint.games(case.body, case.day):
        again = replace(asked(case, item_name(case, game)), endpoint=twice).games(case.body)
        assert [g for g in again if g == game and g.rows and is_sound(g)] == []


def test_points_of_a_box_score_are_held_against_the_schedules(case: Case) -> None:
    if case.endpoint.name != "box_scores":
        return
    games = [g for g in case.endpoint.games(case.body, case.day) if g.state is GameState.FINAL]
    for game in games:
        assert game.score, "what its players made together"
        for off, sound in ((0, True), (1, False)):
            final = replace(game, score=(game.score[0] + off, game.score[1]))
            (found,) = asked(case, item_name(case, game), [final]).games(case.body)
            assert is_sound(found) is sound
