"""The thirty teams as each upstream names and numbers them: public facts, no invention."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo


@dataclass(frozen=True, kw_only=True, eq=False)
class Team:
    """One of the thirty, equal only to itself. ``zone`` is where its arena stands: tip-offs are
    local evenings."""

    tricode: str
    city: str
    name: str
    conference: str
    division: str
    balldontlie_id: int
    nba_id: int
    zone: ZoneInfo

    @property
    def full_name(self) -> str:
        """As NBA.com and Ball Don't Lie write it: ``LA Clippers``."""
        return f"{self.city} {self.name}"

    @property
    def odds_name(self) -> str:
        """As The Odds API writes it: ``Los Angeles Clippers``, every other team as above."""
        return "Los Angeles Clippers" if self.tricode == "LAC" else self.full_name

    @property
    def slug(self) -> str:
        """NBA.com's ``teamSlug``: ``trail-blazers``."""
        return self.name.lower().replace(" ", "-")


_EASTERN, _CENTRAL = ZoneInfo("America/New_York"), ZoneInfo("America/Chicago")
_MOUNTAIN, _ARIZONA, _PACIFIC = (
    ZoneInfo("America/Denver"),
    ZoneInfo("America/Phoenix"),
    ZoneInfo("America/Los_Angeles"),
)

# Tricode, city, name, division, NBA.com id less 1610612700, arena's zone; Ball Don't Lie numbers
# them in this order.
_ROWS = (
    ("ATL", "Atlanta", "Hawks", "Southeast", 37, _EASTERN),
    ("BOS", "Boston", "Celtics", "Atlantic", 38, _EASTERN),
    ("BKN", "Brooklyn", "Nets", "Atlantic", 51, _EASTERN),
    ("CHA", "Charlotte", "Hornets", "Southeast", 66, _EASTERN),
    ("CHI", "Chicago", "Bulls", "Central", 41, _CENTRAL),
    ("CLE", "Cleveland", "Cavaliers", "Central", 39, _EASTERN),
    ("DAL", "Dallas", "Mavericks", "Southwest", 42, _CENTRAL),
    ("DEN", "Denver", "Nuggets", "Northwest", 43, _MOUNTAIN),
    ("DET", "Detroit", "Pistons", "Central", 65, _EASTERN),
    ("GSW", "Golden State", "Warriors", "Pacific", 44, _PACIFIC),
    ("HOU", "Houston", "Rockets", "Southwest", 45, _CENTRAL),
    ("IND", "Indiana", "Pacers", "Central", 54, _EASTERN),
    ("LAC", "LA", "Clippers", "Pacific", 46, _PACIFIC),
    ("LAL", "Los Angeles", "Lakers", "Pacific", 47, _PACIFIC),
    ("MEM", "Memphis", "Grizzlies", "Southwest", 63, _CENTRAL),
    ("MIA", "Miami", "Heat", "Southeast", 48, _EASTERN),
    ("MIL", "Milwaukee", "Bucks", "Central", 49, _CENTRAL),
    ("MIN", "Minnesota", "Timberwolves", "Northwest", 50, _CENTRAL),
    ("NOP", "New Orleans", "Pelicans", "Southwest", 40, _CENTRAL),
    ("NYK", "New York", "Knicks", "Atlantic", 52, _EASTERN),
    ("OKC", "Oklahoma City", "Thunder", "Northwest", 60, _CENTRAL),
    ("ORL", "Orlando", "Magic", "Southeast", 53, _EASTERN),
    ("PHI", "Philadelphia", "76ers", "Atlantic", 55, _EASTERN),
    ("PHX", "Phoenix", "Suns", "Pacific", 56, _ARIZONA),
    ("POR", "Portland", "Trail Blazers", "Northwest", 57, _PACIFIC),
    ("SAC", "Sacramento", "Kings", "Pacific", 58, _PACIFIC),
    ("SAS", "San Antonio", "Spurs", "Southwest", 59, _CENTRAL),
    ("TOR", "Toronto", "Raptors", "Atlantic", 61, _EASTERN),
    ("UTA", "Utah", "Jazz", "Northwest", 62, _MOUNTAIN),
    ("WAS", "Washington", "Wizards", "Southeast", 64, _EASTERN),
)

EASTERN_DIVISIONS = ("Atlantic", "Central", "Southeast")
WESTERN_DIVISIONS = ("Northwest", "Pacific", "Southwest")

TEAMS: tuple[Team, ...] = tuple(
    Team(
        tricode=tricode,
        city=city,
        name=name,
        conference="East" if division in EASTERN_DIVISIONS else "West",
        division=division,
        balldontlie_id=number,
        nba_id=1610612700 + nba,
        zone=zone,
    )
    for number, (tricode, city, name, division, nba, zone) in enumerate(_ROWS, start=1)
)
