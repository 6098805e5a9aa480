"""Players' second names: nicknames and legal names that no folding can tell, each with where it was
seen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Alias:
    """A folded name that somebody uses for the player whose folded name at NBA.com is ``key``."""

    also: str
    key: str
    seen: str


_BOOKS = "bookmakers' threes of 2024-25"
_BOOKS_OR_BDL = "bookmakers or Ball Don't Lie, 2023-24 to 2025-26"
_BDL_2024 = "Ball Don't Lie, box scores of 2024-01-15"
_BDL_2026 = "Ball Don't Lie, box scores of 2026-01-09"
_BDL_SEASONS = "Ball Don't Lie, box scores of 2020-21 to 2024-25"

ALIASES = tuple(
    Alias(also=also, key=key, seen=seen)
    for also, key, seen in (
        ("airious bailey", "ace bailey", _BOOKS_OR_BDL),
        ("alexandre sarr", "alex sarr", _BDL_2026),
        ("bj boston", "brandon boston", _BOOKS),
        ("bojan bogdanovich", "bojan bogdanovic", _BOOKS),
        ("cam johnson", "cameron johnson", _BOOKS_OR_BDL),
        ("cameron reddish", "cam reddish", _BDL_SEASONS),
        ("cameron thomas", "cam thomas", _BOOKS),
        ("carlton carrington", "bub carrington", _BDL_2026),
        ("charles brown", "charlie brown", _BDL_SEASONS),
        ("gregory jackson", "gg jackson", _BOOKS),
        ("hansen yang", "yang hansen", _BDL_2026),
        ("herb jones", "herbert jones", _BOOKS_OR_BDL),
        ("james huff", "jay huff", _BOOKS),
        ("jeenathan williams", "nate williams", _BDL_2024),
        ("joshua giddey", "josh giddey", _BOOKS),
        ("kenyon martin", "kj martin", _BDL_2024),
        ("moe wagner", "moritz wagner", _BOOKS),
        ("mohamed bamba", "mo bamba", _BOOKS),
        ("nahshon hyland", "bones hyland", _BOOKS_OR_BDL),
        ("nicholas batum", "nicolas batum", _BOOKS),
        ("nicolas claxton", "nic claxton", _BDL_2024),
        ("nigel hayes", "nigel hayes davis", _BDL_SEASONS),
        ("obadiah toppin", "obi toppin", _BOOKS),
        ("ron holland", "ronald holland", _BOOKS),
        ("sviatoslav mykhailiuk", "svi mykhailiuk", _BOOKS_OR_BDL),
        ("vincent williams", "vince williams", "FanDuel, DraftKings and Caesars on 2025-03-09"),
    )
)
