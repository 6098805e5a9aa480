"""Names of players and teams as the sources write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstack.sandbox.teams import TEAMS
from include.parsing.aliases import ALIASES
from include.parsing.names import player_key, tricode


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
        ("De\u02bcAaron Fox", "deaaron fox"),
        ("De\u00b4Aaron Fox", "deaaron fox"),
        ("De\u2032Aaron Fox", "deaaron fox"),
        ("De\u201bAaron Fox", "deaaron fox"),
        ("O. G. Anunoby", "og anunoby"),
        ("Tucker, P. J.", "pj tucker"),
        ("G. Antetokounmpo", "g antetokounmpo"),
        ("Bobby Portis [MIL]", "bobby portis"),
        ("Karl-Anthony  Towns ", "karl anthony towns"),
        ("Nicolas Claxton", "nic claxton"),
        ("Nic Claxton", "nic claxton"),
        ("Nene", "nene"),
        ("Portis, Bobby", "bobby portis"),
        ("Porter Jr., Michael", "michael porter"),
        ("Porter, Michael Jr.", "michael porter"),
        ("Holland, Ronald, II", "ronald holland"),
        ("Gilgeous-Alexander, Shai", "shai gilgeous alexander"),
        ("Gary Payton, II", "gary payton"),
        ("Wendell Carter, Jr.", "wendell carter"),
        ("Batum, Nicholas", "nicolas batum"),
        ("Kyle Lowry (Phi)", "kyle lowry"),
        ("Jalen (2001) Johnson", "jalen johnson"),
        ("Tim Hardaway Jr. (Det)", "tim hardaway"),
        ("Johnson, Jalen (2001)", "jalen johnson"),
        ("(Phi)", "phi"),
        ("Kyle Lowry (Phi", "kyle lowry phi"),
        (",", ""),
        ("G Antetokounmpo", "g antetokounmpo"),
        ("Murray Dejounte", "murray dejounte"),
        ("Jr.", "jr"),
        ("", ""),
    ],
)
def test_player_key_folds_what_sources_write_differently(written: str, key: str) -> None:
    assert player_key(written) == key


@pytest.mark.parametrize(
    ("also", "name"),
    [
        ("Moe Wagner", "Moritz Wagner"),
        ("B.J. Boston Jr", "Brandon Boston"),
        ("Ron Holland", "Ronald Holland II"),
        ("James Huff", "Jay Huff"),
        ("Cameron Thomas", "Cam Thomas"),
        ("Mohamed Bamba", "Mo Bamba"),
        ("Joshua Giddey", "Josh Giddey"),
        ("Nicholas Batum", "Nicolas Batum"),
        ("Obadiah Toppin", "Obi Toppin"),
        ("Gregory Jackson", "GG Jackson"),
        ("Gregory Jackson II", "GG Jackson II"),
        ("Bojan Bogdanovich", "Bojan Bogdanović"),
        ("Cameron Reddish", "Cam Reddish"),
        ("Charles Brown", "Charlie Brown Jr."),
        ("Nigel Hayes", "Nigel Hayes-Davis"),
        ("Vincent Williams Jr", "Vince Williams Jr."),
    ],
)
def test_second_name_has_the_key_of_the_first(also: str, name: str) -> None:
    assert player_key(also) == player_key(name)


def test_recorded_players_have_a_key_each(recorded: Path) -> None:
    ids: dict[str, set[int]] = {}
    for name in ("2024-01-15", "2026-01-09"):
        body = json.loads((recorded / f"balldontlie/box_scores_{name}.json").read_bytes())
        for game in body["data"]:
            for player in (*game["home_team"]["players"], *game["visitor_team"]["players"]):
                who = player["player"]
                key = player_key(f"{who['first_name']} {who['last_name']}")
                ids.setdefault(key, set()).add(who["id"])
    assert {key: found for key, found in ids.items() if len(found) > 1} == {}
    assert len(ids) > 500


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
    codes = {team.tricode for team in TEAMS}
    assert len(codes) == 30
    assert {tricode(code) for code in codes} == codes


def test_aliases_are_keys_that_lead_to_keys_and_no_further() -> None:
    also = [alias.also for alias in ALIASES]
    assert also == sorted(set(also))
    assert {player_key(alias.key) for alias in ALIASES} == {alias.key for alias in ALIASES}
    assert not {alias.key for alias in ALIASES} & set(also)
    assert all(alias.seen for alias in ALIASES)
