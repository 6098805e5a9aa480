"""Invented players: thirteen to fifteen a team, the same in every season, named as each source
would name them."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cached_property, lru_cache
from random import Random

from devstack.sandbox.teams import TEAMS, Team


@dataclass(frozen=True, kw_only=True, eq=False)
class Player:
    """One player, equal only to himself. ``share`` is the part of his team's points that he scores
    when he plays."""

    nba_id: int
    balldontlie_id: int
    first_name: str
    last_name: str
    suffix: str
    position: str
    height: str
    weight: int
    jersey: str
    college: str
    country: str
    draft: tuple[int, int, int] | None
    share: float

    @cached_property
    def name(self) -> str:
        """As NBA.com writes it, with diacritics and suffix."""
        return " ".join(part for part in (self.first_name, self.last_name, self.suffix) if part)

    @cached_property
    def plain_name(self) -> str:
        """As Ball Don't Lie and BigDataBall write it: no diacritics."""
        return plain(self.name)

    @cached_property
    def odds_name(self) -> str:
        """As bookmakers write it: no diacritics, no dot behind the suffix."""
        return plain(self.name).removesuffix(".")

    @cached_property
    def short_name(self) -> str:
        """NBA.com's ``playerNameI``: ``D. Vuletić``."""
        return f"{self.first_name[0]}. {self.family_name}"

    @cached_property
    def family_name(self) -> str:
        """Last name with its suffix."""
        return f"{self.last_name} {self.suffix}".strip()


def plain(name: str) -> str:
    """The name with its diacritics taken off, letters kept: ``Kovačević`` -> ``Kovacevic``."""
    return "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))


def _words(text: str) -> list[str]:
    return text.split()


_FIRST = _words("""
    Adrian Amari Andre Beau Brandon Caleb Cameron Carlton Cedric Chase Colby Damon Darnell Darius
    Deion Desmond Devin Dexter Donte Eli Emmett Ezra Felix Garrett Gavin Hollis Isaiah Jalon Jamal
    Jared Jerome Joel Jonah Julian Kendrick Kieran Lamar Lance Leon Lorenzo Malik Marcellus Micah
    Miles Nolan Omari Percy Quentin Reggie Roman Russell Sterling Tariq Terrell Theo Tobias Travis
    Vernon Wesley Xavier
    """)
_LAST = _words("""
    Abbott Ackerly Alston Arden Ashby Baines Barlow Beckett Belmont Blackwood Bowden Brantley Brisco
    Burch Calloway Carver Chandler Clayborne Colbert Cranston Crowder Dalton Darby Dawkins Delgado
    Dempsey Dunbar Easley Eldridge Fairley Farrow Fenwick Forsythe Gaines Gantt Gilmore Godfrey
    Granger Hadley Hargrove Hartwell Hobson Holloway Ingersoll Jarrett Kearney Kendall Kimbrough
    Langford Ledbetter Lockhart Maddox Mayfield Merritt Montague Moseley Nesbitt Norwood Oakley
    Overton Pendleton Pettway Prescott Quarles Radcliffe Ransom Redmond Ridley Rollins Sadler
    Satterfield Shelby Stanton Stockdale Talbot Tatum-Reese Thornton Trammell Upshaw Vance Vickers
    Waddell Wakefield Weatherby Whitlock Wilcox Winslow Yarborough
    """)
# Names whose letters fold; every one stays readable when the marks are dropped.
_ABROAD = (
    ("Luka", "Marković", "Slovenia"),
    ("Jonas", "Petraitis", "Lithuania"),
    ("Mantas", "Žukauskas", "Lithuania"),
    ("Bogdan", "Vuletić", "Serbia"),
    ("Moussa", "Traoré", "France"),
    ("Théo", "Lefèvre", "France"),
    ("Kristaps", "Bērziņš", "Latvia"),
    ("Ömer", "Şahin", "Türkiye"),
    ("Vít", "Dvořák", "Czechia"),
    ("Nicolás", "Peña", "Argentina"),
    ("Juancho", "Ibáñez", "Spain"),
    ("Dario", "Kovačević", "Croatia"),
    ("Jürgen", "Schäfer", "Germany"),
    ("Gonçalo", "Brandão", "Portugal"),
    ("Anžejs", "Ozoliņš", "Latvia"),
    ("N'Faly", "D'Almeida", "Senegal"),
)
_SUFFIXES = ("Jr.", "Jr.", "III", "II", "Sr.")
_COLLEGES = (
    "Kentucky",
    "Duke",
    "Gonzaga",
    "Villanova",
    "Houston",
    "Arizona",
    "Baylor",
    "Michigan State",
    "UConn",
    "LSU",
)
_SHARES = (
    0.20,
    0.16,
    0.13,
    0.11,
    0.09,
    0.075,
    0.065,
    0.055,
    0.045,
    0.035,
    0.02,
    0.01,
    0.005,
    0.005,
    0.005,
)
_POSITIONS = ("G", "G", "F", "F", "C", "G-F", "F-C", "G", "F", "C", "G", "F", "G", "F", "C")
_INCHES = {"G": (73, 78), "G-F": (76, 79), "F": (78, 82), "F-C": (80, 83), "C": (82, 87)}


def _player(rng: Random, team: Team, slot: int, name: tuple[str, str, str], country: str) -> Player:
    """A player whom nobody else is: number, size and history are drawn."""
    first, last, suffix = name
    position = _POSITIONS[slot]
    inches = rng.randint(*_INCHES[position])
    home_grown = country == "USA"
    drafted = rng.random() < 0.75
    number = team.balldontlie_id * 100 + slot
    return Player(
        nba_id=1_640_000 + number,
        balldontlie_id=40_000_000 + number * 7,
        first_name=first,
        last_name=last,
        suffix=suffix,
        position=position,
        height=f"{inches // 12}-{inches % 12}",
        weight=160 + (inches - 72) * 6 + rng.randint(0, 25),
        jersey=str((slot * 7 + team.balldontlie_id) % 56),
        college=_COLLEGES[rng.randrange(len(_COLLEGES))] if home_grown else "None",
        country=country,
        draft=(rng.randint(2012, 2022), 1 + int(slot > 7), rng.randint(1, 30)) if drafted else None,
        share=_SHARES[slot],
    )


@lru_cache(maxsize=4)
def rosters(seed: int) -> dict[str, tuple[Player, ...]]:
    """Tricode -> its players, best scorer first; no two players of the league have the same
    name."""
    rng = Random(f"rosters {seed}")
    names = [(first, last) for first in _FIRST for last in _LAST]
    rng.shuffle(names)
    abroad = list(_ABROAD)
    rng.shuffle(abroad)
    league: dict[str, tuple[Player, ...]] = {}
    for team in TEAMS:
        players: list[Player] = []
        for slot in range(13 + rng.randrange(3)):
            first, last = names.pop()
            suffix, country = "", "USA"
            # Two teams in three hold one name that folds; about one player in twelve has a suffix.
            if slot == 2 + team.balldontlie_id % 5 and abroad and team.balldontlie_id % 3:
                first, last, country = abroad.pop()
            elif rng.random() < 0.08:
                suffix = _SUFFIXES[rng.randrange(len(_SUFFIXES))]
            players.append(_player(rng, team, slot, (first, last, suffix), country))
        league[team.tricode] = tuple(players)
    return league


def by_nba_id(seed: int) -> dict[int, Player]:
    """Every player of the league by NBA.com's id."""
    return {player.nba_id: player for players in rosters(seed).values() for player in players}
