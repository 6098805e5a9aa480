"""`airflow nba status --watch`: the answer anew every few seconds, on a terminal in place."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from nba_airflow.cli.answer import Answer, show_text

if TYPE_CHECKING:
    from rich.console import Console

SECONDS = 3.0
"""Between two looks: each costs a dozen short queries."""


def watch(
    read: Callable[[], Answer],
    *,
    console: Console | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Answer:
    """Shows on stderr what is read until no batch is under way, or Ctrl-C; the last answer. Where
    there is no terminal: a line for each batch that has moved."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = console or Console(stderr=True)
    found, said = read(), set[str]()
    try:
        with Live(console=console, auto_refresh=False, transient=True) as screen:
            while found.facts["under_way"]:
                if console.is_terminal:
                    screen.update(Text.from_ansi(draw(found, console.width)), refresh=True)
                else:
                    lines = _list_batches(found)
                    console.print(*(line for line in lines if line not in said), sep="\n")
                    said = {*lines}
                pause(SECONDS)
                found = read()
    except KeyboardInterrupt:
        return found
    return found


def draw(found: Answer, width: int) -> str:
    """The answer as a terminal of that width shows it, with its colours."""
    from airflow.cli.simple_table import AirflowConsole

    paper = io.StringIO()
    console = AirflowConsole(file=paper, force_terminal=True, highlight=False)
    console.width = width  # Airflow's own is 200 where there is no terminal (3.3.2)
    show_text(console, found.text)
    return paper.getvalue()


def _list_batches(found: Answer) -> list[str]:
    rows = [row for row in found.rows if row["what"] in ("batch", "hold")]
    return [" ".join(map(str, row.values())) for row in rows]
