"""What an address says that has no page: the page's frame with one sentence and a way back. What
is asked for as JSON stays JSON."""

from __future__ import annotations

from fastapi import Request, Response
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from nba_airflow.page.access import show

NO_PAGES = ("/api/", "/static/")
SIGN_IN = 401
NO_ROUTE = "Not Found"
"""What Starlette says of an address that no route has."""


async def say_http(request: Request, error: Exception) -> Response:
    """There is nothing at this address, or nothing that the user may read."""
    assert isinstance(error, HTTPException)
    if not _is_page(request) or error.status_code == SIGN_IN:
        return await http_exception_handler(request, error)
    said = "there is no page at this address" if error.detail == NO_ROUTE else error.detail
    return _show(request, said, error.status_code)


async def say_invalid(request: Request, error: Exception) -> Response:
    """A part of the address is none of what it may be."""
    assert isinstance(error, RequestValidationError)
    if not _is_page(request):
        return await request_validation_exception_handler(request, error)
    first = error.errors()[0]
    said = f"the {first['loc'][-1]} {first.get('input')} is not one: {first['msg']}"
    return _show(request, said, 422)


def _is_page(request: Request) -> bool:
    path = request.url.path.removeprefix(request.scope["root_path"])
    return not path.startswith(NO_PAGES)


def _show(request: Request, said: str, status: int) -> Response:
    answer = show(request, "absent.html.j2", said=said)
    answer.status_code = status
    return answer
