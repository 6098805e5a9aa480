"""Acceptance: a date that stays wrong is green where a person has accepted all that is wrong with
it, and red again with anything new."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime

from include.outcome import Outcome
from include.partition import Partition, eastern_day
from include.storage import raw
from include.storage.accepted import Acceptance, read_accepted
from include.storage.store import Store


def read_judged(
    store: Store, partition: Partition, *, torn_as_none: bool = False
) -> raw.Manifest | None:
    """The partition's manifest, judged with what is accepted of it today (US/Eastern). A torn one
    raises Problem(STORAGE), or counts as none."""
    read = raw.read_manifest_or_none if torn_as_none else raw.read_manifest
    manifest = read(store, partition)
    if manifest is None or manifest.done:
        return manifest
    accepted = read_accepted(store, partition)
    return accept(manifest, accepted, eastern_day(datetime.now(UTC)))


def list_wrong(manifest: raw.Manifest) -> dict[str, str]:
    """What can be accepted -> how the manifest names it: ``GSW@UTA missing``, ``GSW@POR (GSW's
    players have 140 points, the team 139)``, ``LAL@DEN not in the schedule``.

    A game is missing in whatever way it is; an unsound one only in its own.
    """
    wrong = {word_wrong(text, manifest): text for text in manifest.missing}
    return wrong | {f"{game} not in the schedule": game for game in manifest.unexpected}


def word_wrong(text: str, manifest: raw.Manifest) -> str:
    """The words to which an acceptance of one of the manifest's missing games is bound."""
    return text if text in manifest.unsound else f"{name_game(text)} missing"


def name_game(wrong: str) -> str:
    """``GSW@POR (...)`` -> ``GSW@POR``."""
    return wrong.partition(" ")[0]


def accept(manifest: raw.Manifest, accepted: Iterable[Acceptance], today: date) -> raw.Manifest:
    """The manifest of a date that is not done, as it stands with what was accepted."""
    wrong = list_wrong(manifest)
    valid = [each for each in accepted if each.wrong in wrong and each.holds(today)]
    manifest = replace(manifest, accepted=tuple(each.wrong for each in valid))
    # Where nobody knows which games were to be played, more may be wrong than what is named.
    unknown = not manifest.expected_from
    if not valid or unknown or wrong.keys() - set(manifest.accepted):
        return manifest
    told = "; ".join(f"{wrong[each.wrong]}: {each.reason} ({each.by})" for each in valid)
    found = f"{manifest.games_found} of {manifest.games_expected} games"
    return replace(manifest, outcome=Outcome.ACCEPTED, message=f"{found}; accepted: {told}")
