"""Which games of a date the warehouse is to have, and how the date is described there."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from include.checks.completeness import is_sound
from include.outcome import Outcome
from include.partition import Partition
from include.sources.spec import Endpoint, Game
from include.storage import raw
from include.warehouse.status import DateStatus

_WHOLE = (Outcome.COMPLETE, Outcome.NO_GAMES)


def loadable(manifest: raw.Manifest, games: Iterable[Game]) -> list[Game]:
    """Of the games in the manifest's bodies those whose rows are loaded: all of a date that is
    whole; of any other the sound ones that were to be played."""
    if manifest.outcome in _WHOLE:
        return list(games)
    if manifest.outcome is not Outcome.PARTIAL:
        return []
    return [game for game in games if is_sound(game) and str(game) not in manifest.unexpected]


def describe_date(endpoint: Endpoint, partition: Partition, manifest: raw.Manifest) -> DateStatus:
    """The date's row of ``raw.date_status``. A function of the manifest alone, so that a rerun
    gives the same bytes."""
    known = manifest.expected_from != ""
    fetched = max((each.fetched_at for each in manifest.objects), default="")
    return DateStatus(
        table=str(endpoint.table),
        day=partition.day,
        outcome=manifest.outcome,
        expected_from=manifest.expected_from,
        games_expected=manifest.games_expected if known else None,
        games_found=manifest.games_found,
        missing=manifest.missing,
        accepted=(),
        as_of=datetime.fromisoformat(fetched or manifest.finished_at),
        source_file=f"{partition.prefix}/{raw.MANIFEST}",
    )
