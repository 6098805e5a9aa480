"""The control API below ``/_sandbox``: faults, limits, the calendar, the log and the bill. Never
counted or logged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from secrets import compare_digest
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from devstack.sandbox.config import BadConfig, moment_from, windows_from
from devstack.sandbox.faults import rules_from

if TYPE_CHECKING:
    from devstack.sandbox.app import State

# The sandbox, the request and the body of a POST -> what is answered as JSON.
Handler = Callable[["State", Request, Any], Any]


def control_routes(state: State) -> list[Mount]:
    """``/_sandbox/...``; with a control token set, every call needs it in ``X-Sandbox-Token``."""
    routes = [
        Route(path, _endpoint(state, handler), methods=[method])
        for method, path, handler in _HANDLERS
    ]
    return [Mount("/_sandbox", routes=routes)]


def _endpoint(state: State, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if not _is_allowed(state.config.control_token, request):
            return JSONResponse({"error": "X-Sandbox-Token is missing or wrong"}, 403)
        try:
            body = await request.json() if request.method == "POST" else None
            return JSONResponse(handler(state, request, body))
        except ValueError as error:  # BadConfig, BadDay, and a body that is not JSON
            return JSONResponse({"error": str(error)}, 400)

    return endpoint


def _is_allowed(token: str, request: Request) -> bool:
    return not token or compare_digest(request.headers.get("x-sandbox-token", ""), token)


def order_faults(state: State, request: Request, orders: Any) -> Any:
    state.faults.order(rules_from(orders))
    return {"faults": len(state.faults.rules)}


def clear_faults(state: State, request: Request, nothing: None) -> Any:
    state.faults.clear()
    return {"faults": 0}


def change_limits(state: State, request: Request, limits: Any) -> Any:
    if strange := sorted(set(limits) - set(state.upstreams)):
        raise BadConfig(f"no such source: {', '.join(strange)}")
    state.limits.change(windows_from(limits))
    return {"limits": sorted(limits)}


def set_clock(state: State, request: Request, order: Any) -> Any:
    if not isinstance(order, dict) or not isinstance(order.get("now"), str):
        raise BadConfig('the clock is set with {"now": "<ISO time>"}')
    state.set_clock(moment_from(order["now"]))
    return {"now": state.now().isoformat()}


def read_log(state: State, request: Request, nothing: None) -> Any:
    since = float(request.query_params.get("since", "0"))
    return [entry for entry in state.log.entries if entry["t"] >= since]


def read_bill(state: State, request: Request, nothing: None) -> Any:
    now = state.now()
    return {
        "monthly": state.credits.monthly,
        "used": state.credits.used(now),
        "remaining": state.credits.remaining(now),
        "now": now.isoformat(),
    }


_HANDLERS: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/faults", order_faults),
    ("DELETE", "/faults", clear_faults),
    ("POST", "/limits", change_limits),
    ("POST", "/clock", set_clock),
    ("GET", "/log", read_log),
    ("GET", "/bill", read_bill),
)
