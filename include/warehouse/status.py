"""How each date stands in each table (``raw.date_status``): for people and analytics, who join on
(table_name, game_date) and need not know manifests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from include.outcome import Outcome
from include.sources.spec import Column, Row, Table

DATE_STATUS = Table(
    name="date_status",
    doc="How each date stands in each table: what is missing, and by whose word.",
    columns=(
        Column("game_date", "DATE", "US/Eastern game date"),
        Column("table_name", "STRING", "dataset and table, as in raw.bdl_box_scores"),
        Column("outcome", "STRING", "complete, no_games, accepted, partial or unverified"),
        Column(
            "expected_from",
            "STRING",
            "who says which games were to be played: schedule, listing (the source's own word), or"
            " inputs (the tables it is made of); null where nobody does",
        ),
        Column("games_expected", "INTEGER", "null where nobody knows"),
        Column("games_found", "INTEGER", "sound ones, by the newest bodies"),
        Column("games_missing", "INTEGER", "expected, but absent or not sound, and not accepted"),
        Column("games_accepted", "INTEGER", "a person has accepted what is wrong with them"),
        Column("missing", "STRING", "their names, and what is wrong; separated by semicolons"),
        Column("accepted", "STRING", "the same of the accepted ones"),
        Column("as_of", "TIMESTAMP", "when the newest body of the date was fetched first, UTC"),
    ),
    key=("game_date", "table_name"),
)


@dataclass(frozen=True, kw_only=True)
class DateStatus:
    """One row of ``raw.date_status``: a table's date. ``missing`` and ``accepted`` name games, with
    what is wrong in brackets; ``games_expected`` is None where nobody knows. ``as_of`` is aware;
    ``source_file`` is the manifest."""

    table: str
    day: date
    outcome: Outcome
    expected_from: str
    games_expected: int | None
    games_found: int
    missing: tuple[str, ...]
    accepted: tuple[str, ...]
    as_of: datetime
    source_file: str

    def row(self) -> Row:
        """As the table has it."""
        return {
            "game_date": self.day,
            "table_name": self.table,
            "outcome": str(self.outcome),
            "expected_from": self.expected_from or None,
            "games_expected": self.games_expected,
            "games_found": self.games_found,
            "games_missing": len(self.missing),
            "games_accepted": len(self.accepted),
            "missing": "; ".join(self.missing) or None,
            "accepted": "; ".join(self.accepted) or None,
            "as_of": self.as_of,
            "source_file": self.source_file,
        }
