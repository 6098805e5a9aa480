"""The addresses in docs/page.md, from the functions of the page: `python -m
devstack.page_document` rewrites them, a test compares them."""

from __future__ import annotations

import re
from inspect import cleandoc
from pathlib import Path

from fastapi.routing import APIRoute

from nba_airflow.page import PREFIX

PAGE = Path(__file__).resolve().parents[1] / "docs" / "page.md"
JSON = "/api/v1/"

_BLOCK = re.compile(r"(<!-- addresses:begin -->\n).*?(<!-- addresses:end -->)", re.DOTALL)


def make_addresses() -> str:
    """Markdown: each address with what its function says."""
    from nba_airflow.page.app import make_app

    routes = [route for route in make_app().routes if isinstance(route, APIRoute)]
    return "\n".join(_section(route) for route in routes if route.path.startswith(JSON))


def update(page: str) -> str:
    """The page's text with the addresses as they are now."""
    return _BLOCK.sub(lambda found: found[1] + make_addresses() + found[2], page)


def _section(route: APIRoute) -> str:
    (method,) = route.methods
    names = [each.alias for each in route.dependant.query_params]
    query = "?" + "&".join(f"{name}=" for name in names) if names else ""
    said = cleandoc(route.endpoint.__doc__ or "").replace("``", "`")
    return f"### `{method} {PREFIX}{route.path}{query}`\n\n{said}\n"


if __name__ == "__main__":
    PAGE.write_text(update(PAGE.read_text()))
