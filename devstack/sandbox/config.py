"""What can be set about the sandbox: keys, limits, credits, faults, proxies and the calendar it
starts with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from devstack.sandbox.faults import Rule, rules_from
from include.partition import parse_day

SOURCES = ("balldontlie", "the_odds_api", "nba_stats", "nba_cdn", "bigdataball", "example")

Windows = Sequence[tuple[int, float]]

# Requests and seconds, as the providers give them; NBA.com publishes none and is counted per client
# address.
DEFAULT_LIMITS: Mapping[str, Windows] = {
    "balldontlie": ((60, 60.0),),
    "the_odds_api": ((30, 1.0),),
    "nba_stats": ((100, 60.0),),
    "nba_cdn": ((100, 60.0),),
    "bigdataball": (),
    "example": (),  # every new source asks it, each with a limit of its own
}


class BadConfig(ValueError):
    """A setting that the sandbox does not know or cannot use; the message names it."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """``limits`` replace the defaults source by source; ``proxies`` are user names and their
    passwords; ``moved`` are NBA.com's ids of games and the dates that these were moved to.

    ``now`` moves the calendar (what is played, when the month begins), never the clock that limits
    are judged by.
    """

    seed: int = 1
    log: Path | None = None
    recorded: Path | None = None
    control_token: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, Windows] = field(default_factory=dict)
    monthly_credits: int = 500
    faults: Sequence[Rule] = ()
    proxies: Mapping[str, str] = field(default_factory=dict)
    now: datetime | None = None
    moved: Mapping[str, date] = field(default_factory=dict)

    def key(self, source: str) -> str:
        """The API key that the source accepts."""
        return self.keys.get(source, "sandbox-key")

    def windows(self, source: str) -> Windows:
        """The source's limits: (requests, seconds) pairs, all of which hold."""
        return self.limits.get(source, DEFAULT_LIMITS[source])


def config_from(settings: Mapping[str, Any], **more: Any) -> Config:
    """The configuration in a JSON object; raises BadConfig for what it does not know."""
    known = {each.name for each in fields(Config)}
    if unknown := sorted(set(settings) - known):
        raise BadConfig(
            f"unknown setting {', '.join(unknown)}: known are {', '.join(sorted(known))}"
        )
    values = {**settings, **{name: value for name, value in more.items() if value is not None}}
    for name in ("keys", "limits"):
        if strange := sorted(set(values.get(name, ())) - set(SOURCES)):
            raise BadConfig(
                f"{name} has {', '.join(strange)}: the sources are {', '.join(SOURCES)}"
            )
    if "limits" in values:
        values["limits"] = windows_from(values["limits"])
    try:
        values["faults"] = rules_from(values.get("faults", ()))
        moved = values.get("moved", {})
        values["moved"] = {game: parse_day(day) for game, day in moved.items()}
    except ValueError as error:
        raise BadConfig(str(error)) from error
    for name in ("log", "recorded"):
        if values.get(name):
            values[name] = Path(values[name])
    if isinstance(values.get("now"), str):
        values["now"] = moment_from(values["now"])
    return Config(**values)


def windows_from(limits: Mapping[str, Any]) -> dict[str, Windows]:
    """``{"balldontlie": [[60, 60.0]]}`` with numbers as numbers; raises BadConfig otherwise."""
    try:
        return {
            source: tuple((int(n), float(seconds)) for n, seconds in windows)
            for source, windows in limits.items()
        }
    except (TypeError, ValueError) as error:
        raise BadConfig(f"limits are lists of [requests, seconds] by source: {error}") from error


def moment_from(text: str) -> datetime:
    """An ISO time, UTC where it has no zone; raises BadConfig for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadConfig(f"{text!r} is not an ISO time ({error})") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
