"""Which games of a date the warehouse is to have, and how the date is described there."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter

from include.checks.acceptance import name_game, word_wrong
from include.checks.completeness import is_sound
from include.outcome import Outcome
from include.partition import Partition
from include.sources.spec import Endpoint, Game
from include.storage import raw
from include.warehouse.status import DateStatus

_WHOLE = (Outcome.COMPLETE, Outcome.NO_GAMES)
_IN_PART = (Outcome.PARTIAL, Outcome.ACCEPTED)


def loadable(manifest: raw.Manifest, games: Iterable[Game]) -> list[Game]:
    """Of the games in the manifest's bodies those whose rows are loaded: all of a date that is
    whole; of any other the sound ones that were to be played, and the accepted ones, if a partition
    can hold their rows."""
    if manifest.outcome in _WHOLE:
        return list(games)
    if manifest.outcome not in _IN_PART:
        return []
    taken = set(map(name_game, manifest.accepted))
    barred = set(manifest.unexpected) - taken
    held = [game for game in games if game.rows]
    return [g for g in held if str(g) in taken or (is_sound(g) and str(g) not in barred)]


def describe_date(endpoint: Endpoint, partition: Partition, manifest: raw.Manifest) -> DateStatus:
    """The date's row of ``raw.date_status``. A function of the manifest alone, so that a rerun
    gives the same bytes."""
    fetched = filter(None, map(attrgetter("fetched_at"), manifest.objects))
    return DateStatus(
        table=str(endpoint.table),
        day=partition.day,
        outcome=manifest.outcome,
        expected_from=manifest.expected_from,
        games_expected={"": None}.get(manifest.expected_from, manifest.games_expected),
        games_found=manifest.games_found,
        missing=tuple(
            text for text in manifest.missing if word_wrong(text, manifest) not in manifest.accepted
        ),
        accepted=manifest.accepted,
        as_of=datetime.fromisoformat(max(fetched, default=manifest.finished_at)),
        source_file=f"{partition.prefix}/{raw.MANIFEST}",
    )
