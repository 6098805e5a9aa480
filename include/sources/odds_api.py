"""What an operator chooses of The Odds API in its connection's extra: markets, regions, bookmakers,
game lines. Each costs credits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain
from typing import Any

from include.sources.spec import BadChoice

MAIN = ("player_points", "player_rebounds", "player_assists", "player_threes")
"""Bookmakers offer these of every game, so that a game without one of them is not sound."""
# The provider's list of player props of the NBA, but for player_method_of_first_basket, whose
# outcomes are not players.
PLAYER_MARKETS = (
    *MAIN,
    "player_blocks",
    "player_steals",
    "player_blocks_steals",
    "player_turnovers",
    "player_points_rebounds_assists",
    "player_points_rebounds",
    "player_points_assists",
    "player_rebounds_assists",
    "player_field_goals",
    "player_frees_made",
    "player_frees_attempts",
    "player_double_double",
    "player_triple_double",
    "player_first_basket",
    "player_first_team_basket",
    "player_points_q1",
    "player_rebounds_q1",
    "player_assists_q1",
    "player_points_alternate",
    "player_rebounds_alternate",
    "player_assists_alternate",
    "player_threes_alternate",
    "player_blocks_alternate",
    "player_steals_alternate",
    "player_turnovers_alternate",
    "player_points_rebounds_assists_alternate",
    "player_points_rebounds_alternate",
    "player_points_assists_alternate",
    "player_rebounds_assists_alternate",
)
PRESETS = {"main": MAIN, "all": PLAYER_MARKETS}
REGIONS = ("us", "us2", "us_dfs", "us_ex", "uk", "eu", "fr", "se", "au")
# Keys that clients of the API use (2026), also of bookmakers that are gone and in its history:
# by region, as REGIONS names them.
_BOOKMAKERS = """
    barstool betonlineag betmgm betrivers betus bovada circasports draftkings fanatics fanduel
    foxbet lowvig mybookieag pointsbetus sisportsbook sugarhouse superbook tipico_us twinspires
    unibet_us williamhill_us wynnbet
    ballybet betanysports betparx espnbet fliff hardrockbet hardrockbet_az hardrockbet_fl
    hardrockbet_oh rebet windcreek
    betr_us_dfs pick6 prizepicks underdog
    betopenly kalshi novig polymarket prophetx
    betfair_ex_uk betfair_sb_uk betvictor betway boylesports casumo coral grosvenor ladbrokes_uk
    leovegas livescorebet matchbook paddypower skybet smarkets sport888 unibet_uk virginbet
    williamhill
    betclic_fr betfair_ex_eu betsson codere_it coolbet everygame gtbets leovegas_se marathonbet
    nordicbet onexbet parionssport_fr pinnacle pmu_fr suprabets tipico_de unibet_eu unibet_fr
    unibet_it unibet_nl unibet_se winamax_de winamax_fr
    bet365_au betfair_ex_au betr_au betright boombet dabble_au ladbrokes_au neds playup pointsbetau
    sportsbet tab tabtouch unibet
"""
BOOKMAKERS = tuple(_BOOKMAKERS.split())
ONCE, EACH_GAME = "once", "each_game"
_MORE = "; one that is new belongs into include/sources/odds_api.py"
# Field -> what can be written into it, as an example.
_FORMS = {
    "markets": '"main", "all" or names as in ["player_points", "player_rebounds"]',
    "regions": 'names as in ["us", "us2"]',
    "bookmakers": 'names as in ["draftkings", "fanduel"], instead of regions',
    "game_lines": f'"{ONCE}" or "{EACH_GAME}"',
}
_MEANT = {"market": "markets", "region": "regions", "bookmaker": "bookmakers", "preset": "markets"}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is bought. ``bookmakers``, where any are named, replace the regions; with
    ``lines_of_each_game`` game lines are of each tip-off and not of the date's first."""

    markets: tuple[str, ...] = ("player_points",)
    regions: tuple[str, ...] = ("us",)
    bookmakers: tuple[str, ...] = ()
    lines_of_each_game: bool = False

    @property
    def offers(self) -> Mapping[str, str]:
        """Whose offers are asked for, as parameters of a request."""
        if self.bookmakers:
            return {"bookmakers": ",".join(self.bookmakers)}
        return {"regions": ",".join(self.regions)}


def read_choice(extra: Mapping[str, Any]) -> Choice:
    """The choice in a connection's extra, whose other fields are not looked at. Raises
    BadChoice."""
    for field in _MEANT.keys() & extra.keys():
        raise _bad(field, f"the field is called {_MEANT[field]}", _MEANT[field])
    if {"bookmakers", "regions"} <= extra.keys():
        raise _bad("bookmakers", "they would replace the regions: leave one out", "bookmakers")
    (lines,) = _names(extra.get("game_lines", ONCE), "game_lines", _each((ONCE, EACH_GAME)))[:1]
    return Choice(
        markets=_names(extra.get("markets", MAIN[:1]), "markets", _each(PLAYER_MARKETS) | PRESETS),
        regions=_names(extra.get("regions", REGIONS[:1]), "regions", _each(REGIONS)),
        bookmakers=_names(extra.get("bookmakers", ()), "bookmakers", _each(BOOKMAKERS)),
        lines_of_each_game=lines == EACH_GAME,
    )


def _each(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Each name means itself."""
    return dict(zip(names, zip(names, strict=True), strict=True))


def _names(value: Any, field: str, known: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """What the names of a list, or of a text with commas between them, mean; each once, in the
    order of the known ones."""
    listed = value.split(",") if isinstance(value, str) else value
    try:
        names = {name.strip() for name in listed} - {""}
    except (AttributeError, TypeError):
        raise _bad(field, f"{value!r} is not a list of names", field) from None
    for name in sorted(names - known.keys()):
        raise _bad(field, f"{name!r} is not known{_guess(name, known)}", field)
    if not names and value != ():
        raise _bad(field, "no name is in it", field)
    meant = set(chain.from_iterable(map(known.__getitem__, names)))
    return tuple(filter(meant.__contains__, known))


def _guess(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; do you mean {close[0]}?" if close else _MORE


def _bad(field: str, why: str, meant: str) -> BadChoice:
    return BadChoice(
        f'{field} in its extra that cannot be used ({why}): write {{"{meant}": ...}} with'
        f" {_FORMS[meant]}"
    )
