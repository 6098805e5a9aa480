"""One spelling for players and teams, whatever a source calls them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from itertools import chain, filterfalse

from include.parsing.aliases import ALIASES

# Letters that NFKD leaves whole: they are not a letter plus a mark.
_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ß": "ss", "æ": "ae", "œ": "oe", "ı": "i"}
    # NFKD makes a space and a mark of it.
    | {"´": "'"}
)
_SUFFIXES = frozenset({"jr", "sr", "ii", "iii", "iv"})
_JOINED = re.compile("['’‘\u201b\u02bc\u2032`.]")
# The first of initials that stand apart: ``O. G.``
_INITIAL = re.compile(r"\b([a-z])\.\s+(?=[a-z]\.)")
_APART = re.compile(r"[^a-z0-9]+")

# ``(Phi)``, ``[2001]``: which of two, not a part of the name.
_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_ALSO_CALLED = {alias.also: alias.key for alias in ALIASES}

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
UNDECIDED = "TBD"
"""Instead of a team that has yet to qualify."""

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

    ``Portis, Bobby`` is turned round and brackets are dropped. Marks are folded (the letter stays),
    apostrophes and dots vanish, initials with dots are joined (``O. G.``), other punctuation and
    spaces become one space, and a generational suffix is dropped, each unless nothing else is left.
    A known second name becomes NBA.com's (``aliases.py``); other initials and names without a comma
    stay as they are: ``find_player``.
    """
    key = " ".join(_turned(_BRACKETS.sub(" ", name).strip() or name))
    return _ALSO_CALLED.get(key, key)


def find_player(key: str, players: Collection[str]) -> str:
    """The one of a game's own players whom a key means that is none of theirs, else the key.

    ``players`` are the keys of all who are listed for the game: of a part of them it would find the
    wrong one of two. An initial stands for a first name (``g antetokounmpo``), and two words may be
    turned round (``murray dejounte``). Where two players fit, it is left as it is.
    """
    if key in players:
        return key
    fitting = set(filter(lambda player: key in _written(player), players))
    return fitting.pop() if len(fitting) == 1 else key


def _written(player: str) -> tuple[str, ...]:
    """How else a key may be written: ``isaac jonathan``, ``j isaac``, and ``jisaac`` of J.Isaac."""
    first, *last = player.split()
    if not last:
        return ()
    return " ".join([*last, first]), " ".join([first[0], *last]), "".join([first[0], *last])


def _turned(name: str) -> list[str]:
    """The name's words in their order, without suffixes: what follows a comma comes first."""
    parts = list(map(_words, name.split(",")))
    kept = list(filter(None, map(_without_suffix, parts)))
    words = list(chain.from_iterable(kept[1:] + kept[:1]))
    return words or list(chain.from_iterable(parts))[:1]


def _words(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    plain = "".join(filterfalse(unicodedata.combining, folded))
    return _APART.sub(" ", _JOINED.sub("", _INITIAL.sub(r"\1.", plain))).split()


def _without_suffix(words: list[str]) -> list[str]:
    while words and words[-1] in _SUFFIXES:
        words = words[:-1]
    return words


def tricode(team: str) -> str | None:
    """The NBA's three letters for a full name or an abbreviation; None for whoever is not an
    NBA team."""
    return _TRICODE_BY_NAME.get(" ".join(team.lower().split()))
