"""What a person has accepted of a date: kept beside its manifest, so that it outlives the
ledger."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date

from include.errors import ErrorClass, Problem
from include.partition import Partition
from include.storage.store import Store, change

NAME = "_accepted.json"


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """``wrong`` is what was accepted, to the letter: anything else is something new. ``by`` and
    ``at`` (ISO, UTC): who and when; ``until``: the last US/Eastern date on which it holds, ISO, or
    empty."""

    wrong: str
    reason: str
    by: str
    at: str
    until: str = ""

    def holds(self, today: date) -> bool:
        """Whether it counts on that US/Eastern date."""
        return not self.until or today <= date.fromisoformat(self.until)


def read_accepted(store: Store, partition: Partition) -> list[Acceptance]:
    """What is accepted of the date. Raises Problem(STORAGE) when the file is torn."""
    return _parse(store.read(_path(partition)), _path(partition), store)


def change_accepted(
    store: Store, partition: Partition, of: Callable[[list[Acceptance]], list[Acceptance]]
) -> None:
    """Writes what ``of`` makes of all that is accepted of the date; several persons may at once."""

    def write(data: bytes | None) -> bytes:
        accepted = of(_parse(data, _path(partition), store))
        return json.dumps([asdict(each) for each in accepted], indent=1, sort_keys=True).encode()

    change(store, _path(partition), write)


def _path(partition: Partition) -> str:
    return f"{partition.prefix}/{NAME}"


def _parse(data: bytes | None, path: str, store: Store) -> list[Acceptance]:
    try:
        return [Acceptance(**fields) for fields in json.loads(data or b"[]")]
    except (ValueError, TypeError) as error:
        message = f"{store.url}: {path} is not readable ({error}): delete it and accept again"
        raise Problem(error_class=ErrorClass.STORAGE, message=message) from error
