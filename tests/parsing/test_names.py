"""Names of players and teams as the sources write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.parsing.names import TRICODES, player_key, tricode


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("Nolan Traoré", "nolan traore"),
        ("Luka Dončić", "luka doncic"),
        ("Dario Šarić", "dario saric"),
        ("Łukasz Ødegaard", "lukasz odegaard"),
        ("Tim Hardaway Jr.", "tim hardaway"),
        ("Scotty Pippen Jr", "scotty pippen"),
        ("Robert Williams III", "robert williams"),
        ("Trey Murphy III", "trey murphy"),
        ("Gary Payton II", "gary payton"),
        ("Lonnie Walker IV", "lonnie walker"),
        ("P.J. Washington", "pj washington"),
        ("PJ Washington", "pj washington"),
        ("De'Aaron Fox", "deaaron fox"),
        ("De’Aaron Fox", "deaaron fox"),
        ("Karl-Anthony  Towns ", "karl anthony towns"),
        ("Nicolas Claxton", "nic claxton"),
        ("Nic Claxton", "nic claxton"),
        ("Nene", "nene"),
        ("Jr.", "jr"),
        ("", ""),
    ],
)
def test_player_key_folds_what_sources_write_differently(written: str, key: str) -> None:
    assert player_key(written) == key


@given(st.text(max_size=40))
def test_player_key_of_a_key_is_itself(name: str) -> None:
    assert player_key(player_key(name)) == player_key(name)


@given(st.text(alphabet=st.characters(codec="utf-8", categories=("Ll", "Lu")), max_size=20))
def test_player_key_ignores_case(name: str) -> None:
    assert player_key(name.lower().upper()) == player_key(name.lower())


@pytest.mark.parametrize(
    ("team", "code"),
    [
        ("Los Angeles Clippers", "LAC"),
        ("LA Clippers", "LAC"),
        ("Los Angeles Lakers", "LAL"),
        ("Philadelphia 76ers", "PHI"),
        ("golden  state warriors", "GSW"),
        ("UTA", "UTA"),
        ("GS", "GSW"),
        ("PHO", "PHX"),
        ("Team LeBron", None),
        ("New Zealand Breakers", None),
        ("", None),
    ],
)
def test_team_has_the_three_letters_of_the_nba(team: str, code: str | None) -> None:
    assert tricode(team) == code


def test_league_has_thirty_teams() -> None:
    assert len(TRICODES) == 30
    assert {tricode(code) for code in TRICODES} == TRICODES
