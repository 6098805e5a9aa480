"""Names that only the game's own players can decide."""

from __future__ import annotations

import pytest

from include.parsing.names import find_player, player_key

PLAYERS = frozenset(
    map(
        player_key,
        (
            *("Giannis Antetokounmpo", "Thanasis Antetokounmpo", "Jonathan Isaac"),
            *("Dejounte Murray", "Jalen Williams", "Jaylin Williams", "Nenê", "PJ Tucker"),
            "Shai Gilgeous-Alexander",
        ),
    )
)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("G Antetokounmpo", "giannis antetokounmpo"),
        ("G. Antetokounmpo", "giannis antetokounmpo"),
        ("J. Isaac", "jonathan isaac"),
        ("J.Isaac", "jonathan isaac"),
        ("S Gilgeous-Alexander", "shai gilgeous alexander"),
        ("Murray Dejounte", "dejounte murray"),
        ("J Williams", "j williams"),
        ("K Isaac", "k isaac"),
        ("Jon Isaac", "jon isaac"),
        ("Isaac", "isaac"),
        ("Jalen Williams", "jalen williams"),
        ("Nene", "nene"),
        ("", ""),
    ],
)
def test_initials_and_turned_names_are_those_of_the_one_player_whom_they_fit(
    written: str, key: str
) -> None:
    assert find_player(player_key(written), PLAYERS) == key


def test_without_the_games_players_a_name_is_left_as_it_is() -> None:
    assert find_player("g antetokounmpo", ()) == "g antetokounmpo"
