"""The server's one application: every request is stamped, judged, logged, perhaps spoiled, and
answered."""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
import traceback
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from devstack.sandbox.balldontlie import BallDontLie
from devstack.sandbox.config import Config
from devstack.sandbox.control import control_routes
from devstack.sandbox.credits import PAID, Credits
from devstack.sandbox.drive import Drive, token_answer
from devstack.sandbox.example import Example
from devstack.sandbox.exchange import Answer, Call, Upstream
from devstack.sandbox.faults import CONTENT, Faults, Rule, wire_answer
from devstack.sandbox.league import League
from devstack.sandbox.limits import Limits
from devstack.sandbox.log import RequestLog, redacted
from devstack.sandbox.nbacom import NbaCdn, NbaStats
from devstack.sandbox.odds import OddsApi
from devstack.sandbox.recorded import Recordings


@dataclass(kw_only=True)
class State:
    """Everything that changes while the server runs."""

    config: Config
    league: League
    limits: Limits
    faults: Faults
    log: RequestLog
    credits: Credits
    recordings: Recordings | None
    upstreams: dict[str, Upstream] = field(default_factory=dict)
    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        """The upstreams' calendar, in UTC."""
        return datetime.now(UTC) + self.ahead

    def set_clock(self, now: datetime) -> None:
        """The calendar runs on from here; limits are judged by the monotonic clock and don't
        move."""
        self.ahead = now.astimezone(UTC) - datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """When a request came, from whom, and what it asked."""

    unix: float
    mono: float
    address: str
    source: str
    call: Call


def build(config: Config) -> Starlette:
    """The application for one configuration; its state is at ``app.state.sandbox``."""
    upstreams: tuple[Upstream, ...] = (
        *(BallDontLie(), OddsApi(), NbaStats(), NbaCdn(), Drive()),
        Example(),
    )
    state = State(
        config=config,
        league=League(seed=config.seed, moved=tuple(config.moved.items())),
        limits=Limits({upstream.source: config.windows(upstream.source) for upstream in upstreams}),
        faults=Faults(rules=list(config.faults)),
        log=RequestLog(config.log),
        credits=Credits(monthly=config.monthly_credits),
        recordings=Recordings.open(config.recorded) if config.recorded else None,
        upstreams={upstream.source: upstream for upstream in upstreams},
    )
    if config.now:
        state.set_clock(config.now)
    sources = [Mount(f"/{source}", app=_source_app(state, source)) for source in state.upstreams]
    app = Starlette(routes=[*control_routes(state), *sources])
    app.state.sandbox = state
    app.add_middleware(_Entrance, config=config)
    return app


class _Entrance:
    """Stamps arrivals and plays a forward proxy: of an absolute-form target, the proxy user becomes
    the address."""

    def __init__(self, app: ASGIApp, config: Config) -> None:
        self._app, self._users = app, config.proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Notes when a request came and, of one through a proxy, who sent it."""
        if scope["type"] == "http":
            scope["sandbox.arrival"] = (time.time(), time.monotonic())
            if "://" in scope["path"]:
                headers = _headers(scope)
                user, password = _proxy_credentials(headers.get("proxy-authorization", ""))
                if self._users and self._users.get(user) != password:
                    challenge = {"proxy-authenticate": 'Basic realm="proxy"'}
                    refusal = Answer(
                        status=407, text="", content_type="text/plain", headers=challenge
                    )
                    await _send_whole(refusal, send)
                    return
                path = urlsplit(scope["path"]).path
                scope = {**scope, "path": path, "raw_path": path.encode(), "sandbox.address": user}
        try:
            await self._app(scope, receive, send)
        except Exception:
            traceback.print_exc()
            raise


def _proxy_credentials(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def _headers(scope: Scope) -> dict[str, str]:
    return {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
    }


def _source_app(state: State, source: str) -> ASGIApp:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        arrival = await _arrival(state, source, scope, receive)
        answer, rules = _at_the_door(state, arrival)
        rule = next(iter(rules), None)
        if answer is None:
            # In a thread, so that the next arrival is stamped when it comes and not when this
            # answer is made.
            answer = _billed(state, arrival, await asyncio.to_thread(_data, state, arrival, rules))
        answer = answer.with_headers(state.credits.headers(source, answer, arrival.call.now))
        _record(state, arrival, answer, rule)
        await _transmit(answer, rule, receive, send)

    return serve


async def _arrival(state: State, source: str, scope: Scope, receive: Receive) -> Arrival:
    """The request as an upstream sees it, once its body is whole."""
    unix, mono = scope["sandbox.arrival"]
    headers = _headers(scope)
    peer = scope["client"][0] if scope.get("client") else "unknown"
    body = b""
    more = scope["method"] not in ("GET", "HEAD")
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    call = Call(
        method=scope["method"],
        path=scope["path"].removeprefix(f"/{source}"),
        query=tuple(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
        headers=headers,
        body=body,
        now=state.now(),
    )
    address = scope.get("sandbox.address") or headers.get("x-sandbox-address") or peer
    return Arrival(unix=unix, mono=mono, address=address, source=source, call=call)


def _at_the_door(state: State, arrival: Arrival) -> tuple[Answer | None, list[Rule]]:
    """A refusal or a fault instead of data, and the faults' rules. Too many requests are refused
    before all else."""
    source, call = arrival.source, arrival.call
    upstream = state.upstreams[source]
    # NBA.com knows its clients by address, the others by key.
    caller = arrival.address if source.startswith("nba_") else ""
    endpoint = upstream.endpoint(call)
    # The sign-in is another host's in the real world, and no part of the source's limit.
    if endpoint != "token" and not state.limits.admit(source, caller, arrival.mono):
        return upstream.refuse("rate_limited"), []
    rules = state.faults.strike(
        source,
        endpoint,
        call.path,
        arrival.address,
        lambda day: upstream.covers(call, state.league, day),
    )
    for rule in rules:
        match rule.kind:
            case "429":
                wait = (
                    {"retry-after": str(rule.retry_after)} if rule.retry_after is not None else {}
                )
                return upstream.refuse("rate_limited").with_headers(wait), rules
            case "500":
                return upstream.refuse("down"), rules
            case "bad_key" | "wrong_tier" | "out_of_credits":
                return upstream.refuse(rule.kind), rules
            case "echo":
                return _echo(call), rules
        if answer := wire_answer(rule):
            return answer, rules
    if refusal := upstream.authorise(call, state.config.key(source)):
        return refusal, rules
    if source == PAID and endpoint != "sports" and not state.credits.remaining(call.now):
        return upstream.refuse("out_of_credits"), rules
    return None, rules


def _echo(call: Call) -> Answer:
    """The error page of a gateway in debug mode, which shows the request; what lets a caller in
    comes first, since clients show the beginning alone."""
    lets_in = "authorization", "proxy-authorization"
    names = sorted(call.headers, key=lambda name: name not in lets_in)
    head = [f"{name}: {call.headers[name]}" for name in names]
    asked = [f"{name}={value}" for name, value in call.query]
    told = ["400", *head, *asked, call.method, call.path, call.body.decode("latin-1")]
    return Answer(status=400, text=" ".join(told), content_type="text/plain")


def _data(state: State, arrival: Arrival, rules: list[Rule]) -> Answer:
    """The answer of a sound upstream, with what content faults do to it, encoded."""
    source, call = arrival.source, arrival.call
    upstream = state.upstreams[source]
    endpoint = upstream.endpoint(call)
    if endpoint == "token":
        answer = token_answer(call, state.config.key(source))
    elif state.recordings:
        answer = state.recordings.answer(source, endpoint, call, upstream.day(call, state.league))
    else:
        answer = upstream.answer(call, state.league)
    for rule in filter(lambda rule: rule.kind in CONTENT, rules):
        answer = upstream.bend(rule.kind, call, answer, rule.day)
    return replace(
        answer, billed=upstream.cost(call, answer), text=answer.body.decode(answer.encoding)
    )


def _billed(state: State, arrival: Arrival, answer: Answer) -> Answer:
    """The answer once it is paid; a refusal where the month's rest does not cover it."""
    if answer.billed > state.credits.remaining(arrival.call.now):
        return state.upstreams[arrival.source].refuse("out_of_credits")
    state.credits.bill(answer.billed, arrival.call.now)
    return answer


def _record(state: State, arrival: Arrival, answer: Answer, rule: Rule | None) -> None:
    """Writes the request into the log that judges us."""
    limited = answer.status == 429 and rule is None
    state.log.write(
        {
            "t": round(arrival.unix, 6),
            "mono": arrival.mono,
            "source": arrival.source,
            "address": arrival.address,
            "path": arrival.call.path,
            "query": redacted(arrival.call.query),
            "status": 0 if rule and rule.kind == "hang" and rule.seconds is None else answer.status,
            "billed": answer.billed,
            "credits_used": state.credits.used(arrival.call.now) if arrival.source == PAID else 0,
            "limited": limited,
            "fault": rule.kind if rule else None,
        }
    )


async def _transmit(answer: Answer, rule: Rule | None, receive: Receive, send: Send) -> None:
    kind = rule.kind if rule else ""
    if rule and kind == "hang":
        await _until_client_leaves(receive, rule.seconds)
        if rule.seconds is None:
            return
    if kind == "truncated_json":
        body = answer.body
        answer = replace(answer, text=body[: len(body) * 2 // 3].decode(errors="ignore"))
    await _send_whole(answer, send, torn=kind == "torn_body")


async def _until_client_leaves(receive: Receive, seconds: float | None) -> None:
    async def left() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    try:
        await asyncio.wait_for(left(), seconds)
    except TimeoutError:
        return


async def _send_whole(answer: Answer, send: Send, *, torn: bool = False) -> None:
    body = answer.body
    headers = {
        "content-type": answer.content_type,
        "content-length": str(len(body)),
        **answer.headers,
    }
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    # Returning before the promised length makes the server close the connection, as a dying
    # upstream does.
    await send(
        {
            "type": "http.response.body",
            "body": body[: len(body) // 2] if torn else body,
            "more_body": torn,
        }
    )
