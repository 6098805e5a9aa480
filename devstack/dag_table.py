"""The README's table of DAGs, from the specs: `python -m devstack.dag_table` rewrites it, a test
compares it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from include.sources.spec import Source
from nba_airflow import DAGS
from nba_airflow.specs import processors, sources

README = DAGS.parent / "README.md"
_BLOCK = re.compile(r"(<!-- dags:begin -->\n).*?(<!-- dags:end -->)", re.DOTALL)


def make_table() -> str:
    """Markdown rows: DAG, what its docstring's heading says, its tables, its limits."""
    lines = ["| DAG | What | Tables | Limits |", "| --- | --- | --- | --- |"]
    known, made = sources(), processors()
    for path in sorted(DAGS.glob("*.py")):
        doc = ast.get_docstring(ast.parse(path.read_text())) or ""
        what = doc.splitlines()[0].removeprefix("### ")
        source = known.get(path.stem)
        filled = [endpoint.table for endpoint in source.endpoints] if source else []
        filled += made[path.stem].tables if path.stem in made else ()
        tables = "<br>".join(f"`{table}`" for table in filled)
        limits = "<br>".join(_limits(source)) if source else ""
        lines.append(f"| [`{path.stem}`](dags/{path.name}) | {what} | {tables} | {limits} |")
    return "\n".join(lines) + "\n"


def _limits(source: Source) -> list[str]:
    found = []
    for host in source.hosts:
        each = [f"{w.limit} requests / {w.seconds:g} s" for w in host.windows]
        if host.credits:
            each.append(
                f"{host.credits.monthly} credits / month, {host.credits.live_reserve} kept for live"
                " runs"
            )
        found.append(f"{host.connection}: {', '.join(each)}")
    return found


def update(readme: str) -> str:
    """The README's text with the table as it is now. Raises ValueError where its marks are
    missing."""
    if not _BLOCK.search(readme):
        raise ValueError("README.md has lost the marks <!-- dags:begin --> and <!-- dags:end -->")
    return _BLOCK.sub(lambda found: found[1] + make_table() + found[2], readme)


if __name__ == "__main__":
    Path(README).write_text(update(README.read_text()))
