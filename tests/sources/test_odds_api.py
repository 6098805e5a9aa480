"""What a connection's extra chooses of The Odds API, and how a choice that is none is answered."""

from __future__ import annotations

from typing import Any

import pytest

from devstack.sandbox.odds_lines import BOOKMAKERS as OF_THE_SANDBOX
from include.sources.odds_api import BOOKMAKERS, MAIN, PLAYER_MARKETS, Choice, read_choice
from include.sources.spec import BadChoice

POINTS, ASSISTS = ("player_points",), "player_assists"


@pytest.mark.parametrize(
    ("extra", "choice"),
    [
        ({}, Choice(markets=POINTS, regions=("us",))),
        ({"windows": [[600, 60]], "credits": {"monthly": 20_000}}, Choice()),
        ({"markets": "main"}, Choice(markets=MAIN)),
        ({"markets": "all"}, Choice(markets=PLAYER_MARKETS)),
        ({"markets": ["player_blocks", "main"]}, Choice(markets=(*MAIN, "player_blocks"))),
        ({"markets": "player_assists, player_points"}, Choice(markets=(*POINTS, ASSISTS))),
        ({"markets": [ASSISTS, ASSISTS]}, Choice(markets=(ASSISTS,))),
        ({"regions": ["eu", "us"]}, Choice(regions=("us", "eu"))),
        ({"bookmakers": "fanduel,draftkings"}, Choice(bookmakers=("draftkings", "fanduel"))),
        ({"game_lines": "once"}, Choice()),
        ({"game_lines": "each_game"}, Choice(lines_of_each_game=True)),
    ],
)
def test_choice_is_read_in_the_order_of_the_known_names(
    extra: dict[str, Any], choice: Choice
) -> None:
    assert read_choice(extra) == choice


FORMS = {
    "markets": '"main", "all" or names as in ["player_points", "player_rebounds"]',
    "regions": 'names as in ["us", "us2"]',
    "bookmakers": 'names as in ["draftkings", "fanduel"], instead of regions',
    "game_lines": '"once" or "each_game"',
}
NEW = "; one that is new belongs into include/sources/odds_api.py"


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("markets", "player_pionts", "'player_pionts' is not known; do you mean player_points?"),
        ("markets", "mian", "'mian' is not known; do you mean main?"),
        ("markets", ["xyz"], f"'xyz' is not known{NEW}"),
        ("markets", "h2h", f"'h2h' is not known{NEW}"),
        ("markets", [], "no name is in it"),
        ("markets", " , ", "no name is in it"),
        ("markets", 5, "5 is not a list of names"),
        ("markets", [5], "[5] is not a list of names"),
        ("markets", None, "None is not a list of names"),
        ("regions", "usa", "'usa' is not known; do you mean us?"),
        ("bookmakers", ["draftking"], "'draftking' is not known; do you mean draftkings?"),
        ("bookmakers", [], "no name is in it"),
        ("game_lines", "each", "'each' is not known; do you mean each_game?"),
        ("game_lines", True, "True is not a list of names"),
    ],
)
def test_wrong_choice_names_the_field_and_the_repair(field: str, value: Any, why: str) -> None:
    with pytest.raises(BadChoice) as caught:
        read_choice({field: value})
    told = f'{field} in its extra that cannot be used ({why}): write {{"{field}": ...}} with'
    assert str(caught.value) == f"{told} {FORMS[field]}"


@pytest.mark.parametrize(
    ("field", "meant"),
    [
        ("market", "markets"),
        ("preset", "markets"),
        ("region", "regions"),
        ("bookmaker", "bookmakers"),
    ],
)
def test_field_that_is_called_otherwise_is_not_passed_over(field: str, meant: str) -> None:
    with pytest.raises(BadChoice, match=rf'^{field} in .* called {meant}\): write {{"{meant}"'):
        read_choice({field: "main"})


def test_bookmakers_beside_regions_are_refused_since_they_would_replace_them() -> None:
    with pytest.raises(BadChoice, match="they would replace the regions: leave one out"):
        read_choice({"regions": "us", "bookmakers": "draftkings"})


def test_offers_are_of_the_bookmakers_or_of_the_regions() -> None:
    assert Choice(regions=("us", "eu")).offers == {"regions": "us,eu"}
    assert Choice(bookmakers=("fanduel",)).offers == {"bookmakers": "fanduel"}


def test_names_are_each_known_once() -> None:
    for names in (PLAYER_MARKETS, BOOKMAKERS):
        assert len(set(names)) == len(names)
    assert {book.key for book in OF_THE_SANDBOX} <= set(BOOKMAKERS)
