"""Answers out of a folder of recorded bodies with a ``manifest.json``, instead of the invented
league."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from devstack.sandbox.exchange import Answer, Call
from devstack.sandbox.odds import error

Json = dict[str, Any]

HOSTS = {
    "api.balldontlie.io": "balldontlie",
    "api.the-odds-api.com": "the_odds_api",
    "stats.nba.com": "nba_stats",
    "cdn.nba.com": "nba_cdn",
    "www.googleapis.com": "bigdataball",
}
_ROWS_OF = "(rows of) "
# Parameters that choose no other body: the key, and how many rows a page may have.
_IGNORED = frozenset(
    {"apikey", "per_page", "counter", "direction", "sorter", "oddsformat", "dateformat"}
)


class BadRecordings(ValueError):
    """A folder without a usable ``manifest.json``."""


def _normal(query: Sequence[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    return frozenset(
        (name.lower(), value) for name, value in query if name.lower() not in _IGNORED and value
    )


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One entry of the manifest. ``rows_of`` marks a bare list of rows that is cut by date and
    wrapped."""

    source: str
    path: str
    query: Sequence[tuple[str, str]]
    status: int
    file: Path
    rows_of: bool

    @cached_property
    def text(self) -> str:
        """The body as it came over the wire."""
        raw = self.file.read_bytes()
        return (gzip.decompress(raw) if self.file.suffix == ".gz" else raw).decode()

    @cached_property
    def content(self) -> Any:
        """The decoded body: JSON, or the rows of a CSV file as dictionaries of strings."""
        if ".csv" in self.file.suffixes:
            return list(csv.DictReader(io.StringIO(self.text)))
        return json.loads(self.text)


@dataclass(frozen=True, kw_only=True)
class Recordings:
    """What was recorded, by source and path. A question it knows nothing about gets an empty day,
    not an invention."""

    entries: Sequence[Recording] = field(default_factory=tuple)

    @classmethod
    def open(cls, folder: Path) -> Recordings:
        """The folder's recordings; raises BadRecordings."""
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as failure:
            raise BadRecordings(
                f"no recordings in {folder}: manifest.json cannot be read ({failure})"
            ) from failure
        entries: list[Recording] = []
        for entry in manifest:
            url = urlsplit(entry["url"].removeprefix(_ROWS_OF))
            entries.append(
                Recording(
                    source=HOSTS.get(url.netloc, ""),
                    path=url.path,
                    query=tuple(parse_qsl(url.query, keep_blank_values=True)),
                    status=entry["status"],
                    file=folder / entry["body"],
                    rows_of=entry["url"].startswith(_ROWS_OF),
                )
            )
        return cls(entries=tuple(entries))

    def answer(self, source: str, endpoint: str, call: Call, day: date | None) -> Answer:
        """The recorded answer; where there is none, what the upstream's own rules make of the
        recordings."""
        for entry in self._of(source, call.path):
            if not entry.rows_of and _normal(entry.query) == _normal(call.query):
                return _answer(entry)
        match source:
            case "balldontlie":
                return self._balldontlie(endpoint, call, day)
            case "nba_stats":
                return self._nba_stats(endpoint, call, day)
            case "the_odds_api":
                return self._odds(endpoint, call)
            case "nba_cdn" if endpoint == "scoreboard":
                return Answer(payload={"scoreboard": {"games": []}})
            case "bigdataball" if endpoint == "list":
                return Answer(payload={"files": []})
        return Answer(status=404, payload={"error": f"nothing recorded for {call.path}"})

    def _of(self, source: str, path: str) -> list[Recording]:
        path = path.removeprefix("/nba") if source == "balldontlie" else path
        return [entry for entry in self.entries if (entry.source, entry.path) == (source, path)]

    def _games(self, day: date) -> list[Json]:
        """Ball Don't Lie's listed games of a date, out of any listing."""
        rows = [
            row
            for entry in self._of("balldontlie", "/v1/games")
            for row in (entry.content if entry.rows_of else entry.content["data"])
        ]
        return [row for row in rows if row["date"] == day.isoformat()]

    def _balldontlie(self, endpoint: str, call: Call, day: date | None) -> Answer:
        if day is None:
            return Answer(status=400, payload={"error": "Bad request: no date"})
        games = self._games(day)
        if endpoint == "games":
            return Answer(payload={"data": games, "meta": {"per_page": 100}})
        if endpoint == "box_scores" and not games:
            return Answer(payload={"data": []})
        return Answer(status=404, payload={"error": f"nothing recorded for {endpoint} of {day}"})

    def _nba_stats(self, endpoint: str, call: Call, day: date | None) -> Answer:
        """The recorded rows of the date, wrapped as the recorded answer is."""
        if endpoint != "leaguegamelog" or day is None:
            return Answer(status=404, payload={"Message": f"nothing recorded for {call.path}"})
        rows = [
            row
            for entry in self._of("nba_stats", call.path)
            if entry.rows_of
            for row in entry.content
            if row["GAME_DATE"] == day.isoformat()
            and _season_type(row["GAME_ID"]) == call.param("SeasonType")
        ]
        if not rows and self._scheduled(day):
            return Answer(
                status=404, payload={"Message": f"nothing recorded for {endpoint} of {day}"}
            )
        template = next(e.content for e in self._of("nba_stats", call.path) if not e.rows_of)
        headers: list[str] = template["resultSets"][0]["headers"]
        like: list[Any] = template["resultSets"][0]["rowSet"][0]
        numbers = {
            name for name, value in zip(headers, like, strict=True) if not isinstance(value, str)
        }
        row_set = [
            [_number(row[name]) if name in numbers else row[name] for name in headers]
            for row in rows
        ]
        result = {"name": template["resultSets"][0]["name"], "headers": headers, "rowSet": row_set}
        parameters = {name: call.param(name) for name in template["parameters"]}
        return Answer(
            payload={"resource": "leaguegamelog", "parameters": parameters, "resultSets": [result]}
        )

    def _scheduled(self, day: date) -> bool:
        """Whether a recorded schedule has games on the date."""
        return any(
            each["gameDate"].startswith(f"{day:%m/%d/%Y}")
            for entry in self._of("nba_stats", "/stats/scheduleleaguev2")
            for each in entry.content["leagueSchedule"]["gameDates"]
        )

    def _odds(self, endpoint: str, call: Call) -> Answer:
        """The closest snapshot of the same path at or before the date, no older than a day."""
        if not call.param("date"):
            return error(422, "MISSING_HISTORICAL_TIMESTAMP", "Missing date parameter")
        asked = _moment(call.param("date"))
        shape = dict if endpoint == "event_odds" else list
        snapshots = [
            entry
            for entry in self._of("the_odds_api", call.path)
            if isinstance(entry.content["data"], shape)
        ]
        known = [(_moment(entry.content["timestamp"]), n) for n, entry in enumerate(snapshots)]
        fitting = [(at, n) for at, n in known if asked - timedelta(days=1) < at <= asked]
        if fitting:
            found = _answer(snapshots[max(fitting)[1]])
            return _of_markets(found, call) if endpoint == "event_odds" else found
        if endpoint == "event_odds":
            return error(404, "EVENT_NOT_FOUND", "Event not found at this time")
        at = asked.strftime("%Y-%m-%dT%H:%M:%SZ")
        return Answer(
            payload={
                "timestamp": at,
                "previous_timestamp": None,
                "next_timestamp": None,
                "data": [],
            }
        )


def _answer(entry: Recording) -> Answer:
    return Answer(status=entry.status, payload=entry.content, text=entry.text)


def _of_markets(answer: Answer, call: Call) -> Answer:
    """What the answer has of the markets that are asked for, as the upstream would have given
    it."""
    wanted, payload = call.params("markets"), deepcopy(answer.payload)
    had = {market["key"] for book in payload["data"]["bookmakers"] for market in book["markets"]}
    if had <= {*wanted}:
        return answer
    for book in payload["data"]["bookmakers"]:
        book["markets"] = [market for market in book["markets"] if market["key"] in wanted]
    offering = [book for book in payload["data"]["bookmakers"] if book["markets"]]
    payload["data"]["bookmakers"] = offering
    return replace(answer, payload=payload, text=None)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _number(text: str) -> int | float | None:
    if not text:
        return None
    return float(text) if "." in text else int(text)


_SEASON_TYPES: Mapping[str, str] = {
    "1": "Pre Season",
    "2": "Regular Season",
    "4": "Playoffs",
    "5": "PlayIn",
    "6": "IST",
}


def _season_type(game_id: str) -> str:
    return _SEASON_TYPES.get(game_id[2], "")
