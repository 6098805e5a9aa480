"""BigDataBall's shared Google Drive folder: Drive v3 listing and download, and the token of a
service account."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from hashlib import md5
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from devstack.sandbox.bigdataball_csv import columns, game_csv, in_old_form
from devstack.sandbox.exchange import Answer, Call, Upstream
from devstack.sandbox.league import League
from devstack.sandbox.schedule import COUNTING, Game, opening_night, season_of
from include.partition import eastern_day

Json = dict[str, Any]

SCOPE = "https://www.googleapis.com/auth/drive.readonly"
_WIDER_SCOPE = "https://www.googleapis.com/auth/drive"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_PACIFIC = ZoneInfo("America/Los_Angeles")
_FILES = "/drive/v3/files"
_GAME_FILE = re.compile(r"1bdb(\d{10})[0-9a-f]{19}")
_COMBINED_FILE = re.compile(r"1cmb(\d{8})[0-9a-f]{21}")
_CONDITION = re.compile(
    r"\s*(?:(\w+)\s*(contains|=|!=|<=|>=|<|>)\s*('(?:[^'\\]|\\.)*'|true|false)|('[^']*')\s+in\s+parents)\s*"
)
_DAY_IN_NAME = re.compile(r"\[?(\d{4}-\d\d-\d\d)\]?")
_TOKEN_AFTER = "~!!~"


@dataclass(frozen=True, kw_only=True)
class _File:
    """One file of the folder; its content is made when somebody asks for it."""

    id: str
    name: str
    modified: datetime
    content: Callable[[], str]

    def metadata(self, fields: frozenset[str]) -> Json:
        """The fields asked for; size and checksum cost a rendering of the file."""
        made: dict[str, Callable[[], str]] = {
            "kind": lambda: "drive#file",
            "id": lambda: self.id,
            "name": lambda: self.name,
            "mimeType": lambda: "text/csv",
            "modifiedTime": lambda: f"{self.modified:%Y-%m-%dT%H:%M:%S}.000Z",
            "createdTime": lambda: f"{self.modified:%Y-%m-%dT%H:%M:%S}.000Z",
            "size": lambda: str(len(self.content().encode())),
            "md5Checksum": lambda: md5(self.content().encode(), usedforsecurity=False).hexdigest(),
        }
        return {name: make() for name, make in made.items() if name in fields or "*" in fields}


@dataclass(frozen=True)
class Drive(Upstream):
    """``/drive/v3/files``, ``/drive/v3/files/{id}`` and ``/token``."""

    source: str = "bigdataball"

    def endpoint(self, call: Call) -> str:
        """``list``, ``download``, ``metadata`` or ``token``."""
        if call.path == "/token":
            return "token"
        if call.path.rstrip("/") == _FILES:
            return "list"
        if call.path.startswith(f"{_FILES}/"):
            return "download" if call.param("alt") == "media" else "metadata"
        return ""

    def day(self, call: Call, league: League) -> date | None:
        """The date in the query's file name, or the file's game date."""
        if found := _DAY_IN_NAME.search(call.param("q")):
            try:
                return date.fromisoformat(found[1])
            except ValueError:
                return None
        found = _GAME_FILE.fullmatch(call.path.removeprefix(f"{_FILES}/"))
        game = league.by_nba_id(found[1]) if found else None
        return game.day if game else None

    def refuse(self, kind: str) -> Answer:
        """Google's error bodies: the reason is in ``error.errors[].reason``."""
        match kind:
            case "rate_limited":
                return _error(429, "rateLimitExceeded", "Rate Limit Exceeded")
            case "down":
                return _error(500, "internalError", "Internal Error")
            case "wrong_tier":
                message = (
                    "Google Drive API has not been used in this project before or it is disabled."
                )
                return _error(403, "accessNotConfigured", message)
            case "out_of_credits":
                return _error(
                    403,
                    "downloadQuotaExceeded",
                    "The download quota for this file has been exceeded.",
                )
        return _error(401, "authError", "Invalid Credentials")

    def authorise(self, call: Call, key: str) -> Answer | None:
        """The bearer token that ``/token`` gave."""
        if (
            self.endpoint(call) == "token"
            or call.headers.get("authorization") == f"Bearer {_access_token(key)}"
        ):
            return None
        if "authorization" not in call.headers:
            return _error(401, "required", "Login Required.")
        return self.refuse("bad_key")

    def answer(self, call: Call, league: League) -> Answer:
        """404 for an unknown or not yet uploaded file."""
        match self.endpoint(call):
            case "list":
                return _listed(call, league)
            case "download" | "metadata":
                return _got(call, league)
        return Answer(
            status=404,
            text="<html><title>Error 404 (Not Found)!!1</title></html>",
            content_type="text/html",
        )

    def bend(self, kind: str, call: Call, answer: Answer, day: date | None) -> Answer:
        """A game that is late, missing, postponed or unplayed has no file; its name is not listed
        either."""
        if answer.status != 200:
            return answer
        if self.endpoint(call) == "download":
            return _bent_file(kind, call, answer)
        if self.endpoint(call) != "list":
            return answer
        payload = dict(answer.payload)
        match kind:
            case "late_game" | "missing_game" | "postponed" | "cancelled":
                games = sorted(
                    file["name"] for file in payload["files"] if "combined" not in file["name"]
                )
                payload["files"] = [
                    file for file in payload["files"] if file["name"] not in games[:1]
                ]
            case "unplayed" | "empty":
                payload["files"] = []
            case "schema_drift":
                payload["items"] = payload.pop("files")
        return replace(answer, payload=payload, text=None)


def token_answer(call: Call, key: str) -> Answer:
    """OAuth's JWT-bearer grant: the assertion has to be well formed and to ask for the right scope.

    Its signature is not checked: the sandbox has no account's public key.
    """
    form = {name: values[-1] for name, values in parse_qs(call.body.decode("latin-1")).items()}
    if call.method != "POST" or form.get("grant_type") != _GRANT:
        return _grant_error(
            "unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type', '')}"
        )
    try:
        header, claims = (_jwt_part(part) for part in form.get("assertion", "").split(".")[:2])
        lifetime = int(claims["exp"]) - int(claims["iat"])
        sound = (
            header["alg"] == "RS256"
            and claims["iss"]
            and claims["aud"]
            and form["assertion"].count(".") == 2
        )
    except (KeyError, TypeError, ValueError):
        sound, lifetime, claims = False, 0, {}
    if not sound or not 0 < lifetime <= 3600:
        return _grant_error(
            "invalid_grant",
            "Invalid JWT: Token must be a short-lived token (60 minutes) and well formed.",
        )
    if not {SCOPE, _WIDER_SCOPE} & set(str(claims.get("scope", "")).split()):
        return _grant_error("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
    return Answer(
        payload={"access_token": _access_token(key), "expires_in": 3599, "token_type": "Bearer"}
    )


def _access_token(key: str) -> str:
    return f"ya29.{key}"


def _grant_error(code: str, message: str) -> Answer:
    return Answer(status=400, payload={"error": code, "error_description": message})


def _jwt_part(part: str) -> Json:
    try:
        return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("no base64 of JSON") from error


def _error(status: int, reason: str, message: str, location: str = "") -> Answer:
    detail = {"message": message, "domain": "global", "reason": reason}
    if location:
        detail |= {"location": location, "locationType": "parameter"}
    return Answer(
        status=status, payload={"error": {"code": status, "message": message, "errors": [detail]}}
    )


def _hex(text: str, digits: int) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()[:digits]


def uploaded(day: date, game_id: str) -> datetime:
    """When a game's file appears: between 4 and 7 AM Pacific on the next day."""
    minutes = int(_hex(game_id, 4), 16) % 180
    at = datetime.combine(day + timedelta(days=1), time(4), tzinfo=_PACIFIC) + timedelta(
        minutes=minutes
    )
    return at.astimezone(UTC)


def _game_file(game: Game, league: League) -> _File:
    return _File(
        id=f"1bdb{game.nba_id}{_hex(game.nba_id, 19)}",
        name=f"[{game.day}]-{game.nba_id}-{game.away.tricode}@{game.home.tricode}.csv",
        modified=uploaded(game.day, game.nba_id),
        content=lambda: game_csv(game, league.seed),
    )


def _combined_file(day: date) -> _File:
    """The season so far in one file, which is uploaded beside the games and is not a game."""
    season = season_of(day)
    return _File(
        id=f"1cmb{day:%Y%m%d}{_hex(str(day), 21)}",
        name=f"[{opening_night(season)}]-[{day}]-combined-stats.csv",
        modified=uploaded(day, f"combined {day}"),
        content=lambda: ",".join(columns(season)) + "\r\n",
    )


def _files(league: League, now: datetime, days: list[date]) -> list[_File]:
    """What is in the folder now, of these dates; in no order that means anything."""
    files: list[_File] = []
    for day in days:
        if games := league.games_on(day):
            files += [_game_file(game, league) for game in games] + [_combined_file(day)]
    return sorted(
        (file for file in files if file.modified <= now), key=lambda file: _hex(file.id, 8)
    )


def _days(names: list[str], now: datetime, league: League) -> list[date]:
    """The dates whose files can match: those that begin with a wanted name, else the last two
    seasons."""
    for name in names:
        if found := _DAY_IN_NAME.match(name):
            try:
                return [date.fromisoformat(found[1])]
            except ValueError:
                return []
    today = eastern_day(now)
    games = [
        game
        for season in (season_of(today) - 1, season_of(today))
        for game in league.season(season)
    ]
    return sorted({game.day for game in games if game.stage in COUNTING and game.day <= today})


def _conditions(q: str) -> list[tuple[str, str, str]] | None:
    """(field, operator, value) of a query of conditions joined by ``and``; None if it is not
    such a query."""
    parsed: list[tuple[str, str, str]] = []
    for part in re.split(r"\s+and\s+", q.strip()) if q.strip() else []:
        found = _CONDITION.fullmatch(part)
        if not found:
            return None
        if found[4]:
            parsed.append(("parents", "in", found[4].strip("'")))
        else:
            parsed.append((found[1], found[2], found[3].strip("'").replace("\\'", "'")))
    return parsed


def _matches(file: _File, field: str, operator: str, value: str) -> bool | None:
    match field, operator:
        case "name", "contains":  # a match of prefixes, of the name or of a word in it
            return file.name.startswith(value) or f"-{value}" in file.name
        case "name", "=":
            return file.name == value
        case "mimeType", "=":
            return value == "text/csv"
        case "mimeType", "!=":
            return value != "text/csv"
        case "trashed", "=":
            return value == "false"
        case "modifiedTime", (">" | ">=" | "<" | "<="):
            stamp = f"{file.modified:%Y-%m-%dT%H:%M:%S}"
            return stamp > value[:19] if operator[0] == ">" else stamp < value[:19]
        case "parents", _:
            return True
    return None


def _listed(call: Call, league: League) -> Answer:
    conditions = _conditions(call.param("q"))
    if conditions is None:
        return _error(400, "invalid", "Invalid Value", "q")
    if call.param("orderBy"):
        # Ordering together with a name filter lists what the filter should have left out.
        conditions = [each for each in conditions if each[:2] != ("name", "contains")]
    names = [
        value
        for field, operator, value in conditions
        if (field, operator) in (("name", "contains"), ("name", "="))
    ]
    matching: list[_File] = []
    for file in _files(league, call.now, _days(names, call.now, league)):
        verdicts = [_matches(file, *condition) for condition in conditions]
        if None in verdicts:
            return _error(400, "invalid", "Invalid Value", "q")
        if all(verdicts):
            matching.append(file)
    try:
        size = int(call.param("pageSize", "100"))
        start = int(call.param("pageToken").removeprefix(_TOKEN_AFTER) or 0)
    except ValueError:
        return _error(400, "invalid", "Invalid Value", "pageToken")
    if not 1 <= size <= 1000:
        return _error(
            400, "invalid", "Invalid value. Values must be within the range: [1, 1000]", "pageSize"
        )
    asked = call.param("fields").replace(" ", "")
    found = re.search(r"files(?:\(([^)]*)\))?", asked)
    fields = (
        frozenset((found[1] or "*").split(","))
        if found
        else frozenset({"kind", "id", "name", "mimeType"})
    )
    body: Json = {"files": [file.metadata(fields) for file in matching[start : start + size]]}
    if start + size < len(matching) and (not asked or "nextPageToken" in asked or asked == "*"):
        body["nextPageToken"] = f"{_TOKEN_AFTER}{start + size}"
    if not asked:
        body |= {"kind": "drive#fileList", "incompleteSearch": False}
    return Answer(payload=body)


def _got(call: Call, league: League) -> Answer:
    file_id = call.path.removeprefix(f"{_FILES}/")
    file = _by_id(file_id, league)
    if file is None or file.modified > call.now:
        return _error(404, "notFound", f"File not found: {file_id}.", "fileId")
    if call.param("alt") == "media":
        return Answer(text=file.content(), content_type="text/csv")
    fields = frozenset(call.param("fields").replace(" ", "").split(",")) - {""}
    return Answer(payload=file.metadata(fields or frozenset({"kind", "id", "name", "mimeType"})))


def _by_id(file_id: str, league: League) -> _File | None:
    file: _File | None = None
    if found := _GAME_FILE.fullmatch(file_id):
        game = league.by_nba_id(found[1])
        file = _game_file(game, league) if game and game.stage in COUNTING else None
    elif found := _COMBINED_FILE.fullmatch(file_id):
        day = datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC).date()
        file = _combined_file(day) if league.games_on(day) else None
    return file if file and file.id == file_id else None


def _bent_file(kind: str, call: Call, answer: Answer) -> Answer:
    header, _, rows = (answer.text or "").partition("\r\n")
    # What is in the file, its form, and then that it is not there at all.
    match kind:
        case "schema_drift":
            return replace(answer, text=f"{header.replace(',points,', ',pts,')}\r\n{rows}")
        case "empty":
            return replace(answer, text=f"{header}\r\n")
        case "corrected":
            return replace(
                answer, text=f"{header}\r\n{rows.replace(' Turnover', ' Turnover (corrected)', 1)}"
            )
        case "old_form":
            return replace(answer, text=in_old_form(answer.text or ""), encoding="cp1252")
        case "absent" | "late_game" | "missing_game" | "postponed" | "cancelled" | "unplayed":
            file_id = call.path.removeprefix(f"{_FILES}/")
            return _error(404, "notFound", f"File not found: {file_id}.", "fileId")
    return answer
