"""One spelling for players and teams, whatever a source calls them."""

from __future__ import annotations

import re
import unicodedata

# Letters that NFKD leaves whole: they are not a letter plus a mark.
_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ß": "ss", "æ": "ae", "œ": "oe", "ı": "i"}
)
_SUFFIXES = frozenset({"jr", "sr", "ii", "iii", "iv"})
_JOINED = re.compile(r"['’‘`.]")
_APART = re.compile(r"[^a-z0-9]+")

# One man, two first names: the sources' other name for him -> the one that NBA.com uses. Folding
# cannot know these.
_ALSO_CALLED = {
    "airious bailey": "ace bailey",
    "alexandre sarr": "alex sarr",
    "cam johnson": "cameron johnson",
    "carlton carrington": "bub carrington",
    "hansen yang": "yang hansen",
    "herb jones": "herbert jones",
    "jeenathan williams": "nate williams",  # Ball Don't Lie on 2024-01-15, as the next two
    "kenyon martin": "kj martin",
    "nicolas claxton": "nic claxton",
    "nahshon hyland": "bones hyland",
    "sviatoslav mykhailiuk": "svi mykhailiuk",
    "vincent williams": "vince williams",  # FanDuel on 2025-03-09
}

_TEAMS = {
    "ATL": "Atlanta Hawks",
    "BKN": "Brooklyn Nets",
    "BOS": "Boston Celtics",
    "CHA": "Charlotte Hornets",
    "CHI": "Chicago Bulls",
    "CLE": "Cleveland Cavaliers",
    "DAL": "Dallas Mavericks",
    "DEN": "Denver Nuggets",
    "DET": "Detroit Pistons",
    "GSW": "Golden State Warriors",
    "HOU": "Houston Rockets",
    "IND": "Indiana Pacers",
    "LAC": "Los Angeles Clippers",
    "LAL": "Los Angeles Lakers",
    "MEM": "Memphis Grizzlies",
    "MIA": "Miami Heat",
    "MIL": "Milwaukee Bucks",
    "MIN": "Minnesota Timberwolves",
    "NOP": "New Orleans Pelicans",
    "NYK": "New York Knicks",
    "OKC": "Oklahoma City Thunder",
    "ORL": "Orlando Magic",
    "PHI": "Philadelphia 76ers",
    "PHX": "Phoenix Suns",
    "POR": "Portland Trail Blazers",
    "SAC": "Sacramento Kings",
    "SAS": "San Antonio Spurs",
    "TOR": "Toronto Raptors",
    "UTA": "Utah Jazz",
    "WAS": "Washington Wizards",
}
TRICODES = frozenset(_TEAMS)

# Short forms that box-score sites and file names use for the NBA's own three letters.
_ALIASES = {
    "la clippers": "LAC",
    "la lakers": "LAL",
    "brk": "BKN",
    "cho": "CHA",
    "gs": "GSW",
    "no": "NOP",
    "nor": "NOP",
    "ny": "NYK",
    "pho": "PHX",
    "sa": "SAS",
    "utah": "UTA",
    "wsh": "WAS",
}
_TRICODE_BY_NAME = (
    {code.lower(): code for code in _TEAMS}
    | {name.lower(): code for code, name in _TEAMS.items()}
    | _ALIASES
)


def player_key(name: str) -> str:
    """The name as every source agrees on it: ``Nolan Traoré Jr.`` -> ``nolan traore``.

    Marks are folded (the letter stays), apostrophes and dots vanish, other punctuation and spaces
    become one space, and a generational suffix is dropped unless nothing else is left. A few known
    second names become the first.
    """
    folded = unicodedata.normalize("NFKD", name.casefold().translate(_LETTERS))
    plain = "".join(c for c in folded if not unicodedata.combining(c))
    words = _APART.sub(" ", _JOINED.sub("", plain)).split()
    while len(words) > 1 and words[-1] in _SUFFIXES:
        words.pop()
    key = " ".join(words)
    return _ALSO_CALLED.get(key, key)


def tricode(team: str) -> str | None:
    """The NBA's three letters for a full name or an abbreviation; None for whoever is not an
    NBA team."""
    return _TRICODE_BY_NAME.get(" ".join(team.lower().split()))
