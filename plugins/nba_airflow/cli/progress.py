"""How far a long command is, on stderr: a bar on a terminal, elsewhere now and then a line."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
SECONDS_A_LINE = 10.0  # between two lines where there is no terminal


def track(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Passes the items on and says how many have been."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    said = time.monotonic()
    of_total = f" of {total}" if total else ""
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=total)
        for done, item in enumerate(items, start=1):
            yield item
            bar.update(task, completed=done)
            if not console.is_terminal and time.monotonic() - said > SECONDS_A_LINE:
                said = time.monotonic()
                console.print(f"{done}{of_total} {what}", highlight=False)
