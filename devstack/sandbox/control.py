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

Handler = Callable[[Request], Awaitable[Response]]


def control_routes(state: State) -> list[Mount]:
    """``/_sandbox/...``; with a control token set, every call needs it in ``X-Sandbox-Token``."""

    def guarded(handler: Callable[[Request, Any], Any], *, reads_body: bool = False) -> Handler:
        async def endpoint(request: Request) -> Response:
            token = request.headers.get("x-sandbox-token", "")
            if state.config.control_token and not compare_digest(token, state.config.control_token):
                return JSONResponse({"error": "X-Sandbox-Token is missing or wrong"}, 403)
            try:
                return JSONResponse(handler(request, await request.json() if reads_body else None))
            except ValueError as error:  # BadConfig, BadDay, and JSON that is none
                return JSONResponse({"error": str(error)}, 400)

        return endpoint

    def order_faults(request: Request, orders: Any) -> Any:
        rules = rules_from(orders)
        state.faults.order(rules)
        return {"faults": len(state.faults.rules)}

    def clear_faults(request: Request, nothing: Any) -> Any:
        state.faults.clear()
        return {"faults": 0}

    def change_limits(request: Request, limits: Any) -> Any:
        if strange := sorted(set(limits) - set(state.upstreams)):
            raise BadConfig(f"no such source: {', '.join(strange)}")
        state.limits.change(windows_from(limits))
        return {"limits": sorted(limits)}

    def set_clock(request: Request, order: Any) -> Any:
        if not isinstance(order, dict) or not isinstance(order.get("now"), str):
            raise BadConfig('the clock is set with {"now": "<ISO time>"}')
        state.set_clock(moment_from(order["now"]))
        return {"now": state.now().isoformat()}

    def read_log(request: Request, nothing: Any) -> Any:
        since = float(request.query_params.get("since", "0"))
        return [entry for entry in state.log.entries if entry["t"] >= since]

    def read_bill(request: Request, nothing: Any) -> Any:
        now = state.now()
        return {
            "monthly": state.credits.monthly,
            "used": state.credits.used(now),
            "remaining": state.credits.remaining(now),
            "now": now.isoformat(),
        }

    routes = [
        Route("/faults", guarded(order_faults, reads_body=True), methods=["POST"]),
        Route("/faults", guarded(clear_faults), methods=["DELETE"]),
        Route("/limits", guarded(change_limits, reads_body=True), methods=["POST"]),
        Route("/clock", guarded(set_clock, reads_body=True), methods=["POST"]),
        Route("/log", guarded(read_log), methods=["GET"]),
        Route("/bill", guarded(read_bill), methods=["GET"]),
    ]
    return [Mount("/_sandbox", routes=routes)]
